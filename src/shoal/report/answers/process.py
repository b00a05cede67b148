"""The answers that are a person's own: the most interesting idea, and how the work went.

What the reader wrote comes from the settings, by way of the notes of each run (`shoal.settings.Notebook`); what was
measured of the work, time and machine, comes from the results.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from shoal.report.answers.blocks import Block, Missing, Prose, Tabled, Words
from shoal.report.numbers import duration, plain
from shoal.studies.result import Result, Table

READER = "The reader"
EXAMPLE = "An example, by Shoal"
IDEA = (
    "What I find most interesting is that a training set which is far too large to be used whole is made small by the "
    "network itself. There are more triplets than could ever be looked at, and most of them teach nothing. The network "
    "of the moment says which ones still do: negatives that are farther than the positive, but not yet far enough. So "
    "the lessons grow harder as the pupil grows better, and nobody writes a plan. The hardest examples of all would be "
    "the wrong ones to begin with: too early, they are noise or mislabelled, and the easiest way out is to call "
    "everything the same. Difficulty is not a property of an example alone, but of an example and a pupil."
)
_ASKED = {
    "who": "Who did the work",
    "with_whom": "With whom",
    "resources": "What was used besides: books, pages, advice",
    "time_spent": "Time spent, in the reader's own words",
}


def notes_of(results: Sequence[Result]) -> dict[str, str]:
    """What the reader wrote, from the first run in which it was written.

    Example:
        >>> runs = [Result(study=s, title="", summary=(), command="", notes={"who": w}) for s, w in ("ab", "cd")]
        >>> notes_of(runs)
        {'who': 'b'}
    """
    return {name: text for result in reversed(results) for name, text in result.notes.items() if text}


def interesting_idea(results: Sequence[Result]) -> Iterator[Block]:
    """5j."""
    idea = notes_of(results).get("idea", "")
    yield Prose(
        text="This is a question to the reader, about a hundred words are asked for. The answer is the setting "
        "`idea`, in `shoal.toml`, as `SHOAL_IDEA` or after `--idea`."
    )
    if idea:
        yield Words(by=READER, text=idea)
    else:
        yield Missing(text="The reader has not written it yet.", command='shoal report --answers RUN... --idea "..."')
        yield Words(by=EXAMPLE, text=IDEA, example=True)


def process(results: Sequence[Result]) -> Iterator[Block]:
    """6."""
    notes = notes_of(results)
    for name, asked in _ASKED.items():
        if name in notes:
            yield Words(by=asked, text=notes[name])
        else:
            flag = name.replace("_", "-")
            yield Missing(
                text=f"{asked}: the reader has not written it yet; it is the setting `{name}`.",
                command=f'shoal report --answers RUN... --{flag} "..."',
            )
    yield Prose(text="What was measured: the time that each study took to compute, and on what.")
    yield Tabled(study="", table=_times(results))


def _times(results: Sequence[Result]) -> Table:
    """Of the run records, a study a row."""
    rows = [(result.study, duration(_seconds(result)), _machine(result), _settings(result)) for result in results]
    if len(results) > 1:
        rows.append(("all together", duration(sum(map(_seconds, results))), "", ""))
    return Table(
        id="process",
        title="Computing time",
        columns=("study", "computing time", "machine", "budget and seed"),
        rows=tuple(rows),
        note="From the record of each run: wall time, without the reader's own.",
    )


def _seconds(result: Result) -> float:
    return sum(value for value in result.seconds.values() if value is not None)


def _machine(result: Result) -> str:
    machine: Any = result.environment.get("machine") or "not recorded"
    if not isinstance(machine, dict):
        return plain(machine)
    known = [plain(machine[name]) for name in ("processor", "cpu") if machine.get(name)]
    cores = [f"{plain(machine['cores'])} cores"] if machine.get("cores") else []
    return ", ".join((*known, *cores)) or plain(machine)


def _settings(result: Result) -> str:
    known = {name: result.settings.get(name) for name in ("budget", "seed")}
    return ", ".join(f"{name} {plain(value)}" for name, value in known.items() if value not in (None, "")) or "–"
