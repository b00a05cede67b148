"""How fast attention is: linear against torch's exact attention and performer-pytorch, in one run. For `attention.py`.

B = 1, H = 8, D = M = 64, float32, causal, 2 threads. Cases of one length take turns, so that a busy moment of the
machine hits all of them; ratios are of medians, with the quartiles of the ratios of neighbouring turns.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from shoal.attention import (
    create_feature_map,
    estimate_error,
    linear_attention,
    linear_attention_reference,
    softmax_attention_reference,
)

HEADS, DIM = 8, 64
TURNS = {1024: 25, 4096: 11, 16384: 5, 65536: 2}
LONGEST_OF_PERFORMER = 4096  # a turn takes ten seconds there
Case = Callable[[], Any]


def inputs(n: int, features: int = DIM, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """q, k of so many numbers, v of 64, (1, 8, n, ·)."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((1, HEADS, n, features), (1, HEADS, n, features), (1, HEADS, n, DIM))
    q, k, v = (torch.randn(shape, generator=g) for shape in shapes)
    return q, k, v


def ready(n: int, features: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features that are given: positive."""
    q, k, v = inputs(n, features)
    return q.abs() + 0.01, k.abs() + 0.01, v


def agreement() -> dict[str, float]:
    """The largest deviations from the references, in float32, of outputs and gradients; large ones stop the run.

    Raises:
        SystemExit: if fast and slow disagree.
    """
    found: dict[str, float] = {}
    for name, tensors in (("given features", ready(1025, 64)), ("random features", inputs(1025))):
        phi = None if name == "given features" else create_feature_map("positive", DIM, 256)
        fast = _output_and_gradients(partial(linear_attention, feature_map=phi, is_causal=True), tensors)
        slow = _output_and_gradients(
            partial(linear_attention_reference, feature_map=phi, is_causal=True), [x.double() for x in tensors]
        )
        found |= {
            f"{name}, {what}": float((a.double() - b).abs().max() / b.abs().max())
            for what, a, b in zip(("output", "by q", "by k", "by v"), fast, slow, strict=True)
        }
    exact = F.scaled_dot_product_attention(*inputs(257), is_causal=True)
    truth = softmax_attention_reference(*(x.double() for x in inputs(257)), is_causal=True)
    found["torch SDPA, output"] = float((exact - truth).abs().max() / truth.abs().max())
    if (deviation := deviation_of_performer(0.0)) is not None:
        found["performer-pytorch without its epsilon, output"] = deviation
    if max(found.values()) > 1e-4:
        raise SystemExit(f"fast and reference disagree, nothing is timed: {found}")
    return found


def deviation_of_performer(epsilon: float = 1e-6) -> float | None:
    """Of its sums from ours on its own features: its epsilon is added to denominators that can be as small as that.

    Returns:
        The largest deviation over the largest output; None where it is not installed.
    """
    if _performer() is None:
        return None
    peer, performer = import_module("performer_pytorch.performer_pytorch"), _performer()
    q, k, v = inputs(1025)
    kernel = partial(peer.softmax_kernel, projection_matrix=performer.projection_matrix, device="cpu")
    q, k = kernel(q, is_query=True), kernel(k, is_query=False)
    ours = linear_attention(q, k, v, feature_map=None, is_causal=True)
    theirs = peer.causal_linear_attention_noncuda(q, k, v, eps=epsilon)
    return float((theirs - ours).abs().max() / ours.abs().max())


def _output_and_gradients(forward: Callable[..., Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The output, and the gradients of its sum of squares by q, k and v."""
    leaves = [x.detach().requires_grad_() for x in tensors]
    out = forward(*leaves)
    return [out.detach(), *torch.autograd.grad(out.square().sum(), leaves)]


def forward_cases(n: int) -> dict[str, Case]:
    """What is timed at a length."""
    q, k, v = inputs(n)
    phi = create_feature_map("positive", DIM, 256)
    cases: dict[str, Case] = {
        "torch SDPA": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        "256 random features, end to end": lambda: linear_attention(q, k, v, feature_map=phi, is_causal=True),
        "the same, guarded": lambda: linear_attention(q, k, v, feature_map=phi, is_causal=True, guard=True),
    }
    for features in (64, 256):
        given = ready(n, features)
        cases[f"{features} given features"] = lambda given=given: linear_attention(
            *given, feature_map=None, is_causal=True
        )
    if n <= LONGEST_OF_PERFORMER and (performer := _performer()) is not None:
        cases["performer-pytorch, 256 random features"] = lambda: performer(q, k, v)
    return cases


def both_cases(n: int) -> dict[str, Case]:
    """The same with the backward pass."""

    def with_gradients(forward: Callable[..., Tensor], tensors: tuple[Tensor, ...]) -> Case:
        leaves = [x.requires_grad_() for x in tensors]
        ones = torch.ones(1, HEADS, n, DIM)
        return lambda: torch.autograd.grad(forward(*leaves), leaves, ones)

    phi = create_feature_map("positive", DIM, 256)
    linear = lambda phi: lambda q, k, v: linear_attention(q, k, v, feature_map=phi, is_causal=True)  # noqa: E731
    exact = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)  # noqa: E731
    cases = {
        "torch SDPA": with_gradients(exact, inputs(n)),
        "256 random features, end to end": with_gradients(linear(phi), inputs(n)),
    }
    for features in (64, 256):
        cases[f"{features} given features"] = with_gradients(linear(None), ready(n, features))
    if n <= LONGEST_OF_PERFORMER and (performer := _performer()) is not None:
        cases["performer-pytorch, 256 random features"] = with_gradients(performer, inputs(n))
    return cases


