"""The pictures of the study of faces as curves and bars; the clusters are in `faces_gallery`."""

from collections.abc import Iterable
from typing import Any

from shoal.measure import Interval
from shoal.studies.faces_checked import Checked, percent_interval
from shoal.studies.faces_data import StudyFaces
from shoal.studies.faces_gallery import clusters_picture
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_names import CLASSIFIED, MAIN, MINED, RECIPE
from shoal.studies.faces_tables_measured import KINDS
from shoal.studies.faces_words import in_words
from shoal.studies.result import Picture

Rows = list[dict[str, Any]]
CHANCE = "chance"


def pictures(m: Measured, faces: StudyFaces) -> tuple[Picture, ...]:
    """In the order of the report."""
    return (
        _roc(m),
        _losses(m),
        _accuracy(m),
        _informative(m),
        _distances(m),
        _triplets(m),
        *([_dims(m)] if m.dims else []),
        *([_shares(m)] if m.shares else []),
        _jpeg(m),
        _sides(m),
        _generations(m),
        _altered(m),
        clusters_picture(m, faces),
    )


def _roc(m: Measured) -> Picture:
    rows: Rows = [
        {"x": 100 * far, "y": 100 * val, "series": "the network"}
        for far, val in zip(m.rates.fpr, m.rates.tpr, strict=True)
    ]
    rows += [{"x": at, "y": at, "series": CHANCE} for at in (0.0, 100.0)]
    return Picture(
        id="roc",
        title="Every threshold at once",
        kind="lines",
        rows=tuple(rows),
        x="pairs of two people accepted, FAR (%)",
        y="pairs of one person accepted, VAL (%)",
        note=f"The {sum(m.pairs):,} test pairs. A pair is accepted as one person where its distance is at most the "
        "threshold.",
    )


def _losses(m: Measured) -> Picture:
    kinds = {
        "seen_loss": "images that were trained on",
        "held_back_loss": "other images of the same people",
        "validation_loss": "other people",
    }
    rows = _history(m, [MAIN], kinds, times=1.0)
    return Picture(
        id="losses",
        title="What is learned by heart, and what is not",
        kind="lines",
        rows=tuple(rows),
        x="minutes of training",
        y="triplet loss",
        note="The network, while it trains; triplets of as many people with two images each, mined alike. Where the "
        "first two part, images are learned by heart; where the last two do, people are.",
    )


def _accuracy(m: Measured) -> Picture:
    names = [name for name in (*MINED, CLASSIFIED, RECIPE) if name in m.trainings]
    rows = [
        {"x": row["seconds"] / 60, "y": 100 * row["validation_accuracy"], "series": in_words(name)}
        for name in names
        for row in m.trainings[name].rows
        if "validation_accuracy" in row
    ]
    return Picture(
        id="accuracy",
        title="Triplets and classification in the same time",
        kind="lines",
        rows=tuple(rows),
        x="minutes of training",
        y="pairs of watched people right (%)",
        note="People whom nobody was trained on, and who are not the test people.",
    )


def _informative(m: Measured) -> Picture:
    rows = [
        {"x": row["seconds"] / 60, "y": 100 * (1 - row["satisfied"]), "series": name}
        for name in MINED
        for row in m.trainings[name].rows
        if "satisfied" in row
    ]
    return Picture(
        id="informative",
        title="Triplets that still teach something",
        kind="lines",
        rows=tuple(rows),
        x="minutes of training",
        y="of the mined triplets (%)",
        note="A triplet teaches something if it does not satisfy the margin. Random ones are as all triplets are.",
    )


def _distances(m: Measured) -> Picture:
    rows: Rows = []
    for key, words in (("mean_same", "one person"), ("mean_different", "two people")):
        rows += _history(m, MINED, {key: words}, times=1.0)
    return Picture(
        id="distances",
        title="How far apart faces are while a network learns",
        kind="lines",
        rows=tuple(rows),
        x="minutes of training",
        y="mean squared distance",
        note="In the batches of each training. Where both fall to nothing, all faces have become one point.",
    )


