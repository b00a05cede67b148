"""Modes of every part are put back."""

import pytest
from torch import nn

from shoal.measure.modes import in_mode


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))


def modes(model: nn.Module) -> list[bool]:
    return [part.training for part in model.modules()]


@pytest.mark.parametrize("training", [False, True])
def test_one_part_in_another_mode_is_switched_and_put_back(training: bool) -> None:
    model = net().train(training)
    model.get_submodule("1.0").training = not training
    before = modes(model)
    with in_mode(model, training=training):
        assert modes(model) == [training] * len(before)
    assert modes(model) == before


def test_modes_are_put_back_after_an_error() -> None:
    model = net().train()
    with pytest.raises(TypeError), in_mode(model, training=False):
        model(None)
    assert all(modes(model))


def test_a_part_that_holds_the_whole_does_not_go_round_forever() -> None:
    model = net().eval()
    model[1].register_module("whole", model)
    with in_mode(model, training=False):
        assert not any(modes(model))
    model[1].register_module("nothing", None)
    with in_mode(model, training=False):
        assert not any(modes(model))
