"""What the page of `shoal difficulty` shows of measured images, as plain values; `shoal.report.difficulty` draws it.

page = page_of(measured, asked.config, labels=True, words=["shoal", "difficulty", "label-errors", "photos"])
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from shoal.studies.difficulty_asked_config import ScoringConfig, resolve
from shoal.studies.difficulty_asked_galleries import Gallery, galleries
from shoal.studies.difficulty_asked_measured import Measured, Part
from shoal.studies.repeating import plain_settings
from shoal.studies.result import Table

FIRST = "mislabelled"  # the gallery that a page on labels begins with


@dataclass(frozen=True, kw_only=True)
class DifficultyPage:
    """What the page shows.

    Attributes:
        title: of the page.
        summary: the findings, a sentence each.
        galleries: in the order of the page.
        tables: how right each probe is and how many images it settles, part by part.
        probes: of an image: `Example.depth` is between 0 and that.
        command: that makes the page again.
        data, settings, environment: how it was made.
        seconds: by part of the run.
    """

    title: str
    summary: tuple[str, ...]
    galleries: tuple[Gallery, ...]
    tables: tuple[Table, ...]
    probes: int
    command: str
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


def page_of(measured: Measured, config: ScoringConfig, *, labels: bool, words: Sequence[str]) -> DifficultyPage:
    """Put the page together.

    Args:
        measured: all images.
        config: the settings, resolved.
        labels: whether the page is about labels first, or about difficulty.
        words: of the command, without its settings.
    """
    name = measured.splits.name
    shown = galleries(measured, shown=config.shown)
    if labels:
        shown = tuple(sorted(shown, key=lambda gallery: gallery.id != FIRST))
    return DifficultyPage(
        title=f"Labels of {name} that look wrong" if labels else f"How hard each image of {name} is",
        summary=_summary(measured),
        galleries=shown,
        tables=tuple(_table(part) for part in measured.parts),
        probes=len(measured.parts[0].depth.layers),
        command=_command(words, config),
        data={
            "images": measured.words,
            "source": measured.splits.source,
            "classes": list(measured.splits.classes),
            "network": measured.network,
            **({"left_out": measured.left_out} if measured.left_out else {}),
        },
        settings={key: value for key, value in plain_settings(config).items() if value or key == "seed"},
        environment=measured.environment,
        seconds=measured.seconds,
    )


def _summary(measured: Measured) -> tuple[str, ...]:
    counts = " and ".join(f"{len(part):,} {_kind(part)}" for part in measured.parts)
    right = " and ".join(f"{part.right:.1%} of the {_kind(part)}" for part in measured.parts)
    first = measured.parts[0].depth
    depth, middle = float(first.depth.double().mean()), (len(first.layers) + 1) // 2
    early = float((first.depth < middle).double().mean())
    doubted = len(measured.issues.suspicious)
    of_train = " among the training images" if len(measured.parts) > 1 else ""
    verb = "label looks" if doubted == 1 else "labels look"
    probe, share = measured.best_probe
    return (
        f"{counts} of {len(measured.splits.classes)} classes: {doubted:,} {verb} wrong{of_train}.",
        f"The best probe ({probe}) says the label for {share:.1%} of the training images; where neighbours are often "
        "wrong, so are doubts.",
        f"The network's answer is the label for {right}. The mean depth of the training images is {depth:.2f} of "
        f"{len(first.layers)}; {early:.0%} of them are settled in the first half of the probes.",
    )


def _kind(part: Part) -> str:
    return "training images" if part.name == "train" else f"{part.name} images"


def _table(part: Part) -> Table:
    depth, layers = part.depth, part.depth.layers
    settled = (100 * depth.depth.bincount(minlength=len(layers) + 1).double() / len(part)).tolist()
    right = (100 * depth.probe_accuracy).tolist()
    rows = [(at, layer, depth.pooling[layer], right[at], settled[at]) for at, layer in enumerate(layers)]
    return Table(
        id=part.name,
        title=f"Probes, on {_kind(part)}",
        columns=("depth", "probe", "pooling", "says the label (%)", "settled there (%)"),
        rows=(*rows, (len(layers), "never settled", "", None, settled[-1])),
    )


def _command(words: Sequence[str], config: ScoringConfig) -> str:
    """The words with every setting that is not the usual one, and the seed."""
    usual, flags = resolve(ScoringConfig()), []
    for setting in fields(config):
        value = getattr(config, setting.name)
        unsaid = setting.name == "offline" or not value or value == getattr(usual, setting.name)
        if setting.name != "seed" and unsaid:
            continue
        for item in value if isinstance(value, tuple) else (value,):
            flags += [f"--{setting.name}", f"{item:g}" if isinstance(item, float) else str(item)]
    return shlex.join([*words, *flags])
