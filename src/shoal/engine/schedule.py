"""Learning-rate schedules as pure functions of progress, and the pace at which progress is made.

Progress runs from 0 to 1 over a run. A run is planned in epochs, where every step makes the same progress, or
in minutes, where the pace is measured at the start and corrected whenever it drifts.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from shoal.errors import unknown_name

FINAL_SHARE = 0.02  # of the peak rate, at the end of one-cycle and cosine
TAIL_FROM = 0.75  # progress from which "cosine-tail" stays small


def one_cycle(progress: float, warmup: float) -> float:
    """Linear rise from a tenth to 1 over `warmup`, then linear fall to `FINAL_SHARE`.

    Source: the shape of Jordan 2024 (arXiv 2404.00498), after Smith 2018 (arXiv 1803.09820).

    Example:
        >>> one_cycle(0.0, 0.25), one_cycle(0.25, 0.25), round(one_cycle(1.0, 0.25), 3)
        (0.1, 1.0, 0.02)
    """
    if progress < warmup:
        return 0.1 + 0.9 * progress / warmup
    return 1 - (1 - FINAL_SHARE) * (progress - warmup) / (1 - warmup)


def cosine(progress: float, warmup: float) -> float:
    """Linear rise from 0 over `warmup`, then half a cosine to `FINAL_SHARE`.

    Source: Loshchilov & Hutter 2017, "SGDR", equation 5 (arXiv 1608.03983).
    """
    if progress < warmup:
        return progress / warmup
    share = (progress - warmup) / (1 - warmup)
    return FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * share)) / 2


def cosine_tail(progress: float, warmup: float) -> float:
    """`cosine`, but down at three quarters of the run; from there on the rate stays `FINAL_SHARE`.

    What a network still gains in the tail tells whether it has converged: while the rate falls, accuracy rises
    because it falls, however long the run.

    Example:
        >>> [round(cosine_tail(progress, 0.25), 3) for progress in (0.25, 0.5, 0.75, 1.0)]
        [1.0, 0.51, 0.02, 0.02]
    """
    rising = progress < warmup or warmup >= TAIL_FROM  # a rise as long as that leaves no room for a fall
    return cosine(progress, warmup) if rising else cosine(min(progress / TAIL_FROM, 1.0), warmup / TAIL_FROM)


def constant(progress: float, warmup: float) -> float:
    """Linear rise from 0 over `warmup`, then 1."""
    return min(1.0, progress / warmup) if warmup else 1.0


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "one-cycle": one_cycle,
    "cosine": cosine,
    "cosine-tail": cosine_tail,
    "constant": constant,
}


def rate_at(schedule: str, progress: float, warmup: float) -> float:
    """Share of the peak learning rate at this progress.

    Args:
        schedule: "one-cycle", "cosine", "cosine-tail" or "constant".
        progress: in [0, 1].
        warmup: share of the run that the rate rises for, in [0, 1).

    Raises:
        InputError: if there is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise unknown_name("schedule", schedule, SCHEDULES)
    return SCHEDULES[schedule](progress, warmup)


@dataclass
class Pace:
    """How far a run is, and how much progress one step makes.

    In epochs: `total_steps` is set and progress is step / total_steps exactly. In minutes: `per_step` holds,
    for each input size, the progress of one step, and `correct` scales it to the time that is left. `least` is
    the smallest progress of a step, so that a run makes no more steps than were allowed, whatever the time.
    """

    total_steps: int | None = None
    per_step: dict[str, float] = field(default_factory=dict)
    budget_seconds: float = 0.0
    least: float = 0.0
    step: int = 0
    progress: float = 0.0
    checked_at: tuple[float, float] = (0.0, 0.0)  # (seconds, progress) of the last correction

    @classmethod
    def in_epochs(cls, epochs: float, steps_per_epoch: int) -> "Pace":
        """Plan a fixed number of steps, at least one."""
        return cls(total_steps=max(1, round(epochs * steps_per_epoch)))

    @classmethod
    def in_minutes(cls, minutes: float, seconds_per_step: dict[str, float], *, most_steps: int | None = None) -> "Pace":
        """Plan from the measured seconds of a step at each input size; at most `most_steps` steps."""
        budget, least = 60 * minutes, 1 / most_steps if most_steps else 0.0
        per_step = {size: max(s / budget, least) for size, s in seconds_per_step.items()}
        return cls(per_step=per_step, budget_seconds=budget, least=least)

    @property
    def finished(self) -> bool:
        """Whether no step is left."""
        return self.step >= self.total_steps if self.total_steps else self.progress >= 1 - 1e-9

    def advance(self, size: str) -> None:
        """Count one step that was made at this input size."""
        self.step += 1
        if self.total_steps:
            self.progress = self.step / self.total_steps
        else:
            self.progress = min(1.0, self.progress + self.per_step[size])

    def begin_at(self, seconds: float) -> None:
        """Let the budget begin after so many seconds that went into preparing the run."""
        self.checked_at = (seconds, 0.0)
        self.budget_seconds += seconds

    def correct(self, seconds: float, *, tolerance: float = 0.05) -> float:
        """Compare the progress made since the last correction with the time left, and change the pace.

        Args:
            seconds: time spent on the run so far.
            tolerance: relative drift that is left alone.

        Returns:
            The factor by which a step's progress was scaled; 1 where nothing was changed.
        """
        made, spent = self.progress - self.checked_at[1], seconds - self.checked_at[0]
        if self.total_steps or made <= 0 or spent <= 0:
            return 1.0
        left = max(self.budget_seconds - seconds, 0.01 * self.budget_seconds)
        factor = (1 - self.progress) / left / (made / spent)
        self.checked_at = (seconds, self.progress)
        if abs(factor - 1) <= tolerance or self.progress >= 1:
            return 1.0
        self.per_step = {size: max(share * factor, self.least) for size, share in self.per_step.items()}
        return factor

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Pace":
        """Go on from what `state` returned."""
        return cls(**{**state, "checked_at": tuple(state["checked_at"])})