def _history(m: Measured, names: Iterable[str], kinds: dict[str, str], *, times: float) -> Rows:
    several = len(list(names)) > 1
    return [
        {"x": row["seconds"] / 60, "y": times * row[key], "series": f"{name}, {words}" if several else words}
        for key, words in kinds.items()
        for name in names
        for row in m.trainings[name].rows
        if key in row
    ]


def _triplets(m: Measured) -> Picture:
    series = {"all triplets": "triplets", "mined: one a pair": "pairs"}
    rows = [
        {"x": one.people, "y": round(getattr(one, part)), "series": name}
        for name, part in series.items()
        for one in m.set_sizes
    ]
    return Picture(
        id="triplets",
        title="Why not all triplets",
        kind="lines",
        rows=tuple(rows),
        x="people of a set",
        y="triplets",
        log_x=True,
        log_y=True,
        note="What sets of so many of the training people have on average.",
    )


def _dims(m: Measured) -> Picture:
    return Picture(
        id="dims",
        title="Size of the embedding",
        kind="lines",
        rows=tuple(_checked((dim, m.checked[name]) for dim, name in m.dims)),
        x="numbers of an embedding",
        y="test pairs right (%)",
        log_x=True,
        note="With 95 % intervals over the parts of the test pairs.",
    )


def _shares(m: Measured) -> Picture:
    return Picture(
        id="shares",
        title="Size of the training set",
        kind="lines",
        rows=tuple(_checked((images, m.checked[name]) for images, name in m.shares)),
        x="training images",
        y="test pairs right (%)",
        log_x=True,
        note="In the same training time, with 95 % intervals over the parts of the test pairs.",
    )


def _jpeg(m: Measured) -> Picture:
    return Picture(
        id="jpeg",
        title="Test images compressed as JPEG",
        kind="lines",
        rows=tuple(_checked(sorted(m.jpeg.items()))),
        x="quality",
        y="test pairs right (%)",
        note=f"Compressed at {m.side} × {m.side} pixels. Uncompressed: {100 * m.checked[MAIN].accuracy:.1f} %.",
    )


def _sides(m: Measured) -> Picture:
    return Picture(
        id="sides",
        title="Test images of fewer pixels",
        kind="lines",
        rows=tuple(_checked(sorted({**m.sides, m.side: m.checked[MAIN]}.items()))),
        x="pixels a side",
        y="test pairs right (%)",
        note="Brought to so many pixels, and back to what the network takes.",
    )


def _checked(found: Iterable[tuple[float, Checked]]) -> Rows:
    return [{"x": x, "series": "", **_percents(one.interval)} for x, one in found]


def _percents(interval: Interval) -> dict[str, float]:
    return {"y": interval.value, "low": interval.low, "high": interval.high}


def _generations(m: Measured) -> Picture:
    rows = [
        {"x": words, **_percents(percent_interval([getattr(one, name) for one in m.generations]))}
        for name, words in KINDS.items()
    ]
    count = len(m.generations)
    return Picture(
        id="generations",
        title="An older and a newer network",
        kind="bars",
        rows=tuple(rows),
        x="embeddings",
        y="test pairs right (%)",
        note="50 % is chance. "
        + (f"Means over {count} pairs of networks, with" if count > 1 else "With")
        + " 95 % intervals over the parts of the test pairs.",
    )


def _altered(m: Measured) -> Picture:
    kinds = {"moved": "an image and itself, altered", "same": "one person", "different": "two people"}
    rows = [
        {"x": name, "series": words, "mark": "point", **dict(zip(("y", "low", "high"), getattr(one, key), strict=True))}
        for key, words in kinds.items()
        for name, one in {"as it is": m.unaltered, **m.altered}.items()
    ]
    return Picture(
        id="altered",
        title="Distances when one image of each pair is altered",
        kind="lines",
        rows=tuple(rows),
        x="alteration",
        y="mean squared distance",
        note="With 95 % intervals over images and pairs.",
    )
