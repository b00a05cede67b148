"""Settings of the difficulty study, and what a budget means; imports nothing heavy, for the command line."""

from dataclasses import asdict, dataclass
from typing import Literal

from shoal.errors import wrong
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.limits import check_numbers, check_words

Budget = Literal["quick", "default", "full"]


@dataclass(frozen=True, kw_only=True)
class DifficultyConfig:
    """Settings of the study; those that are 0 follow the budget.

    Args:
        data: a data set's name or a folder; the best that is found unless given.
        budget: "quick" (a demo), "default" or "full".
        offline: never fetch data.
        seed: of the network; the second network has the next one.
        model: name of a network, see `shoal.nets.list_models`.
        width: channels of its first layer.
        whitened: whether a fixed layer of whitened patches comes first, see `shoal.nets.whitening`.
        minutes: training time of each of the two networks.
        epochs: train each for so many epochs instead, whatever the time; 0 goes by minutes. With a fixed precision such
            a run ends with the same bits wherever it is interrupted.
        image_size: side that images are brought to, in pixels; 0 keeps those of a named data set, and brings those
            of a folder to 32.
        k: neighbours that a probe asks.
        layers: names of layers to probe; up to 8, at even shares of the cost, unless given.
        early: when the network is looked at early in training, as a share of it.
        train_rows: training images.
        references: training images that probes see, each left out of its own neighbours.
        test_rows: test images.
        altered_rows: test images that are altered.
        optimizer, learning_rate, schedule, weight_decay, label_smoothing, average_decay: see `shoal.engine.FitConfig`.
        batch_size: rows of a step.
        flip: whether training mirrors images: "auto" (not digits, and not IDX files of unknown content),
            "alternating", "random" or "none".
        small_until: share of training on images of 3/4 of the side.
        precision, device: see `shoal.engine.FitConfig`.
    """

    data: str = ""
    budget: Budget = "default"
    offline: bool = False
    seed: int = 0
    model: str = ExitsConfig.model
    width: int = 0
    whitened: bool = False  # it makes small noise large, and noise would be about that
    minutes: float = 0.0
    epochs: float = 0.0
    image_size: int = 0
    k: int = 30
    layers: tuple[str, ...] = ()
    early: float = 0.2
    train_rows: int = 0
    references: int = 0
    test_rows: int = 0
    altered_rows: int = 0
    optimizer: str = ExitsConfig.optimizer
    learning_rate: float = ExitsConfig.learning_rate
    schedule: str = "cosine-tail"  # ends flat, so that a network can be seen to have converged
    weight_decay: float = ExitsConfig.weight_decay
    label_smoothing: float = ExitsConfig.label_smoothing
    average_decay: float = ExitsConfig.average_decay
    batch_size: int = ExitsConfig.batch_size
    flip: str = ExitsConfig.flip
    small_until: float = 0.0  # what is recorded early is then of images as they are
    precision: str = "auto"
    device: str = "auto"

    @property
    def recipe(self) -> ExitsConfig:
        """How the network is made and trained, in the terms of the exits study: both train alike."""
        shared = {name: value for name, value in asdict(self).items() if name in ExitsConfig.__dataclass_fields__}
        return ExitsConfig(**shared)


@dataclass(frozen=True, kw_only=True)
class Budgeted:
    """What a budget means.

    Args:
        width: channels of the network's first layer.
        minutes: training time of each network.
        validation: share of the training images that is held out.
        watched: how many of them, and of the training images, are looked at while training.
        train_rows, references, test_rows, altered_rows: as the settings.
    """

    width: int
    minutes: float
    validation: float
    watched: int
    train_rows: int
    references: int
    test_rows: int
    altered_rows: int


BUDGETS: dict[str, Budgeted] = {
    "quick": Budgeted(
        width=4,  # wider networks do not converge in so little time, and then nothing can be claimed
        minutes=0.5,
        validation=0.1,
        watched=500,
        train_rows=2_500,
        references=2_500,
        test_rows=1_000,
        altered_rows=500,
    ),
    "default": Budgeted(
        width=16,
        minutes=1.6,
        validation=0.1,
        watched=1_000,
        train_rows=5_000,
        references=5_000,
        test_rows=2_000,
        altered_rows=1_000,
    ),
    "full": Budgeted(
        width=16,
        minutes=11.0,
        validation=0.05,
        watched=2_500,
        train_rows=50_000,
        references=15_000,
        test_rows=10_000,
        altered_rows=2_000,
    ),
}

_ROWS = "a whole number >= 1, or 0 for the budget's"
_LIMITS: dict[str, tuple[float, float, str]] = {  # smallest, largest, in words
    "seed": (0, 2**62, "a whole number >= 0"),
    "width": (0, 4096, "a whole number from 1 to 4096, or 0 for the budget's"),
    "minutes": (0, 60 * 24 * 365, "a number >= 0"),
    "epochs": (0, 1e6, "a number >= 0"),
    "image_size": (0, 1024, "0, or 8 to 1024 pixels"),
    "k": (1, 2**31, "a whole number >= 1"),
    "early": (1e-9, 1, "a share of the training above 0, at most 1"),
    **dict.fromkeys(("train_rows", "references", "test_rows", "altered_rows"), (0, 2**62, _ROWS)),
    "learning_rate": (1e-12, 1e6, "a number > 0"),
    "weight_decay": (0, 1e6, "a number >= 0"),
    "label_smoothing": (0, 0.999, "a share below 1"),
    "average_decay": (0, 0.999999, "a share below 1"),
    "batch_size": (1, 2**20, "a whole number >= 1"),
    "small_until": (0, 1, "a share from 0 to 1"),
}
_CHOICES: dict[str, tuple[str, ...]] = {"budget": tuple(BUDGETS), "flip": ("auto", "alternating", "random", "none")}
_BUDGETED = ("width", "train_rows", "references", "test_rows", "altered_rows")


def resolve(config: DifficultyConfig) -> DifficultyConfig:
    """Fill in what the budget decides.

    Raises:
        InputError: if a setting is out of range.
    """
    check_words(config, _CHOICES)
    check_numbers(config, _LIMITS, smallest={"image_size": 8})
    if config.minutes and config.epochs:
        raise wrong("training time", expected="minutes or epochs", got="both")
    budget = BUDGETS[config.budget]
    minutes = 0.0 if config.epochs else config.minutes or budget.minutes
    decided = {name: getattr(config, name) or getattr(budget, name) for name in _BUDGETED}
    return DifficultyConfig(**{**asdict(config), "layers": config.layers, "minutes": minutes, **decided})
