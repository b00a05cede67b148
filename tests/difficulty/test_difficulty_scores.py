"""Every score keeps its range and its direction, and is what its definition says."""

import math
from functools import cache
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.difficulty import (
    Depth,
    Features,
    PredictionHistory,
    ScoreTable,
    depth_of_features,
    difficulty_scores,
    prototypicality,
)
from shoal.errors import InputError

ALL = [
    "depth", "soft_depth", "margin", "entropy", "label_loss", "prototypicality",
    "el2n", "forgetting", "confidence", "variability",
]  # fmt: skip
LESS_IS_HARDER = {"margin", "prototypicality", "confidence"}


def probabilities(n: int, classes: int, spread: float, seed: int) -> Tensor:
    return (spread * torch.randn(n, classes, generator=torch.Generator().manual_seed(seed))).softmax(1)


def measured(n: int = 40, classes: int = 4, spread: float = 2.0, seed: int = 0, k: int = 7) -> tuple[Depth, Tensor]:
    """Depths of random examples, and their rows in the last layer."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    rows = torch.randn(n, 6, generator=generator) + 1.5 * torch.nn.functional.one_hot(labels, 6)
    table = probabilities(n, classes, spread, seed)
    features = Features(
        layers=("input", "layer", "softmax"),
        values={"input": torch.randn(n, 5, generator=generator), "layer": rows, "softmax": table},
        pooling=dict.fromkeys(("input", "layer", "softmax"), "whole"),
        probabilities=table,
        labels=labels,
        seconds=0.0,
    )
    return depth_of_features(features, k=k), rows


def history(depth: Depth, times: int = 10, spread: float = 2.0) -> PredictionHistory:
    n, classes = depth.probabilities.shape
    return PredictionHistory(
        torch.stack([probabilities(n, classes, spread, 100 + at) for at in range(times)]), depth.labels
    )


@cache
def table() -> tuple[Depth, Tensor, PredictionHistory, ScoreTable]:
    depth, rows = measured()
    seen = history(depth)
    return depth, rows, seen, difficulty_scores(depth, history=seen, features=rows)


@given(
    n=st.integers(9, 40),
    classes=st.integers(2, 6),
    spread=st.sampled_from([0.0, 1e-4, 1.0, 30.0, 300.0]),
    times=st.integers(1, 12),
    seed=st.integers(0, 10_000),
)
def test_every_column_keeps_its_range(n: int, classes: int, spread: float, times: int, seed: int) -> None:
    """From answers that are all alike to answers that are all certain, in float32's own rounding."""
    depth, rows = measured(n, classes, spread, seed, k=3)
    rows = torch.cat([rows[:-2], rows[:1].expand(2, -1)])  # some that are equal: cosines of 1
    found = difficulty_scores(depth, history=history(depth, times, spread), features=rows)
    assert list(found) == ALL == [score.name for score in found.scores]
    for score in found.scores:
        column = found[score.name]
        assert column.shape == (n,)
        assert column.dtype == torch.float64
        assert not bool(column.isnan().any())
        assert score.low <= float(column.min()), score.name
        assert float(column.max()) <= score.high, score.name
        assert math.isfinite(float(column.max()))


def test_columns_are_what_their_definitions_say() -> None:
    depth, _, seen, found = table()
    for at in range(len(depth)):
        p, label = depth.probabilities[at].double().tolist(), int(depth.labels[at])
        best, second = sorted(p, reverse=True)[:2]
        early = seen.probabilities[1, at].tolist()  # a tenth of ten times
        error = sum((x - (c == label)) ** 2 for c, x in enumerate(early)) ** 0.5
        of_label = [float(line[at, label]) for line in seen.probabilities]
        mean = sum(of_label) / 10
        right = [int(line[at].argmax()) == label for line in seen.probabilities]
        events = sum(a and not b for a, b in pairwise(right)) if any(right) else 10
        expected = {
            "depth": int(depth.depth[at]),
            "soft_depth": float(depth.soft_depth[at]),
            "margin": best - second,
            "entropy": -sum(x * math.log(x) for x in p),
            "label_loss": -math.log(p[label]),
            "el2n": error,
            "forgetting": events,
            "confidence": mean,
            "variability": (sum((x - mean) ** 2 for x in of_label) / 10) ** 0.5,
        }
        for name, value in expected.items():
            assert float(found[name][at]) == pytest.approx(value, rel=1e-4, abs=1e-6), name


def test_directions() -> None:
    """Harder: a sure answer against an unsure one, column by column."""
    _, _, _, found = table()
    assert {score.name for score in found.scores if not score.more_is_harder} == LESS_IS_HARDER
    for name in ALL:
        assert torch.equal(found.harder(name), -found[name] if name in LESS_IS_HARDER else found[name])


