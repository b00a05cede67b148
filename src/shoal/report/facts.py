"""Facts of a run as the page lists them: names with values, and how long its parts took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shoal.report.numbers import duration, plain

_SPELLING = {
    "macs": "MACs",
    "jpeg": "JPEG",
    "gb": "GB",
    "mb": "MB",
    "knn": "k-NN",
    "qk": "QK",
    "ov": "OV",
    "id": "ID",
    "lr": "learning rate",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the run: how long it took, and which share of the whole that is."""

    name: str
    time: str
    percent: float


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name with its value, or with further facts."""

    name: str
    text: str = ""
    facts: tuple["Fact", ...] = ()


def facts(values: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Names and values as text; a mapping within stays a group.

    Example:
        >>> facts({"memory_gb": 7.8, "versions": {"torch": "2.13"}})[1].facts
        (Fact(name='torch', text='2.13', facts=()),)
    """
    return tuple(
        Fact(name=spaced(name), facts=facts(value))
        if isinstance(value, Mapping) and value
        else Fact(name=spaced(name), text=plain(value))
        for name, value in values.items()
    )


def shares(seconds: Mapping[str, float]) -> tuple[Part, ...]:
    """Parts with their times, and the share of the whole that each took.

    Args:
        seconds: by part.

    Example:
        >>> shares({"train_it": 30.0, "test": 10.0})[0]
        Part(name='train it', time='30 s', percent=75.0)
    """
    total = sum(seconds.values())
    return tuple(
        Part(name=spaced(name), time=duration(value), percent=round(100 * value / total, 1) if total else 0.0)
        for name, value in seconds.items()
    )


def spaced(name: object) -> str:
    """A name in words: underscores become spaces, and abbreviations are spelled as they should be."""
    return " ".join(_SPELLING.get(word, word) for word in str(name).replace("_", " ").split(" "))
