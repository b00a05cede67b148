"""An overview as lines for logs and pipes, and as one table that stays in its place on a terminal."""

from collections import Counter
from typing import TYPE_CHECKING, TextIO, get_args

from shoal.commands.overview import Overview, Standing
from shoal.engine.progress import Lines, stderr_console
from shoal.report.numbers import duration
from shoal.studies.result import Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_COLORS = {"finished": "green", "read": "green", "failed": "red", "stopped": "yellow", "running": "cyan"}
_WORDS = {"read": "finished before"}


class ShownLines(Lines):
    """Every change of a study's state as a line, and its parts as `Lines` tells them."""

    def changed(self, overview: Overview, standing: Standing) -> None:
        """Say how the study stands now."""
        name, spent = standing.name, duration(round(overview.spent(standing)))
        place = f"{[*overview.standings].index(name) + 1} of {len(overview.standings)}"
        after = f"; {overview.left()}" if overview.left() else ""
        lines = {
            "running": f"{name}: running ({place}{after})",
            "finished": f"{name}: finished in {spent}: {tally_words(standing.tally)}",
            "read": f"{name}: finished before, read from {standing.text}; remove that folder to run it again",
            "failed": f"{name}: failed after {spent}: {standing.text}",
            "stopped": f"{name}: stopped",
        }
        if standing.state in lines:
            self.say(lines[standing.state])


class ShownLive:
    """A table of all studies at the foot of a terminal; what they say scrolls by above it.

    Args:
        stream: a terminal; stderr unless given.
    """

    def __init__(self, stream: TextIO | None = None):
        from rich.live import Live

        self._overview: Overview | None = None
        self._console = stderr_console(stream)
        options = {"console": self._console, "refresh_per_second": 4, "redirect_stdout": False}
        self._live = Live(get_renderable=self._table, **options)

    def open(self, overview: Overview) -> None:
        """Begin to show."""
        self._overview = overview
        self._live.start()

    def changed(self, overview: Overview, standing: Standing) -> None:  # noqa: ARG002 - all are shown
        """Show the change at once; an error that may not fit the table stands whole above it."""
        if standing.state == "failed":
            self.say(f"{standing.name}: failed: {standing.text}")
        self._live.refresh()

    def start(self, title: str) -> None:
        """Do nothing: the table is drawn anew a few times a second."""

    def update(self, share: float, text: str = "") -> None:
        """Do nothing."""

    def finish(self, text: str = "") -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text, highlight=False, markup=False, style="dim")

    def close(self) -> None:
        """Leave the last table on the screen and show the cursor again."""
        self._live.stop()

    def _table(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        overview = self._overview
        if overview is None:
            return ""
        count = f"{overview.ended()} of {len(overview.standings)} ended"
        foot = " · ".join(filter(None, (count, f"{duration(round(overview.total()))} spent", overview.left())))
        return Group("", studies_table(overview), Text(foot, style="bold", no_wrap=True, overflow="ellipsis"))


def studies_table(overview: Overview) -> "Table":
    """One row for each study: its name, its state, what it does or found, and its time."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(justify="right", no_wrap=True)
    for standing in overview.standings.values():
        state, style = _WORDS.get(standing.state, standing.state), _COLORS.get(standing.state, "dim")
        spent = overview.spent(standing)
        shown = duration(round(spent)) if spent >= 1 and standing.state != "read" else ""
        table.add_row(Text(standing.name), Text(state, style=style), _found_or_done(standing), Text(shown))
    return table


def _found_or_done(standing: Standing) -> "RenderableType":
    """What a study found, what it does now, or what went wrong."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    if standing.state in ("finished", "read"):
        return Text(tally_words(standing.tally))
    if standing.share is None:
        return Text(standing.doing or standing.text, style="red" if standing.state == "failed" else "")
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True)
    row.add_column(no_wrap=True, justify="right", min_width=4)
    row.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(total=1.0, completed=standing.share, width=12)
    row.add_row(bar, f"{standing.share:.0%}", Text(f"{standing.doing}  {standing.text}".rstrip()))
    return row


def tally_words(tally: "Counter[str]") -> str:
    """How many claims met which verdict.

    Example:
        >>> tally_words(Counter(supported=3, inconclusive=1)), tally_words(Counter())
        ('3 supported, 1 inconclusive', 'no claims')
    """
    return ", ".join(f"{tally[verdict]} {verdict}" for verdict in get_args(Verdict) if tally[verdict]) or "no claims"
