"""The triplet loss and its gradient against the sum as it is written, for every mining rule; monitors by hand."""

import math
import random
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shoal.faces.losses import MINING, TripletLoss, _seed_of, triplet_loss
from shoal.faces.mining import mine_random, mine_semi_hard
from shoal.faces.mining_distances import squared_distances
from shoal.faces.mining_gradients import pull
from shoal.faces.mining_loops import pull_loop
from shoal.faces.monitors import Monitor
from shoal.faces.triplets import Triplets
from tests.faces import oracle
from tests.faces.test_faces_mining import unit_rows

LABELS = torch.tensor([4, 1, 4, 2, 2, 4, 9, 1, 2, 8])


def wanted(rule: str, embeddings: Tensor, labels: list[int], margin: float) -> list[oracle.Triplet]:
    """The triplets that a rule means."""
    far = squared_distances(embeddings.detach()).tolist()
    if rule == "all-semi-hard":
        return oracle.all_semi_hard(far, labels, margin)
    return oracle.RULES[rule](far, labels)


@pytest.mark.filterwarnings("ignore:a batch without a triplet")
@pytest.mark.parametrize("rule", [rule for rule in MINING if rule != "random"])
def test_loss_and_gradient_are_those_of_the_sum(rule: str) -> None:
    chance = random.Random(1)
    seen = 0
    for _ in range(150):
        labels, margin = oracle.draw_labels(chance), chance.choice([0.05, 0.2, 1.1, 3.7])
        embeddings = oracle.draw_embeddings(chance, len(labels)).double().requires_grad_()
        triplets = wanted(rule, embeddings, labels, margin)
        slow = oracle.loss_by_gathers(embeddings, triplets, margin)
        (expected,) = torch.autograd.grad(slow, embeddings)
        loss = TripletLoss(margin, rule)
        value = loss(embeddings, torch.tensor(labels))
        (gradient,) = torch.autograd.grad(value, embeddings)
        assert loss.monitor is not None
        assert loss.monitor.triplets == len(triplets)
        assert torch.allclose(value, slow, rtol=1e-9, atol=1e-9)
        assert torch.allclose(gradient, expected, rtol=1e-9, atol=1e-9)
        seen += len(triplets)
    assert seen > 1000


@pytest.mark.parametrize("rule", [rule for rule in MINING if rule != "random"])
def test_gradcheck(rule: str) -> None:
    embeddings = unit_rows(10, 3, seed=4).double().requires_grad_()
    loss = TripletLoss(0.7, rule)
    assert torch.autograd.gradcheck(lambda rows: loss(rows, LABELS), embeddings)


def test_gradcheck_of_given_triplets() -> None:
    embeddings = unit_rows(10, 3, seed=4).double().requires_grad_()
    triplets = mine_random(embeddings, LABELS, seed=1)
    assert torch.autograd.gradcheck(lambda rows: triplet_loss(rows, triplets, 0.7), embeddings)


def test_given_triplets_have_the_same_loss() -> None:
    embeddings = unit_rows(120, 8, seed=2).requires_grad_()
    labels = torch.arange(120) % 20
    mined = TripletLoss(0.3)(embeddings, labels)
    given = triplet_loss(embeddings, mine_semi_hard(embeddings, labels), 0.3)
    assert torch.allclose(mined, given)
    gradients = [torch.autograd.grad(value, embeddings)[0] for value in (mined, given)]
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-7)


def test_a_random_loss_is_that_of_its_triplets() -> None:
    """They are drawn anew for every batch, and again the same for the same one."""
    labels = torch.arange(60) % 12
    loss = TripletLoss(0.2, "random", seed=3)
    drawn = set()
    for step in range(4):
        embeddings = unit_rows(60, 4, seed=step % 3).requires_grad_()
        triplets = mine_random(embeddings, labels, seed=_seed_of(3, labels, embeddings.detach()))
        drawn.add(tuple(triplets.negative.tolist()))
        (gradient,) = torch.autograd.grad(loss(embeddings, labels), embeddings)
        (expected,) = torch.autograd.grad(triplet_loss(embeddings, triplets, 0.2), embeddings)
        assert torch.allclose(gradient, expected, atol=1e-7)
    assert len(drawn) == 3


