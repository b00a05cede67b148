"""Pictures of clusters: for the user's own report only, never for a record that is passed on."""

from typing import Any

from shoal.studies.faces_data import StudyFaces
from shoal.studies.faces_measured import Measured
from shoal.studies.images import to_png
from shoal.studies.result import Picture
from shoal.studies.wording import percent


def clusters_picture(m: Measured, faces: StudyFaces) -> Picture:
    """The largest clusters; nothing is picked by hand.

    Args:
        m: what was measured.
        faces: of the run.
    """
    test, rows = faces.test, []
    parts = zip(m.shown.rows, m.shown.sizes, m.shown.mostly, m.shown.purity, strict=True)
    for number, (shown, size, mostly, purity) in enumerate(parts, start=1):
        group = f"cluster {number}: {size} images, {percent(purity, 0)} of {_spaced(test.people[mostly])}"
        for row in shown:
            label = int(test.labels[row])
            caption = "✓" if label == mostly else f"✗ {_spaced(test.people[label])}"
            image: dict[str, Any] = {"image": to_png(test.images[row]), "caption": caption, "group": group}
            rows.append(image)
    return Picture(
        id="clusters",
        title="The largest clusters",
        kind="gallery",
        rows=tuple(rows),
        note=f"Of {m.faces:,} test faces in {m.grouped}, joined up to a squared distance of {m.threshold:.3f}; of each "
        "cluster some images, evenly out of all. ✓: the person whom most of the cluster show; ✗ and the name of "
        "somebody else.",
    )


def _spaced(name: str) -> str:
    return name.replace("_", " ")
