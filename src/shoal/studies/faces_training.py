"""The trainings of the study of faces: which there are, and each of them made once.

A trained network lies in the run folder with its history, so that a run that was stopped anywhere goes on with it. A
training that collapses is a result like any other: it is kept with what was said of it.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from shoal.engine import Interrupted, Progress, RunFolder
from shoal.errors import ShoalError
from shoal.faces.augmentation import FaceAugment
from shoal.faces.embedding import embed
from shoal.faces.harmonic_training import fit_harmonic
from shoal.faces.network import FaceNetwork
from shoal.faces.networks import create_network
from shoal.faces.sampling import IdentityBatchSampler
from shoal.faces.saving import load_network, save_network
from shoal.faces.training import fit_faces
from shoal.faces.training_config import FacesConfig, HarmonicConfig
from shoal.studies.faces_config import BUDGETS, FacesStudyConfig
from shoal.studies.faces_data import StudyFaces, some_people
from shoal.studies.faces_names import (
    CLASSIFIED,
    MAIN,
    MINED,
    RECIPE,
    USUAL,
    dim_name,
    harmonic_name,
    new_name,
    old_name,
    part_of,
    share_name,
)

COLLAPSED = "training has collapsed"  # how the alarm of `shoal.faces.monitors` begins
SMALLER = 0.75  # of the side, that images have early in training
OLD_SHARE = 0.5  # of people and minutes, that an older network has
OLD_SEED = 1000  # added to the newer one's seed

PEOPLE = FacesConfig.identities  # of a batch of triplets: in little time more steps make more than larger batches
BOTH = {"pretraining": 0.8, "classification": 1.0}  # classification first, and triplets then
SOFTMAX = {"pretraining": 1.0, "cosine_margin": 0.0}  # plain cross-entropy of scaled cosines
DIGITS = FaceAugment(flip=0.0, turn=0.0, grey=0.0)  # a mirrored digit is none


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training.

    Args:
        name: of the network.
        minutes: it takes; 0 goes by the study's epochs.
        seed: of the network, and of its batches.
        dim: numbers of an embedding.
        share: of the training people.
        changes: of the usual recipe.
    """

    name: str
    minutes: float
    seed: int
    dim: int
    share: float = 1.0
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A network after its training.

    Attributes:
        network: in evaluation mode.
        about: "rows" of its history, "seconds", "precision", "collapsed" (what was said, or nothing), "images" and
            "people" that it saw, "dim".
    """

    network: FaceNetwork
    about: dict[str, Any]


def jobs(config: FacesStudyConfig) -> tuple[Job, ...]:
    """All trainings but those for compatibility, in the order in which they are made.

    Args:
        config: resolved.
    """
    budget = BUDGETS[config.budget]
    usual = Job(name=USUAL, minutes=config.compare_minutes, seed=config.seed, dim=config.embedding_dim)
    dims = [dim for dim in config.dims if dim != config.embedding_dim]
    main = replace(usual, name=MAIN, minutes=config.minutes)
    found = [main]
    found += [replace(usual, name=rule, changes={"mining": rule}) for rule in MINED]
    if budget.compares_losses:
        found.append(replace(usual, name=CLASSIFIED, changes=SOFTMAX))
    if budget.compares_recipe:
        found.append(replace(usual, name=RECIPE, changes=BOTH))
    found += [replace(usual, name=dim_name(dim), dim=dim) for dim in dims]
    found += [replace(usual, name=share_name(share), share=share) for share in config.shares]
    newer = usual if config.seeds > 1 else main
    older = replace(newer, minutes=OLD_SHARE * newer.minutes, share=OLD_SHARE)
    for number in range(config.seeds):
        found.append(replace(older, name=old_name(number), seed=config.seed + OLD_SEED + number))
        if number:  # the first newer network is trained anyway
            found.append(replace(usual, name=new_name(number), seed=config.seed + number))
    return tuple(found)


def recipe(config: FacesStudyConfig, job: Job, precision: str, *, are_faces: bool = True) -> FacesConfig:
    """How a network is trained.

    Args:
        config: resolved.
        job: of the network.
        precision: of the arithmetic, see `shoal.engine.FitConfig`.
        are_faces: whether a mirrored image shows the same.
    """
    changes: dict[str, Any] = job.changes | ({} if are_faces else {"augment": DIGITS})
    usual: dict[str, Any] = {
        "minutes": job.minutes,
        "epochs": config.epochs or FacesConfig.epochs,
        "network": config.network,
        "embedding_dim": job.dim,
        "image_size": config.image_size,
        "seed": job.seed,
        "precision": precision,
        "device": config.device,
    }
    how = FacesConfig(**usual | changes)
    return how if _takes_smaller(config.network, config.image_size) else replace(how, small_until=0.0)


@lru_cache
def _takes_smaller(name: str, side: int) -> bool:
    """Whether a network takes images as small as they are early in training; refuses those that it never takes."""
    with torch.device("meta"):  # nothing is drawn, and nothing kept
        network = create_network(name, image_size=(side, side))
    small = round(SMALLER * side)
    return network.trunk.takes(small, small)


def check_settings(config: FacesStudyConfig) -> None:
    """Refuse settings that no network can be made or trained with.

    Args:
        config: resolved.

    Raises:
        InputError: naming the setting.
    """
    for job in jobs(config):
        recipe(config, job, config.precision)


class Trainings:
    """All networks of a run, each trained when it is first asked for, or loaded.

    Args:
        config: resolved.
        faces: of the run.
        run: where they are kept.
        progress: told how it goes.
    """

    def __init__(self, config: FacesStudyConfig, faces: StudyFaces, run: RunFolder, progress: Progress):
        self.config, self.faces, self.run, self.progress = config, faces, run, progress
        self.jobs = {job.name: job for job in jobs(config)}
        self._known: dict[str, Trained] = {}
        self._embedded: dict[str, Tensor] = {}

    def all(self) -> dict[str, Trained]:
        """Every network, by name, those made compatible last."""
        return {name: self[name] for name in (*self.jobs, *map(harmonic_name, range(self.config.seeds)))}

    def __getitem__(self, name: str) -> Trained:
        """A network by name; one that is made compatible is the newer one of a pair, trained further."""
        if name in self.jobs:
            return self._once(name, lambda: self._train(self.jobs[name]))
        numbers = {harmonic_name(number): number for number in range(self.config.seeds)}
        return self._once(name, lambda: self._harmonise(numbers[name]))

    def fresh(self) -> FaceNetwork:
        """The first network before it was trained."""
        return self._fresh(self.jobs[MAIN])

    def generations(self, number: int) -> tuple[str, str]:
        """Names of the older and the newer network of a pair; the first newer one is trained anyway."""
        first = USUAL if self.config.seeds > 1 else MAIN
        return old_name(number), new_name(number) if number else first

    def embed(self, network: FaceNetwork, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n dim"]:
        """Embeddings on the study's device, in float32."""
        return embed(network, images, device=self.config.device)

    def of_training_faces(self, name: str) -> Float[Tensor, "n dim"]:
        """Embeddings of all training faces, kept."""
        if name not in self._embedded:
            self._embedded[name] = self.embed(self[name].network, self.faces.train.images)
        return self._embedded[name]

    def _fresh(self, job: Job) -> FaceNetwork:
        return recipe(self.config, job, self.config.precision).create_network().eval()

    def _once(self, name: str, make: Callable[[], Trained]) -> Trained:
        path = self.run.path / "networks" / f"{part_of(name)}.safetensors"
        if name not in self._known:
            if not path.is_file():
                made = make()
                save_network(made.network, path, made.about)
            network, about = load_network(path)  # a run that goes on measures with the same bits
            self._known[name] = Trained(network=network, about=about)
        return self._known[name]

    @property
    def _precision(self) -> str:
        """As asked for, or measured with the first network and taken for all others."""
        asked = self.config.precision
        return asked if asked != "auto" else self[MAIN].about["precision"]

    def _train(self, job: Job) -> Trained:
        precision = self.config.precision if job.name == MAIN else self._precision
        how = recipe(self.config, job, precision, are_faces=self.faces.train.are_faces)
        data = some_people(self.faces.train, job.share, self.config.seed)
        network = self._fresh(job)
        about: dict[str, Any] = {"images": len(data), "people": len(data.people), "dim": job.dim}
        options: dict[str, Any] = {"run": self.run, "part": part_of(job.name), "progress": self.progress}
        try:
            history = fit_faces(network, data, how, validation_pairs=self.faces.watched, **options)
        except ShoalError as error:
            if isinstance(error, Interrupted) or not str(error).startswith(COLLAPSED):
                raise
            rows = list(self._rows_of(part_of(job.name)))
            seconds = rows[-1]["seconds"] if rows else 0.0
            about |= {"rows": rows, "seconds": seconds, "precision": precision, "collapsed": str(error)}
            return Trained(network=network.cpu(), about=about)
        about |= {"rows": history.rows, "seconds": history.seconds, "precision": history.precision, "collapsed": ""}
        return Trained(network=network, about=about)

    def _rows_of(self, part: str) -> Iterator[dict[str, Any]]:
        """What a training wrote before it collapsed."""
        for row in self.run.metrics():
            if str(row.get("part", "")).startswith(f"{part}-"):
                yield {name: value for name, value in row.items() if name != "part"}

    def _harmonise(self, number: int) -> Trained:
        old, new = self.generations(number)
        network, faces, job = deepcopy(self[new].network), self.faces, self.jobs[new]
        how = HarmonicConfig(
            layer_epochs=self._layer_epochs(),
            minutes=self.config.harmonic_minutes,
            epochs=self.config.epochs,
            identities=PEOPLE,
            augment=FaceAugment() if faces.train.are_faces else DIGITS,
            seed=job.seed,
            precision=self._precision,
            device=self.config.device,
        )
        watched, pairs = faces.watched
        old_of_watched = self.embed(self[old].network, watched.images)
        history = fit_harmonic(
            network,
            self.of_training_faces(old),
            faces.train,
            how,
            validation_pairs=(watched, pairs, old_of_watched),
            run=self.run,
            part=part_of(harmonic_name(number)),
            progress=self.progress,
        )
        about = {"rows": history.rows, "seconds": history.seconds, "precision": history.precision, "collapsed": ""}
        about |= {"images": len(faces.train), "people": len(faces.train.people), "dim": job.dim}
        return Trained(network=network, about=about)

    def _layer_epochs(self) -> float:
        """Passes over the images while only the last layer learns: no time ends them, so that many images may not."""
        sampler = IdentityBatchSampler(self.faces.train.labels, PEOPLE, HarmonicConfig.per_identity)
        share = min(1.0, self.config.epochs) if self.config.epochs else 1.0
        return share * min(HarmonicConfig.layer_epochs, BUDGETS[self.config.budget].layer_steps / len(sampler))
