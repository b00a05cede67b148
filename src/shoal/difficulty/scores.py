"""Scores of difficulty beside each other: one table, which says of each which way is harder and how far it goes.

table = difficulty_scores(depth, history=history, features=last_layer)
table["el2n"], table.harder("margin")       # the second turned so that more is harder
print(table)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.difficulty.depth import Depth
from shoal.difficulty.history import PredictionHistory
from shoal.errors import unknown_name, wrong


@dataclass(frozen=True)
class Score:
    """What a score means.

    Attributes:
        name: of its column.
        more_is_harder: its direction.
        low, high: its range.
        meaning: in words, with the source.
    """

    name: str
    more_is_harder: bool
    low: float
    high: float
    meaning: str


def _known(probes: int, classes: int, times: int) -> tuple[Score, ...]:
    return (
        Score("depth", True, 0, probes, "prediction depth (Baldock et al. 2021)"),
        Score("soft_depth", True, 0, probes, "probes times the share of neighbours against the network's class"),
        Score("margin", False, 0, 1, "largest probability less the second"),
        Score("entropy", True, 0, math.log(classes), "of the probabilities, in nats"),
        Score("label_loss", True, 0, math.inf, "negative logarithm of the label's probability"),
        Score("prototypicality", False, -1, 1, "cosine with the mean of the label's class in the last layer"),
        Score("el2n", True, 0, 2**0.5, "length of the error vector early in training (Paul et al. 2021)"),
        Score("forgetting", True, 0, times, "right answers that turned wrong (Toneva et al. 2019)"),
        Score("confidence", False, 0, 1, "mean probability of the label in training (Swayamdipta et al. 2020)"),
        Score("variability", True, 0, 0.5, "standard deviation of that (Swayamdipta et al. 2020)"),
    )


@dataclass(frozen=True)
class ScoreTable:
    """Scores of the same examples.

    Attributes:
        scores: what each column means, in the order of the columns.
        columns: by name.
    """

    scores: tuple[Score, ...]
    columns: dict[str, Float[Tensor, " n"]]

    def __getitem__(self, name: str) -> Float[Tensor, " n"]:
        """A column as it is.

        Raises:
            InputError: if there is none of this name.
        """
        if name not in self.columns:
            raise unknown_name("score", name, self.columns)
        return self.columns[name]

    def harder(self, name: str) -> Float[Tensor, " n"]:
        """A column, turned so that more is harder."""
        column = self[name]
        return column if next(score for score in self.scores if score.name == name).more_is_harder else -column

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __str__(self) -> str:
        rows = [
            f"{score.name:<16}{'more' if score.more_is_harder else 'less'} is harder  "
            f"{score.low:g} to {score.high:.4g}: {score.meaning}"
            for score in self.scores
        ]
        return "\n".join([f"{len(self)} examples", *rows])


def difficulty_scores(
    depth: Depth,
    *,
    history: PredictionHistory | None = None,
    early: float = 0.1,
    features: Float[Tensor, "n dim"] | None = None,
) -> ScoreTable:
    """All scores that can be made of what is given.

    Args:
        depth: of the examples.
        history: of a training, for the same examples; adds el2n, forgetting, confidence and variability.
        early: when el2n is measured, as a share of the history, 0 to 1.
        features: rows of the last layer for the same examples; adds prototypicality.

    Returns:
        The table.

    Raises:
        InputError: if the numbers of examples differ, or early is out of range.
    """
    if not 0 <= early <= 1:
        raise wrong("early", expected="a share of the history, 0 to 1", got=early)
    probabilities = depth.probabilities.double()
    top = probabilities.topk(2, 1).values
    n = len(depth)
    of_label = probabilities.gather(1, depth.labels[:, None])[:, 0]
    columns: dict[str, Tensor] = {
        "depth": depth.depth.double(),
        "soft_depth": depth.soft_depth.double(),
        "margin": top[:, 0] - top[:, 1],
        "entropy": torch.special.entr(probabilities).sum(1).clamp(0, math.log(probabilities.shape[1])),
        "label_loss": -of_label.clamp_min(torch.finfo(torch.float32).tiny).log(),
    }
    if features is not None:
        _check_rows("features", len(features), n)
        columns["prototypicality"] = prototypicality(features, depth.labels)
    if history is not None:
        _check_rows("history", len(history.labels), n)
        time = min(len(history.probabilities) - 1, int(early * len(history.probabilities)))
        columns |= {
            "el2n": history.el2n(time).double(),
            "forgetting": history.forgetting_events().double(),
            "confidence": history.confidence().double(),
            "variability": history.variability().double(),
        }
    times = 0 if history is None else len(history.probabilities)
    known = _known(len(depth.layers), probabilities.shape[1], times)
    return ScoreTable(tuple(score for score in known if score.name in columns), columns)


def prototypicality(features: Float[Tensor, "n dim"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Cosine with the mean of the label's class, −1 to 1; the example itself is left out of the mean.

    An example that is alone in its class has no mean to be compared with: 0.
    """
    rows = features.double()
    classes = int(labels.max()) + 1
    sums = rows.new_zeros(classes, rows.shape[1]).index_add_(0, labels, rows)
    others = sums[labels] - rows
    alone = torch.bincount(labels, minlength=classes)[labels] < 2
    return torch.cosine_similarity(rows, others, dim=1).clamp(-1, 1).masked_fill(alone, 0.0)


def _check_rows(name: str, found: int, expected: int) -> None:
    if found != expected:
        raise wrong(name, expected=f"{expected} examples, as in depth", got=found)