@pytest.mark.parametrize("triplets", [0, 1, 60])
def test_the_loop_for_numba_has_the_same_gradient(triplets: int) -> None:
    rows = unit_rows(12, 5, seed=3)
    generator = torch.Generator().manual_seed(triplets)
    chosen = Triplets(*(torch.randint(12, (triplets,), generator=generator) for _ in range(3)))
    gradient = torch.zeros_like(rows)
    pull_loop(*(x.numpy() for x in (rows, chosen.anchor, chosen.positive, chosen.negative, gradient)))
    assert torch.allclose(gradient, pull(rows, chosen, backend="torch"), atol=1e-5)
    leaf = rows.clone().requires_grad_()
    a, p, n = leaf[chosen.anchor], leaf[chosen.positive], leaf[chosen.negative]
    ((a - p).square().sum() - (a - n).square().sum()).backward()
    assert leaf.grad is not None
    assert torch.allclose(gradient, leaf.grad / 2, atol=1e-5)


# dtypes, scales, graphs


@pytest.mark.parametrize("rule", MINING)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_precisions(dtype: torch.dtype, rule: str) -> None:
    embeddings = unit_rows(60, 8).to(dtype).requires_grad_()
    labels = torch.arange(60) % 12
    value = TripletLoss(mining=rule)(embeddings, labels)
    (1024 * value).backward()  # as a gradient scaler does
    assert value.dtype == torch.float32
    assert embeddings.grad is not None
    assert embeddings.grad.dtype == dtype
    exact = embeddings.detach().double().requires_grad_()
    if rule == "random":  # drawn from the batch, and this is another one
        return
    (expected,) = torch.autograd.grad(TripletLoss(mining=rule)(exact, labels), exact)
    error = (embeddings.grad.double() / 1024 - expected).abs().max() / expected.abs().max()
    assert error < {torch.float16: 2e-3, torch.bfloat16: 1e-2, torch.float32: 1e-5}[dtype]


