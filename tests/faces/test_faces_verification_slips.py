"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

import json
import subprocess
import sys

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
import json, sys, numpy, torch
from shoal.errors import InputError
from shoal.faces.cluster_scores import cluster_scores
from shoal.faces.clustering import cluster
from shoal.faces.thresholds import threshold_at
from shoal.faces.verification import verification

ones, same = torch.ones(4, 2), torch.arange(4) % 2 == 0
assert verification(ones, ones, same.long(), folds=2, far=()).accuracy == 0.5
said = {}
for slip in json.loads(sys.argv[1]):
    try:
        eval(slip)
    except InputError as error:
        said[slip] = str(error)
print(json.dumps(said))
"""


def test_a_slip_is_one_line() -> None:
    command = [sys.executable, "-c", SETUP, json.dumps(list(SLIPS))]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    said = json.loads(found.stdout)
    for slip, message in SLIPS.items():
        assert message in said[slip]
        assert "\n" not in said[slip]
