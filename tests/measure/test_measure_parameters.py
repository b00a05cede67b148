"""Parameter counts."""

import torch
from torch import nn

from shoal.measure import count_parameters


def test_shared_parameters_count_once_and_buffers_not_at_all():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
    assert count_parameters(model) == 20 + 8 + 20
    model[2].weight = model[0].weight
    assert count_parameters(model) == 20 + 8 + 4


def test_trainable_only():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    model[0].weight.requires_grad_(False)
    assert count_parameters(model, trainable_only=True) == count_parameters(model) - 16


def test_dtype_and_device_do_not_matter():
    assert count_parameters(nn.Linear(3, 2, dtype=torch.bfloat16, device="meta")) == 8
