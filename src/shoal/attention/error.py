"""How far linear attention is from exact attention, on these very inputs, for a few percent of exact attention's time.

    estimate_error(q, k, v, phi)          # ErrorEstimate(value=0.11, low=0.09, high=0.13, ...)

A sample of query rows is computed exactly and by the feature map; all keys take part.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.attention.checks import check_feature_map, check_inputs, name_nonfinite
from shoal.attention.eager import full_precision
from shoal.attention.maps.base import FeatureMap
from shoal.attention.preparing import as_problem
from shoal.attention.rows import compare_rows
from shoal.attention.sampling import draw_rows, ratio_interval
from shoal.attention.windowed import check_window
from shoal.errors import wrong

ROWS = 96  # positions that are looked at


@dataclass(frozen=True)
class ErrorEstimate:
    """The relative Frobenius error ‖out − exact‖ / ‖exact‖ of an output, estimated from a sample of its rows.

    Attributes:
        value: the estimate, >= 0; 1 is the error of returning zeros.
        low: lower end of the interval.
        high: upper end.
        confidence: of the interval.
        baseline: the error of returning the mean of the values that each row sees, from the same rows.
        rows: positions that were computed exactly; all of them make the interval a point.
    """

    value: float
    low: float
    high: float
    confidence: float
    baseline: float
    rows: int

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]; mean(V) has {self.baseline:.3g}"


@full_precision
@torch.no_grad()
def estimate_error(
    q: Float[Tensor, "batch q_heads q_len dim"],
    k: Float[Tensor, "batch heads len dim"],
    v: Float[Tensor, "batch heads len m"],
    feature_map: FeatureMap | None,
    *,
    is_causal: bool = False,
    confidence: float = 0.95,
    window: int | None = None,
    key_mask: Bool[Tensor, "batch len"] | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    rows: int = ROWS,
    candidates: Int[Tensor, "c"] | None = None,
    seed: int = 0,
) -> ErrorEstimate:
    """Estimate ‖out − exact‖_F / ‖exact‖_F of linear attention on these inputs, over the whole batch and all heads.

    Exact rows are made in float32, or float64 for float64 inputs. Rows whose denominator fails count with the mean of
    values that replaces them, as in `linear_attention`.

    Args:
        q: queries, as in `linear_attention`.
        k: keys.
        v: values.
        feature_map: whose error is asked for.
        is_causal: as in `linear_attention`.
        confidence: of the interval, in (0, 1).
        window: of `windowed_linear_attention`, whose error is then estimated; None for `linear_attention`.
        key_mask: as in `linear_attention`. Masked positions are not looked at as queries either where there are as many
            queries as keys.
        scale: as in `linear_attention`.
        enable_gqa: as in `linear_attention`.
        rows: positions to look at, >= 8; more rows, a narrower interval, more time.
        candidates: positions that may be looked at, ascending, for example those that a map was not fitted on; all
            unless given.
        seed: of the sample.

    Returns:
        The estimate and its interval.

    Raises:
        InputError: as `linear_attention`; if the confidence or the number of rows is out of range; if no key is visible
            or all values are 0.

    Example:
        >>> from shoal.attention import create_feature_map
        >>> q, k, v = torch.randn(3, 1, 4, 512, 16).unbind()
        >>> found = estimate_error(q / 8, k / 8, v, create_feature_map("positive", dim=16))
        >>> found.low <= found.value <= found.high < 0.5
        True
    """
    check_inputs(q, k, v, key_mask=key_mask, scale=scale, enable_gqa=enable_gqa, is_causal=is_causal)
    check_feature_map(feature_map, q, k)
    if window is not None:
        check_window(q, k, feature_map, window)
    if not 0 < confidence < 1:
        raise wrong("confidence", expected="a number between 0 and 1, 0.95 for 95 %", got=confidence)
    if not isinstance(rows, int) or rows < 8:
        raise wrong("rows", expected="a whole number >= 8", got=rows)
    if not q.numel() or not k.shape[2]:
        raise wrong("q and k", expected="at least one query and one key", got=f"{list(q.shape)} and {list(k.shape)}")
    everything = torch.arange(q.shape[2]) if candidates is None else _positions(candidates, q.shape[2])
    if error := name_nonfinite(q, k, v, key_mask):
        raise error
    problem = as_problem(q, k, v, feature_map, key_mask, scale)
    sample = draw_rows(everything, rows, growing=is_causal, seed=seed)
    wrongs, means, sizes = compare_rows(problem, sample, is_causal, window)
    if float(sizes.sum()) == 0:
        raise wrong(
            "q, k and v", expected="values that are not all 0, of keys that take part", got="an exact output of 0"
        )
    value, low, high = (x**0.5 for x in ratio_interval(wrongs, sizes, sample, confidence))
    baseline = ratio_interval(means, sizes, sample, confidence)[0] ** 0.5
    return ErrorEstimate(value, low, high, confidence, baseline, len(sample.positions))


def _positions(candidates: Tensor | list[int], length: int) -> Tensor:
    found = torch.as_tensor(candidates).cpu()
    whole = found.ndim == 1 and found.numel() and found.dtype in (torch.int32, torch.int64)
    if not whole or int(found.min()) < 0 or int(found.max()) >= length or bool((found.diff() <= 0).any()):
        got = found.tolist() if found.numel() < 10 else f"{found.dtype} {list(found.shape)} in another order or range"
        raise wrong("candidates", expected=f"ascending positions, 0 to {length - 1}, at least one", got=got)
    return found
