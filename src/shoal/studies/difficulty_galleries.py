"""The galleries of the difficulty study: easiest and hardest images, overthought ones, doubtful labels, altered images.

Nothing is picked by hand: each group is the head of a ranking that its note tells.
"""

from typing import Any

import torch

from shoal.data import ImageSet
from shoal.engine import stream
from shoal.studies.difficulty_data import StudyImages
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Examples, Measured
from shoal.studies.images import to_png
from shoal.studies.result import Picture
from shoal.studies.wording import percent

SHOWN = 12  # images of each kind
ALTERED = 6

Rows = list[dict[str, Any]]


def galleries(m: Measured, images: StudyImages) -> tuple[Picture, ...]:
    """Images by difficulty, and how some look altered."""
    return _examples(m, images), _alterations(m, images)


def _examples(m: Measured, images: StudyImages) -> Picture:
    test, train = images.splits.test, images.references
    order, probes_right = m.test.order, m.test.column("probes_right")
    thought = m.test.overthought.nonzero().flatten()
    thought = thought[probes_right[thought].argsort(descending=True, stable=True)]
    doubted = torch.tensor(m.label_scores).argsort(stable=True)
    rows = [
        *_rows(m, test, m.test, order[:SHOWN], "easiest: settled first"),
        *_rows(m, test, m.test, order.flip(0)[:SHOWN], "hardest: settled last, or never"),
        *_rows(m, test, m.test, thought[:SHOWN], "overthought: right early, wrong at the end", probes=True),
        *_rows(m, train, m.train, doubted[:SHOWN], "likely mislabelled: training images", labels=True),
    ]
    return Picture(
        id="examples",
        title="Easiest, hardest, overthought and likely mislabelled images",
        kind="gallery",
        rows=tuple(rows),
        note="The network's answer, ✓ where it is right, ✗ and the label where it is not, and where the image is "
        "settled. Easiest and hardest: test images by depth, among equals by soft depth. Overthought: the network is "
        "wrong and at least half of the probes are right, where most are first. Likely mislabelled: training images "
        "whose label has the fewest votes of their neighbours over all probes.",
    )


def _rows(
    m: Measured,
    images: ImageSet,
    part: Examples,
    chosen: torch.Tensor,
    group: str,
    *,
    probes: bool = False,
    labels: bool = False,
) -> Rows:
    found = []
    for row in chosen.tolist():
        truth, answer = m.classes[part.labels[row]], m.classes[part.predicted[row]]
        caption = f"{answer} ✓" if answer == truth else f"{answer} ✗ {truth}"
        more = m.place(part.depth[row])
        if probes:
            more = f"{part.probes_right[row]} of {len(m.probes)} probes right"
        if labels:
            more = f"{percent(m.label_scores[row], 0)} of votes"
        found.append({"image": to_png(images.images[row]), "caption": f"{caption}, {more}", "group": group})
    return found


def _alterations(m: Measured, images: StudyImages) -> Picture:
    test = images.splits.test
    most = max((len(altered.depth) for altered in m.altered), default=0)
    first = test.images[:most]
    rows: Rows = [
        {"image": to_png(image), "caption": m.place(depth), "group": "as they are"}
        for image, depth in zip(first[:ALTERED], m.test.depth, strict=False)
    ]
    for altered in m.altered:
        how = INTERVENTIONS[altered.name]
        changed = how.alter(first[: len(altered.depth)], stream(images.splits.seed, "alter", altered.name))
        rows += [
            {"image": to_png(image), "caption": m.place(depth), "group": how.words}
            for image, depth in zip(changed[:ALTERED], altered.depth, strict=False)
        ]
    return Picture(
        id="altered",
        title="The same images, altered, and where they are settled then",
        kind="gallery",
        rows=tuple(rows),
        note="The first of the test images in their random order.",
    )
