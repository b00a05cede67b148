"""Settings of the summarizer's study, and what a budget means; imports nothing heavy, for the command line."""

from dataclasses import asdict, dataclass
from typing import Literal

from shoal.errors import unknown_name, wrong

Budget = Literal["quick", "default", "full"]


@dataclass(frozen=True, kw_only=True)
class SummarizeConfig:
    """Settings of the study; those that are 0 or empty follow the budget.

    Args:
        data: the name of a set of texts, a folder or a file; the best that is found unless given.
        budget: "quick" (a demo), "default" or "full".
        offline: never fetch texts.
        seed: of everything.
        size: of the summarizer, see `shoal.summarize.SummarizerConfig`.
        minutes: training time of the summarizer.
        compare_minutes: training time of each of two more, with exact and with linear attention.
        overfit_minutes: training time of one that is made to overfit.
        overfit_rows: pairs that this one sees.
        attention: feature map of linear attention.
        features: of that map.
        test_rows: pairs that summaries are scored on.
        lengths: of documents, in tokens, that steps are timed at.
        curves: simulated ones that the verdict is tried on.
        shown: summaries, picked by the seed.
        precision, device: see `shoal.engine.FitConfig`.
    """

    data: str = ""
    budget: Budget = "default"
    offline: bool = False
    seed: int = 0
    size: str = ""
    minutes: float = 0.0
    compare_minutes: float = 0.0
    overfit_minutes: float = 0.0
    overfit_rows: int = 0
    attention: str = "elu"
    features: int = 64
    test_rows: int = 0
    lengths: tuple[int, ...] = ()
    curves: int = 0
    shown: int = 10
    precision: str = "auto"
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Budgeted:
    """What a budget means; arguments as the settings."""

    size: str
    minutes: float
    compare_minutes: float
    overfit_minutes: float
    overfit_rows: int
    test_rows: int
    lengths: tuple[int, ...]
    curves: int


BUDGETS: dict[str, Budgeted] = {
    "quick": Budgeted(
        size="tiny",
        minutes=0.42,
        compare_minutes=0.1,
        overfit_minutes=0.2,
        overfit_rows=150,
        test_rows=200,
        lengths=(128, 1024),
        curves=50,
    ),
    "default": Budgeted(
        size="small",
        minutes=1.8,
        compare_minutes=0.4,
        overfit_minutes=0.5,
        overfit_rows=300,
        test_rows=500,
        lengths=(128, 1024, 4096),
        curves=200,
    ),
    "full": Budgeted(
        size="base",
        minutes=25.0,
        compare_minutes=3.0,
        overfit_minutes=2.0,
        overfit_rows=300,
        test_rows=2000,
        lengths=(128, 1024, 8192),
        curves=1000,
    ),
}
_BUDGETED = tuple(Budgeted.__dataclass_fields__)
_WHOLE = ("overfit_rows", "test_rows", "curves")


def resolve(config: SummarizeConfig) -> SummarizeConfig:
    """Fill in what the budget decides.

    Raises:
        InputError: if a setting is out of range.
    """
    if config.budget not in BUDGETS:
        raise unknown_name("budget", config.budget, BUDGETS)
    for name in ("minutes", "compare_minutes", "overfit_minutes"):
        if not 0 <= getattr(config, name) < 60 * 24 * 365:  # NaN fails too
            raise wrong(name, expected="a number >= 0", got=getattr(config, name))
    for name in _WHOLE:
        if getattr(config, name) < 0:
            raise wrong(name, expected="a whole number >= 1, or 0 for the budget's", got=getattr(config, name))
    if config.shown < 1 or config.features < 1:
        raise wrong("shown and features", expected="whole numbers >= 1", got=f"{config.shown} and {config.features}")
    if not all(8 <= length <= 2**17 for length in config.lengths):
        raise wrong("lengths", expected="numbers of tokens from 8 to 131,072", got=list(config.lengths))
    budget = BUDGETS[config.budget]
    decided = {name: getattr(config, name) or getattr(budget, name) for name in _BUDGETED}
    return SummarizeConfig(**{**asdict(config), **decided})
