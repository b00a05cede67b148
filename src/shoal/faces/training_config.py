"""How a face network is trained, alone or to be compatible with an older one."""

import math
from dataclasses import dataclass, field

from shoal.engine import FitConfig
from shoal.errors import unknown_name, wrong
from shoal.faces.augmentation import FaceAugment
from shoal.faces.harmonic import RULES
from shoal.faces.losses import MINING, check_margin
from shoal.faces.network import FaceNetwork
from shoal.faces.networks import create_network

STARTS = ("ridge", "random")
FIRST, SECOND = "classification", "triplets"  # phases of a training, and names of their parts of a run
UNBOUNDED = 1e6  # epochs; time is what ends a training that is given minutes


@dataclass(frozen=True, kw_only=True)
class FacesConfig:
    """How a face network is made and trained: from triplets, after or beside classifying people where that is wanted.

    Args:
        minutes: time budget of both phases together, evaluation included; 0 goes by epochs.
        epochs: passes over the images, where `minutes` is 0; an epoch of triplets shows as many images, some of
            them more than once.
        network: see `shoal.faces.list_networks`.
        embedding_dim: of its output.
        batch_norm: whether it normalises within batches.
        image_size: pixels a side of the images that it is trained on; 0 for those that it was designed for.
        pretraining: share of the training that goes into classification, in [0, 1]; 0 learns from triplets alone.
        classification: weight of the classifier's loss beside the triplets' in the second phase, >= 0; with
            pretraining = 0 both are learned jointly.
        scale: of the classifier's cosines.
        cosine_margin: of the classifier.
        label_smoothing: of the classifier.
        class_images: images that a person must have to be a class; the others are seen in triplets only.
        batch_size: images of a step of classification.
        margin: of the triplet loss, in squared distance.
        mining: of triplets, see `shoal.faces.TripletLoss`.
        identities: people of a step of triplets.
        per_identity: at most so many images of each.
        augment: how images are changed.
        small_until: share of the first phase with smaller images, which cost less.
        optimizer: "muon", "sgd" or "adamw".
        learning_rate: at the peak of the first phase's schedule.
        triplet_rate: the same of the second phase, as a share of `learning_rate`.
        weight_decay, warmup, average_decay, clip_norm: see `shoal.engine.FitConfig`.
        held_back: share of the images that is held back at most, to tell learning by heart.
        watched: pairs of the validation people that are looked at while training.
        seed: of everything.
        precision, device, checkpoint_seconds: see `shoal.engine.FitConfig`.

    Raises:
        InputError: if a setting is out of range.
    """

    minutes: float = 10.0
    epochs: float = 30.0
    network: str = "compact"
    embedding_dim: int = 128
    batch_norm: bool = True
    image_size: int = 0
    pretraining: float = 0.0
    classification: float = 0.0
    scale: float = 16.0
    cosine_margin: float = 0.1
    label_smoothing: float = 0.1
    class_images: int = 1
    batch_size: int = 128
    margin: float = 0.2
    mining: str = "semi-hard"
    identities: int = 20
    per_identity: int = 8
    augment: FaceAugment = field(default_factory=FaceAugment)
    small_until: float = 0.4
    optimizer: str = "muon"
    learning_rate: float = 0.1
    triplet_rate: float = 0.3
    weight_decay: float = 1e-3
    warmup: float = 0.1
    average_decay: float = 0.95
    clip_norm: float = 0.0
    held_back: float = 0.02
    watched: int = 300
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.mining not in MINING:
            raise unknown_name("mining rule", self.mining, MINING)
        check_margin(self.margin)
        _check_shares(self, "pretraining", "small_until")
        _check_counts(self, embedding_dim=1, image_size=0, class_images=1, batch_size=2, identities=2, per_identity=2)
        _check_counts(self, watched=0)
        if not 0 <= self.held_back < 1:
            raise wrong("held_back", expected="a share in [0, 1)", got=self.held_back)
        for name in ("scale", "triplet_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise wrong(name, expected="a number > 0", got=getattr(self, name))
        if not 0 <= self.cosine_margin < 1:
            raise wrong("cosine_margin", expected="a number in [0, 1)", got=self.cosine_margin)
        if not 0 <= self.classification < math.inf:
            raise wrong("classification", expected="a number >= 0", got=self.classification)
        if not 0 <= self.minutes < math.inf:
            raise wrong("minutes", expected="a number >= 0", got=self.minutes)
        for phase in self.phases:
            self.training(phase)

    def create_network(self) -> FaceNetwork:
        """A new network of these settings; the seed decides its first weights."""
        size = (self.image_size, self.image_size) if self.image_size else None
        return create_network(self.network, self.embedding_dim, self.batch_norm, seed=self.seed, image_size=size)

    @property
    def phases(self) -> tuple[str, ...]:
        """Those that take time, in their order."""
        shares = {FIRST: self.pretraining, SECOND: 1 - self.pretraining}
        return tuple(phase for phase, share in shares.items() if share > 0)

    @property
    def classifies(self) -> bool:
        """Whether there is a classifier at all."""
        return self.pretraining > 0 or self.classification > 0

    def share(self, phase: str) -> float:
        """Share of the training that a phase takes."""
        return self.pretraining if phase == FIRST else 1 - self.pretraining

    def training(self, phase: str) -> FitConfig:
        """How the fit loop trains a phase."""
        rate = self.learning_rate * (1 if phase == FIRST else self.triplet_rate)
        return FitConfig(
            minutes=self.minutes * self.share(phase),
            epochs=self.epochs * self.share(phase),
            max_epochs=UNBOUNDED,
            optimizer=self.optimizer,
            learning_rate=rate,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            average_decay=self.average_decay,
            clip_norm=self.clip_norm,
            label_smoothing=self.label_smoothing,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            checkpoint_seconds=self.checkpoint_seconds,
        )


@dataclass(frozen=True, kw_only=True)
class HarmonicConfig:
    """How a trained network is made compatible with an older one's embeddings.

    Args:
        layer_epochs: passes over the images while only the embedding layer learns; it is cheap.
        minutes: time budget for everything after that; 0 goes by epochs.
        epochs: the same in passes over the images, where `minutes` is 0; both 0 leave the rest as it is.
        start: of the embedding layer: "ridge" (the linear map from features to the old embeddings) or "random"
            (as in the paper).
        margin, mining, identities, per_identity: see `FacesConfig`.
        augment: how images are changed while everything learns.
        layer_rate: learning rate (AdamW's) of the layer alone.
        learning_rate: of everything, small (Muon's).
        optimizer, weight_decay, warmup, average_decay, clip_norm: see `shoal.engine.FitConfig`.
        watched: validation pairs that are looked at while training; 0 for none.
        seed, precision, device, checkpoint_seconds: likewise.

    Raises:
        InputError: if a setting is out of range.
    """

    layer_epochs: float = 20.0
    minutes: float = 0.0
    epochs: float = 4.0
    start: str = "ridge"
    margin: float = 0.2
    mining: str = "semi-hard"
    identities: int = 45
    per_identity: int = 8
    augment: FaceAugment = field(default_factory=FaceAugment)
    layer_rate: float = 1e-3
    optimizer: str = "muon"
    learning_rate: float = 0.01
    weight_decay: float = 1e-4
    warmup: float = 0.1
    average_decay: float = 0.95
    clip_norm: float = 0.0
    watched: int = 300
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.mining not in RULES:
            raise unknown_name("rule of harmonic mining", self.mining, RULES)
        if self.start not in STARTS:
            raise unknown_name("start", self.start, STARTS)
        _check_counts(self, identities=2, per_identity=2, watched=0)
        for name in ("layer_epochs", "minutes", "epochs"):
            if not 0 <= getattr(self, name) < math.inf:
                raise wrong(name, expected="a number >= 0", got=getattr(self, name))
        check_margin(self.margin)
        if self.trains_layer:
            self.layer_training()
        if self.trains_everything:
            self.training()

    @property
    def trains_layer(self) -> bool:
        """Whether the embedding layer learns by itself."""
        return self.layer_epochs > 0

    @property
    def trains_everything(self) -> bool:
        """Whether the rest learns too."""
        return self.minutes > 0 or self.epochs > 0

    def layer_training(self) -> FitConfig:
        """How the fit loop trains the layer: features are numbers, not images, and one layer needs no tricks."""
        return FitConfig(
            epochs=self.layer_epochs,
            optimizer="adamw",
            learning_rate=self.layer_rate,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            precision="fp32",
            device=self.device,
            seed=self.seed,
            checkpoint_seconds=self.checkpoint_seconds,
        )

    def training(self) -> FitConfig:
        """How the fit loop trains everything."""
        return FitConfig(
            minutes=self.minutes,
            epochs=self.epochs or 1.0,
            max_epochs=UNBOUNDED,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            average_decay=self.average_decay,
            clip_norm=self.clip_norm,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            checkpoint_seconds=self.checkpoint_seconds,
        )


def _check_shares(config: object, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise wrong(name, expected="a share from 0 to 1", got=getattr(config, name))


def _check_counts(config: object, **least: int) -> None:
    for name, low in least.items():
        if getattr(config, name) < low:
            raise wrong(name, expected=f"a whole number >= {low}", got=getattr(config, name))
