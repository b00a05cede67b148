"""How all studies of a demo stand: which wait, which one runs and what it does, which have ended and how; time left.

    with showing_overview(["attention", "exits"]) as overview:
        overview.running("attention")
        result = study.run(folder, overview.progress_of("attention"))
        overview.finished("attention", result)

On a terminal all studies are seen at once and stay where they are; elsewhere every change is a line.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TextIO

from shoal.engine import Progress
from shoal.engine.progress import is_terminal
from shoal.studies.result import Result

State = Literal["waiting", "preparing", "running", "finished", "read", "failed", "stopped"]
_OPEN: tuple[State, ...] = ("waiting", "preparing", "running")
_ENDED: tuple[State, ...] = ("finished", "read", "failed")


@dataclass
class Standing:
    """How one study stands.

    Attributes:
        name: of the study.
        state: "read" is a study that an earlier run has finished.
        doing: the part that runs now.
        share: of that part that is done, in [0, 1]; None where nothing says.
        text: how that part stands, or what went wrong.
        tally: claims by verdict, of a study that has ended.
        seconds: spent in this process, on preparing and running.
        planned: seconds of training that the settings ask for; None where they name no time.
        before: seconds that an earlier, interrupted run has spent on it.
    """

    name: str
    state: State = "waiting"
    doing: str = ""
    share: float | None = None
    text: str = ""
    tally: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    planned: float | None = None
    before: float = 0.0


class Shown(Progress, Protocol):
    """What shows an overview: told of every part as any `Progress` is, and of studies that change their state."""

    def changed(self, overview: "Overview", standing: Standing) -> None:
        """A study waits no longer, or has ended."""
        ...


class Overview:
    """How all studies stand.

    Args:
        names: of the studies, in the order in which they run.
        shown: shows it.
        clock: seconds.
    """

    def __init__(self, names: Sequence[str], shown: Shown, *, clock: Callable[[], float] = time.monotonic):
        self.standings = {name: Standing(name) for name in names}
        self.shown, self.clock, self.began = shown, clock, clock()
        self._since = self.began  # when the study at hand came to hand

    def progress_of(self, name: str) -> Progress:
        """What a study reports to."""
        return _Told(self.standings[name], self.shown)

    def preparing(self, name: str) -> None:
        """A study reads its data."""
        self._hand(name, "preparing")

    def plan(self, name: str, seconds: float | None) -> None:
        """A study will train for so long; None where its settings name no time."""
        self.standings[name].planned = seconds

    def ready(self, name: str, *, before: float = 0.0) -> None:
        """A study can run; an earlier, interrupted run has spent so many seconds on it."""
        self._let_go(name, "waiting").before = before

    def running(self, name: str) -> None:
        """A study begins, or goes on where it was stopped."""
        self._hand(name, "running")

    def finished(self, name: str, result: Result, *, read: bool = False, where: str = "") -> None:
        """A study has ended.

        Args:
            name: of the study.
            result: what it found.
            read: whether an earlier run had finished it.
            where: it was read from.
        """
        standing = self._let_go(name, "read" if read else "finished")
        standing.tally, standing.text = Counter(claim.verdict for claim in result.claims), where
        self.shown.changed(self, standing)

    def failed(self, name: str, error: str) -> None:
        """A study has ended without a result."""
        standing = self._let_go(name, "failed")
        standing.text = error
        self.shown.changed(self, standing)

    def stopped(self) -> None:
        """The reader has interrupted what was at hand."""
        for standing in self.standings.values():
            if standing.state in ("preparing", "running"):
                self._let_go(standing.name, "stopped")
                self.shown.changed(self, standing)

    def spent(self, standing: Standing) -> float:
        """Seconds that a study has taken until now."""
        at_hand = standing.state in ("preparing", "running")
        return standing.seconds + (self.clock() - self._since if at_hand else 0.0)

    def total(self) -> float:
        """Seconds since the overview began."""
        return self.clock() - self.began

    def ended(self) -> int:
        """How many studies have ended, well or not."""
        return sum(standing.state in _ENDED for standing in self.standings.values())

    def left(self) -> str:
        """Time left for all studies, as far as anything tells it.

        Studies announce the time that they will train for. How much longer measuring takes is known once a study has
        done both in this process: the others are expected to take as much longer. Until then nothing is guessed.

        Example:
            >>> from shoal.commands.overview_shown import ShownLines
            >>> now = iter([0, 0, 0, 90, 90, 90]).__next__
            >>> overview = Overview(["exits", "faces"], ShownLines(), clock=now)
            >>> for name in ("exits", "faces"):
            ...     overview.plan(name, 60)
            >>> overview.left()
            '2 min of training to come, measuring on top'
        """
        still = [standing for standing in self.standings.values() if standing.state in _OPEN]
        if not still:
            return ""
        rate = self._rate()
        expected = {standing.name: self._expected(standing, rate or 1.0) for standing in still}
        late = [name for name, seconds in expected.items() if seconds is not None and seconds <= 0]
        seconds = sum(max(0.0, seconds) for seconds in expected.values() if seconds is not None)
        if rate is None or None in expected.values():
            return f"{_about(seconds)} of training to come, measuring on top" if seconds else "time left not known yet"
        if late:
            after = f"about {_about(seconds)} left after {late[0]}" if seconds else "time left not known"
            return f"{after}: {late[0]} takes longer than expected"
        return f"about {_about(seconds)} left"

    def _rate(self) -> float | None:
        """Time that studies took, for each second of training that they had announced."""
        whole = [s for s in self.standings.values() if s.state == "finished" and s.planned and not s.before]
        return sum(s.seconds for s in whole) / sum(s.planned or 0.0 for s in whole) if whole else None

    def _expected(self, standing: Standing, rate: float) -> float | None:
        if standing.planned is None:
            return None
        return standing.planned * rate - standing.before - self.spent(standing)

    def _hand(self, name: str, state: State) -> None:
        self._since = self.clock()
        standing = self.standings[name]
        standing.state = state
        self.shown.changed(self, standing)

    def _let_go(self, name: str, state: State) -> Standing:
        standing = self.standings[name]
        standing.seconds, standing.state = self.spent(standing), state
        standing.doing, standing.share, standing.text = "", None, ""
        return standing


class _Told:
    """Keeps what one study reports, and passes it on."""

    def __init__(self, standing: Standing, shown: Shown):
        self.standing, self.shown = standing, shown

    def start(self, title: str) -> None:
        self.standing.doing, self.standing.share, self.standing.text = title, None, ""
        self.shown.start(f"{self.standing.name}, {title}")

    def update(self, share: float, text: str = "") -> None:
        self.standing.share, self.standing.text = share, text
        self.shown.update(share, text)

    def finish(self, text: str = "") -> None:
        self.standing.share = None
        self.shown.finish(text)

    def say(self, text: str) -> None:
        if self.standing.state == "running":
            self.standing.doing, self.standing.share, self.standing.text = text, None, ""
        self.shown.say(f"{self.standing.name}: {text}")

    def close(self) -> None:
        self.shown.close()


@contextmanager
def showing_overview(names: Sequence[str], stream: TextIO | None = None) -> Iterator[Overview]:
    """Show how studies stand while the block runs; the terminal is left as it was, whatever happens.

    Args:
        names: of the studies, in the order in which they run.
        stream: where to; stderr unless given.
    """
    from shoal.commands.overview_shown import ShownLines, ShownLive

    shown = ShownLive(stream) if is_terminal(stream) else ShownLines(stream)
    overview = Overview(names, shown)
    if isinstance(shown, ShownLive):
        shown.open(overview)
    try:
        yield overview
    except BaseException:
        overview.stopped()
        raise
    finally:
        shown.close()


def _about(seconds: float) -> str:
    """A time that is no more exact than it is known.

    Example:
        >>> [_about(seconds) for seconds in (3, 47, 100, 3700)]
        ['5 s', '45 s', '2 min', '62 min']
    """
    return f"{max(5, 5 * round(seconds / 5))} s" if seconds < 90 else f"{seconds / 60:.0f} min"
