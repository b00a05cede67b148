"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

from functools import cache

import pytest

from tests.slips import check, messages

SLIPS = {
    "verification([[1.0]], [[1.0]], torch.ones(1) > 0)": "first embeddings: expected a tensor, got list; torch",
    "verification(ones, numpy.ones((4, 2)), same)": "second embeddings: expected a tensor, got ndarray",
    "verification(torch.ones(4), torch.ones(4), same)": "[pairs, dim] of one shape, got [4] and [4]",
    "verification(ones.long(), ones.long(), same)": "expected floats [rows, dim], got torch.int64",
    "verification(ones, ones, [True, False] * 2)": "same: expected a tensor, got list",
    "verification(ones, ones, same, fold=[0, 0, 1, 1])": "fold: expected a tensor, got list",
    "verification(ones, ones, same, fold=torch.rand(4))": "fold: expected whole numbers [4], one per pair",
    "threshold_at(0.1, torch.rand(20, 20))": "impostor_distances: expected a tensor [pairs], got [20, 20]",
    "threshold_at(0.1, [0.1] * 50)": "impostor_distances: expected a tensor, got list",
    "cluster(torch.ones(2, 2, 2), threshold=1)": "expected floats [rows, dim], got torch.float32 [2, 2, 2]",
    "cluster([[1.0, 0.0]], threshold=1)": "embeddings: expected a tensor, got list",
    "cluster(ones, threshold=1, must_link=[3])": "must_link: expected pairs of row numbers, got 3",
    "cluster(ones, threshold=1, must_link=[('a', 1)])": "must_link: expected pairs of row numbers from 0 to 3",
    "cluster_scores([0, 1], [0, 1])": "found: expected a tensor, got list",
}
SETUP = """
import numpy, torch
from shoal.faces.cluster_scores import cluster_scores
from shoal.faces.clustering import cluster
from shoal.faces.thresholds import threshold_at
from shoal.faces.verification import verification

ones, same = torch.ones(4, 2), torch.arange(4) % 2 == 0
assert verification(ones, ones, same.long(), folds=2, far=()).accuracy == 0.5
"""


@cache
def found() -> dict[str, str]:
    return messages(SETUP, SLIPS)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    check(found()[slip], SLIPS[slip])
