"""Policies and the choice of thresholds, against enumeration."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.errors import InputError
from shoal.exits import Confidence, EarlyExit, Entropy, ExitOutputs, Policy, choose_policy, exit_outputs, policy_path
from shoal.exits.policies import never_leaving
from shoal.exits.thresholds import _Search
from shoal.nets import create_model


def made_up(n: int, exits: int, seed: int, classes: int = 3) -> ExitOutputs:
    """Exits that get better and surer with depth."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    noise = torch.randn(exits, n, classes, generator=generator)
    strength = torch.linspace(0.5, 3, exits)[:, None, None]
    logits = noise + strength * torch.nn.functional.one_hot(labels, classes)
    return ExitOutputs(logits, labels, torch.arange(1, exits + 1) * 10)


def replay_by_hand(outputs: ExitOutputs, policy: Policy) -> tuple[list[int], list[bool]]:
    taken, right = [], []
    for row in range(len(outputs.labels)):
        for exit_index in range(len(outputs.costs)):
            logits = outputs.logits[exit_index, row]
            last = exit_index == len(outputs.costs) - 1
            if last or bool(policy.leaves(logits[None], exit_index)):
                taken.append(exit_index)
                right.append(int(logits.argmax()) == int(outputs.labels[row]))
                break
    return taken, right


@pytest.mark.parametrize("policy_type", [Confidence, Entropy])
@given(seed=st.integers(0, 20), thresholds=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2))
def test_replay_equals_the_loop(policy_type: type[Policy], seed: int, thresholds: list[float]) -> None:
    outputs = made_up(15, 3, seed)
    policy = policy_type(thresholds)
    taken, right, macs = outputs.replay(policy)
    by_hand = replay_by_hand(outputs, policy)
    assert (taken.tolist(), right.tolist()) == by_hand
    assert macs.tolist() == [10 * (t + 1) for t in by_hand[0]]


def test_replay_equals_predict() -> None:
    torch.manual_seed(0)
    net = EarlyExit(create_model("cifar_resnet18", width=8), ["layer1", "layer3"], 10).eval()
    x, y = 3 * torch.randn(60, 3, 16, 16), torch.randint(10, (60,))
    outputs = exit_outputs(net, (x, y), batch_size=60)
    policy = choose_policy(outputs, max_accuracy_drop=0.2)
    taken, _, macs = outputs.replay(policy)
    found = net.predict(x, policy)
    assert torch.equal(found.exit_index, taken)
    assert torch.equal(found.macs, macs)


def objective(outputs: ExitOutputs, policy: Policy, price: float) -> float:
    _, right, macs = outputs.replay(policy)
    return float(right.double().mean() - price * macs.double().mean() / float(outputs.costs[-1]))


def every_policy(outputs: ExitOutputs, policy_type: type[Policy]) -> list[Policy]:
    """All thresholds that behave differently: between any two scores, and beyond both ends."""
    per_exit = []
    for logits in outputs.logits[:-1]:
        scores = policy_type.score(logits).sort().values.tolist()
        cuts = [(a + b) / 2 for a, b in itertools.pairwise(scores)]
        per_exit.append([policy_type.never, *cuts, 0.0 if policy_type.high_leaves else 5.0])
    return [policy_type(list(t)) for t in itertools.product(*per_exit)]


@pytest.mark.parametrize("policy_type", [Confidence, Entropy])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("price", [0.05, 0.3, 1.0])
def test_the_best_threshold_of_one_exit_is_found_exactly(policy_type: type[Policy], seed: int, price: float) -> None:
    outputs = made_up(25, 2, seed)
    found = policy_type(_Search(outputs, never_leaving(policy_type, 1)).best(price, [policy_type.never]))
    best = max(objective(outputs, policy, price) for policy in every_policy(outputs, policy_type))
    assert objective(outputs, found, price) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_thresholds_of_several_exits_are_near_the_best(seed: int) -> None:
    """Coordinate ascent may stop at a local optimum; it must not be a bad one."""
    outputs, price = made_up(14, 3, seed), 0.3
    found = Confidence(_Search(outputs, never_leaving(Confidence, 2)).best(price, [math.inf, math.inf]))
    best = max(objective(outputs, policy, price) for policy in every_policy(outputs, Confidence))
    never = objective(outputs, never_leaving(Confidence, 2), price)
    assert objective(outputs, found, price) >= best - 0.25 * (best - never) - 1e-9


@given(seed=st.integers(0, 30), drop=st.floats(-0.1, 0.3))
def test_the_chosen_policy_keeps_its_promise_on_its_data(seed: int, drop: float) -> None:
    outputs = made_up(60, 4, seed)
    _, right, macs = outputs.replay(choose_policy(outputs, max_accuracy_drop=drop))
    full = outputs.right[-1].double().mean()
    if drop >= 0:
        assert right.double().mean() >= full - drop - 1e-9
    assert macs.double().mean() <= outputs.costs[-1]


def test_the_path_ends_with_never_and_gets_safer() -> None:
    outputs = made_up(400, 4, 3)
    path = policy_path(outputs)
    assert path[-1].thresholds == (math.inf,) * 3
    spent = [float(outputs.replay(policy)[2].double().mean()) for policy in path]
    assert spent[0] < 0.6 * spent[-1]
    assert spent[-1] == float(outputs.costs[-1])


def test_scores_are_what_they_say() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    assert torch.allclose(Confidence.score(logits), torch.tensor([0.5, 0.75]))
    by_hand = [math.log(2), -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))]
    assert torch.allclose(Entropy.score(logits), torch.tensor(by_hand))


@pytest.mark.parametrize("policy_type", [Confidence, Entropy])
def test_never_never_leaves(policy_type: type[Policy]) -> None:
    certain: Tensor = torch.tensor([[1000.0, 0.0, 0.0]])
    assert not policy_type([policy_type.never]).leaves(certain, 0).any()


def test_wrong_input_is_refused() -> None:
    outputs = made_up(10, 3, 0)
    with pytest.raises(InputError, match=r"give 1 point as 0\.01"):
        choose_policy(outputs, max_accuracy_drop=1.0)
    with pytest.raises(InputError, match=r"expected 2 thresholds"):
        outputs.replay(Confidence([0.5]))
    for thresholds in ([math.nan], [90], [-0.1]):
        with pytest.raises(
            InputError, match="thresholds of Confidence: expected numbers from 0 to 1, or inf to let no"
        ):
            Confidence(thresholds)
    with pytest.raises(InputError, match="temperatures: expected 1 numbers > 0"):
        Entropy([0.1], [0.0])