@pytest.mark.parametrize("name", ALL)
def test_harder_examples_have_more_of_every_score(name: str) -> None:
    """Two examples of which the second is harder by construction: its neighbours, answers and history are mixed."""
    sure, unsure = [0.98, 0.01, 0.01], [0.4, 0.35, 0.25]
    values = torch.tensor([[0.0], [0.1], [0.2], [0.3], [5.0], [5.1]])
    rows = torch.tensor([[1, 0.1], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1.0]])
    answers = torch.tensor([sure, sure, sure, sure, unsure, [0.01, 0.98, 0.01]])
    labels = torch.tensor([0, 0, 0, 0, 0, 1])
    features = Features(
        layers=("input", "softmax"),
        values={"input": values, "softmax": answers},
        pooling={"input": "whole", "softmax": "whole"},
        probabilities=answers,
        labels=labels,
        seconds=0.0,
    )
    changing = [sure if at % 2 else [0.01, 0.98, 0.01] for at in range(10)]  # of the fifth example
    seen = torch.stack([torch.stack([*answers[:4], torch.tensor(changing[at]), answers[5]]) for at in range(10)])
    seen[1, 4] = torch.tensor([0.01, 0.98, 0.01])
    found = difficulty_scores(depth_of_features(features, k=1), history=PredictionHistory(seen, labels), features=rows)
    harder = found.harder(name)
    assert float(harder[4]) > float(harder[0])


def test_prototypicality_is_that_of_loops() -> None:
    depth, rows, _, found = table()
    labels = depth.labels.tolist()
    for at in range(len(labels)):
        others = [rows[i].double() for i in range(len(labels)) if labels[i] == labels[at] and i != at]
        mean = sum(others[1:], others[0]) / len(others)
        cosine = float(rows[at].double() @ mean / (rows[at].double().norm() * mean.norm()))
        assert float(found["prototypicality"][at]) == pytest.approx(cosine, abs=1e-9)
    assert torch.equal(found["prototypicality"], prototypicality(rows, depth.labels))


def test_an_example_that_is_alone_in_its_class_has_no_prototype() -> None:
    rows = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 0], [3, 0]])
    assert prototypicality(rows, torch.tensor([0, 0, 2, 4, 4])).tolist() == [1, 1, 0, 0, 0]  # zeros point nowhere


def test_columns_follow_what_is_given() -> None:
    depth, rows, seen, _ = table()
    assert list(difficulty_scores(depth)) == ALL[:5]
    assert list(difficulty_scores(depth, features=rows)) == ALL[:6]
    assert list(difficulty_scores(depth, history=seen)) == [*ALL[:5], *ALL[6:]]
    assert len(difficulty_scores(depth)) == len(depth)


@pytest.mark.parametrize(("early", "time"), [(0.0, 0), (0.1, 1), (0.35, 3), (0.5, 5), (1.0, 9)])
def test_early_is_a_share_of_the_history(early: float, time: int) -> None:
    depth, _, seen, _ = table()
    found = difficulty_scores(depth, history=seen, early=early)
    assert torch.equal(found["el2n"], seen.el2n(time).double())


def test_the_table_says_which_way_is_harder() -> None:
    _, _, _, found = table()
    lines = str(found).splitlines()
    assert lines[0] == "40 examples"
    assert lines[1] == "depth           more is harder  0 to 3: prediction depth (Baldock et al. 2021)"
    assert lines[3] == "margin          less is harder  0 to 1: largest probability less the second"
    assert lines[4].startswith("entropy         more is harder  0 to 1.386: ")  # ln 4
    for name, line in zip(ALL, lines[1:], strict=True):
        assert line.split()[:4] == [name, "less" if name in LESS_IS_HARDER else "more", "is", "harder"]
    assert lines[8].startswith("forgetting      more is harder  0 to 10: ")


def test_an_unknown_column_is_said_with_the_nearest() -> None:
    _, _, _, found = table()
    for ask in (found.__getitem__, found.harder):
        with pytest.raises(
            InputError, match=r"^unknown score 'entropie'; did you mean 'entropy'\? known: confidence, "
        ):
            ask("entropie")


def test_other_numbers_of_examples_are_refused() -> None:
    depth, rows, seen, _ = table()
    with pytest.raises(InputError, match=r"^features: expected 40 examples, as in depth, got 39$"):
        difficulty_scores(depth, features=rows[:39])
    fewer = PredictionHistory(seen.probabilities[:, :39], seen.labels[:39])
    with pytest.raises(InputError, match=r"^history: expected 40 examples, as in depth, got 39$"):
        difficulty_scores(depth, history=fewer)


@pytest.mark.parametrize("early", [-0.1, 1.01, float("nan")])
def test_an_early_that_is_no_share_is_refused(early: float) -> None:
    depth, _, seen, _ = table()
    with pytest.raises(InputError, match=r"^early: expected a share of the history, 0 to 1, got "):
        difficulty_scores(depth, history=seen, early=early)
