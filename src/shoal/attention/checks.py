"""What attention accepts, and what it says otherwise. Shapes are [batch, heads, seq, dim], as torch's."""

import math
from typing import Any

import torch
from torch import Tensor

from shoal.attention.maps.base import FeatureMap
from shoal.errors import InputError, wrong

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def check_inputs(
    q: Any, k: Any, v: Any, *, key_mask: Any, scale: float | None, enable_gqa: bool, is_causal: bool
) -> None:
    """Refuse what cannot be attended to.

    Raises:
        InputError: with what was expected and what was got.
    """
    for name, x in (("q", q), ("k", k), ("v", v)):
        if not isinstance(x, Tensor) or x.ndim != 4:
            got = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise wrong(name, expected="a tensor [batch, heads, seq, dim]", got=got)
    if not (q.dtype == k.dtype == v.dtype and q.dtype in DTYPES):
        names = "float32, float64, bfloat16 or float16, the same for all"
        raise wrong("dtype of q, k and v", expected=names, got=f"{q.dtype}, {k.dtype} and {v.dtype}")
    if not q.device == k.device == v.device:
        raise wrong("q, k and v", expected="one device", got=f"{q.device}, {k.device} and {v.device}")
    if not q.shape[0] == k.shape[0] == v.shape[0] or k.shape[1:3] != v.shape[1:3] or q.shape[3] != k.shape[3]:
        shapes = f"{list(q.shape)}, {list(k.shape)} and {list(v.shape)}"
        form = "q [batch, heads, n, dim], k [batch, heads, len, dim] and v [batch, heads, len, m]"
        raise wrong("shapes", expected=form, got=shapes)
    if 0 in (q.shape[1], k.shape[1], q.shape[3], v.shape[3]):
        raise wrong("q, k and v", expected="at least one head and one dimension", got=list(q.shape))
    _check_heads(q.shape[1], k.shape[1], enable_gqa)
    if is_causal and q.shape[2] != k.shape[2]:
        raise wrong("is_causal=True", expected="as many queries as keys", got=f"{q.shape[2]} and {k.shape[2]}")
    if scale is not None and not 0 < scale < math.inf:
        raise wrong("scale", expected="a number > 0", got=scale)
    _check_mask(key_mask, k)


def _check_heads(queries: int, keys: int, enable_gqa: bool) -> None:
    if queries == keys:
        return
    fix = "" if enable_gqa or queries % keys else "pass enable_gqa=True where query heads share key heads"
    if not enable_gqa or queries % keys:
        rule = "a multiple of the key heads" if enable_gqa else f"{keys}, as k and v have"
        raise wrong("heads of q", expected=rule, got=queries, fix=fix)


def _check_mask(key_mask: Any, k: Tensor) -> None:
    if key_mask is None:
        return
    expected = f"a bool tensor [batch, len] = {[k.shape[0], k.shape[2]]} on {k.device}, True where a key takes part"
    if not isinstance(key_mask, Tensor):
        raise wrong("key_mask", expected=expected, got=type(key_mask).__name__)
    if key_mask.dtype != torch.bool or key_mask.shape != (k.shape[0], k.shape[2]) or key_mask.device != k.device:
        raise wrong("key_mask", expected=expected, got=f"{key_mask.dtype} {list(key_mask.shape)} on {key_mask.device}")


def check_feature_map(feature_map: Any, q: Tensor, k: Tensor) -> None:
    """Refuse what is no feature map, one on another device, or one that these heads cannot use.

    Raises:
        InputError: with what was expected and what was got.
    """
    if feature_map is None:
        return
    if not isinstance(feature_map, FeatureMap):
        got = repr(feature_map) if isinstance(feature_map, str) else type(feature_map).__name__
        fix = "create_feature_map(name, dim) makes one"
        raise wrong("feature_map", expected="a feature map, or None for ready features", got=got, fix=fix)
    device = feature_map.heads_.device
    if device != q.device:
        raise wrong(
            "feature_map", expected=f"on {q.device}, as q", got=str(device), fix=f"feature_map.to('{q.device}')"
        )
    feature_map.check(heads=k.shape[1], dim=k.shape[3])


def hides_infinity(q: Tensor, k: Tensor, feature_map: FeatureMap | None) -> bool:
    """Whether q or k may hold an infinity that the output does not show: elu and relu make an ordinary 0 of −inf."""
    if feature_map is None or feature_map.exponential:
        return False
    return not bool(torch.isfinite(q.detach().sum() + k.detach().sum()))


def name_nonfinite(q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None) -> InputError | None:
    """The error for NaN or infinity among what takes part; None where all is finite."""
    for name, x in (("q", q), ("k", k), ("v", v)):
        bad = ~torch.isfinite(x)
        if key_mask is not None and name != "q":
            bad &= key_mask[:, None, :, None]
        if bad.any():
            where = ", ".join(str(int(i)) for i in bad.nonzero()[0])
            return wrong(
                name, expected="finite numbers", got=f"{int(bad.sum())} NaN or infinite, the first at [{where}]"
            )
    return None
