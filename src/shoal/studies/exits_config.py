"""Settings of the early-exit study, and what a budget means; imports nothing heavy, for the command line."""

from dataclasses import asdict, dataclass
from typing import Literal

from shoal.errors import wrong
from shoal.studies.limits import check_numbers, check_words

Budget = Literal["quick", "default", "full"]


@dataclass(frozen=True, kw_only=True)
class ExitsConfig:
    """Settings of the study; those that are 0 follow the budget.

    Args:
        data: a data set's name or a folder; the best that is found unless given.
        budget: "quick" (a demo), "default" or "full".
        offline: never fetch data.
        seed: of everything.
        model: name of a network, see `shoal.nets.list_models`.
        width: channels of its first layer.
        whitened: whether a fixed layer of whitened patches comes first, see `shoal.nets.whitening`.
        minutes: training time of each network.
        epochs: train each for so many epochs instead, whatever the time; 0 goes by minutes. With a fixed precision such
            a run ends with the same bits wherever it is interrupted.
        image_size: side that images are brought to, in pixels; 0 keeps those of a named data set, and brings those
            of a folder to 32.
        at: layers to attach exits to.
        smaller: channels of the first layer of smaller networks to compare with.
        policy: what decides whether an image leaves: "confidence", "entropy", "margin" or "patience".
        max_accuracy_drop: share that the policy may lose on the validation images.
        promised_drop: share that a certificate is asked for.
        k: neighbours that a probe of the plain network asks, for prediction depth.
        optimizer, learning_rate, weight_decay, label_smoothing, average_decay: see `shoal.engine.FitConfig`.
        batch_size: rows of a step.
        exit_weight: loss weight of an early exit, relative to the last one's.
        distil: share of the soft target, see `shoal.exits.joint_objective`.
        flip: whether training mirrors images: "auto" (not digits, and not IDX files of unknown content),
            "alternating", "random" or "none".
        small_until: share of training on images of 3/4 of the side.
        precision, device: see `shoal.engine.FitConfig`.
    """

    data: str = ""
    budget: Budget = "default"
    offline: bool = False
    seed: int = 0
    model: str = "cifar_resnet18"
    width: int = 0
    whitened: bool = True
    minutes: float = 0.0
    epochs: float = 0.0
    image_size: int = 0
    at: tuple[str, ...] = ("layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0")
    smaller: tuple[int, ...] = ()
    policy: str = "margin"
    max_accuracy_drop: float = 0.003
    promised_drop: float = 0.01
    k: int = 30
    optimizer: str = "muon"
    learning_rate: float = 0.08
    weight_decay: float = 1e-3
    label_smoothing: float = 0.1
    average_decay: float = 0.98
    batch_size: int = 256
    exit_weight: float = 0.3
    distil: float = 0.0
    flip: str = "auto"
    small_until: float = 0.5
    precision: str = "auto"
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Budgeted:
    """What a budget means.

    Args:
        width: channels of the network's first layer.
        minutes: training time of each network.
        smaller: as the setting.
        validation: share of the training images that is held out.
        watched: how many of them are evaluated while training.
        references: training images that probes of the plain network see.
        plain_trains_on_all: whether the plain network trains on the held-out images too.
    """

    width: int
    minutes: float
    smaller: tuple[int, ...]
    validation: float
    watched: int
    references: int
    plain_trains_on_all: bool


BUDGETS: dict[str, Budgeted] = {
    "quick": Budgeted(
        width=16,
        minutes=0.4,
        smaller=(8,),
        validation=0.1,
        watched=500,
        references=2_500,
        plain_trains_on_all=False,
    ),
    "default": Budgeted(
        width=16,
        minutes=0.65,
        smaller=(11, 8, 6),
        validation=0.1,
        watched=1000,
        references=5_000,
        plain_trains_on_all=False,
    ),
    "full": Budgeted(
        width=32,
        minutes=15.0,
        smaller=(23, 16, 11),
        validation=0.05,
        watched=2500,
        references=15_000,
        plain_trains_on_all=True,
    ),
}
MAX_EPOCHS = 60.0  # small data sets are done before the time is up


_LIMITS: dict[str, tuple[float, float, str]] = {  # smallest, largest, in words
    "seed": (0, 2**62, "a whole number >= 0"),
    "width": (0, 4096, "a whole number from 1 to 4096, or 0 for the budget's"),
    "minutes": (0, 60 * 24 * 365, "a number >= 0"),
    "epochs": (0, 1e6, "a number >= 0"),
    "image_size": (0, 1024, "0, or 8 to 1024 pixels"),
    "max_accuracy_drop": (0, 0.999, "a share from 0 to 1, 0.01 for one point"),
    "promised_drop": (1e-9, 0.999, "a share above 0 and below 1, 0.01 for one point"),
    "k": (1, 2**31, "a whole number >= 1"),
    "learning_rate": (1e-12, 1e6, "a number > 0"),
    "weight_decay": (0, 1e6, "a number >= 0"),
    "label_smoothing": (0, 0.999, "a share below 1"),
    "average_decay": (0, 0.999999, "a share below 1"),
    "batch_size": (1, 2**20, "a whole number >= 1"),
    "exit_weight": (0, 1e6, "a number >= 0"),
    "distil": (0, 1, "a share from 0 to 1"),
    "small_until": (0, 1, "a share from 0 to 1"),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "budget": tuple(BUDGETS),
    "flip": ("auto", "alternating", "random", "none"),
    "policy": ("confidence", "entropy", "margin", "patience"),
}


def resolve(config: ExitsConfig) -> ExitsConfig:
    """Fill in what the budget decides.

    Raises:
        InputError: if a setting is out of range.
    """
    check_words(config, _CHOICES)
    check_numbers(config, _LIMITS, smallest={"image_size": 8})
    budget = BUDGETS[config.budget]
    if config.minutes and config.epochs:
        raise wrong("training time", expected="minutes or epochs", got="both")
    minutes = 0.0 if config.epochs else config.minutes or budget.minutes
    if not all(1 <= width <= 4096 for width in config.smaller):
        raise wrong("smaller", expected="numbers of channels from 1 to 4096", got=list(config.smaller))
    changes = {"width": config.width or budget.width, "minutes": minutes, "smaller": config.smaller or budget.smaller}
    return ExitsConfig(**{**asdict(config), "at": config.at, **changes})
