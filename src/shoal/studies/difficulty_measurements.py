"""All measurements of the difficulty study, in order, each row made once (see `shoal.studies.measured_rows`).

What the training images look like to a network is computed when the first row asks for it, and kept for the others.
"""

from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from shoal.data import ImageSet
from shoal.difficulty import (
    Depth,
    Features,
    PredictionHistory,
    ScoreTable,
    depth_of_features,
    difficulty_scores,
    find_label_errors,
    probe_features,
)
from shoal.engine import Precision, Progress, choose_device, stream
from shoal.studies import difficulty_properties as properties
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.difficulty_data import StudyImages
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import LAST, Altered, Examples, Measured, Scored, Training
from shoal.studies.difficulty_training import NETWORK, SECOND, Trained
from shoal.studies.measured_rows import Row, Rows

# names of the parts, as the report shows where the time went
DEPTHS, DESCRIBE, ALTER = "measure depths", "describe images", "alter images"
DIGITS = 6  # of the numbers that are kept
AT_ONCE = 256  # images of which the means of batch normalisation are taken, at least


class Probes:
    """A network and the training images that its probes see.

    Args:
        config: resolved.
        images: of the run.
        layers: to probe.
        model: the network.
        precision: how to run it.
    """

    def __init__(
        self,
        config: DifficultyConfig,
        images: StudyImages,
        layers: list[str],
        model: torch.nn.Module,
        precision: Precision,
    ):
        self.config, self.images, self.layers, self.model = config, images, layers, model
        self.options: dict[str, Any] = {
            "prepare": images.splits.normalise,
            "precision": precision,
            "device": choose_device(config.device)[0],
        }

    @cached_property
    def references(self) -> Features:
        """What the probes see."""
        return self.features(self.images.references)

    def refreshed(self) -> "Probes":
        """The same network, its batch normalisation measured anew: early in training that lags behind the weights.

        Weights move fast then, and running means are of what they were some steps ago.
        """
        prepare, precision, device = (self.options[name] for name in ("prepare", "precision", "device"))
        images = self.images.references.images
        parts = images.tensor_split(max(1, len(images) // AT_ONCE))
        update_bn((precision.place(prepare(part), device) for part in parts), self.model)
        return self

    def features(self, images: ImageSet) -> Features:
        """What images look like to the network."""
        return probe_features(self.model, images.pair, self.layers, **self.options)

    def depth(self, features: Features | None = None) -> Depth:
        """Depths of images; of the references, each left out of its own neighbours, unless given."""
        return depth_of_features(self.references, features, k=self.config.k)


def measure(
    config: DifficultyConfig,
    images: StudyImages,
    layers: list[str],
    trained: tuple[Trained, Trained],
    rows: Rows,
    progress: Progress,
) -> Measured:
    """Measure everything that is not among the rows yet; the test images are looked at here for the first time.

    Args:
        config: resolved.
        images: of the run.
        layers: to probe.
        trained: the network and the second one.
        rows: of this run.
        progress: told how it goes.
    """
    network, second = trained
    assert network.early is not None
    assert network.watched is not None
    watched = network.watched
    models = (network.model, second.model, network.early)
    probes, others, young = (Probes(config, images, layers, model, network.precision) for model in models)
    progress.start(DEPTHS)
    test = rows.once(DEPTHS, {"of": "test", "network": NETWORK}, lambda: _test(probes))
    progress.update(0.3)
    train = rows.once(DEPTHS, {"of": "train", "network": NETWORK}, lambda: _train(probes, watched))
    progress.update(0.6)
    twin = rows.once(DEPTHS, {"of": "test", "network": SECOND}, lambda: _depths(others))
    progress.update(0.8)
    early = rows.once(DEPTHS, {"of": "test", "network": "early"}, lambda: _depths(young.refreshed()))
    progress.finish()
    progress.start(DESCRIBE)
    described = rows.once(DESCRIBE, {"of": "test"}, lambda: _describe(probes))
    progress.finish()
    progress.start(ALTER)
    altered = []
    for number, name in enumerate(INTERVENTIONS):
        progress.update(number / len(INTERVENTIONS), name)
        altered.append(_altered(rows, probes, others, name))
    progress.finish()
    entropy = images.people.entropy(images.splits.test)
    errors = images.people.errors(images.references)
    return Measured(
        probes=test["probes"],
        pooling=test["pooling"],
        classes=list(images.splits.classes),
        trainings=(
            training(NETWORK, config.seed, network),
            training(SECOND, config.seed + 1, second),
        ),
        test=Examples(**test["examples"]),
        second=Examples(**twin["examples"]),
        early=Examples(**early["examples"]),
        early_at=first_at(network.history.rows, config.early)["progress"],
        train=Examples(**train["examples"]),
        test_scores=Scored(**test["scores"]),
        watched_scores=Scored(**train["scores"]),
        properties={
            "contrast": described["contrast"],
            "clutter": described["clutter"],
            "typicality": test["scores"]["columns"]["prototypicality"],
            "boundary": described["boundary"],
        },
        people=[] if entropy is None else numbers(entropy),
        altered=tuple(altered),
        human_errors={name: wrong.int().tolist() for name, wrong in errors.items()},
        label_scores=train["label_scores"],
    )


def training(name: str, seed: int, trained: Trained) -> Training:
    """How a training went, from what it said of the validation images."""
    rows = trained.history.rows
    before = row_before(rows)
    right = trained.held_out.right.int()  # (times, n)
    return Training(
        name=name.replace("_", " "),
        seed=seed,
        rows=rows,
        before=[] if before is None else right[before].tolist(),
        now=right[-1].tolist(),
        seconds=trained.history.seconds,
        precision=trained.history.precision,
    )


def row_before(rows: list[dict[str, Any]]) -> int | None:
    """The row of a history that is nearest to where the last fifth begins; None where that is the last one.

    Example:
        >>> row_before([{"progress": 0.5}, {"progress": 0.78}, {"progress": 0.84}, {"progress": 1.0}])
        1
    """
    nearest = min(range(len(rows)), key=lambda at: abs(rows[at]["progress"] - (1 - LAST)))
    return nearest if nearest < len(rows) - 1 else None


def first_at(rows: list[dict[str, Any]], share: float) -> dict[str, Any]:
    """The first row of a history that is so far, or the last one."""
    return next((row for row in rows if row["progress"] >= share), rows[-1])


def numbers(column: Tensor) -> list[float]:
    """A column as plain numbers of a few digits."""
    return [round(float(value), DIGITS) for value in column.double()]


def examples(depth: Depth) -> dict[str, Any]:
    """The columns of `Examples`."""
    top = depth.probabilities.double().topk(2, 1).values
    said = depth.votes.argmax(2)  # (n, P)
    return asdict(
        Examples(
            depth=depth.depth.tolist(),
            soft_depth=numbers(depth.soft_depth),
            labels=depth.labels.tolist(),
            predicted=depth.predicted.tolist(),
            confidence=numbers(top[:, 0]),
            margin=numbers(top[:, 0] - top[:, 1]),
            probes_right=(said == depth.labels[:, None]).sum(1).tolist(),
            probe_accuracy=numbers(depth.probe_accuracy),
        )
    )


def scored(table: ScoreTable) -> dict[str, Any]:
    """The columns of `Scored`."""
    return asdict(
        Scored(
            columns={name: numbers(table[name]) for name in table},
            more_is_harder={score.name: score.more_is_harder for score in table.scores},
            meaning={score.name: score.meaning for score in table.scores},
        )
    )


def _test(probes: Probes) -> Row:
    features = probes.features(probes.images.splits.test)
    depth = probes.depth(features)
    scores = difficulty_scores(depth, features=features.values[depth.layers[-2]])
    return {
        "probes": list(depth.layers),
        "pooling": depth.pooling,
        "examples": examples(depth),
        "scores": scored(scores),
    }


def _train(probes: Probes, watched: PredictionHistory) -> Row:
    depth, rows = probes.depth(), probes.images.watched
    last = probes.references.values[depth.layers[-2]][rows]
    scores = difficulty_scores(_some(depth, rows), history=watched, early=probes.config.early, features=last)
    return {
        "examples": examples(depth),
        "scores": scored(scores),
        "label_scores": numbers(find_label_errors(depth).score),
    }


def _some(depth: Depth, rows: Tensor) -> Depth:
    """Depths of some of the examples."""
    names = ("depth", "soft_depth", "votes", "probabilities", "labels", "neighbours")
    return replace(depth, **{name: getattr(depth, name)[rows] for name in names})


def _depths(probes: Probes) -> Row:
    return {"examples": examples(probes.depth(probes.features(probes.images.splits.test)))}


def _describe(probes: Probes) -> Row:
    test = probes.images.splits.test
    distance = properties.boundary_distance(probes.model, test, **probes.options)
    return {
        "contrast": numbers(properties.contrast(test.images)),
        "clutter": numbers(properties.clutter(test.images)),
        "boundary": numbers(distance),
    }


def _altered(rows: Rows, probes: Probes, others: Probes, name: str) -> Altered:
    def alter() -> Row:
        test, generator = probes.images.splits.test, stream(probes.config.seed, "alter", name)
        first = test.take(torch.arange(min(probes.config.altered_rows, len(test))))
        changed = replace(first, images=INTERVENTIONS[name].alter(first.images, generator))
        depth, second = (part.depth(part.features(changed)) for part in (probes, others))
        right = (depth.predicted == depth.labels).int().tolist()
        return {"depth": depth.depth.tolist(), "second_depth": second.depth.tolist(), "right": right}

    return Altered(**rows.once(ALTER, {"name": name}, alter))
