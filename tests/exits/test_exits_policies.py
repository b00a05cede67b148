"""Policies one by one, the temperatures under which their scores are honest, and where exits go by themselves."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from shoal.errors import InputError
from shoal.exits import Confidence, EarlyExit, Margin, Patience, Policy, fit_temperatures
from shoal.measure import count_macs
from shoal.nets import create_model
from tests.exits.networks import Branches, Patches, Skipping, Twice, flat
from tests.exits.test_exits_network import build, reference
from tests.exits.test_exits_thresholds import made_up


def test_a_margin_is_the_lead_over_the_second() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]))
    assert torch.allclose(Margin.score(logits), torch.tensor([0.2, 0.7]))
    assert Margin([0.5]).leaves(logits, 0).tolist() == [False, True]
    assert Margin.score(torch.zeros(2, 1)).tolist() == [1.0, 1.0]


def patience_by_hand(classes: list[int], patience: float) -> int:
    """Algorithm 1 of the paper, for one row."""
    counter, last = 0, None
    for index, given_class in enumerate(classes):
        counter = counter + 1 if given_class == last else 0
        last = given_class
        if counter >= patience or index == len(classes) - 1:
            return index
    raise AssertionError("no exits")


@given(
    classes=st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=1, max_size=6),
    patience=st.integers(0, 5),
)
def test_patience_is_the_papers_loop(classes: list[list[int]], patience: int) -> None:
    outputs = made_up(len(classes), 5, 0)
    logits = F.one_hot(torch.tensor(classes).T, 3).float()  # [exits, n, C]
    taken = type(outputs)(logits, outputs.labels, outputs.costs).exits_taken(Patience(patience))
    assert taken.tolist() == [patience_by_hand(row, patience) for row in classes]


@pytest.mark.parametrize("policy", [Patience(1), Patience([2, 1, 1]), Margin([0.2, 0.3, 0.4]), Patience(math.inf)])
def test_predict_does_what_replaying_says(policy: Policy) -> None:
    _, net, side = build("resnet")
    x = 3 * torch.randn(40, 3, side, side)
    with torch.no_grad():
        logits = torch.stack(net.eval()(x))
    outputs = made_up(40, 4, 0)
    taken = type(outputs)(logits, torch.zeros(40, dtype=torch.long), outputs.costs).exits_taken(policy)
    found = net.predict(x, policy)
    assert torch.equal(found.exit_index, taken)
    assert torch.allclose(found.logits, logits[taken, torch.arange(40)], atol=1e-4)


def test_temperatures_divide_the_logits() -> None:
    _, net, side = build("resnet")
    x = 3 * torch.randn(30, 3, side, side)
    policy = Confidence([0.25, 0.3, 0.3], [4.0, 0.5, 1.0])
    with torch.no_grad():
        answers, taken = reference(net, x, policy)
        assert torch.equal(policy.leaves(net(x)[0], 0), (net(x)[0] / 4).softmax(1).amax(1) >= 0.25)
    found = net.predict(x, policy)
    assert torch.equal(found.exit_index, taken)
    assert torch.allclose(found.logits, answers, atol=1e-4)  # what is answered is not tempered


def test_a_temperature_is_found_where_the_loss_is_smallest() -> None:
    outputs = made_up(2000, 3, 7)
    sure = type(outputs)(outputs.logits * torch.tensor([0.2, 5.0, 1.0])[:, None, None], outputs.labels, outputs.costs)
    for index, temperature in enumerate(fit_temperatures(sure)):
        loss = [float(F.cross_entropy(sure.logits[index] / (temperature * off), sure.labels)) for off in (0.9, 1, 1.1)]
        assert min(loss) == loss[1]
    first, second = fit_temperatures(sure)
    plain = fit_temperatures(outputs)
    assert (first, second) == pytest.approx((0.2 * plain[0], 5 * plain[1]), rel=1e-6)


def test_a_temperature_stays_in_its_span_where_every_answer_is_right() -> None:
    logits = torch.tensor([[9.0, 0.0]]).expand(2, 10, 2)
    right = type(made_up(1, 2, 0))(logits, torch.zeros(10, dtype=torch.long), torch.tensor([1, 2]))
    assert fit_temperatures(right) == [pytest.approx(0.05)]


@pytest.mark.parametrize(
    ("make", "side"),
    [
        (lambda: create_model("cifar_resnet18", num_classes=5, width=8), 16),
        (lambda: create_model("cifar_resnet50", num_classes=5, width=4), 16),
        (Branches, 16),
        (Patches, 16),
        (Skipping, 16),
        (Twice, 16),
        (flat, 8),
    ],
)
def test_exits_find_their_places(make, side: int) -> None:
    torch.manual_seed(0)
    backbone, x = make(), torch.randn(2, 3, side, side)
    net = EarlyExit(backbone, "auto", 5, example=x)
    shares = net.exit_costs(x[:1])[:-1].double() / count_macs(backbone, x[:1]).total
    assert 1 <= len(net.at) <= 6
    assert float(shares[0]) > 0
    assert float(shares[-1]) < 1
    few = EarlyExit(make(), 2, 5, example=x)
    assert len(few.at) == min(2, len(net.at))


def test_exits_of_a_resnet_are_at_even_shares_of_the_arithmetic() -> None:
    net = EarlyExit(create_model("cifar_resnet18", width=16), 3, 10)
    costs = net.exit_costs(torch.zeros(1, 3, 32, 32)).double()
    assert torch.allclose(costs[:-1] / costs[-1], torch.tensor([0.25, 0.5, 0.75]).double(), atol=0.09)


def test_a_network_without_a_place_is_said() -> None:
    with pytest.raises(InputError, match="backbone: expected a layer before its end that everything passes through"):
        EarlyExit(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), "auto", 5, example=torch.randn(2, 3, 8, 8))
    with pytest.raises(InputError, match='at: expected "auto", how many exits, or layer names, got 0'):
        EarlyExit(flat(), 0, 5, example=torch.randn(2, 3, 8, 8))
