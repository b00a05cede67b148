"""Half precision with padding: a masked key is as no key, whatever it holds, up to one rounding of the output.

Sums are float32 in both calls, in another order. What comes out can differ where a number lies between two of the
half precision: by one step of it, and seldom.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from shoal.attention import linear_attention, windowed_linear_attention
from tests.attention.inputs import BATCH, EVERY, KERNEL, PATHS, fitted, mask, qkv, ready

N, WINDOW = 80, 7
LEFT, RIGHT = slice(64, N), slice(0, 67)  # what is left of sequences padded on either side

pytestmark = pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")


def cases(names: list[str]) -> list[Any]:
    """Names and dtypes; bfloat16 is in the slow tier for maps that go no way of their own through the code."""
    marks = {name: pytest.mark.slow if name not in PATHS else () for name in names}
    wide = [pytest.param(name, torch.float16, id=f"{name}-float16") for name in names]
    return wide + [pytest.param(name, torch.bfloat16, id=f"{name}-bfloat16", marks=marks[name]) for name in names]


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def half(name: str, dtype: torch.dtype) -> list[Tensor]:
    return [x.to(dtype) for x in qkv(N, name=name)]


def spoiled(inputs: list[Tensor], key_mask: Tensor) -> list[Tensor]:
    """NaN in masked keys, and infinity in their values."""
    q, k, v = inputs
    hidden = ~key_mask[:, None, :, None]
    return [q, k.masked_fill(hidden, torch.nan), v.masked_fill(hidden, torch.inf)]


def check_rounding(found: Tensor, expected: Tensor) -> None:
    """At most one step of the dtype between any two numbers, and none between nearly all."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    same = found == expected
    apart = (found.double() - expected.double()).abs()
    step = torch.finfo(found.dtype).eps * torch.maximum(found.abs(), expected.abs()).double()
    assert bool((same | (apart <= step)).all()), float((apart / step).nan_to_num(0.0).max())
    assert float(same.double().mean()) > 0.97


def kept(side: slice) -> Tensor:
    found = torch.zeros(BATCH, N, dtype=torch.bool)
    found[:, side] = True
    return found


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(("name", "dtype"), cases(EVERY))
def test_masked_keys_are_no_keys(name: str, is_causal: bool, dtype: torch.dtype) -> None:
    """Anywhere in a sequence, and other ones in each of a batch."""
    phi, inputs, key_mask = ready(name), half(name, dtype), mask(N)
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal}
    found = linear_attention(*spoiled(inputs, key_mask), key_mask=key_mask, **options)
    assert found.isfinite().all()
    for b in range(BATCH):
        q, k, v = (x[b : b + 1, :, key_mask[b]] for x in inputs)
        q = q if is_causal else inputs[0][b : b + 1]
        rows = key_mask[b] if is_causal else slice(None)
        check_rounding(found[b : b + 1, :, rows], linear_attention(q, k, v, **options))


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(("name", "dtype"), cases([*KERNEL, "learned"]))
def test_padding_is_nothing_beside_a_window(name: str, is_causal: bool, dtype: torch.dtype) -> None:
    """On either side: holes would move the window."""
    phi, inputs = fitted(name, window=WINDOW), half(name, dtype)
    options: dict[str, Any] = {"feature_map": phi, "window": WINDOW, "is_causal": is_causal}
    for side in (LEFT, RIGHT):
        found = windowed_linear_attention(*spoiled(inputs, kept(side)), key_mask=kept(side), **options)
        assert found.isfinite().all()
        check_rounding(found[:, :, side], windowed_linear_attention(*(x[:, :, side] for x in inputs), **options))


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(
    ("name", "window", "dtype"),
    [
        ("positive", None, torch.float16),
        ("landmark", None, torch.bfloat16),
        ("ready", None, torch.float16),
        ("trig", WINDOW, torch.bfloat16),
        ("learned", WINDOW, torch.float16),
    ],
)
def test_gradients_do_not_see_padding_either(
    name: str, window: int | None, dtype: torch.dtype, is_causal: bool
) -> None:
    """Those of the unpadded call, and zeros."""
    phi = ready(name, window=window)
    attend: Any = windowed_linear_attention if window else linear_attention
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal} | ({"window": window} if window else {})
    inputs, weights = half(name, dtype), half(name, dtype)[2]
    for side in (LEFT, RIGHT):
        dirty = [x.requires_grad_() for x in spoiled([x.clone() for x in inputs], kept(side))]
        clean = [x[:, :, side].clone().requires_grad_() for x in inputs]
        with torch.enable_grad():
            padded = attend(*dirty, key_mask=kept(side), **options)
            found = torch.autograd.grad(padded[:, :, side], dirty, weights[:, :, side])
            expected = torch.autograd.grad(attend(*clean, **options), clean, weights[:, :, side])
        for one, other in zip(found, expected, strict=True):
            check_near(one[:, :, side], other)
            assert not one[:, :, ~kept(side)[0]].any()


def check_near(found: Tensor, expected: Tensor) -> None:
    """Entries of gradients cancel: a step is that of the largest."""
    assert found.dtype == expected.dtype
    step = torch.finfo(found.dtype).eps * float(expected.abs().max())
    assert float((found.double() - expected.double()).abs().max()) <= step