def _performer() -> Any:
    try:  # by name: types are checked where no peer is installed
        peer = import_module("performer_pytorch")
    except ImportError:
        return None
    return peer.FastAttention(dim_heads=DIM, nb_features=256, causal=True).eval()


def in_turns(cases: dict[str, Case], turns: int) -> list[dict[str, Any]]:
    """Milliseconds of every case, and how many times faster than the first it is."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    warm = turns > 2
    for turn in range(turns + warm):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            if turn or not warm:
                seconds[name].append(time.perf_counter() - start)
    first = next(iter(seconds.values()))
    return [
        {
            "case": name,
            "ms": spread([1e3 * s for s in own]),
            "times_faster_than_sdpa": statistics.median(first) / statistics.median(own),
            "paired_ratios": spread([a / b for a, b in zip(first, own, strict=True)]),
            "turns": len(own),
        }
        for name, own in seconds.items()
    ]


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": median, "low": low, "high": high}


def speeds(say: Callable[[str], None], lengths: tuple[int, ...] = tuple(TURNS)) -> list[dict[str, Any]]:
    """Rows of the record: forward, and forward with backward, at every length."""
    rows = []
    for n in lengths:
        for what, make in (("forward", forward_cases), ("forward and backward", both_cases)):
            cases = make(n)
            turns = 1 if n == max(TURNS) and what != "forward" else TURNS[n]
            with torch.set_grad_enabled(what != "forward"):
                found = in_turns(cases, turns)
            for row in found:
                rows.append({"n": n, "what": what, **row})
                ratio = row["times_faster_than_sdpa"]
                say(f"N={n} {what}: {row['case']}: {row['ms']['median']:.1f} ms, {ratio:.2f} times SDPA")
    return rows


def decoding(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Microseconds a token: linear state, and SDPA with a cache of keys and values."""
    rows = []
    phi = create_feature_map("positive", DIM, 256)
    sdpa = F.scaled_dot_product_attention
    for context in (1024, 16384, 65536):
        cases: dict[str, Case] = {}
        for name, chosen, tensors in (
            ("64 given features", None, ready(context, 64)),
            ("256 random features, end to end", phi, inputs(context)),
        ):
            options = {"feature_map": chosen, "is_causal": True}
            with torch.no_grad():
                _, state = linear_attention(*tensors, **options, return_state=True)
            token = tuple(x[:, :, -1:].contiguous() for x in tensors)
            cases[name] = lambda token=token, options=options, state=state: linear_attention(
                *token, **options, state=state, return_state=True
            )
        q, k, v = inputs(context)
        cases["torch SDPA, key and value cache"] = lambda q=q, k=k, v=v: sdpa(q[:, :, -1:], k, v)
        with torch.no_grad():
            for name, case in cases.items():
                repeats = 20 if "SDPA" in name and context > 10_000 else 300
                case()
                times = []
                for _ in range(repeats):
                    start = time.perf_counter()
                    case()
                    times.append(1e6 * (time.perf_counter() - start))
                rows.append({"context": context, "case": name, "us": spread(times), "turns": repeats})
                say(f"decode at {context}: {name}: {rows[-1]['us']['median']:.0f} us a token")
    return rows