def test_autocast_does_not_change_the_loss() -> None:
    labels = torch.arange(60) % 12
    found = []
    for enabled in (False, True):
        embeddings = unit_rows(60, 8).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            value = TripletLoss()(embeddings, labels)
        value.backward()
        found.append((value.detach(), embeddings.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_rows_of_other_lengths_are_measured_as_they_are() -> None:
    embeddings = (3 * torch.randn(10, 4, generator=torch.Generator().manual_seed(0))).double().requires_grad_()
    triplets = wanted("semi-hard", embeddings, LABELS.tolist(), 4.0)
    loss = TripletLoss(4.0)
    value = loss(embeddings, LABELS)
    assert torch.allclose(value, oracle.loss_by_gathers(embeddings, triplets, 4.0))
    assert loss.monitor is not None
    assert loss.monitor.mean_norm == pytest.approx(float(embeddings.detach().norm(dim=1).mean()))


def test_without_gradient_there_is_none() -> None:
    labels = torch.arange(60) % 12
    assert not TripletLoss()(unit_rows(60, 8), labels).requires_grad
    with torch.no_grad():
        assert not TripletLoss()(unit_rows(60, 8).requires_grad_(), labels).requires_grad


def test_the_gradient_goes_on_through_the_network() -> None:
    net, x = torch.nn.Linear(6, 4).double(), torch.randn(10, 6, dtype=torch.float64)
    found = []
    for fast in (True, False):
        rows = F.normalize(net(x))
        triplets = wanted("semi-hard", rows, LABELS.tolist(), 0.2)
        value = TripletLoss()(rows, LABELS) if fast else oracle.loss_by_gathers(rows, triplets, 0.2)
        found.append(torch.autograd.grad(value, net.weight)[0])
    assert torch.allclose(found[0], found[1], atol=1e-12)


def test_a_second_derivative_is_refused() -> None:
    embeddings = unit_rows(10, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(TripletLoss()(embeddings, LABELS), embeddings, create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


def test_a_step_makes_the_loss_smaller() -> None:
    embeddings = unit_rows(60, 8).requires_grad_()
    labels = torch.arange(60) % 12
    for rule in MINING:
        loss = TripletLoss(mining=rule)
        before = loss(embeddings, labels)
        (gradient,) = torch.autograd.grad(before, embeddings)
        with torch.no_grad():
            after = loss(embeddings - 0.01 * gradient / gradient.norm(), labels)
        if rule != "random":
            assert after < before


# A batch without triplets


@pytest.mark.parametrize("rule", MINING)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [5], []])
def test_no_triplet_is_a_loss_of_zero_and_one_warning(labels: list[int], rule: str) -> None:
    embeddings = unit_rows(len(labels), 4).requires_grad_()
    loss = TripletLoss(mining=rule)
    with pytest.warns(UserWarning, match="a batch without a triplet has no loss"):
        value = loss(embeddings, torch.tensor(labels, dtype=torch.int64))
    value.backward()
    assert value == 0
    assert embeddings.grad is not None
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))
    assert loss.monitor is not None
    assert loss.monitor.triplets == 0
    assert all(math.isfinite(number) for number in vars(loss.monitor).values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(embeddings, torch.tensor(labels, dtype=torch.int64))  # said once


def test_no_triplets_given_is_a_loss_of_zero() -> None:
    embeddings, none = unit_rows(3, 4).requires_grad_(), torch.zeros(0, dtype=torch.int64)
    value = triplet_loss(embeddings, Triplets(none, none, none))
    value.backward()
    assert value == 0
    assert embeddings.grad is not None
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


# Monitors


@pytest.mark.parametrize("rule", [rule for rule in MINING if rule != "random"])
def test_a_monitor_by_hand(rule: str) -> None:
    embeddings, labels, margin = unit_rows(10, 3, seed=8).double(), LABELS.tolist(), 0.4
    loss = TripletLoss(margin, rule)
    value = float(loss(embeddings, LABELS))
    far = squared_distances(embeddings).tolist()
    triplets = wanted(rule, embeddings, labels, margin)
    near, away = [far[a][p] for a, p, _ in triplets], [far[a][n] for a, _, n in triplets]
    both = list(zip(near, away, strict=True))
    rows = range(len(labels))
    same = [far[i][j] for i in rows for j in rows if i != j and labels[i] == labels[j]]
    different = [far[i][j] for i in rows for j in rows if labels[i] != labels[j]]
    count = len(triplets)
    expected = Monitor(
        loss=value,
        triplets=count,
        satisfied=sum(n >= p + margin for p, n in both) / count,
        semi_hard=sum(p < n < p + margin for p, n in both) / count,
        hard=sum(n <= p for p, n in both) / count,
        mean_positive=sum(near) / count,
        mean_negative=sum(away) / count,
        mean_same=sum(same) / len(same),
        mean_different=sum(different) / len(different),
        mean_norm=1.0,
        margin=margin,
    )
    assert loss.monitor is not None
    assert vars(loss.monitor) == pytest.approx(vars(expected))
    assert loss.monitor.satisfied + loss.monitor.semi_hard + loss.monitor.hard == pytest.approx(1)


def test_there_is_no_monitor_before_a_batch() -> None:
    assert TripletLoss().monitor is None


def test_nothing_is_saved_with_a_loss() -> None:
    loss = TripletLoss(0.5, "hardest")
    loss(unit_rows(10, 4), LABELS)
    assert loss.state_dict() == {}
    assert "margin=0.5, mining='hardest'" in repr(loss)
