"""What `shoal exits sweep` writes of a frontier: a row of CSV for every set of thresholds, and a page of pictures."""

import csv
import io
import shlex
from pathlib import Path

from shoal.studies.exits_asked_config import SweepingConfig
from shoal.studies.exits_asked_lines import SweptAnswer
from shoal.studies.exits_asked_sweep import BATCH, Swept
from shoal.studies.repeating import plain_settings
from shoal.studies.result import Picture, Result, Table
from shoal.studies.wording import millions, percent


def answer(swept: Swept, config: SweepingConfig, csv: Path, page: Path) -> SweptAnswer:
    """The frontier in plain values.

    Args:
        swept: what was measured.
        config: the settings.
        csv: its file.
        page: its file.
    """
    return SweptAnswer(
        csv=str(csv),
        page=str(page),
        data=f"{swept.measured_on}; chosen on {swept.chosen_on}",
        policy=config.policy,
        layers=list(swept.layers),
        images=swept.images,
        chosen_on=swept.chosen,
        whole_macs=swept.whole_macs,
        rows=[
            {
                "accuracy": row.accuracy,
                "mean_macs": row.mean_macs,
                "share": row.mean_macs / swept.whole_macs,
                "milliseconds": row.milliseconds,
                "thresholds": [None if t == row.policy.never else t for t in row.policy.thresholds],
            }
            for row in swept.rows
        ],
    )


def write_rows(swept: Swept) -> str:
    """CSV; thresholds have all their digits, and "never" where no image leaves, as `shoal exits export` takes them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"threshold {layer}" for layer in swept.layers]
    writer.writerow(["accuracy", "mean_macs", "share", "milliseconds", *names])
    for row in swept.rows:
        numbers = [row.accuracy, row.mean_macs, row.mean_macs / swept.whole_macs, row.milliseconds]
        thresholds = ["never" if t == row.policy.never else repr(t) for t in row.policy.thresholds]
        writer.writerow([*(f"{number:.6g}" for number in numbers), *thresholds])
    return text.getvalue()


def page_of(swept: Swept, found: SweptAnswer, config: SweepingConfig, folder: str, data: str) -> Result:
    """The page, as `shoal.report` draws it.

    Args:
        swept: what was measured.
        found: the same in plain values.
        config: the settings.
        folder: of the command.
        data: of the command.
    """
    settings = {key: value for key, value in plain_settings(config).items() if value or key == "seed"}
    words = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    return Result(
        study="exits sweep",
        title="Accuracy against cost",
        summary=_summary(found),
        command=shlex.join(["shoal", "exits", "sweep", folder, data, *words]),
        settings=settings,
        environment=swept.environment,
        data={
            "network": folder,
            "measured_on": swept.measured_on,
            "chosen_on": swept.chosen_on,
            "timed": f"{swept.timed} images, in batches of {min(BATCH, swept.timed)}",
        },
        tables=(_table(found),),
        pictures=_pictures(found),
        seconds=swept.seconds,
    )


def _summary(found: SweptAnswer) -> tuple[str, ...]:
    whole = found.rows[-1]
    least = min(
        (row for row in found.rows if row["accuracy"] >= whole["accuracy"] - 0.01), key=lambda row: row["mean_macs"]
    )
    right = percent(whole["accuracy"], 1)
    return (
        f"Without leaving early, {right} of {found.images:,} images are answered right; the network without exits "
        f"takes {millions(found.whole_macs)} MACs for each.",
        f"The cheapest thresholds that lose at most a point here answer {percent(least['accuracy'], 1)} right for "
        f"{millions(least['mean_macs'])} MACs on average, {percent(least['share'], 0)} of that. It is an estimate; "
        "shoal exits calibrate gives a guarantee.",
    )


def _pictures(found: SweptAnswer) -> tuple[Picture, Picture]:
    def points(key: str, scale: float, mark: str) -> tuple[dict[str, float | str], ...]:
        places = [{"x": row[key] / scale, "y": 100 * row["accuracy"], "mark": mark} for row in found.rows]
        never = places[-1] | {"series": "never leaving", "mark": "point", "label": "never"}
        early = places if mark == "line" else places[:-1]  # the line leads there
        return (*(place | {"series": "leaving early"} for place in early if len(places) > 1), never)

    note = "Each point is a set of thresholds that was chosen on other images. Left is cheaper."
    y = f"accuracy on {found.images:,} images (%)"
    return (
        Picture(
            id="frontier_macs",
            title="Accuracy against arithmetic",
            kind="lines",
            rows=points("mean_macs", 1e6, "line"),
            x="mean MACs an image (M)",
            y=y,
            note=note,
        ),
        Picture(
            id="frontier_time",
            title="Accuracy against time",
            kind="lines",
            rows=points("milliseconds", 1, "point"),
            x="milliseconds an image",
            y=y,
            note="The same thresholds, timed one after the other on this machine.",
        ),
    )


def _table(found: SweptAnswer) -> Table:
    return Table(
        id="thresholds",
        title=f"Sets of thresholds ({found.policy})",
        columns=("accuracy (%)", "mean MACs (M)", "share (%)", "milliseconds", *found.layers),
        rows=tuple(
            (
                100 * row["accuracy"],
                row["mean_macs"] / 1e6,
                100 * row["share"],
                row["milliseconds"],
                *(None if t is None else float(t) for t in row["thresholds"]),
            )
            for row in found.rows
        ),
        note="From bold to safe; a dash where no image leaves. Shares are of the network without exits.",
    )
