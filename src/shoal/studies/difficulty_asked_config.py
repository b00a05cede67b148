"""Settings of `shoal difficulty` for images of one's own; imports nothing heavy, for the command line."""

from dataclasses import dataclass, replace

from shoal.errors import wrong
from shoal.studies.limits import check_numbers

USUAL_MINUTES = 2.0


@dataclass(frozen=True, kw_only=True)
class ScoringConfig:
    """What is asked of images.

    Args:
        model: a folder of a saved network, or package.module:function; a small network is trained unless given. It gets
            images with mean 0 and standard deviation 1 a channel, and has an output for every class, in their order.
        layers: names of layers to look at; up to 8, at even shares of the cost, unless given.
        k: neighbours that are asked at each layer; at most the training images less one.
        minutes: training time; 2 unless given. Nothing is trained where a model is given.
        epochs: train for so many epochs instead, whatever the time; on one machine such a run repeats bit for bit.
        size: side that images are brought to, in pixels; 0 keeps those of a named data set, and brings those of a
            folder to 32.
        shown: images in each gallery of the page.
        seed: of the training.
        offline: never fetch data.
    """

    model: str = ""
    layers: tuple[str, ...] = ()
    k: int = 30
    minutes: float = 0.0
    epochs: float = 0.0
    size: int = 0
    shown: int = 24
    seed: int = 0
    offline: bool = False


_LIMITS: dict[str, tuple[float, float, str]] = {  # smallest, largest, in words
    "k": (1, 2**31, "a whole number >= 1"),
    "minutes": (0, 60 * 24 * 365, "a number >= 0"),
    "epochs": (0, 1e6, "a number >= 0"),
    "size": (0, 1024, "0, or 8 to 1024 pixels"),
    "shown": (1, 1000, "a whole number from 1 to 1000"),
    "seed": (0, 2**62, "a whole number >= 0"),
}


def resolve(config: ScoringConfig) -> ScoringConfig:
    """Fill in the usual training time, where there is a training.

    Raises:
        InputError: if a setting is out of range, or time and epochs are both given.
    """
    check_numbers(config, _LIMITS, smallest={"size": 8})
    if config.minutes and config.epochs:
        raise wrong("training time", expected="minutes or epochs", got="both")
    if config.model:
        return replace(config, minutes=0.0, epochs=0.0)
    return config if config.epochs or config.minutes else replace(config, minutes=USUAL_MINUTES)
