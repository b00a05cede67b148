"""The pictures of the early-exit study: the frontier, where classes leave, who leaves first and last, the trainings."""

from typing import Any

import torch

from shoal.exits.frontier import frontier_rows
from shoal.studies.exits_findings import Findings
from shoal.studies.images import to_png
from shoal.studies.result import Picture

GALLERY = 12  # images of each kind
MOST_CLASSES = 40  # that a picture can show


def pictures(f: Findings) -> tuple[Picture, ...]:
    """Loss curves, the frontier in MACs and milliseconds, exits per class, and who leaves first and last."""
    return (*_frontier(f), _depths(f), _classes(f), _gallery(f), *_curves(f))


def _frontier(f: Findings) -> tuple[Picture, Picture]:
    m, t = f.measured, f.timing
    points = frontier_rows(f.test_outputs, f.path)
    early_macs, early_accuracy = float(m.early_macs.double().mean()), 100 * float(m.early_right.double().mean())
    plain_accuracy = 100 * float(m.plain_right.double().mean())
    line = [{"x": p.mean_macs / 1e6, "y": 100 * p.accuracy, "series": "early exit, any policy"} for p in points]
    marks = [
        {"x": m.plain_macs / 1e6, "y": plain_accuracy, "series": "plain", "mark": "point", "label": "plain"},
        {"x": early_macs / 1e6, "y": early_accuracy, "series": "chosen policy", "mark": "point", "label": "chosen"},
    ]
    marks += [
        {
            "x": other.macs / 1e6,
            "y": 100 * float(other.right.double().mean()),
            "series": "smaller networks",
            "mark": "point",
            "label": other.name,
        }
        for other in m.smaller
    ]
    by_macs = Picture(
        id="frontier_macs",
        title="Accuracy against arithmetic",
        kind="lines",
        rows=(*line, *marks),
        x="mean MACs an image (M)",
        y="test accuracy (%)",
        note="Each point of the line is a set of thresholds that was chosen on validation images. Left is cheaper.",
    )
    named = {"plain": m.plain_right, "early exit": m.early_right, **{other.name: other.right for other in m.smaller}}
    spots = [(name, 100 * float(right.double().mean())) for name, right in named.items()]
    by_time = Picture(
        id="frontier_time",
        title="Accuracy against time",
        kind="lines",
        rows=tuple(
            {"x": ms(name), "y": accuracy, "series": f"batch {size}", "mark": "point", "label": name}
            for size, ms in ((t.batch_size, t.ms), (1, t.ms_alone))
            for name, accuracy in spots
        ),
        x="milliseconds an image",
        y="test accuracy (%)",
        log_x=True,
        note="Measured in one run, all networks in turn. Rows that have left are not in the batch any more.",
    )
    return by_macs, by_time


def _depths(f: Findings) -> Picture:
    m = f.measured
    rows = []
    for depth in range(m.probes + 1):
        here = m.exit_index[m.depth == depth]
        shares = torch.bincount(here, minlength=len(f.layers)).double() / max(1, len(here))
        rows += [
            {"x": str(depth), "y": 100 * float(share), "series": layer}
            for layer, share in zip(f.layers, shares, strict=True)
            if len(here)
        ]
    return Picture(
        id="exit_by_depth",
        title="Where images of each prediction depth leave",
        kind="bars",
        rows=tuple(rows),
        x="prediction depth in the plain network (probes)",
        y="share of these images (%)",
        note="Depth 0: every probe agrees with the plain network's answer, from the pixels on; "
        f"{m.probes}: not even the last.",
    )


def _classes(f: Findings) -> Picture:
    labels, taken = f.test_outputs.labels, f.measured.exit_index
    rows: list[dict[str, Any]] = []
    most = torch.bincount(labels, minlength=len(f.splits.classes)).argsort(descending=True, stable=True)
    for number in most[:MOST_CLASSES].sort().values.tolist():
        name = f.splits.classes[number]
        of_class = taken[labels == number]
        if len(of_class):
            shares = torch.bincount(of_class, minlength=len(f.layers)).double() / len(of_class)
            rows += [
                {"x": name, "y": 100 * float(share), "series": layer}
                for layer, share in zip(f.layers, shares, strict=True)
            ]
    return Picture(
        id="exits_by_class",
        title="Where each class leaves",
        kind="bars",
        rows=tuple(rows),
        x="class",
        y="share of the class's images (%)",
        note="Classes with much in the first colours are settled early."
        + (f" The {MOST_CLASSES} classes with the most test images." if len(most) > MOST_CLASSES else ""),
    )


def _gallery(f: Findings) -> Picture:
    m, outputs = f.measured, f.test_outputs
    answers = outputs.logits.argmax(2)[m.exit_index, torch.arange(len(m.exit_index))]
    rows: list[dict[str, Any]] = []
    order = m.exit_index.argsort(stable=True)  # ties stay in the shuffled order: nothing is picked by hand
    for group, chosen in (("leave first", order[:GALLERY]), ("leave last", order.flip(0)[:GALLERY])):
        for row in chosen.tolist():
            truth = f.splits.classes[int(outputs.labels[row])]
            answer = f.splits.classes[int(answers[row])]
            caption = f"{answer} ✓" if answer == truth else f"{answer} ✗ {truth}"
            image = to_png(f.splits.test.images[row])
            rows.append({"image": image, "caption": caption, "group": f"{group} ({f.layers[int(m.exit_index[row])]})"})
    return Picture(
        id="first_and_last",
        title="Images that leave first and last",
        kind="gallery",
        rows=tuple(rows),
        note="The network's answer, ✓ where it is right, ✗ and the truth where it is not. The first of each kind in "
        "a random order of the test set.",
    )


def _curves(f: Findings) -> tuple[Picture, ...]:
    rows: list[dict[str, Any]] = []
    accuracy: list[dict[str, Any]] = []
    for name, history in (("plain", f.plain_history), ("early exit", f.early_history), *f.smaller_histories.items()):
        for row in history.rows:
            for kind in ("train", "validation"):
                if f"{kind}_loss" in row:
                    series = f"{name}, {kind}"
                    rows.append({"x": row["epoch"], "y": row[f"{kind}_loss"], "series": series})
                    accuracy.append({"x": row["epoch"], "y": 100 * row[f"{kind}_accuracy"], "series": series})
    loss = Picture(
        id="loss",
        title="Loss while training",
        kind="lines",
        rows=tuple(rows),
        x="epoch",
        y="loss",
        note="The early-exit network's loss is a weighted sum over its exits, so the two levels are not comparable. "
        "Training losses are on augmented images, with smoothed labels.",
    )
    return loss, Picture(
        id="accuracy",
        title="Accuracy while training",
        kind="lines",
        rows=tuple(accuracy),
        x="epoch",
        y="accuracy (%)",
        note="Of the end of each network. Training accuracy is on augmented images.",
    )
