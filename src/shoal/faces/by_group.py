"""Does one threshold treat groups of people alike? Accuracy, false accepts and false rejects of each.

    rows = by_group(distances, same, groups, threshold=threshold.value)
    for row in rows:
        print(row)

A rate over everybody hides who bears the errors: networks of one training set accept strangers of some groups,
and of children, many times as often as of others. Compare groups on pairs *within* each: two strangers of
different groups are easily told apart, and such pairs make every group look good.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from jaxtyping import Bool, Float
from torch import Tensor

from shoal.errors import wrong
from shoal.faces.pair_distances import check_pairs
from shoal.measure import Interval, proportion_interval


@dataclass(frozen=True)
class GroupRates:
    """What a threshold does in one group.

    Attributes:
        group: its name.
        accuracy: share of right decisions.
        far: share of mismatched pairs that are accepted; None where there are none.
        frr: share of matched pairs that are rejected; None where there are none.
        matched: pairs of one person.
        mismatched: pairs of two.
    """

    group: str
    accuracy: Interval
    far: Interval | None
    frr: Interval | None
    matched: int
    mismatched: int

    def __str__(self) -> str:
        rates = (("FAR", self.far), ("FRR", self.frr))
        shown = (f"{name} {format(rate, '.2%') if rate else 'not measured'}" for name, rate in rates)
        return f"{self.group}: accuracy {self.accuracy:.1%}, {', '.join(shown)}"


class GroupTable(tuple[GroupRates, ...]):
    """The rows of all groups, in the order in which they first occur; a table in a notebook."""

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("group", "pairs", "accuracy", "FAR", "FRR"))
        lines = []
        for row in self:
            rates = (format(rate, ".2%") if rate else "–" for rate in (row.accuracy, row.far, row.frr))
            cells = (row.group, f"{row.matched + row.mismatched:,}", *rates)
            lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
        return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def by_group(
    distances: Float[Tensor, "a_pairs"],
    same: Bool[Tensor, "b_pairs"],
    groups: Sequence[str],
    *,
    threshold: float,
    confidence: float = 0.95,
) -> GroupTable:
    """Measure one threshold in every group.

    The intervals (Wilson's) are each group's own, and of independent pairs; with many groups, some will miss.

    Args:
        distances: squared distances of pairs, on which neither the network was trained nor the threshold
            chosen.
        same: which pairs are matched.
        groups: the group of each pair.
        threshold: pairs at most so far apart are accepted.
        confidence: of each interval, in (0, 1).

    Raises:
        InputError: if lengths differ, a distance is not finite or negative, or a number is out of range.

    Example:
        >>> import torch
        >>> rows = by_group(torch.tensor([0.2, 1.5, 0.3, 0.9]), torch.tensor([True, False, True, False]),
        ...                 ["adults", "adults", "children", "children"], threshold=1.0)
        >>> [(row.group, row.far.value, row.frr.value) for row in rows]
        [('adults', 0.0, 0.0), ('children', 1.0, 0.0)]
    """
    distances, same = check_pairs(distances, same)
    if len(groups) != len(same):
        raise wrong("groups", expected=f"one of each of {len(same):,} pairs", got=len(groups))
    if not threshold >= 0:
        raise wrong("threshold", expected="a squared distance >= 0", got=threshold)
    accepted = distances <= threshold
    members: dict[str, list[int]] = {}
    for pair, group in enumerate(groups):
        members.setdefault(group, []).append(pair)

    def rate(wrongly: Tensor, among: Tensor) -> Interval | None:
        n = int(among.sum())
        return proportion_interval(int((wrongly & among).sum()), n, confidence=confidence) if n else None

    rows = []
    for group, pairs in members.items():
        decided, truth = accepted[pairs], same[pairs]
        right = int((decided == truth).sum())
        rows.append(
            GroupRates(
                group=group,
                accuracy=proportion_interval(right, len(pairs), confidence=confidence),
                far=rate(decided, ~truth),
                frr=rate(~decided, truth),
                matched=int(truth.sum()),
                mismatched=int((~truth).sum()),
            )
        )
    return GroupTable(rows)
