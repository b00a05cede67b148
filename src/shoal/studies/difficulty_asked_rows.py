"""What `shoal difficulty` writes and prints of measured images: a row for each as CSV, and an answer in a few lines.

text = write_rows(measured, ranked=False)       # in the data's order; ranked: the most suspicious label first
answer(measured, "scores.csv", "scores.html", shown=24).score_lines()
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoal.studies.difficulty_asked_measured import Measured, Part, named


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found, in plain values.

    Attributes:
        csv, page: files that were written.
        data: what was measured, in words.
        network: what was asked.
        classes: their names.
        k: neighbours of a probe.
        parts: of each part: part, images, right (share), mean_depth, never_settled (share), and probes: layer, right
            and settled (shares).
        wrong_labels: labels of training images for which another class is favoured.
        suspicious: of them, the most suspicious first: part, file, label, suggested, predicted, label_score; at most as
            many as a gallery shows.
    """

    csv: str
    page: str
    data: str
    network: str
    classes: list[str]
    k: int
    parts: list[dict[str, Any]]
    wrong_labels: int
    suspicious: list[dict[str, Any]]

    def score_lines(self) -> list[str]:
        """Files, and at which probes images are settled."""
        lines = [self.csv, self.page]
        for part in self.parts:
            head = f"{part['part']}: {part['images']:,} images, the network says the label for {part['right']:.1%}"
            lines += ["", f"{head}; mean depth {part['mean_depth']:.2f} of {len(part['probes'])}"]
            width = max(len("never"), *(len(probe["layer"]) for probe in part["probes"]))
            lines.append(f"{'probe':<{width}}  {'right':>6}  {'settled here':>12}")
            for probe in part["probes"]:
                lines.append(f"{probe['layer']:<{width}}  {probe['right']:>6.1%}  {probe['settled']:>12.1%}")
            lines.append(f"{'never':<{width}}  {'':>6}  {part['never_settled']:>12.1%}")
        return lines

    def label_lines(self) -> list[str]:
        """Files, and the labels that look most wrong."""
        found = f"{self.wrong_labels:,} of {self.parts[0]['images']:,} labels look wrong"
        best = max(self.parts[0]["probes"], key=lambda probe: probe["right"])
        said = f"the best probe ({best['layer']}) says the label for {best['right']:.1%}"
        lines = [self.csv, self.page, "", f"{found}; {said} of these images"]
        if not self.suspicious:
            return lines
        label = max(len("label"), *(len(row["label"]) for row in self.suspicious))
        suggested = max(len("suggested"), *(len(row["suggested"]) for row in self.suspicious))
        lines.append(f"score  {'label':<{label}}  {'suggested':<{suggested}}  file")
        for row in self.suspicious:
            words = f"{row['label']:<{label}}  {row['suggested']:<{suggested}}"
            lines.append(f"{row['label_score']:.3f}  {words}  {named(row['part'], row['file'])}")
        if self.wrong_labels > len(self.suspicious):
            lines.append(f"… and {self.wrong_labels - len(self.suspicious):,} more, in the CSV file")
        return lines


def answer(measured: Measured, csv: Path, page: Path, *, shown: int) -> Answer:
    """Sum up what was measured.

    Args:
        measured: all of it.
        csv: file of rows.
        page: file of the page.
        shown: labels to list.
    """
    issues = measured.issues
    return Answer(
        csv=str(csv),
        page=str(page),
        data=measured.words,
        network=measured.network,
        classes=list(measured.splits.classes),
        k=measured.parts[0].depth.k,
        parts=[_summary(part) for part in measured.parts],
        wrong_labels=len(issues.suspicious),
        suspicious=[_suspect(measured, row) for row in issues.suspicious[:shown].tolist()],
    )


def write_rows(measured: Measured, *, ranked: bool) -> str:
    """A line of CSV for every image, classes by name; a score that there is none of for an image is left empty.

    Args:
        measured: all images.
        ranked: the most suspicious label first, then images whose labels are not judged; else in the data's order.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scores = tuple(measured.parts[0].scores)  # training images have all that there are
    writer.writerow(["part", "file", "label", "predicted", *scores, "label_score", "suggested"])
    rows = [row for part in measured.parts for row in _rows(part, scores, measured.splits.classes)]
    judged = len(measured.issues)  # training images, which come first
    if ranked:
        rows[:judged] = [rows[at] for at in measured.issues.ranked.tolist()]
    writer.writerows(rows)
    return text.getvalue()


def _rows(part: Part, scores: tuple[str, ...], classes: tuple[str, ...]) -> Iterator[list[str]]:
    columns = [
        [f"{x:.6g}" for x in part.scores[name].tolist()] if name in tuple(part.scores) else [""] * len(part)
        for name in scores
    ]
    labels, predicted = part.images.labels.tolist(), part.depth.predicted.tolist()
    for row, values in enumerate(zip(*columns, strict=True)):
        names = [part.name, part.file(row), classes[labels[row]], classes[predicted[row]]]
        judged = ["", ""]
        if part.issues:
            judged = [f"{float(part.issues.score[row]):.6g}", classes[int(part.issues.suggested[row])]]
        yield [*names, *values, *judged]


def _summary(part: Part) -> dict[str, Any]:
    depth, probes = part.depth.depth, len(part.depth.layers)
    settled = (depth.bincount(minlength=probes + 1).double() / len(part)).tolist()
    right = part.depth.probe_accuracy.tolist()
    return {
        "part": part.name,
        "images": len(part),
        "right": part.right,
        "mean_depth": float(depth.double().mean()),
        "never_settled": settled[probes],
        "probes": [
            {"layer": layer, "right": right[at], "settled": settled[at]} for at, layer in enumerate(part.depth.layers)
        ],
    }


def _suspect(measured: Measured, row: int) -> dict[str, Any]:
    part, issues, classes = measured.parts[0], measured.issues, measured.splits.classes
    return {
        "part": part.name,
        "file": part.file(row),
        "label": classes[int(issues.labels[row])],
        "suggested": classes[int(issues.suggested[row])],
        "predicted": classes[int(part.depth.predicted[row])],
        "label_score": float(issues.score[row]),
    }
