"""A verdict on a training, and its reason in words."""

from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple, cast

from shoal.measure.statistics import Interval

Kind = Literal["underfit", "good", "overfit"]


@dataclass(frozen=True)
class Verdict:
    """What the losses of a training say.

    Attributes:
        kind: "underfit", "good" or "overfit".
        step: of the row from which the validation loss rises, the one to go back to; None unless it overfits.
        gap: loss at the end that memorising made: held-back less training loss; where no data was held back,
            validation less training loss, in which a shift is contained.
        low, high: interval of the gap.
        shift: validation less held-back loss at the end, a difference between groups of data; None if none was
            held back.
        rise: of the validation loss from `step` to the end; None unless it overfits.
        recent: change of the validation loss over the last fifth of the steps; negative where it falls.
        confidence: of the intervals.
        why: the reason, in words.
    """

    kind: Kind
    step: int | float | None
    gap: float
    low: float
    high: float
    shift: Interval | None
    rise: Interval | None
    recent: Interval
    confidence: float
    why: str

    def __str__(self) -> str:
        return self.why

    def _repr_html_(self) -> str:
        rows = [("verdict", self.kind), ("best step", "–" if self.step is None else f"{self.step:,.10g}")]
        rows.append(("gap", f"{Interval(self.gap, self.low, self.high):.3f}"))
        rows += [("shift", f"{self.shift:.3f}")] if self.shift else []
        rows += [("rise since", f"{self.rise:.3f}")] if self.rise else []
        cells = "".join(f"<tr><td>{name}</td><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<p>{escape(self.why)}</p><table>{cells}</table>"


class Findings(NamedTuple):
    """What was measured, before it is put into words.

    Attributes:
        kind: of the verdict.
        step: from which the validation loss rises, whatever the kind.
        rise: since then.
        recent: change of the validation loss over the last fifth.
        trained: change of the training loss since `step`, or over the last fifth.
        gap: as in the verdict.
        shift: the same.
        growth: of the gap between validation and training loss, since the start.
        diverges: whether the training loss rises as well.
        matters: the least fall worth training on for.
    """

    kind: str
    step: float | None
    rise: Interval | None
    recent: Interval
    trained: Interval
    gap: Interval
    shift: Interval | None
    growth: Interval
    diverges: bool
    matters: float


def worded(found: Findings) -> Verdict:
    """The verdict, with its reason."""
    overfit = found.kind == "overfit"
    step = found.step if overfit else None
    return Verdict(
        kind=cast(Kind, found.kind),
        step=int(step) if step is not None and step.is_integer() else step,
        gap=found.gap.value,
        low=found.gap.low,
        high=found.gap.high,
        shift=found.shift,
        rise=found.rise if overfit else None,
        recent=found.recent,
        confidence=found.gap.confidence,
        why=f"{_about_time(found)} {_about_gap(found)}",
    )


def _about_time(found: Findings) -> str:
    if found.step is not None and found.rise is not None:
        if found.diverges:
            return (
                f"Underfit: training diverges. Both losses rise since step {found.step:,.10g}, validation by "
                f"{_loss(found.rise)} and training by {_loss(found.trained)}; try a lower learning rate."
            )
        return (
            f"Overfit from step {found.step:,.10g}: the validation loss has risen by {_loss(found.rise)} since "
            f"then, while the training loss {_about_training(found.trained)}."
        )
    if found.kind == "underfit":
        return (
            f"Underfit: the validation loss still falls, by {_loss(_turned(found.recent))} over the last fifth "
            "of the steps; train on."
        )
    return (
        f"Good: the validation loss does not surely fall by {found.matters:g} or more over the last fifth of "
        f"the steps (change {_loss(found.recent)}), nor does it surely rise."
    )


def _about_training(change: Interval) -> str:
    if change.high < 0:
        return f"falls on by {_loss(_turned(change))}"
    return f"rises by only {_loss(change)}" if change.low > 0 else "does not surely change"


def _about_gap(found: Findings) -> str:
    if found.shift is not None:
        return f"{_about_memorising(found.gap)} {_about_shift(found.shift)}"
    gap = f"Validation less training loss is {_loss(found.gap)} at the end"
    if found.growth.low > 0:
        return f"{gap}, and grew by {_loss(found.growth)}: what grows with training is memorising, not a shift."
    return (
        f"{gap}, and has not surely grown ({_loss(found.growth)}), which speaks for a shift between groups, "
        "not for overfitting; held-back training data would tell."
    )


def _about_memorising(gap: Interval) -> str:
    if gap.low <= 0 <= gap.high:
        return f"Held-back and training loss are alike (gap {_loss(gap)}): no memorising is seen."
    if gap.high < 0:
        return f"The training loss is above the held-back loss (gap {_loss(gap)}), as with dropout in training."
    return f"Memorising makes a gap of {_loss(gap)} between held-back and training loss."


def _about_shift(shift: Interval) -> str:
    if shift.low <= 0 <= shift.high:
        return f"No shift between training and validation data is seen ({_loss(shift)})."
    return f"Validation less held-back loss, {_loss(shift)}, is a shift between groups, not overfitting."


def _loss(interval: Interval) -> str:
    size = max(abs(interval.value), abs(interval.high - interval.low))
    return format(interval, ".2f" if size >= 0.1 else ".3f" if size >= 0.01 else ".2g")


def _turned(change: Interval) -> Interval:
    return Interval(-change.value, -change.high, -change.low, change.confidence)
