"""The pictures of the difficulty study: what falls with depth, where images are settled, classes, trainings.

Galleries are in `difficulty_galleries`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from shoal.measure import Interval, proportion_interval
from shoal.studies.difficulty_data import StudyImages
from shoal.studies.difficulty_galleries import galleries
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Examples, Measured
from shoal.studies.difficulty_numbers import NOTHING, class_means, mean_of, mean_of_both
from shoal.studies.result import Picture

MOST_CLASSES = 40  # that a picture can show
FEWEST = 5  # images of which a mean is shown

Rows = list[dict[str, Any]]


def pictures(m: Measured, images: StudyImages) -> tuple[Picture, ...]:
    """All of them."""
    return (
        _by_depth(m),
        _settled(m, m.test, "depths_test", "Where test images are settled"),
        _settled(m, m.train, "depths_training", "Where training images are settled, each without itself"),
        _probes(m),
        _classes(m),
        _interventions(m),
        *galleries(m, images),
        _seeds(m),
        _training(m),
    )


def _by_depth(m: Measured) -> Picture:
    depth, rows = m.test.column("depth"), []
    for at in range(len(m.probes) + 1):
        own = depth == at
        if int(own.sum()) < FEWEST:
            continue
        place: dict[str, Any] = {"x": m.place(at)}
        right = m.test.right[own]
        rows.append(place | {"series": "right"} | _percents(proportion_interval(int(right.sum()), len(right))))
        means = {name: mean_of(m.test.column(name)[own]) for name in ("confidence", "margin")}
        rows += [place | {"series": f"mean {name}"} | _percents(found) for name, found in means.items()]
    return Picture(
        id="by_depth",
        title="Accuracy, confidence and margin by depth",
        kind="lines",
        rows=tuple(rows),
        x="settled at",
        y="test images (%)",
        note=f"Test images by the probe at which they are settled, with 95 % intervals; depths of fewer than {FEWEST} "
        "images are left out. The margin is the lead of the largest probability over the second.",
    )


def _percents(interval: Interval) -> dict[str, float]:
    return {"y": 100 * interval.value, "low": 100 * interval.low, "high": 100 * interval.high}


def _settled(m: Measured, part: Examples, id: str, title: str) -> Picture:
    depth, right = part.column("depth"), part.right
    rows = []
    for at in range(len(m.probes) + 1):
        own = depth == at
        for name, chosen in (("answered right", own & right), ("answered wrong", own & ~right)):
            rows.append({"x": m.place(at), "y": 100 * float(chosen.double().mean()), "series": name})
    return Picture(
        id=id,
        title=title,
        kind="bars",
        rows=tuple(rows),
        x="settled at",
        y="share of the images (%)",
        note=f"{len(part):,} images, by the first probe from which on all agree with the network's answer, right or "
        "wrong.",
    )


def _probes(m: Measured) -> Picture:
    parts = {"test": m.test, "training, each without itself": m.train}
    rows = [
        {"x": name, "series": series, **_percents(proportion_interval(round(share * len(part)), len(part)))}
        for series, part in parts.items()
        for name, share in zip(m.probes, part.probe_accuracy, strict=True)
    ]
    ends = [
        {"x": m.probes[-1], "y": 100 * part.accuracy, "series": f"the network, {series.split(',')[0]}", "mark": "point"}
        for series, part in parts.items()
    ]
    return Picture(
        id="probes",
        title="What every layer knows",
        kind="lines",
        rows=(*rows, *ends),
        x="probe at",
        y="right (%)",
        note="Accuracy of the neighbours' votes at every probe, with 95 % intervals. Where training images pull away "
        "from test images, layers know them by heart.",
    )


def _classes(m: Measured) -> Picture:
    depth, labels = m.test.column("depth"), m.test.column("labels")
    means = class_means(depth.double(), labels, len(m.classes))
    counts = torch.bincount(labels, minlength=len(m.classes))
    shown = counts.argsort(descending=True, stable=True)[:MOST_CLASSES]
    shown = [i for i in shown[means[shown].argsort(stable=True)].tolist() if counts[i]]
    rows: Rows = []
    for number in shown:
        shares = torch.bincount(depth[labels == number], minlength=len(m.probes) + 1).double() / counts[number]
        rows += [
            {"x": m.place(at), "y": m.classes[number], "value": 100 * share} for at, share in enumerate(shares.tolist())
        ]
    more = f" The {MOST_CLASSES} classes with the most test images." if len(m.classes) > MOST_CLASSES else ""
    return Picture(
        id="classes",
        title="Which classes are settled where",
        kind="heatmap",
        rows=tuple(rows),
        x="settled at",
        y="class",
        note=f"Percent of the class's test images. The class that is settled first on average is at the top.{more}",
    )


def _interventions(m: Measured) -> Picture:
    rows = []
    for altered in m.altered:
        found = mean_of_both(*m.deeper(altered))
        reach = {"low": found.low, "high": found.high} if found.high < NOTHING else {}
        rows.append({"x": INTERVENTIONS[altered.name].title, "y": found.value, **reach})
    words = "; ".join(f"{how.title}: {how.words}" for how in INTERVENTIONS.values())
    return Picture(
        id="interventions",
        title="How much deeper the same images lie when they are altered",
        kind="bars",
        rows=tuple(rows),
        x="alteration",
        y="probes deeper",
        note=f"Mean over {len(m.altered[0].depth) if m.altered else 0:,} test images, paired, and both networks; the "
        "intervals hold those of both. "
        f"{words}.",
    )


def _seeds(m: Measured) -> Picture:
    one, other = m.test.column("depth"), m.second.column("depth")
    size = len(m.probes) + 1
    table = torch.bincount(one * size + other, minlength=size * size).view(size, size)
    return Picture(
        id="seeds",
        title="Depths of the same images in networks of two seeds",
        kind="heatmap",
        rows=_cells(m, 100 * table.double() / table.sum(1, keepdim=True).clamp_min(1)),
        x="settled at, another seed",
        y="settled at, the network",
        note="Percent of the test images of a row. Agreement would lie on the diagonal.",
    )


def _cells(m: Measured, table: Tensor) -> tuple[dict[str, Any], ...]:
    names: Sequence[str] = [m.place(at) for at in range(len(m.probes) + 1)]
    return tuple(
        {"x": column, "y": row, "value": value}
        for row, values in zip(names, table.tolist(), strict=True)
        for column, value in zip(names, values, strict=True)
    )


def _training(m: Measured) -> Picture:
    rows = [
        {"x": 100 * row["progress"], "y": 100 * row[f"{kind}_accuracy"], "series": f"{training.name}, {kind}"}
        for training in m.trainings
        for kind in ("train", "validation")
        for row in training.rows
    ]
    return Picture(
        id="training",
        title="Accuracy while training",
        kind="lines",
        rows=tuple(rows),
        x="share of the training (%)",
        y="accuracy (%)",
        note="Whether validation accuracy still rises in the last fifth tells whether the network has converged. "
        "Training accuracy is on augmented images.",
    )
