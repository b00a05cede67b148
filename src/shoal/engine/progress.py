"""Progress on stderr: a bar with loss, accuracy and time left on a terminal, plain lines elsewhere.

Libraries are silent: they report to a `Progress` that they are handed, and `Silent` is the default.
"""

import os
import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO, runtime_checkable

if TYPE_CHECKING:
    from rich.console import Console


@runtime_checkable
class Progress(Protocol):
    """What a long computation reports to."""

    def start(self, title: str) -> None:
        """A part begins."""
        ...

    def update(self, share: float, text: str = "") -> None:
        """The part is done to this share, in [0, 1]; text says how it stands."""
        ...

    def finish(self, text: str = "") -> None:
        """The part has ended."""
        ...

    def say(self, text: str) -> None:
        """A line for the reader."""
        ...

    def close(self) -> None:
        """Nothing follows, or something failed: leave the terminal as it was. May be called at any time."""
        ...


class Silent:
    """Reports nothing."""

    def start(self, title: str) -> None:
        """Do nothing."""

    def update(self, share: float, text: str = "") -> None:
        """Do nothing."""

    def finish(self, text: str = "") -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """Plain lines, at most one every `seconds`, for logs and pipes."""

    def __init__(self, stream: TextIO | None = None, *, seconds: float = 10.0):
        self.stream, self.seconds = stream or sys.stderr, seconds
        self._title, self._began, self._said = "", 0.0, 0.0
        self._first: float | None = None  # share that was done when this part began or went on

    def start(self, title: str) -> None:
        """Begin a part."""
        self._title, self._began, self._said = title, time.monotonic(), time.monotonic()
        self._first = None

    def update(self, share: float, text: str = "") -> None:
        """Say how the part stands, if the last line is old enough."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = share, now
        if now - self._said >= self.seconds:
            self._said = now
            self.say(f"{self._title}: {share:4.0%}  {text}{_left(now - self._began, share, self._first)}")

    def finish(self, text: str = "") -> None:
        """End the part."""
        self.say(f"{self._title}: done in {time.monotonic() - self._began:.0f} s  {text}".rstrip())

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Do nothing: lines leave nothing open."""


class Bar:
    """A rich progress bar, for terminals."""

    def __init__(self, stream: TextIO | None = None):
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, TextColumn("{task.fields[text]}"), console=stderr_console(stream))
        self._task = None

    def start(self, title: str) -> None:
        """Begin a part."""
        self._bar.start()
        self._task = self._bar.add_task(title, total=1.0, text="")

    def update(self, share: float, text: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=share, text=text)

    def finish(self, text: str = "") -> None:
        """Fill the bar and leave it on the screen."""
        if self._task is not None:
            self._bar.update(self._task, completed=1.0, text=text)
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        """Stop drawing and show the cursor again."""
        self._bar.stop()


def choose_progress(stream: TextIO | None = None) -> Progress:
    """A bar on a terminal, plain lines elsewhere."""
    return Bar(stream) if is_terminal(stream) else Lines(stream)


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether things may be drawn and drawn over there: on a terminal, unless NO_COLOR, CI or TERM=dumb say no.

    Args:
        stream: stderr unless given.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return (stream or sys.stderr).isatty() and not plain


def stderr_console(stream: TextIO | None = None) -> "Console":
    """A console of rich's that writes to stderr, unless another stream is given."""
    from rich.console import Console

    return Console(file=stream or sys.stderr)


def _left(spent: float, share: float, first: float) -> str:
    """Time left, from the time that was spent since the share was `first`."""
    if share - first <= 0.01:
        return ""
    left = spent * (1 - share) / (share - first)
    return f"  {left / 60:.0f} min left" if left >= 100 else f"  {left:.0f} s left"