def estimating(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """What `estimate_error` costs, as a share of exact attention's time at 16k."""
    n, rows = 16384, []
    q, k, v = inputs(n)
    phi = create_feature_map("positive", DIM, 256)
    for is_causal in (True, False):
        with torch.no_grad():
            found = in_turns(
                {
                    "torch SDPA": lambda c=is_causal: F.scaled_dot_product_attention(q, k, v, is_causal=c),
                    "estimate_error": lambda c=is_causal: estimate_error(q, k, v, phi, is_causal=c),
                },
                3,
            )
        share = found[1]["ms"]["median"] / found[0]["ms"]["median"]
        rows.append({"n": n, "is_causal": is_causal, "share_of_exact": share, "cases": found})
        say(f"estimate_error at {n}, causal={is_causal}: {share:.1%} of exact attention's time")
    return rows


def memories(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Megabytes beyond inputs and output at 16k, in processes of their own: what one holds varies."""
    rows = []
    cases = ["given 64", "given 256", "random 256", "sdpa 64"] + (["performer 256"] if _performer() else [])
    for case in cases:
        for what in ("forward", "both"):
            peer = case.startswith("performer")
            if peer and what == "both":
                continue  # minutes
            words = [sys.executable, "-m", "benchmarks.attention_speed", case, what]
            runs = [subprocess.run(words, capture_output=True, text=True, check=True) for _ in range(1 if peer else 5)]
            found = spread([float(run.stdout.split()[-1]) for run in runs])  # a peer prints on import
            rows.append({"n": 16384, "case": case, "what": what, "mb_beyond": found, "processes": len(runs)})
            megabytes = found["median"]
            say(f"memory at 16384: {case}, {what}: {megabytes:.1f} MB beyond inputs, output and gradients")
    return rows


def _peak_beyond(case: str, what: str) -> float:
    """Resident megabytes at the highest, beyond what inputs, output and gradients take."""
    kind, count = case.split()
    n, features = 16384, int(count)
    torch.set_num_threads(2)
    phi = create_feature_map("positive", DIM, features) if kind == "random" else None
    performer = _performer() if kind == "performer" else None

    def run(tensors: tuple[Tensor, ...]) -> list[Tensor]:
        q, k, v = (x.requires_grad_(what == "both") for x in tensors)
        if kind == "sdpa":
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif performer is not None:
            out = performer(q, k, v)
        else:
            out = linear_attention(q, k, v, feature_map=phi, is_causal=True)
        if what == "forward":
            return [out]
        return [out.detach(), *torch.autograd.grad(out, (q, k, v), torch.ones_like(out))]

    make = (lambda n: ready(n, features)) if kind == "given" else inputs
    run(make(2048))  # code, threads and small buffers are there before
    tensors = make(n)
    before = _status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123 - resets the peak
        file.write("5")
    with torch.set_grad_enabled(what == "both"):
        results = run(tensors)
    by_output = results[0].nbytes if what == "both" else 0  # the gradient of the output
    kept = sum(x.nbytes for x in results) + by_output
    return (_status("VmHWM") - before) / 1024 - kept / 2**20


def _status(field: str) -> float:
    """Kilobytes."""
    lines = (line.split() for line in open(f"/proc/{os.getpid()}/status"))  # noqa: PTH123, SIM115
    return next(float(words[1]) for words in lines if words[0] == field + ":")


if __name__ == "__main__":
    print(_peak_beyond(sys.argv[1], sys.argv[2]))
