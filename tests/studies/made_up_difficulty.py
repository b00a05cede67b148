"""Made-up measurements of the difficulty study, in which every claim is supported."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from shoal.data import ImageSet, ImageSplits
from shoal.data.votes import Votes
from shoal.studies.difficulty_data import StudyImages
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Altered, Examples, Measured, Scored, Training

N, TRAIN, CLASSES = 600, 400, 4
PROBES = ["input", "layer1", "layer2", "layer3", "layer4", "softmax"]


def noise(name: str, n: int = N) -> Tensor:
    """The same for the same name."""
    return torch.randn(n, generator=torch.Generator().manual_seed(sum(map(ord, name))), dtype=torch.float64)


def shuffled(column: list[Any]) -> list[Any]:
    """The same numbers, of other examples."""
    order = torch.randperm(len(column), generator=torch.Generator().manual_seed(5)).tolist()
    return [column[i] for i in order]


def hardness(n: int) -> Tensor:
    """From 0 to 1, in the order of the examples."""
    return torch.arange(n, dtype=torch.float64) / n


def examples(n: int = N, **changes: Any) -> Examples:
    """Depths 0 to 4, most below 3; wrong answers among the deep ones; classes that lie at different depths."""
    hard = hardness(n)
    labels = ((hard + 0.2 * noise("label", n)).clamp(0, 0.999) * CLASSES).long()
    wrong = hard + 0.2 * noise("wrong", n) > 0.9
    predicted = torch.where(wrong, (labels + 1) % CLASSES, labels)
    found = Examples(
        depth=(4.5 * hard).long().tolist(),
        soft_depth=(5 * hard + 0.1 * noise("soft", n)).tolist(),
        labels=labels.tolist(),
        predicted=predicted.tolist(),
        confidence=(0.95 - 0.4 * hard + 0.02 * noise("confidence", n)).tolist(),
        margin=(0.9 - 0.6 * hard + 0.02 * noise("margin", n)).tolist(),
        probes_right=torch.where(wrong, 4, 6).tolist(),
        probe_accuracy=[0.5, 0.6, 0.7, 0.8, 0.85, 0.9],
    )
    return replace(found, **changes)


def second_examples() -> Examples:
    """Some a probe deeper."""
    return examples(depth=(torch.tensor(examples().depth) + (noise("second") > 1).long()).tolist())


def training(name: str = "network", *, gained: int = 0, of: int = 1000) -> Training:
    """A training that gained so many of so many validation images in its last fifth."""
    rows = [
        {"progress": p, "epoch": 10 * p, "train_accuracy": p, "validation_accuracy": 0.9 * p}
        for p in (0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    before = [int(i < of // 2) for i in range(of)]
    now = [int(i < of // 2 + gained) for i in range(of)]
    return Training(name=name, seed=0, rows=rows, before=before, now=now, seconds=60.0, precision="fp32")


def scored(n: int, *names: str) -> Scored:
    """Scores that go with hardness."""
    hard = hardness(n)
    columns = {"depth": (4.5 * hard).tolist()} | {name: (-hard + 0.1 * noise(name, n)).tolist() for name in names}
    return Scored(
        columns=columns,
        more_is_harder={name: name == "depth" for name in columns},
        meaning={name: f"{name} in words" for name in columns},
    )


def altered(by: int = 1, n: int = 100) -> tuple[Altered, ...]:
    """All first images of the test set, so many probes deeper."""
    depth, second = ([d + by for d in part.depth[:n]] for part in (examples(), second_examples()))
    right = [1, 0] * (n // 2)
    return tuple(Altered(name=name, depth=depth, second_depth=second, right=right) for name in INTERVENTIONS)


def measured(**changes: Any) -> Measured:
    """All of it; name what is to be otherwise."""
    hard, of_train = hardness(N), hardness(TRAIN)
    found = Measured(
        probes=PROBES,
        pooling=dict.fromkeys(PROBES, "whole"),
        classes=["cat", "dog", "cow", "eel"],
        trainings=(training(), training("second network")),
        test=examples(),
        second=second_examples(),
        early=examples(depth=shuffled(examples().depth)),
        early_at=0.2,
        train=examples(TRAIN),
        test_scores=scored(N, "margin"),
        watched_scores=scored(TRAIN // 2, "margin", "confidence"),
        properties={
            name: (-hard + 0.3 * noise(name)).tolist() for name in ("contrast", "clutter", "typicality", "boundary")
        },
        people=(hard + 0.3 * noise("people")).clamp_min(0).tolist(),
        altered=altered(),
        human_errors={
            name: (of_train + 0.3 * noise(name, TRAIN) > bound).int().tolist()
            for name, bound in (("aggre", 0.9), ("worse", 0.6))
        },
        label_scores=(1 - of_train).tolist(),
    )
    return replace(found, **changes)


def images() -> StudyImages:
    """Noise that goes with the measurements."""
    test, train = _noise_images(N, examples(N)), _noise_images(TRAIN, examples(TRAIN))
    splits = ImageSplits(train=train, validation=train, test=test, mean=(0.5,) * 3, std=(0.2,) * 3, seed=0)
    return StudyImages(
        splits=splits, references=train, watched=torch.arange(20), held_out=train, people=Votes(), about={"name": "toy"}
    )


def _noise_images(n: int, part: Examples) -> ImageSet:
    pixels = torch.randint(256, (n, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
    classes = ("cat", "dog", "cow", "eel")
    return ImageSet(name="toy", images=pixels, labels=torch.tensor(part.labels), classes=classes, source="made up")
