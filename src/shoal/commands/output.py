"""What commands tell: how it goes to stderr, data to stdout, as lines to read or as JSON."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal.engine import Progress
    from shoal.studies.failure import Failure
    from shoal.studies.result import Result


@contextmanager
def showing_progress() -> "Iterator[Progress]":
    """What a command reports to; the terminal is left as it was, whatever happens."""
    from shoal.engine import choose_progress

    progress = choose_progress()
    try:
        yield progress
    finally:
        progress.close()


class Fetching:
    """Shows how a fetch goes, from its first bytes on."""

    def __init__(self, progress: "Progress"):
        self.progress, self.file = progress, ""

    def __call__(self, file: str, done: int, total: int) -> None:
        """Told by `shoal.data` of bytes that have come."""
        if file != self.file:
            self.file = file
            self.progress.start(f"fetching {file}")
        self.progress.update(done / total if total else 0.0, f"{done / 1e6:.1f} MB")


def show(found: Any, lines: Iterable[str], *, json: bool) -> None:
    """Print what was found.

    Args:
        found: dataclasses and plain values, for JSON.
        lines: the same, to read.
        json: print as JSON.
    """
    if json:
        print(dumps(found, indent=2, default=_plain))
    else:
        for line in lines:
            print(line)


def show_results(
    results: "Sequence[Result]",
    report: Path,
    pages: Sequence[Path] = (),
    *,
    failures: "Sequence[Failure]" = (),
    json: bool,
) -> None:
    """Print what studies found, and where their report is, and pages beside it.

    Args:
        results: of studies that ended.
        report: the page of all.
        pages: that studies have of their own.
        failures: of studies that did not end; in JSON, what has an "error" in the list is one.
        json: print as JSON.
    """
    lines = (line for result in results for line in _lines(result))
    failed = (f"{failure.study}: failed: {failure.error}; run it again: {failure.command}" for failure in failures)
    found = [*map(with_verdicts, results), *map(dataclasses.asdict, failures)]
    show(found, (*lines, *failed), json=json)
    for name, page in (*(("page", page) for page in pages), ("report", report)):
        print(f"{name}: {page}", file=sys.stderr if json else sys.stdout)


def _lines(result: "Result") -> Iterator[str]:
    yield from result.summary
    for claim in result.claims:
        yield f"  {claim.verdict:12}  {claim.sentence}"


def with_verdicts(result: "Result") -> dict[str, Any]:
    """A result as plain data; claims say what follows from them."""
    claims = [dataclasses.asdict(claim) | {"verdict": claim.verdict} for claim in result.claims]
    return dataclasses.asdict(result) | {"claims": claims}


def _plain(value: Any) -> Any:
    """What JSON does not know, as something that it knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
