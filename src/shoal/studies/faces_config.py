"""Settings of the study of faces, and what a budget means; imports nothing heavy, for the command line."""

from dataclasses import asdict, dataclass
from typing import Literal

from shoal.errors import wrong
from shoal.studies.limits import check_numbers, check_words

Budget = Literal["quick", "default", "full"]


@dataclass(frozen=True, kw_only=True)
class FacesStudyConfig:
    """Settings of the study; those that are 0 or empty follow the budget.

    Args:
        data: "lfw", "olivetti", "digits" (not faces), or a folder of people's folders; the best found unless given.
        budget: "quick" (a demo), "default" or "full".
        offline: never fetch data.
        seed: of everything.
        network: see `shoal.faces.list_networks`.
        embedding_dim: numbers of an embedding, where they are not what is compared.
        image_size: pixels a side that faces are brought to.
        minutes: training time of the network that most is measured with.
        compare_minutes: training time of each network that is compared with others.
        harmonic_minutes: that a network trains to be compatible, after its last layer has been.
        epochs: train everything for so many epochs instead, whatever the time; 0 goes by minutes. With a fixed
            precision such a run ends with the same bits wherever it is interrupted.
        seeds: how many pairs of an old and a new network are made compatible.
        dims: sizes of embeddings to compare, beside `embedding_dim`.
        shares: of the training people to compare, beside all of them.
        clustered: test images that are clustered, at most.
        precision, device: see `shoal.engine.FitConfig`.
    """

    data: str = ""
    budget: Budget = "default"
    offline: bool = False
    seed: int = 0
    network: str = "compact"
    embedding_dim: int = 128
    image_size: int = 0
    minutes: float = 0.0
    compare_minutes: float = 0.0
    harmonic_minutes: float = 0.0
    epochs: float = 0.0
    seeds: int = 0
    dims: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    clustered: int = 0
    precision: str = "auto"
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Budgeted:
    """What a budget means; arguments as the settings.

    Args:
        compares_losses: whether triplets are compared with classification.
        compares_recipe: whether both, classification first and triplets then, are compared with either.
        watched: people that trainings are watched with.
        layer_steps: at most so many before everything is made compatible, while only the last layer is.
        reading: seconds of one core that reading a folder's photos may take; of larger ones, some people are drawn.
    """

    image_size: int
    minutes: float
    compare_minutes: float
    harmonic_minutes: float
    seeds: int
    dims: tuple[int, ...]
    shares: tuple[float, ...]
    clustered: int
    compares_losses: bool
    compares_recipe: bool
    watched: int
    layer_steps: int
    reading: float


BUDGETS: dict[str, Budgeted] = {
    "quick": Budgeted(
        image_size=32,
        minutes=0.3,
        compare_minutes=0.11,
        harmonic_minutes=0.05,
        seeds=1,
        dims=(),
        shares=(),
        clustered=400,
        compares_losses=False,
        compares_recipe=False,
        watched=25,
        layer_steps=150,
        reading=20.0,
    ),
    "default": Budgeted(
        image_size=32,
        minutes=0.5,
        compare_minutes=0.13,
        harmonic_minutes=0.1,
        seeds=1,
        dims=(32, 512),
        shares=(0.25, 0.5),
        clustered=1000,
        compares_losses=True,
        compares_recipe=False,
        watched=50,
        layer_steps=300,
        reading=40.0,
    ),
    "full": Budgeted(
        image_size=64,
        minutes=18.0,
        compare_minutes=3.0,
        harmonic_minutes=1.0,
        seeds=3,
        dims=(32, 64, 256, 512),
        shares=(0.125, 0.25, 0.5),
        clustered=2000,
        compares_losses=True,
        compares_recipe=True,
        watched=100,
        layer_steps=2000,
        reading=600.0,
    ),
}
_MINUTES = ("minutes", "compare_minutes", "harmonic_minutes")
_YEAR = 60 * 24 * 365
_LIMITS: dict[str, tuple[float, float, str]] = {  # smallest, largest, in words
    "seed": (0, 2**62, "a whole number >= 0"),
    "embedding_dim": (1, 2**16, "a whole number from 1 to 65,536"),
    "image_size": (0, 1024, "0, or 16 to 1024 pixels"),
    **dict.fromkeys((*_MINUTES, "epochs"), (0, _YEAR, "a number >= 0")),
    "seeds": (0, 1000, "a whole number from 1 to 1000, or 0 for the budget's"),
    "clustered": (0, 30_000, "a whole number from 1 to 30,000, or 0 for the budget's"),
}


def resolve(config: FacesStudyConfig) -> FacesStudyConfig:
    """Fill in what the budget decides.

    Raises:
        InputError: if a setting is out of range.
    """
    check_words(config, {"budget": BUDGETS})
    check_numbers(config, _LIMITS, smallest={"image_size": 16})
    if not all(1 <= dim <= 2**16 for dim in config.dims):
        raise wrong("dims", expected="sizes of embeddings from 1 to 65,536", got=list(config.dims))
    if not all(0 < share < 1 for share in config.shares):
        raise wrong("shares", expected="shares of the people above 0 and below 1", got=list(config.shares))
    budget = BUDGETS[config.budget]
    if config.epochs and any(getattr(config, name) for name in _MINUTES):
        raise wrong("training time", expected="minutes or epochs", got="both")
    left = () if config.epochs else _MINUTES
    names = ("image_size", "seeds", "dims", "shares", "clustered", *left)
    decided = {name: getattr(config, name) or getattr(budget, name) for name in names}
    decided |= {name: tuple(sorted(set(decided[name]))) for name in ("dims", "shares")}
    return FacesStudyConfig(**{**asdict(config), **decided})
