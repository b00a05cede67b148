"""Settings of the circuits study and of `shoal circuits`; imports nothing heavy, for the command line."""

from dataclasses import asdict, dataclass
from typing import Literal

from shoal.errors import unknown_name, wrong

Budget = Literal["quick", "default", "full"]


@dataclass(frozen=True, kw_only=True)
class CircuitsConfig:
    """Settings of the study; those that are 0 follow the budget.

    Args:
        budget: "quick" (a demo), "default" or "full".
        seed: of the first learned head and the first transformer; the others follow.
        seeds: learned heads of each rule, one initialisation each.
        learning_steps: of training of the heads.
        resamples: of the intervals, and of renamed heads that say what chance gives.
        transformers: that are trained on the mixed task, each with a seed of its own.
        transformer_steps: of training of each.
    """

    budget: Budget = "default"
    seed: int = 0
    seeds: int = 0
    learning_steps: int = 0
    resamples: int = 0
    transformers: int = 0
    transformer_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """What a head of `shoal circuits` sees.

    Args:
        vocabulary: names of the tokens: letters, or names with commas between them.
        max_len: longest sequence.
    """

    vocabulary: str = "ABC"
    max_len: int = 4

    @property
    def tokens(self) -> tuple[str, ...]:
        """The names.

        Example:
            >>> HeadConfig().tokens, HeadConfig(vocabulary="cat, dog").tokens
            (('A', 'B', 'C'), ('cat', 'dog'))
        """
        names = self.vocabulary.split(",") if "," in self.vocabulary else self.vocabulary
        return tuple(name.strip() for name in names)


BUDGETS: dict[str, dict[str, int]] = {
    "quick": {"seeds": 8, "learning_steps": 300, "resamples": 20, "transformers": 6, "transformer_steps": 400},
    "default": {"seeds": 20, "learning_steps": 300, "resamples": 200, "transformers": 10, "transformer_steps": 1000},
    "full": {"seeds": 100, "learning_steps": 300, "resamples": 400, "transformers": 20, "transformer_steps": 2000},
}

_LIMITS: dict[str, tuple[int, int]] = {
    "seed": (0, 2**31),
    "seeds": (2, 1000),
    "learning_steps": (1, 10**5),
    "resamples": (2, 10**5),
    "transformers": (2, 100),
    "transformer_steps": (1, 10**6),
}


def resolve(config: CircuitsConfig) -> CircuitsConfig:
    """Fill in what the budget decides.

    Raises:
        InputError: if a setting is out of range.
    """
    if config.budget not in BUDGETS:
        raise unknown_name("budget", config.budget, BUDGETS)
    budget = BUDGETS[config.budget]
    resolved = CircuitsConfig(
        **{**asdict(config), **{name: getattr(config, name) or usual for name, usual in budget.items()}}
    )
    for name, (low, high) in _LIMITS.items():
        value = getattr(resolved, name)
        if not low <= value <= high:
            also = ", or 0 for the budget's" if name in budget else ""
            raise wrong(name, expected=f"a whole number from {low} to {high}{also}", got=value)
    return resolved
