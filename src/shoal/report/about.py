"""About this run: what several studies share, said once for the page; each study then says what differs.

Example:
    >>> common([{"seed": 0, "commit": "a"}, {"seed": 1, "commit": "a"}, {}])
    {'commit': 'a'}
    >>> differing({"seed": 1, "commit": "a"}, {"commit": "a"})
    {'seed': 1}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.report.anchors import unique
from shoal.report.facts import Fact, Part, facts, shares
from shoal.report.numbers import duration
from shoal.studies.result import Result


@dataclass(frozen=True, kw_only=True)
class About:
    """What the page says of all its studies together.

    Args:
        environment: machine, versions, commit, seed and device, as far as the studies share them.
        data: what each study learned from or measured on.
        times: wall time by study.
        total: all of it.
        notes: people and resources, from the settings.
    """

    environment: tuple[Fact, ...]
    data: tuple[Fact, ...]
    times: tuple[Part, ...]
    total: str
    notes: tuple[Fact, ...]


def about(results: Sequence[Result]) -> About:
    """Gather what is said once.

    Args:
        results: of the page.
    """
    names = unique([result.study for result in results])
    seconds = {name: _spent(result) for name, result in zip(names, results, strict=True) if result.seconds}
    return About(
        environment=facts(common([result.environment for result in results])),
        data=tuple(
            Fact(name=name, text=_data(result)) for name, result in zip(names, results, strict=True) if result.data
        ),
        times=shares(seconds),
        total=duration(sum(seconds.values())) if seconds else "",
        notes=facts(common([result.notes for result in results])),
    )


def common(all_values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Entries on which all agree that recorded any; within groups, entry by entry."""
    known = [values for values in all_values if values]
    if not known:
        return {}
    first, *others = known
    shared: dict[str, Any] = {}
    for key, value in first.items():
        theirs = [other.get(key) for other in others]
        if isinstance(value, Mapping) and all(isinstance(each, Mapping) for each in theirs):
            within = common([value, *(each for each in theirs if isinstance(each, Mapping))])
            shared |= {key: within} if within else {}
        elif all(key in other for other in others) and all(each == value for each in theirs):
            shared[key] = value
    return shared


def differing(values: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are not shared; of a group, those that are not."""
    rest: dict[str, Any] = {}
    for key, value in values.items():
        if key not in shared:
            rest[key] = value
        elif isinstance(value, Mapping) and (within := differing(value, shared[key])):
            rest[key] = within
    return rest


def _spent(result: Result) -> float:
    return sum(value for value in result.seconds.values() if value is not None)


def _data(result: Result) -> str:
    """Name and source of a study's data, in a line."""
    name, source = (str(result.data.get(key) or "") for key in ("name", "source"))
    return source if source.lower().startswith(name.lower()) else f"{name}: {source}" if source else name
