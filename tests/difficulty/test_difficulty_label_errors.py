"""Wrong labels among real digits come first, from pixels and from a network that was trained once on them."""

from functools import cache

import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from shoal.data import load
from shoal.difficulty import LabelIssues, PredictionHistory, find_label_errors, nearest, prediction_depth
from shoal.difficulty.trust import trusted_shares
from shoal.engine import FitConfig, as_batches, fit
from shoal.errors import InputError

SHARE = 0.1  # of the labels are wrong; so is the average precision of a random order, and 0.07 that of a reversed one


@cache
def digits(rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels in [0, 1], true labels, labels of which a tenth is another class drawn evenly, and which these are."""
    x, y = load("digits", validation=0, test=0).train.pair
    x, y = x[:rows].float() / 255, y[:rows]
    generator = torch.Generator().manual_seed(0)
    wrong = torch.zeros(rows, dtype=torch.bool)
    wrong[torch.randperm(rows, generator=generator)[: round(SHARE * rows)]] = True
    other = (y + torch.randint(1, 10, (rows,), generator=generator)) % 10
    return x, y, torch.where(wrong, other, y), wrong


@cache
def trained(rows: int) -> nn.Module:
    """A small network that was trained on the wrong labels, too."""
    x, _, given, _ = digits(rows)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    config = FitConfig(epochs=12, precision="fp32", learning_rate=0.05)
    fit(model, as_batches((x, given), batch_size=64), config=config)
    return model


def few() -> tuple[Tensor, Tensor]:
    """The first 300 of 1,000 digits, and the labels that were given."""
    x, _, given, _ = digits(1000)
    return x[:300], given[:300]


def precision(issues: LabelIssues, wrong: Tensor) -> float:
    return float(average_precision_score(wrong.numpy(), 1 - issues.score.numpy()))


def check(issues: LabelIssues, true: Tensor, given: Tensor, wrong: Tensor, least: float) -> None:
    """Wrong labels come first, and what is suggested for them is right."""
    assert precision(issues, wrong) > least
    assert 0 <= float(issues.score.min()) <= float(issues.score.max()) <= 1
    assert (issues.suggested[wrong] == true[wrong]).double().mean() > 0.9
    changed = issues.suggested != given
    assert (issues.suggested[changed] == true[changed]).double().mean() > 0.5  # most changes repair a label
    assert wrong[issues.ranked[: int(wrong.sum()) // 2]].double().mean() > 0.95
    assert torch.equal(issues.suspicious.sort().values, changed.nonzero()[:, 0])
    assert torch.equal(issues.labels, given)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_wrong_digits_by_their_pixels(metric: str) -> None:
    """Average precision is 0.990 by Euclidean distance and 0.982 by cosine."""
    x, y, given, wrong = digits(1797)
    check(find_label_errors(x.flatten(1), given, metric=metric), y, given, wrong, 0.95)


def test_wrong_digits_by_a_network_that_was_trained_on_them() -> None:
    """Average precision is 0.994 with 1,000 digits."""
    x, y, given, wrong = digits(1000)
    check(find_label_errors(trained(1000), (x, given), layers=["1", "3", "6"]), y, given, wrong, 0.95)


@pytest.mark.slow
def test_all_wrong_digits_by_a_network_that_was_trained_on_them() -> None:
    """Average precision is 0.998, after one training: better than pixels (0.990)."""
    x, y, given, wrong = digits(1797)
    issues = find_label_errors(trained(1797), (x, given))
    check(issues, y, given, wrong, 0.98)
    assert precision(issues, wrong) > precision(find_label_errors(x.flatten(1), given), wrong)


def test_a_depth_a_loader_and_a_pair_say_the_same() -> None:
    x, given = few()
    model, layers = trained(1000), ["3", "6"]
    whole = find_label_errors(model, (x, given), layers=layers, k=20)
    batches = list(zip(x.split(100), given.split(100), strict=True))
    depth = prediction_depth(model, (x, given), layers=layers, k=20)
    prepare = lambda raw: raw.float() / 255  # noqa: E731
    for other in (
        find_label_errors(model, batches, layers=layers, k=20),
        find_label_errors(depth),
        find_label_errors(model, ((x * 255).round().to(torch.uint8), given), layers=layers, k=20, prepare=prepare),
    ):
        assert torch.equal(whole.score, other.score)
        assert torch.equal(whole.suggested, other.suggested)


def test_the_score_is_the_share_of_the_evidence() -> None:
    x, given = few()
    depth = prediction_depth(trained(1000), (x, given), layers=["1", "3"], k=7)
    near = nearest(x.flatten(1), None, 7).index[:, None]
    for issues, shares in (
        (find_label_errors(depth), trusted_shares(depth.neighbours, given, 10)),
        (find_label_errors(x.flatten(1), given, k=7), trusted_shares(near, given, int(given.max()) + 1)),
    ):
        assert torch.equal(issues.score, shares[torch.arange(300), given])
        for at, label in enumerate(given.tolist()):
            best = float(shares[at].max())
            suggested = label if float(shares[at, label]) == best else int((shares[at] == best).nonzero()[0])
            assert int(issues.suggested[at]) == suggested


def test_a_history_of_the_training_counts_where_it_is_given() -> None:
    """Average precision is 0.992, with it and without."""
    x, y, given, wrong = digits(1000)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    watch = PredictionHistory.recorder((x, given))
    config = FitConfig(epochs=12, precision="fp32", learning_rate=0.05)
    fit(model, as_batches((x, given), batch_size=64), config=config, validate=watch)
    issues = find_label_errors(model, (x, given), layers=["1"], history=watch.history())
    check(issues, y, given, wrong, 0.95)
    depth = prediction_depth(model, (x, given), layers=["1"])
    said = watch.history().probabilities.mean(0)
    assert torch.equal(issues.score, find_label_errors(depth, history=watch.history()).score)
    assert torch.equal(issues.score, trusted_shares(depth.neighbours, given, 10, said)[torch.arange(1000), given])
    fewer = PredictionHistory(watch.history().probabilities[:, :900], given[:900])
    with pytest.raises(
        InputError, match=r"^history: expected of the same 1000 examples and 10 classes, got \[900, 10\]$"
    ):
        find_label_errors(depth, history=fewer)
    with pytest.raises(InputError, match=r"^history: expected none beside features, got one$"):
        find_label_errors(x.flatten(1), given, history=watch.history())


def issues_of(score: list[float], labels: list[int], suggested: list[int]) -> LabelIssues:
    return LabelIssues(score=torch.tensor(score), suggested=torch.tensor(suggested), labels=torch.tensor(labels))


def test_the_worst_come_first_and_ties_in_the_order_of_the_examples() -> None:
    issues = issues_of([0.5, 0.1, 1.0, 0.1, 0.5, 0.1], [0, 0, 0, 1, 1, 1], [1, 0, 0, 0, 1, 0])
    assert issues.ranked.tolist() == [1, 3, 5, 0, 4, 2]
    assert issues.suspicious.tolist() == [3, 5, 0]  # the first keeps its label
    assert str(issues) == "3 of 6 labels look wrong"
    assert len(issues) == 6


def test_many_ties_stay_in_order() -> None:
    """More equal scores than a sort that is not stable keeps in order."""
    issues = issues_of([0.5] * 5000 + [0.2] * 5000, [0] * 10_000, [0] * 10_000)
    assert issues.ranked.tolist() == [*range(5000, 10_000), *range(5000)]
    assert len(issues.suspicious) == 0


def test_a_label_stays_where_no_class_has_more_evidence() -> None:
    """Copies of one row: every example has one neighbour of its own label or two of the other's, or one of each."""
    issues = find_label_errors(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), k=3)
    assert issues.suggested.tolist() == [1, 0, 1, 0]
    issues = find_label_errors(torch.zeros(3, 2), torch.tensor([0, 1, 2]), k=2)
    assert issues.suggested.tolist() == [1, 0, 0]
    issues = find_label_errors(torch.tensor([[0.0], [1.0], [-1.0], [9], [10]]), torch.tensor([0, 0, 1, 1, 1]), k=2)
    assert issues.suggested.tolist()[0] == 0  # one neighbour says 0 and one says 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_of_any_whole_numbers(dtype: torch.dtype) -> None:
    x, given = few()
    one, other = find_label_errors(x.flatten(1), given), find_label_errors(x.flatten(1), given.to(dtype))
    assert torch.equal(one.score, other.score)
    assert other.labels.dtype == torch.int64
    by_network = [find_label_errors(trained(1000), (x, y), layers=["3"]) for y in (given, given.to(dtype))]
    assert torch.equal(by_network[0].score, by_network[1].score)


