"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

import subprocess
import sys

import pytest

SETUP = """
import torch
from torch import nn
from shoal.engine import as_batches
from shoal.exits import Confidence, EarlyExit
from shoal.measure import paired_difference_interval
from shoal.nets import create_model
from shoal.exits.policies import never_leaving
from shoal.nets.whitening import Whitening
net = lambda: EarlyExit(create_model("cifar_resnet18", width=4), ["layer1"], 10)
x = torch.zeros(2, 3, 16, 16)
"""


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ("Confidence(0.9)", "thresholds: expected a list, one number per exit, got 0.9; [0.9, ...]"),
        ("net().predict(x, [0.9])", "policy: expected a policy such as Confidence([0.9, ...]), got list"),
        ("never_leaving('confidence', 2)", "policy: expected a policy such as Confidence, or Confidence([0.9, ...])"),
        ("EarlyExit(create_model('cifar_resnet18', width=4), [1], 10)", "at: expected a list of at least one layer"),
        ("as_batches([1, 2], batch_size=4)", "training data: expected a pair of tensors, or a loader of such pairs"),
        ("as_batches(([1.0], [0]), batch_size=4)", "training data: expected a pair of tensors, or a loader"),
        (
            "Whitening(3).fit(torch.zeros(4, 1, 8, 8))",
            "expected finite [n, 3, height, width], got [4, 1, 8, 8]",
        ),
        ("Whitening(3).fit(torch.zeros(3, 8, 8))", "images: expected finite [n, 3, height, width], got [3, 8, 8]"),
        ("Whitening(3).fit(torch.full((4, 3, 8, 8), torch.nan))", "got [4, 3, 8, 8] with NaN or infinity"),
        ("create_model('cifar_resnet18', width='8')", "width: expected a whole number >= 1, got 8"),
        ("create_model('cifar_resnet18', num_classes=None)", "num_classes: expected a whole number >= 1, got None"),
    ],
)
def test_a_slip_is_one_line(slip: str, message: str) -> None:
    found = subprocess.run([sys.executable, "-c", SETUP + slip], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("shoal.errors.InputError: ")
    assert message in last
