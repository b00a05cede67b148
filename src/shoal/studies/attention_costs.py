"""What exact and linear attention cost in time and memory, against the length and the number of features.

Everything is timed on one thread, in turns: a busy machine then disturbs all lengths alike. Exact attention is torch's
`scaled_dot_product_attention`, which never holds the attention matrix; the formula written out does.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from shoal.attention import create_feature_map, linear_attention, softmax_attention_reference
from shoal.engine import stream
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.measured_rows import Row
from shoal.studies.memory import PeakMemory

HEADS, DECODING_HEADS = 2, 8
FEATURES = 64  # of the linear form
SHORTEST = 512
STEPS = 10  # decoding steps of a timing
_LONGEST_MATRIX = 4096  # the formula written out takes O(n²) memory


def lengths(most: int) -> list[int]:
    """Powers of two from 512 to the most."""
    return [SHORTEST * 2**i for i in range((most // SHORTEST).bit_length())]


def by_length(config: AttentionConfig) -> Row:
    """Seconds and peak bytes of causal attention, length by length.

    Returns:
        exact, linear: [repeats][lengths], seconds; exact_bytes, linear_bytes, formula_bytes: [lengths], None where the
        formula would take too much.
    """
    runs: list[Callable[[], object]] = []
    sizes: dict[str, list[int | None]] = {"exact": [], "linear": [], "formula": []}
    phi = create_feature_map("positive", config.dim, FEATURES, seed=config.seed)
    for length in lengths(config.longest):
        q, k, v = _rows(config, 3, HEADS, length)
        exact = lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v, is_causal=True)  # noqa: E731
        linear = lambda q=q, k=k, v=v: linear_attention(q, k, v, feature_map=phi, is_causal=True)  # noqa: E731
        formula = lambda q=q, k=k, v=v: softmax_attention_reference(q, k, v, is_causal=True)  # noqa: E731
        runs += [exact, linear]
        for name, run in (("exact", exact), ("linear", linear), ("formula", formula)):
            fits = name != "formula" or length <= _LONGEST_MATRIX
            sizes[name].append(_peak(run, q, k, v) if fits else None)
    return {
        "lengths": lengths(config.longest),
        **_exact_and_linear(_in_turns(runs, config.repeats)),
        **{f"{name}_bytes": values for name, values in sizes.items()},
    }


def by_features(config: AttentionConfig) -> Row:
    """Seconds of causal linear attention at one length, by number of features; and exact attention's."""
    length = min(2048, config.longest)
    q, k, v = _rows(config, 3, HEADS, length)
    counts = [16, 32, 64, 128, 256, 512]
    runs: list[Callable[[], object]] = [lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)]
    for count in counts:
        phi = create_feature_map("positive", config.dim, count, seed=config.seed)
        runs.append(lambda phi=phi: linear_attention(q, k, v, feature_map=phi, is_causal=True))
    times = _in_turns(runs, config.repeats)
    return {
        "length": length,
        "counts": counts,
        "exact": [row[:1] for row in times],
        "linear": [row[1:] for row in times],
    }


def decoding(config: AttentionConfig) -> Row:
    """Seconds of one more token after contexts of several lengths, and what has to be kept for it.

    Returns:
        exact, linear: [repeats][contexts], seconds of a step; exact_bytes: [contexts], keys and values; linear_bytes:
        [contexts], of the state.
    """
    phi = create_feature_map("positive", config.dim, FEATURES, seed=config.seed)
    q1, k1, v1 = _rows(config, 3, DECODING_HEADS, 1)
    contexts = lengths(4 * config.longest)[1::2]
    runs: list[Callable[[], object]] = []
    caches, states = [], []
    for context in contexts:
        k, v = _rows(config, 2, DECODING_HEADS, context)
        _, state = linear_attention(k, k, v, feature_map=phi, is_causal=True, return_state=True)
        runs.append(lambda k=k, v=v: F.scaled_dot_product_attention(q1, k, v))
        runs.append(
            lambda state=state: linear_attention(
                q1, k1, v1, feature_map=phi, is_causal=True, state=state, return_state=True
            )
        )
        caches.append(k.nbytes + v.nbytes)
        states.append(state.nbytes)
    return {
        "contexts": contexts,
        **_exact_and_linear(_in_turns(runs, 2 * config.repeats, calls=STEPS)),
        "exact_bytes": caches,
        "linear_bytes": states,
    }


def _rows(config: AttentionConfig, tensors: int, heads: int, length: int) -> tuple[torch.Tensor, ...]:
    generator = stream(config.seed, "costs", tensors, heads, length)
    return torch.randn(tensors, 1, heads, length, config.dim, generator=generator).unbind()


def _exact_and_linear(times: list[list[float]]) -> dict[str, list[list[float]]]:
    """Seconds of runs that were exact and linear in turns, [repeats][places] of each."""
    return {"exact": [row[::2] for row in times], "linear": [row[1::2] for row in times]}


def _peak(run: Callable[[], object], *given: torch.Tensor) -> int:
    with PeakMemory(*given) as memory:
        run()
    return memory.peak


def _in_turns(runs: Sequence[Callable[[], object]], repeats: int, calls: int = 1) -> list[list[float]]:
    """Seconds of each run, [repeats][runs], after one untimed round; the median call where a timing has several."""
    found: list[list[float]] = []
    with torch.no_grad():
        for _ in range(repeats + 1):
            row = []
            for run in runs:
                marks = [time.perf_counter()]
                for _ in range(calls):
                    run()
                    marks.append(time.perf_counter())
                row.append(statistics.median(b - a for a, b in itertools.pairwise(marks)))
            found.append(row)
    return found[1:]
