"""Settings of `shoal exits` for images and networks of one's own; imports nothing heavy, for the command line."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from shoal.errors import wrong
from shoal.studies.limits import check_numbers

PolicyName = Literal["confidence", "entropy", "margin", "patience"]
Mode = Literal["joint", "self-distillation", "frozen"]

USUAL_MINUTES = 2.0
USUAL_HELD_OUT = 0.2


@dataclass(frozen=True, kw_only=True)
class FittingConfig:
    """How a network with exits is made.

    Args:
        model: a folder of a saved network, or package.module:function; a small network is trained unless given. It gets
            images with mean 0 and standard deviation 1 a channel, and has an output for every class, in their order.
        at: layers to attach exits to, by name; or auto: up to six, at even shares of the arithmetic; or a number: up to
            so many.
        mode: joint trains everything; self-distillation does so too, and early exits learn from the last one's answers;
            frozen trains the exits alone, and is usual where a model is given.
        minutes: training time; 2 unless given.
        epochs: train for so many epochs instead, whatever the time; on one machine such a run repeats bit for bit.
        held_out: share of the training images that is not trained on; 0 takes the folder's own validation part, or a
            fifth where there is none.
        size: side that images are brought to, in pixels; 0 keeps those of a named data set, and brings those of a
            folder to 32.
        seed: of the training, and of which images are held out.
    """

    model: str = ""
    at: tuple[str, ...] = ("auto",)
    mode: Mode | None = None
    minutes: float = 0.0
    epochs: float = 0.0
    held_out: float = 0.0
    size: int = 0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class CalibratingConfig:
    """What is to be guaranteed.

    Args:
        max_accuracy_drop: share of all images that leaving early may lose, 0.01 for one point.
        confidence: chance that this holds, over draws of the images.
        policy: what tells that an answer is good enough: the largest probability, the entropy of all, how far the
            largest is ahead of the second, or how many exits in a row agreed.
        seed: of which images choose thresholds and which test them.
    """

    max_accuracy_drop: float = 0.01
    confidence: float = 0.95
    policy: PolicyName = "confidence"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class SweepingConfig:
    """What accuracy is weighed against.

    Args:
        policy: see `shoal exits calibrate`.
        choose_on: a folder or data set that thresholds are chosen on; one half of the images unless given, and the
            other half is measured on.
        seed: of the halves.
    """

    policy: PolicyName = "confidence"
    choose_on: str = ""
    seed: int = 0


_LIMITS: dict[str, tuple[float, float, str]] = {  # smallest, largest, in words
    "minutes": (0, 60 * 24 * 365, "a number >= 0"),
    "epochs": (0, 1e6, "a number >= 0"),
    "held_out": (0, 0.9, "a share from 0 to 0.9, 0.2 for a fifth"),
    "size": (0, 1024, "0, or 8 to 1024 pixels"),
    "seed": (0, 2**62, "a whole number >= 0"),
}


def resolve(config: FittingConfig) -> FittingConfig:
    """Fill in the usual mode and training time.

    Raises:
        InputError: if a setting is out of range, time and epochs are both given, or a network is to be frozen that has
            learned nothing.
    """
    check_limits(config)
    if config.minutes and config.epochs:
        raise wrong("training time", expected="minutes or epochs", got="both")
    if config.mode == "frozen" and not config.model:
        fix = "give --model, or another --mode"
        raise wrong("--mode frozen", expected="a network that has learned already", got="a fresh one", fix=fix)
    minutes = config.minutes if config.epochs or config.minutes else USUAL_MINUTES
    return replace(config, mode=config.mode or ("frozen" if config.model else "joint"), minutes=minutes)


def check_limits(config: Any) -> None:
    """Refuse numbers that are out of range.

    Raises:
        InputError: naming the first of them.
    """
    check_numbers(config, _LIMITS, smallest={"size": 8})


def exit_places(at: tuple[str, ...]) -> str | int | list[str]:
    """Where exits go, as `EarlyExit` takes it; names may be joined by commas.

    Raises:
        InputError: if nothing is named, or a number stands among names.

    Example:
        >>> exit_places(("auto",)), exit_places(("3",)), exit_places(("layer1,layer2", "layer3"))
        ('auto', 3, ['layer1', 'layer2', 'layer3'])
    """
    names = [name.strip() for word in at for name in word.split(",") if name.strip()]
    if len(names) == 1 and (names[0] == "auto" or names[0].lstrip("-").isdecimal()):
        return "auto" if names[0] == "auto" else int(names[0])
    if not names or "auto" in names:
        raise wrong("--at", expected="auto, how many exits, or names of layers", got=", ".join(names) or "nothing")
    return names
