"""What `shoal exits` prints: plain values for JSON, and the same as lines to read.

Exits go by their layers' names, and the end of the network by "end". Shares of MACs are those of the network without
exits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shoal.studies.wording import millions, percent

END = "end"


@dataclass(frozen=True, kw_only=True)
class FittedAnswer:
    """A network that was trained.

    Attributes:
        folder: that it was saved in.
        data, network: in words.
        mode: of the training.
        epochs, seconds: of the training.
        trained_on, held_out: numbers of images.
        whole_macs: of the network without exits, for an image.
        exits: exit, accuracy (of the held-out images), macs (of an image that leaves there) and share, shallow to deep.
    """

    folder: str
    data: str
    network: str
    mode: str
    epochs: float
    seconds: float
    trained_on: int
    held_out: int
    whole_macs: int
    exits: list[dict[str, Any]]

    def lines(self) -> list[str]:
        """Where it is, and a row for every exit."""
        rows = [
            (row["exit"], percent(row["accuracy"], 1), millions(row["macs"]), percent(row["share"], 1))
            for row in self.exits
        ]
        head = f"{self.held_out:,} images held out; {self.trained_on:,} trained on for {self.epochs:.3g} epochs"
        return [self.folder, "", head, *columns(("exit", "accuracy", "MACs", "share"), rows)]


@dataclass(frozen=True, kw_only=True)
class CalibratedAnswer:
    """A policy with a guarantee.

    Attributes:
        file: that it was written to.
        data: in words.
        promise: a sentence.
        certificate: the numbers behind it.
        policy: confidence, entropy, margin or patience.
        images: that everything here was measured on.
        mean_macs, share: expected for an image.
        accuracy, whole_accuracy: with the policy and with the whole network.
        exits: exit, threshold (None where no image leaves, and at the end), temperature and leaving (share of the
            images).
    """

    file: str
    data: str
    promise: str
    certificate: dict[str, Any]
    policy: str
    images: int
    mean_macs: float
    share: float
    accuracy: float
    whole_accuracy: float
    exits: list[dict[str, Any]]

    def lines(self) -> list[str]:
        """The promise, what is expected, and a row for every exit."""
        rows = [
            (row["exit"], "" if row["exit"] == END else threshold(row["threshold"]), percent(row["leaving"], 1))
            for row in self.exits
        ]
        means = f"mean MACs {millions(self.mean_macs)}, {percent(self.share, 1)} of the network without exits"
        right = f"accuracy {percent(self.accuracy, 1)}, without leaving {percent(self.whole_accuracy, 1)}"
        on = f"on these {self.images:,} images"
        return [self.file, self.promise, f"{on}: {means}; {right}", "", *columns(("exit", self.policy, "leave"), rows)]


@dataclass(frozen=True, kw_only=True)
class SweptAnswer:
    """The frontier.

    Attributes:
        csv, page: files that were written.
        data: what was measured on, and chosen on, in words.
        policy: confidence, entropy, margin or patience.
        layers: that hold exits.
        images, chosen_on: numbers of images.
        whole_macs: of the network without exits, for an image.
        rows: accuracy, mean_macs, share, milliseconds and thresholds (None where no image leaves), from bold to safe.
    """

    csv: str
    page: str
    data: str
    policy: str
    layers: list[str]
    images: int
    chosen_on: int
    whole_macs: int
    rows: list[dict[str, Any]]

    def lines(self) -> list[str]:
        """Files, and a row for every set of thresholds."""
        head = f"accuracy on {self.images:,} images; thresholds of {self.policy} chosen on {self.chosen_on:,} others"
        rows = [
            (
                percent(row["accuracy"], 1),
                millions(row["mean_macs"]),
                percent(row["share"], 1),
                f"{row['milliseconds']:.3f}",
                *map(threshold, row["thresholds"]),
            )
            for row in self.rows
        ]
        return [self.csv, self.page, "", head, *columns(("accuracy", "mean MACs", "share", "ms", *self.layers), rows)]


@dataclass(frozen=True, kw_only=True)
class ExportedAnswer:
    """A file that runs without Shoal.

    Attributes:
        file: it.
        policy: confidence, entropy, margin or patience.
        thresholds: None where no row leaves, "inf" where every row does whatever its entropy.
        promise: what is guaranteed of it; empty where that is nothing.
        shape: (channels, height, width) of an image; the batch's size is free.
        mean, std: what an image scaled to [0, 1] is normalised with, per channel.
        classes: in the order of the logits.
    """

    file: str
    policy: str
    thresholds: list[float | str | None]
    promise: str
    shape: list[int]
    mean: list[float]
    std: list[float]
    classes: list[str]

    def lines(self) -> list[str]:
        """What it is, what it takes and what it gives."""
        numbers = ", ".join(map(threshold, self.thresholds))
        mean, std = (", ".join(f"{x:.6g}" for x in values) for values in (self.mean, self.std))
        return [
            self.file,
            f"leaves at {self.policy} {numbers}; {self.promise or 'nothing is guaranteed: shoal exits calibrate does'}",
            f"takes float32 [batch, {', '.join(map(str, self.shape))}]: (x / 255 - mean) / std a channel",
            f"mean {mean}; std {std}",
            f"classes: {', '.join(self.classes)}",
        ]


def threshold(value: float | str | None) -> str:
    """A threshold to read.

    Example:
        >>> threshold(0.98765), threshold(0.99996), threshold(None)
        ('0.988', '0.99996', 'never')
    """
    if value is None:
        return "never"
    short = f"{float(value):.3g}"
    return f"{float(value):.6g}" if short == "1" else short  # confidences crowd there


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under a head: the first column to the left, numbers to the right.

    Example:
        >>> columns(("exit", "MACs"), [("layer1", "3 M"), ("end", "12 M")])
        ['exit    MACs', 'layer1   3 M', 'end     12 M']
    """
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    return [
        "  ".join(f"{cell:{'>' if at else '<'}{widths[at]}}" for at, cell in enumerate(row)).rstrip()
        for row in (head, *rows)
    ]
