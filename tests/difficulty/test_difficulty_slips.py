"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

from functools import cache

import pytest

from tests.slips import check, imported, messages

SETUP = """
import sys, torch
from torch import nn
from shoal.difficulty import *
from shoal.difficulty.pooling import pool
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
x, y = torch.randn(30, 4), torch.arange(30) % 3
table = torch.rand(2, 30, 3).softmax(2)
"""

MODULES = imported("torchvision", "timm", "sklearn")
SLIPS = {
    # neighbours
    "nearest(x[0], None, 2)": "references: expected rows [n, dim], got [4]",
    "nearest(x, x[0], 2)": "queries: expected rows [n, dim], got [4]",
    "nearest(x[None], None, 2)": "references: expected rows [n, dim], got [1, 30, 4]",
    "nearest(x, x[:, :3], 2)": "queries: expected rows of 4, as the references, got 3",
    "nearest(x, None, 2.0)": "k: expected a whole number >= 1, got 2.0",
    "nearest(x, None, '2')": "k: expected a whole number >= 1, got 2",
    "nearest(x, None, 2, metric=None)": 'metric: expected "euclidean" or "cosine", got None',
    # pooling
    "pool(torch.tensor(3.0))": "layer: expected an output [batch, ...] with a row for every example, got []",
    # layers and depth
    "prediction_depth(model, (x, y), k=3, definition='late')": 'definition: expected "agreement" or "earliest_correct", got \'late\'',  # noqa: E501
    "prediction_depth(model, (x, y), k=3, layers='0')": "layers: expected a list of at least one layer name, got '0'",
    "prediction_depth(model, (x, y), k=3, layers=[0])": "layers: expected a list of at least one layer name, got [0]",
    "prediction_depth(model, (x, y), k=2.5)": "probe at input: k: expected a whole number >= 1, got 2.5",
    "prediction_depth(model, (x[:, None], y), k=2)": "model: expected logits [batch, classes], got [2, 1, 3]",
    "prediction_depth(nn.Sequential(model, nn.Softmax(1), nn.Unflatten(1, (3, 1))), (x, y), k=2)": "model: expected logits [batch, classes], got [2, 3, 1]",  # noqa: E501
    # histories and scores
    "PredictionHistory(table, y[:9])": "labels: expected 30, as rows, got 9",
    "PredictionHistory(table[0], y)": "probabilities: expected [times, n, classes], got [30, 3]",
    "difficulty_scores(prediction_depth(model, (x, y), k=3), features=x[:9])": "features: expected 30 examples, as in depth, got 9",  # noqa: E501
    # labels
    "find_label_errors(x, y[:9])": "features and labels: expected [n, dim] and [n], got [30, 4] and [9]",
    "find_label_errors(x[0], y)": "features and labels: expected [n, dim] and [n], got [4] and [30]",
    "find_label_errors(x, y.float())": "labels: expected whole numbers [n], got torch.float32 [30]",
    "find_label_errors(x, y[:, None])": "labels: expected whole numbers [n], got torch.int64 [30, 1]",
    "find_label_errors(x, y.tolist())": "labels: expected whole numbers [n] beside features, got list",
    "find_label_errors(model, x)": "data: expected (inputs, labels) or a loader beside a model, got Tensor",
}


@cache
def found() -> dict[str, str]:
    return messages(SETUP, [MODULES, *SLIPS])


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    check(found()[slip], SLIPS[slip])


def test_networks_of_others_are_not_imported() -> None:
    """Networks of torchvision and timm are the user's to bring."""
    assert found()[MODULES] == "no error: []"
