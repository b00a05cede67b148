"""How close maps come to exact attention, on trained-like inputs and a real encoder's heads; for `attention.py`.

Every map is fitted on other tokens than it is tested on; errors are relative Frobenius errors of the output against
exact attention in float64. With the guard, no output may be worse than 1.05 times mean(V)'s.
"""

import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from benchmarks.inputs import TrainedLike, isotropic
from benchmarks.minilm import heads_on_text
from shoal.attention import (
    DenominatorWarning,
    create_feature_map,
    linear_attention,
    softmax_attention_reference,
    windowed_linear_attention,
)
from shoal.attention.maps.base import FeatureMap

FEATURES, WINDOW = 256, 128
MAPS = ("trig", "positive", "hyperbolic", "oprf", "sderf", "landmark", "learned", "elu", "relu")
Inputs = tuple[Tensor, Tensor, Tensor]


def attend(phi: FeatureMap, inputs: Inputs, *, is_causal: bool, window: int | None, guard: bool = False) -> Tensor:
    """Linear attention, with a window or without."""
    if window is None:
        return linear_attention(*inputs, feature_map=phi, is_causal=is_causal, guard=guard)
    return windowed_linear_attention(*inputs, feature_map=phi, window=window, is_causal=is_causal, guard=guard)


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of denominators: what is measured tells of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DenominatorWarning)
        yield


def in_float64(inputs: Inputs) -> Inputs:
    """The same numbers."""
    q, k, v = inputs
    return q.double(), k.double(), v.double()


def side_by_side(sources: list[TrainedLike], n: int, sequences: int, seed: int) -> Inputs:
    """New tokens of several sources as the heads of one input, float32."""
    drawn = [source.draw(n, sequences=sequences, seed=seed) for source in sources]
    q, k, v = (torch.cat(parts, 1).float() for parts in zip(*drawn, strict=True))
    return q, k, v


def mean_of_values(v: Tensor, is_causal: bool) -> Tensor:
    """What doing nothing gives."""
    if not is_causal:
        return v.mean(2, keepdim=True).expand_as(v)
    return v.cumsum(2) / torch.arange(1, v.shape[2] + 1, dtype=v.dtype)[:, None]


def per_head_errors(out: Tensor, exact: Tensor) -> Tensor:
    """Relative Frobenius error of every head over all sequences, (H,)."""
    flat = lambda x: x.double().transpose(0, 1).flatten(1)  # noqa: E731
    return (flat(out) - flat(exact)).norm(dim=1) / flat(exact).norm(dim=1)


def floor(inputs: Inputs, rank: int, is_causal: bool) -> Tensor:
    """Error of the best approximation of the attention matrix by a rank, (H,) of the first sequence."""
    q, k, v = (x[:1] for x in inputs)
    eye = torch.eye(k.shape[2], dtype=q.dtype).expand(1, k.shape[1], -1, -1)
    matrix = softmax_attention_reference(q, k, eye, is_causal=is_causal)
    u, s, vh = torch.linalg.svd(matrix)
    best = (u[..., :rank] * s[..., None, :rank]) @ vh[..., :rank, :]
    return per_head_errors(best @ v, matrix @ v)


def fitted(name: str, calibration: Inputs, *, is_causal: bool, window: int | None) -> tuple[FeatureMap, float]:
    """A map that has seen calibration tokens, and the seconds a head that it took."""
    phi = create_feature_map(name, calibration[0].shape[3], FEATURES)
    began = time.perf_counter()
    if phi.exponential:
        phi.fit(*calibration, **({"window": window, "is_causal": is_causal} if name == "learned" else {}))
    return phi, (time.perf_counter() - began) / calibration[1].shape[1]


