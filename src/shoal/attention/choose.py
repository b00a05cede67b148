"""The cheapest feature map that reaches a target error on given inputs, or the answer that none does.

found = choose_feature_map(q, k, v, target_error=0.1, is_causal=True)
print(found)               # what was tried
if not found.exact_needed:
    out = linear_attention(q, k, v, feature_map=found.feature_map, is_causal=True)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.attention.checks import check_inputs, name_nonfinite
from shoal.attention.error import ErrorEstimate, estimate_error
from shoal.attention.maps.base import FeatureMap
from shoal.attention.registry import create_feature_map, list_feature_maps
from shoal.errors import InputError, unknown_name, wrong

COUNTS = (64, 128, 256, 512)
SLOWEST_TO_FIT = "learned"


@dataclass(frozen=True)
class Candidate:
    """A map that was tried.

    Attributes:
        name: of the map.
        num_features: of the map.
        macs: multiply-accumulate operations per token and head.
        share: of exact attention's.
        error: on positions that the map was not fitted on; None where it was not tried, see `note`.
        meets: whether the error's upper end is within the target.
        note: why it was not tried.
    """

    name: str
    num_features: int
    macs: int
    share: float
    error: ErrorEstimate | None
    meets: bool
    note: str = ""


@dataclass(frozen=True)
class FeatureMapChoice:
    """What `choose_feature_map` found.

    Attributes:
        chosen: the cheapest map that meets the target, fitted; None if none does.
        target_error: that was asked for.
        tried: all candidates, the cheapest first.
    """

    chosen: FeatureMap | None
    target_error: float
    tried: tuple[Candidate, ...]

    @property
    def exact_needed(self) -> bool:
        """Whether nothing cheaper than exact attention meets the target."""
        return self.chosen is None

    @property
    def feature_map(self) -> FeatureMap:
        """The map to give to `linear_attention`, to which None would mean that q and k are features already.

        Raises:
            InputError: if exact attention is needed.
        """
        if self.chosen is None:
            raise wrong(
                "feature_map",
                expected=f"a map that reaches an error of {self.target_error:.3g}",
                got="none that costs less than exact attention",
                fix="take torch's scaled_dot_product_attention, or allow more error",
            )
        return self.chosen

    def __str__(self) -> str:
        rows = [
            f"{c.name:10} {c.num_features:6} features {c.share:8.1%} of exact attention's arithmetic  "
            f"error {c.error or c.note}{'  <- meets the target' if c.meets else ''}"
            for c in self.tried
        ]
        last = (
            f"no map that costs less than exact attention reaches {self.target_error:.3g}: use exact attention"
            if self.chosen is None
            else f"take {self.chosen.name} with {self.chosen.num_features} features"
        )
        return "\n".join([*rows, last])


def choose_feature_map(
    q: Float[Tensor, "batch q_heads len dim"],
    k: Float[Tensor, "batch heads len dim"],
    v: Float[Tensor, "batch heads len m"],
    *,
    target_error: float,
    is_causal: bool = False,
    window: int | None = None,
    names: Sequence[str] | None = None,
    counts: Sequence[int] = COUNTS,
    confidence: float = 0.95,
    scale: float | None = None,
    enable_gqa: bool = False,
    seed: int = 0,
    told: Callable[[str], None] = lambda _: None,
) -> FeatureMapChoice:
    """Find the cheapest map and number of features whose error on these inputs is at most `target_error`.

    Candidates are tried by their arithmetic; those that cost as much as exact attention are not. Maps that need it are
    fitted on the first half of the positions, and every error is estimated on rows of the second half. A candidate
    meets the target when the upper end of its error's interval does.

    Args:
        q: queries, as in `linear_attention`; as many as keys, at least 64.
        k: keys.
        v: values.
        target_error: relative Frobenius error of the output, > 0.
        is_causal: as in `linear_attention`.
        window: of `windowed_linear_attention`; None for `linear_attention`.
        names: maps to try; all unless given. `learned` takes seconds per head and number of features to fit, and comes
            after the others.
        counts: numbers of features to try.
        confidence: of the intervals.
        scale: as in `linear_attention`.
        enable_gqa: as in `linear_attention`.
        seed: of maps and samples.
        told: called with a sentence before every candidate.

    Returns:
        The choice and what was tried.

    Raises:
        InputError: if inputs do not fit or a setting is out of range.

    Example:
        >>> q, k, v = torch.randn(3, 1, 2, 1024, 8).unbind()
        >>> found = choose_feature_map(q / 3, k / 3, v, target_error=0.5, names=["positive"])
        >>> found.feature_map.name, found.exact_needed
        ('positive', False)
    """
    check_inputs(q, k, v, key_mask=None, scale=scale, enable_gqa=enable_gqa, is_causal=is_causal)
    if error := name_nonfinite(q, k, v, None):
        raise error
    _check_wishes(q.shape[2], k.shape[2], target_error, names)
    length = k.shape[2]
    exact = length * (q.shape[3] + v.shape[3]) / (2 if is_causal else 1)
    maps = [
        create_feature_map(name, q.shape[3], count, seed=seed).to(q.device)
        for name, count in _wanted(names, counts, window)
    ]
    maps.sort(key=lambda phi: (phi.name == SLOWEST_TO_FIT, macs_per_token(phi, v.shape[3], window)))
    half = length // 2
    tried: list[Candidate] = []
    for phi in maps:
        macs = macs_per_token(phi, v.shape[3], window)
        facts = (phi.name, phi.num_features, macs, macs / exact)
        if macs >= exact:
            tried.append(Candidate(*facts, None, False, "not tried: costs as much as exact attention"))
            continue
        told(f"{phi.name} with {phi.num_features} features")
        try:
            if phi.needs_fit or phi.exponential:
                options = {"window": window, "is_causal": is_causal} if phi.name == SLOWEST_TO_FIT else {}
                phi.fit(q[:, :, :half], k[:, :, :half], v[:, :, :half], scale=scale, **options)
        except InputError as error:
            tried.append(Candidate(*facts, None, False, f"not fitted: {error}"))
            continue
        error = estimate_error(
            q,
            k,
            v,
            phi,
            is_causal=is_causal,
            confidence=confidence,
            window=window,
            scale=scale,
            enable_gqa=enable_gqa,
            candidates=torch.arange(half, length),
            seed=seed,
        )
        tried.append(Candidate(*facts, error, error.high <= target_error))
        if tried[-1].meets:
            return FeatureMapChoice(phi, target_error, tuple(tried))
    return FeatureMapChoice(None, target_error, tuple(tried))


def _check_wishes(queries: int, keys: int, target_error: float, names: Sequence[str] | None) -> None:
    if queries != keys or keys < 64:
        raise wrong("q and k", expected="as many queries as keys, at least 64", got=f"{queries} and {keys}")
    if not target_error > 0:
        raise wrong("target_error", expected="a number > 0, 0.1 for 10 %", got=target_error)
    for name in names or ():
        if name not in list_feature_maps():
            raise unknown_name("feature map", name, list_feature_maps())


def _wanted(names: Sequence[str] | None, counts: Sequence[int], window: int | None) -> list[tuple[str, int]]:
    """Names and numbers of features; maps that have their own number once, and with a window only those that can."""
    own = {"elu", "relu", "taylor"}
    known = [name for name in (names or list_feature_maps()) if window is None or name not in ("elu", "relu")]
    return [(name, count) for name in known for count in (counts[:1] if name in own else counts)]


def macs_per_token(phi: FeatureMap, m: int, window: int | None = None) -> int:
    """Multiply-accumulate operations of linear attention per token and head: both maps, the sums, a block of 64.

    Args:
        phi: the map.
        m: size of the values.
        window: of exact attention besides.
    """
    r, d = phi.num_features, phi.dim
    mapping = {"elu": 0, "relu": 0, "taylor": r, "landmark": 2 * d * r + r * r}.get(phi.name, 2 * d * r)
    mapping = 2 * (d * r + 64 * (d + r)) if phi.name == SLOWEST_TO_FIT else mapping
    inner = 64 * (r + m)
    return mapping + 2 * r * (m + 1) + inner + (0 if window is None else (window + 64) * (d + m))
