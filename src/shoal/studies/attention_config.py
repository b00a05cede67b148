"""Settings of the attention study and of `shoal attention error`; imports nothing heavy, for the command line."""

from dataclasses import asdict, dataclass
from typing import Literal

from shoal.errors import unknown_name, wrong

Budget = Literal["quick", "default", "full"]


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Settings of the study; those that are 0 or empty follow the budget.

    Args:
        budget: "quick" (a demo), "default" or "full".
        seed: of everything.
        dim: of queries, keys and values.
        heads: of the error measurements; each has its own distribution, tokens and map, so heads are repetitions.
        length: tokens that the errors are measured on.
        calibration: other tokens, that maps are fitted to.
        features: numbers of features; random maps are cheap and go on to four times the largest.
        steps: of training, for the learned map.
        window: of exact attention, where there is one.
        longest: sequence that is timed; lengths double up to it.
        draws: of random directions, for the estimate of the kernel.
        repeats: of every timing.
    """

    budget: Budget = "default"
    seed: int = 0
    dim: int = 64
    heads: int = 0
    length: int = 0
    calibration: int = 0
    features: tuple[int, ...] = ()
    steps: int = 0
    window: int = 0
    longest: int = 0
    draws: int = 0
    repeats: int = 0


@dataclass(frozen=True, kw_only=True)
class ErrorConfig:
    """What `shoal attention error` is asked.

    Args:
        target_error: relative error of the output that is good enough, 0.1 for 10 %.
        causal: whether a query sees only the keys up to its own.
        window: of exact attention around each query; 0 for none.
        maps: feature maps to try; all unless given.
        features: numbers of features to try.
        scale: of the logits, > 0; 0 for 1/√dim.
        confidence: of the intervals, in (0, 1).
        seed: of maps and samples.
    """

    target_error: float = 0.1
    causal: bool = False
    window: int = 0
    maps: tuple[str, ...] = ()
    features: tuple[int, ...] = (64, 128, 256, 512)
    scale: float = 0.0
    confidence: float = 0.95
    seed: int = 0


BUDGETS: dict[str, dict[str, int | tuple[int, ...]]] = {
    "quick": {
        "heads": 4,
        "length": 512,
        "calibration": 2048,
        "features": (64, 256),
        "steps": 60,
        "window": 32,
        "longest": 8192,
        "draws": 200,
        "repeats": 7,
    },
    "default": {
        "heads": 6,
        "length": 1024,
        "calibration": 3072,
        "features": (32, 64, 128, 256),
        "steps": 400,
        "window": 64,
        "longest": 16384,
        "draws": 400,
        "repeats": 7,
    },
    "full": {
        "heads": 10,
        "length": 2048,
        "calibration": 8192,
        "features": (32, 64, 128, 256, 512),
        "steps": 1500,
        "window": 128,
        "longest": 32768,
        "draws": 2000,
        "repeats": 15,
    },
}

_LIMITS: dict[str, tuple[int, int]] = {
    "seed": (0, 2**62),
    "dim": (2, 512),
    "heads": (2, 1024),
    "length": (64, 2**14),
    "calibration": (64, 2**20),
    "steps": (1, 10**6),
    "window": (1, 2**14),
    "longest": (1024, 2**20),
    "draws": (10, 10**6),
    "repeats": (3, 1000),
}


def resolve(config: AttentionConfig) -> AttentionConfig:
    """Fill in what the budget decides.

    Raises:
        InputError: if a setting is out of range.
    """
    if config.budget not in BUDGETS:
        raise unknown_name("budget", config.budget, BUDGETS)
    budget = BUDGETS[config.budget]
    resolved = AttentionConfig(
        **{**asdict(config), **{name: getattr(config, name) or usual for name, usual in budget.items()}}
    )
    for name, (low, high) in _LIMITS.items():
        value = getattr(resolved, name)
        if not low <= value <= high:
            also = ", or 0 for the budget's" if name in budget else ""
            raise wrong(name, expected=f"a whole number from {low} to {high}{also}", got=value)
    check_features(resolved.features)
    if resolved.features[-1] > resolved.calibration:
        most = f"at most the {resolved.calibration} tokens of calibration"
        raise wrong("features", expected=most, got=resolved.features[-1])
    return resolved


def check_features(features: tuple[int, ...]) -> None:
    """Refuse numbers of features that no map could have.

    Raises:
        InputError: if there are none, or one is odd or out of range; some maps have their features in pairs.
    """
    if not features or any(count % 2 or not 2 <= count <= 2**14 for count in features):
        raise wrong("features", expected=f"even numbers from 2 to {2**14}", got=list(features))
    if list(features) != sorted(set(features)):
        raise wrong("features", expected="numbers in ascending order", got=list(features))