@torch.no_grad()
def tried(
    calibration: Inputs, test: Inputs, *, is_causal: bool, window: int | None, say: Callable[[str], None], **facts: Any
) -> list[dict[str, Any]]:
    """Rows of the record for every map on one kind of inputs, first those that are no map."""
    exact = softmax_attention_reference(*test, is_causal=is_causal)
    means = per_head_errors(mean_of_values(test[2], is_causal), exact)
    base = {**facts, "is_causal": is_causal, "window": window, "features": FEATURES}
    rows = [_row(base, "mean(V)", means), _row(base, f"rank {FEATURES} (SVD)", floor(test, FEATURES, is_causal))]
    for name in MAPS:
        if window is not None and name in ("elu", "relu"):
            continue
        phi, seconds = fitted(name, calibration, is_causal=is_causal, window=window)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DenominatorWarning)
            errors = per_head_errors(attend(phi, test, is_causal=is_causal, window=window), exact)
        with quiet():
            guarded = per_head_errors(attend(phi, test, is_causal=is_causal, window=window, guard=True), exact)
        row = {
            **_row(base, name, errors),
            "guarded_median": float(guarded.median()),
            "guarded_worst": float(guarded.max()),
            "worst_against_mean": float((guarded / means).max()),
            "fit_seconds_a_head": seconds,
            "replaced": [str(w.message) for w in caught],
        }
        rows.append(row)
        say(f"{facts} window={window} {name}: median {row['median']:.3f}, worst {row['worst']:.3f}")
    return rows


def _row(base: dict[str, Any], name: str, errors: Tensor) -> dict[str, Any]:
    values = sorted(errors.tolist())
    return {**base, "map": name, "median": statistics.median(values), "worst": values[-1], "heads": len(values)}


def trained_like(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Three draws of bases and means as three heads, at two spreads of the logits."""
    rows = []
    for spread in (1.0, 0.65):
        sources = [TrainedLike(spread=spread, seed=seed) for seed in range(3)]
        calibration = side_by_side(sources, 512, 96, seed=1000)
        test = in_float64(side_by_side(sources, 2048, 4, seed=2000))
        for is_causal, window in ((False, None), (True, WINDOW)):
            facts = {"inputs": "trained-like", "spread": spread}
            rows += tried(calibration, test, is_causal=is_causal, window=window, say=say, **facts)
    return rows


def real_heads(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """24 heads of MiniLM on text."""
    calibration, test = heads_on_text()
    test = in_float64(test)
    rows = []
    for window in (None, WINDOW):
        rows += tried(calibration, test, is_causal=False, window=window, say=say, inputs="MiniLM")
    return rows


@torch.no_grad()
def strangers(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Maps on inputs that they were not fitted to: does the guard hold?"""
    calibration, test = heads_on_text()
    calibration, test = tuple(x[:48] for x in calibration), tuple(x[:4].double() for x in test)
    q, k, v = test
    unlike = {
        "another head's": (q.roll(1, 1), k.roll(1, 1), v.roll(1, 1)),
        "isotropic": tuple(x.expand(4, 24, -1, -1) for x in isotropic(512, dim=32, seed=0)),
        "twice as long": (2 * q, 2 * k, v),
        "half as long": (q / 2, k / 2, v),
    }
    rows = []
    for name in ("positive", "sderf", "landmark"):
        phi = create_feature_map(name, 32, FEATURES).fit(*calibration)
        for (kind, inputs), is_causal in itertools.product(unlike.items(), (False, True)):
            plain, guarded = _worst_against_mean(phi, inputs, is_causal)
            row = {
                "inputs": kind,
                "map": name,
                "is_causal": is_causal,
                "worst_against_mean": guarded,
                "unguarded_worst_against_mean": plain,
            }
            rows.append(row)
            say(str(row))
    return rows


def _worst_against_mean(phi: FeatureMap, inputs: Inputs, is_causal: bool) -> list[float]:
    """Error of the worst head over that of mean(V), without and with the guard."""
    exact = softmax_attention_reference(*inputs, is_causal=is_causal)
    means = per_head_errors(mean_of_values(inputs[2], is_causal), exact)
    with quiet():
        outs = [attend(phi, inputs, is_causal=is_causal, window=None, guard=guard) for guard in (False, True)]
    return [float((per_head_errors(out, exact) / means).max()) for out in outs]
