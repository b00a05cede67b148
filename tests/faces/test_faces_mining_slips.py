"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

from functools import cache

import pytest

from tests.slips import check, imported, messages

SETUP = """
import sys, torch
from shoal.faces.losses import *
from shoal.faces.mining import *
from shoal.faces.monitors import *
from shoal.faces.sampling import *
from shoal.faces.triplets import *
x, y = torch.nn.functional.normalize(torch.randn(6, 3)), torch.arange(6) // 2
nan, zero, inf = x.clone(), x.clone(), x.clone()
nan[4, 1], zero[2], inf[3, 0] = float("nan"), 0, float("inf")
row = torch.tensor([0])
"""

MODULES = imported("numba", "llvmlite")
SLIPS = {
    # batches
    "TripletLoss()(x, y[:5])": "labels: expected 6, one for each embedding, got 5",
    "mine_hardest(x, y[:5])": "labels: expected 6, one for each embedding, got 5",
    "mine_random(x, y[:, None])": "labels: expected whole numbers [batch], one for each person, got torch.int64 [6, 1]",
    "mine_semi_hard(x, y.float())": "labels: expected whole numbers [batch], one for each person, got torch.float32 [6]",  # noqa: E501
    "mine_semi_hard(x, y > 0)": "labels: expected whole numbers [batch], one for each person, got torch.bool [6]",
    "mine_semi_hard(x, y.tolist())": "labels: expected whole numbers [batch], one for each person, got list",
    "mine_all(x[0], y)": "embeddings: expected rows [batch, dim] of floating-point numbers, got torch.float32 [3]",
    "mine_semi_hard(y, y)": "embeddings: expected rows [batch, dim] of floating-point numbers, got torch.int64 [6]",
    "TripletLoss()([1.0], y)": "embeddings: expected rows [batch, dim] of floating-point numbers, got list",
    "TripletLoss()(nan, y)": "embeddings, row 4: expected numbers, got NaN; training has diverged, or this image",
    "TripletLoss()(zero, y)": "embeddings, row 2: expected a row of length 1, got zeros; zeros have no direction",
    "mine_semi_hard(inf, y)": "embeddings, row 3: expected a row of length 1, got length inf; divide each row",
    "mine_semi_hard(1e25 * x, y)": "embeddings, row 0: expected a row of length 1, got length 1e+25; divide each row",
    "semi_hard_triplets(x, y)": "distances: expected floating-point numbers [batch, batch], got torch.float32 [6, 3]",
    "semi_hard_triplets(-torch.eye(6), y)": "distances: expected finite numbers >= 0, got NaN, infinity or less than 0",
    "semi_hard_triplets(torch.full((6, 6), torch.nan), y)": "distances: expected finite numbers >= 0, got NaN",
    "semi_hard_triplets(torch.eye(6), y[:4])": "labels: expected 6, one for each embedding, got 4",
    # settings
    "TripletLoss(0)": "margin: expected a number in (0, 4], got 0; the paper's is 0.2",
    "TripletLoss(4.1)": "margin: expected a number in (0, 4], got 4.1",
    "TripletLoss(float('nan'))": "margin: expected a number in (0, 4], got nan",
    "TripletLoss('0.2')": "margin: expected a number in (0, 4], got 0.2",
    "TripletLoss(mining='semihard')": "unknown mining rule 'semihard'; did you mean 'semi-hard'?",
    "TripletLoss(mining=None)": "unknown mining rule 'None'",
    "mine_all(x, y, limit=0)": "limit: expected a whole number of triplets >= 1, got 0",
    "triplet_loss(x, Triplets(row, row + 6, row))": "triplets, positive: expected rows of 0 to 5, got 6 to 6",
    "triplet_loss(x, Triplets(row, row, row - 1))": "triplets, negative: expected rows of 0 to 5, got -1 to -1",
    "triplet_loss(x, Triplets(row, row, row), margin=-1)": "margin: expected a number in (0, 4], got -1",
    "CollapseWatch(patience=1)": "patience: expected a whole number of batches >= 2, got 1",
    "CollapseWatch(apart=1)": "apart: expected a share of the margin in (0, 1), got 1",
    # sampling
    "IdentityBatchSampler(y, identities=1)": "identities: expected a whole number >= 2, got 1",
    "IdentityBatchSampler(y, per_identity=2.5)": "per_identity: expected a whole number >= 2, got 2.5",
    "IdentityBatchSampler(y, per_identity=True)": "per_identity: expected a whole number >= 2, got True",
    "IdentityBatchSampler(y, seed=None)": "seed: expected a whole number, got None",
    "IdentityBatchSampler(y.float())": "labels: expected whole numbers [n], one for each person, got float32 (6,)",
    "IdentityBatchSampler(['a', 'b'])": "labels: expected whole numbers [n], one for each person, got <U1 (2,)",
    "IdentityBatchSampler([])": "labels: expected whole numbers [n], one for each person, got float64 (0,)",
    "IdentityBatchSampler(y[:, None])": "labels: expected whole numbers [n], one for each person, got int64 (6, 1)",
    "IdentityBatchSampler([3, 3, 3])": "labels: expected somebody with two images or more, and somebody else, got 3 rows of 1 people",  # noqa: E501
    "IdentityBatchSampler([1, 2, 3])": "labels: expected somebody with two images or more, and somebody else, got 3 rows of 3 people",  # noqa: E501
    "IdentityBatchSampler(y).batch(-1)": "step: expected a whole number >= 0, got -1",
    "IdentityBatchSampler(y).batch(0.5)": "step: expected a whole number >= 0, got 0.5",
}


@cache
def found() -> dict[str, str]:
    return messages(SETUP, [MODULES, *SLIPS])


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    check(found()[slip], SLIPS[slip])


def test_numba_is_not_imported_before_it_is_used() -> None:
    assert found()[MODULES] == "no error: []"
