"""The order that a test goes through: all thresholds move together, by the chance of being contradicted."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import InputError
from shoal.exits import Confidence, Entropy, ExitOutputs, Margin, Patience, Policy
from shoal.exits.contradiction import _RIDGE, _fit, contradiction_path
from shoal.exits.policies import never_leaving
from tests.exits.test_exits_thresholds import made_up

KINDS: list[type[Policy]] = [Confidence, Entropy, Margin, Patience]


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_goes_from_never_to_bold_and_only_gets_bolder(kind: type[Policy]) -> None:
    outputs = made_up(500, 5, 3)
    path = contradiction_path(outputs, kind)
    assert path[0] == never_leaving(kind, 4)
    taken = [outputs.exits_taken(policy) for policy in path]
    assert all((bolder <= safer).all() for safer, bolder in pairwise(taken))
    assert taken[-1].double().mean() < 0.3 * taken[0].double().mean()


def test_labels_are_not_looked_at() -> None:
    outputs = made_up(300, 4, 1)
    assert contradiction_path(outputs) == contradiction_path(replace(outputs, labels=outputs.labels.flip(0)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_curves_are_the_best_ones(kind: type[Policy]) -> None:
    """No other places and slope make what was seen likelier, the ridge counted: the gradient is nothing."""
    outputs = made_up(400, 4, 2)
    never = never_leaving(kind, 3)
    places, slope = _fit(outputs, never)
    weights = torch.tensor([*places, slope], dtype=torch.float64, requires_grad=True)
    score = kind.to_line(never.scores(outputs.logits[:-1])).double()  # [3, n]
    said = outputs.logits.argmax(2)
    otherwise = (said[:-1] != said[-1]).double()
    odds = weights[:3, None] - weights[3] * score
    loss = F.binary_cross_entropy_with_logits(odds, otherwise, reduction="sum") + _RIDGE / 2 * weights.square().sum()
    (gradient,) = torch.autograd.grad(loss, weights)
    assert gradient.abs().max() < 1e-5 * len(said[0])


def test_an_exit_that_is_contradicted_more_often_gets_a_higher_threshold() -> None:
    outputs = made_up(4000, 5, 4)
    said = outputs.logits.argmax(2)
    assert (said[0] != said[-1]).double().mean() > (said[-2] != said[-1]).double().mean()
    for policy in contradiction_path(outputs)[20:50]:
        assert policy.thresholds[0] >= policy.thresholds[-1]


@given(values=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=5))
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_on_the_line(kind: type[Policy], values: list[float]) -> None:
    line = kind.to_line(torch.tensor(values, dtype=torch.float64))
    assert [kind.from_line(float(x)) for x in line] == pytest.approx(values)
    assert all(kind.range[0] <= kind.from_line(far) <= kind.range[1] for far in (-1e6, 1e6))


def test_exits_that_are_never_or_always_contradicted_are_no_trouble() -> None:
    certain = torch.tensor([[5.0, 0.0]]).expand(20, 2)
    for first in (certain, certain.flip(1)):
        outputs = ExitOutputs(torch.stack([first, certain]), torch.zeros(20, dtype=torch.long), torch.tensor([1, 2]))
        assert len(contradiction_path(outputs)) > 1


def test_a_policy_for_other_exits_is_refused() -> None:
    with pytest.raises(InputError, match="Confidence: expected 3 thresholds"):
        contradiction_path(made_up(20, 4, 0), Confidence([0.5]))