def test_wrong_combinations_are_refused() -> None:
    x, given = few()
    features, model = x.flatten(1), trained(1000)
    depth = prediction_depth(model, (x[:60], given[:60]), layers=["3"], k=3)
    of_others = prediction_depth(model, (x[:60], given[:60]), (x[60:90], given[60:90]), layers=["3"], k=3)
    slips = [
        (
            lambda: find_label_errors(of_others),
            r"depth: expected that of training examples \(queries=None\), got that of other examples",
        ),
        (
            lambda: find_label_errors(depth, given),
            "data: expected nothing beside a Depth, which holds labels, got Tensor",
        ),
        (
            lambda: find_label_errors(depth, (x, given)),
            "data: expected nothing beside a Depth, which holds labels, got ",
        ),
        (lambda: find_label_errors(features), r"labels: expected whole numbers \[n\] beside features, got NoneType"),
        (
            lambda: find_label_errors(features, (x, given)),
            r"labels: expected whole numbers \[n\] beside features, got ",
        ),
        (
            lambda: find_label_errors(model),
            r"data: expected \(inputs, labels\) or a loader beside a model, got NoneType",
        ),
        (
            lambda: find_label_errors(model, given),
            r"data: expected \(inputs, labels\) or a loader beside a model, got T",
        ),
        (lambda: find_label_errors(features, 0 * given), "labels: expected at least two classes, got only class 0"),
        (lambda: find_label_errors(features, given - 5), "labels: expected classes 0 to 4, got -5 to 4"),
        (lambda: find_label_errors(features[:0], given[:0]), "labels: expected at least one, got none"),
        (lambda: find_label_errors(features, given, k=300), "k: expected at most the 299 other references, got 300"),
        (lambda: find_label_errors(features, given, k=0), "k: expected a whole number >= 1, got 0"),
        (
            lambda: find_label_errors(features, given, metric="dot"),
            'metric: expected "euclidean" or "cosine", got \'dot\'',
        ),
        (lambda: find_label_errors(features / 0, given), "references: expected finite numbers"),
        (
            lambda: find_label_errors(model, (x[:9], given[:9])),
            "probe at input: k: expected at most the 8 other referenc",
        ),
        (lambda: find_label_errors(model, (x, given), layers=["11"]), "unknown layer '11'; "),
        (
            lambda: find_label_errors(depth, layers=["1"]),
            r"layers: expected none beside a Depth, which was measured before, got \['1'\]",
        ),
        (lambda: find_label_errors(depth, k=5), "k: expected none beside a Depth, which was measured before, got 5"),
        (lambda: find_label_errors(depth, metric="cosine"), "metric: expected none beside a Depth, "),
        (lambda: find_label_errors(features, given, layers=["1"]), "layers: expected none beside features, got "),
        (lambda: find_label_errors(features, given, device=torch.device("cpu")), "device: expected none beside f"),
    ]
    for slip, message in slips:
        with pytest.raises(InputError, match=f"^{message}") as caught:
            slip()
        assert "\n" not in str(caught.value)
