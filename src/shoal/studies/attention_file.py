"""How far linear attention is from exact attention on queries, keys and values of your own, read from a file.

    judge("heads.safetensors", ErrorConfig(target_error=0.1, causal=True)).lines()

The file holds q, k and v: [batch, heads, seq, dim], [heads, seq, dim] or [seq, dim].
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from shoal.attention import Candidate, choose_feature_map, create_feature_map, estimate_error
from shoal.errors import ShoalError, wrong
from shoal.studies.attention_config import ErrorConfig, check_features

NAMES = ("q", "k", "v")
LEAST = 64  # positions: half of them to fit maps to, half to judge by


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was found for one file.

    Attributes:
        file: that was read.
        shape: of q, [batch, heads, seq, dim].
        causal, window: as asked.
        target_error: that was asked for.
        mean_value_error: error of returning the mean of the values that each row sees.
        exact_needed: whether no map that costs less than exact attention reaches the target.
        map: the cheapest that does; empty where none does.
        features: of it; 0 where none does.
        tried: all candidates, the cheapest first.
    """

    file: str
    shape: tuple[int, ...]
    causal: bool
    window: int
    target_error: float
    mean_value_error: float
    exact_needed: bool
    map: str
    features: int
    tried: tuple[Candidate, ...]

    def lines(self) -> list[str]:
        """A table of what was tried, and the answer."""
        batch, heads, seq, dim = self.shape
        kind = ("causal" if self.causal else "not causal") + (f", window {self.window}" if self.window else "")
        head = f"{self.file}: {batch} × {heads} heads, {seq:,} tokens of {dim} numbers, {kind}"
        columns = f"{'map':<10} {'features':>8}  {'of exact cost':>13}  {'error':>7}  95 % interval"
        rows = [f"{'mean(V)':<10} {'':>8}  {'':>13}  {self.mean_value_error:>7.3g}", *map(_row, self.tried)]
        target = f"{self.target_error:g}"
        if self.exact_needed:
            answer = f"exact attention is needed: no cheaper map is sure to reach {target}"
        else:
            answer = f"{self.map} with {self.features} features reaches {target}, and is the cheapest that does"
        return [head, "", columns, *rows, "", answer]


def judge(path: str | Path, config: ErrorConfig, told: Callable[[str], None] = lambda _: None) -> Judgement:
    """Look for the cheapest map that reaches the target error on a file's tensors.

    Maps are fitted to the first half of the positions and judged by the second.

    Args:
        path: a safetensors file with q, k and v.
        config: what is asked.
        told: called with a sentence before every candidate.

    Raises:
        InputError: if a setting is out of range, or tensors are missing, of wrong shapes or not finite.
        ShoalError: if the file is no safetensors file.
    """
    counts = tuple(sorted(set(config.features)))
    check_features(counts)
    if config.window < 0:
        raise wrong("window", expected="a whole number >= 1, or 0 for none", got=config.window)
    if not config.target_error > 0:
        raise wrong("target_error", expected="a number > 0, 0.1 for 10 %", got=config.target_error)
    if not 0 <= config.scale < math.inf:
        raise wrong("scale", expected="a number > 0, or 0 for 1/√dim", got=config.scale)
    if not 0 < config.confidence < 1:
        raise wrong("confidence", expected="a number between 0 and 1, 0.95 for 95 %", got=config.confidence)
    scale = config.scale or None
    q, k, v = read_tokens(path)
    shared = q.shape[1] != k.shape[1]
    found = choose_feature_map(
        q,
        k,
        v,
        target_error=config.target_error,
        is_causal=config.causal,
        window=config.window or None,
        names=config.maps or None,
        counts=counts,
        confidence=config.confidence,
        scale=scale,
        enable_gqa=shared,
        seed=config.seed,
        told=told,
    )
    simple = create_feature_map("elu", q.shape[-1])  # any map: the baseline does not depend on it
    judged = torch.arange(q.shape[2] // 2, q.shape[2])
    options = {"is_causal": config.causal, "scale": scale, "enable_gqa": shared}
    baseline = estimate_error(q, k, v, simple, candidates=judged, **options).baseline
    chosen = found.chosen
    return Judgement(
        file=str(path),
        shape=tuple(q.shape),
        causal=config.causal,
        window=config.window,
        target_error=config.target_error,
        mean_value_error=baseline,
        exact_needed=found.exact_needed,
        map=chosen.name if chosen else "",
        features=chosen.num_features if chosen else 0,
        tried=found.tried,
    )


def read_tokens(path: str | Path) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of a file, each [batch, heads, seq, dim], float32 or float64.

    Args:
        path: a safetensors file with q, k and v.

    Raises:
        InputError: if the file or a tensor is missing, of a wrong shape or kind, or not finite.
        ShoalError: if the file is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise wrong(str(path), expected="a safetensors file with q, k and v", got="no such file")
    try:
        with safe_open(path, framework="pt") as file:
            names = sorted(file.keys())
            if missing := [name for name in NAMES if name not in names]:
                got = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
                raise wrong(
                    str(path), expected="tensors q, k and v", got=got or "none", fix=f"missing: {', '.join(missing)}"
                )
            q, k, v = (_checked(f"{path}: {name}", file.get_tensor(name)) for name in NAMES)
    except (SafetensorError, OSError) as error:
        raise ShoalError(f"{path}: expected a safetensors file, got: {error}") from None
    if q.ndim != k.ndim or q.ndim != v.ndim:
        raise wrong(str(path), expected="q, k and v of one form", got=f"{q.ndim}, {k.ndim} and {v.ndim} dimensions")
    if q.shape[-2] != k.shape[-2] or q.shape[-2] < LEAST:
        got = f"{q.shape[-2]} and {k.shape[-2]}"
        raise wrong(f"{path}: q and k", expected=f"as many queries as keys, at least {LEAST}", got=got)
    if q.shape[-1] != k.shape[-1] or k.shape[:-1] != v.shape[:-1]:
        got = f"{list(q.shape)}, {list(k.shape)} and {list(v.shape)}"
        raise wrong(f"{path}: q, k and v", expected="one dim of q and k, and values for the same keys", got=got)
    full = lambda x: x.reshape(*([1] * (4 - x.ndim)), *x.shape)  # noqa: E731
    return full(q), full(k), full(v)


def _checked(what: str, tensor: Tensor) -> Tensor:
    if not 2 <= tensor.ndim <= 4 or not tensor.numel():
        expected = "[batch, heads, seq, dim], [heads, seq, dim] or [seq, dim]"
        raise wrong(what, expected=expected, got=list(tensor.shape))
    if not tensor.is_floating_point():
        raise wrong(what, expected="floating-point numbers", got=str(tensor.dtype).removeprefix("torch."))
    if bad := int((~torch.isfinite(tensor)).sum()):
        raise wrong(what, expected="finite numbers", got=f"{bad} that are NaN or infinite")
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _row(candidate: Candidate) -> str:
    name = f"{candidate.name:<10} {candidate.num_features:>8}  {candidate.share:>13.1%}"
    if candidate.error is None:
        return f"{name}  {candidate.note}"
    error = candidate.error
    return f"{name}  {error.value:>7.3g}  [{error.low:.3g}, {error.high:.3g}]{'  reaches the target' * candidate.meets}"
