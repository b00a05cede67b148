"""How fast attention is on a GPU, against torch's own. For `attention.py`.

B = 1, H = 8, D = M = 64, causal, in float32 (no TF32) and with inputs in bfloat16, where torch uses its fused kernels
and ours brings every block to float32. Cases of one length take turns, as on the CPU.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.attention_speed import DIM, Case, in_turns, inputs, ready
from shoal.attention import create_feature_map, linear_attention, linear_attention_reference

TURNS = {4096: 21, 16384: 11, 65536: 5}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def agreement() -> dict[str, float]:
    """The largest deviation of outputs on the GPU from the float64 reference on the CPU, over the largest output.

    Raises:
        SystemExit: if they disagree.
    """
    found = {}
    for case, (attend, tensors) in _cases(1025).items():
        if case == "torch SDPA":
            continue
        phi = None if "given features" in case else create_feature_map("positive", DIM, 256)
        if "guarded" in case:  # the reference has no guard: the CPU's fast form, which the tests hold against it
            truth = linear_attention(*tensors, feature_map=phi, is_causal=True, guard=True).double()
        else:
            truth = linear_attention_reference(*(x.double() for x in tensors), feature_map=phi, is_causal=True)
        out = attend(*(x.cuda() for x in tensors)).cpu().double()
        found[case] = float((out - truth).abs().max() / truth.abs().max())
    if max(found.values()) > 1e-4:
        raise SystemExit(f"GPU and reference disagree, nothing is timed: {found}")
    return found


def speeds(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Rows of the record: milliseconds, ratios, and megabytes beyond inputs, output and gradients."""
    rows = []
    for n, turns in TURNS.items():
        for dtype in DTYPES:
            for what in ("forward", "forward and backward"):
                cases = {
                    name: _timed(attend, [x.to("cuda", DTYPES[dtype]) for x in tensors], what != "forward")
                    for name, (attend, tensors) in _cases(n).items()
                }
                for row in in_turns(cases, turns):
                    beyond = _megabytes_beyond(cases[row["case"]])
                    rows.append({"n": n, "dtype": dtype, "what": what, **row, "mb_beyond": beyond})
                    ratio, ms = row["times_faster_than_sdpa"], row["ms"]["median"]
                    say(f"N={n} {dtype} {what}: {row['case']}: {ms:.2f} ms, {ratio:.2f} times SDPA, {beyond:.0f} MB")
    return rows


def _cases(n: int) -> dict[str, tuple[Attend, tuple[Tensor, Tensor, Tensor]]]:
    """What is compared, with inputs on the CPU."""
    phi = create_feature_map("positive", DIM, 256).cuda()
    linear = partial(linear_attention, is_causal=True)
    return {
        "torch SDPA": (partial(F.scaled_dot_product_attention, is_causal=True), inputs(n)),
        "64 given features": (partial(linear, feature_map=None), ready(n, 64)),
        "256 given features": (partial(linear, feature_map=None), ready(n, 256)),
        "256 random features, end to end": (partial(linear, feature_map=phi), inputs(n)),
        "the same, guarded": (partial(linear, feature_map=phi, guard=True), inputs(n)),
    }


def _timed(attend: Attend, tensors: list[Tensor], backward: bool) -> Case:
    """A call that ends when the GPU has ended; its results."""
    leaves = [x.requires_grad_(backward) for x in tensors]

    def run() -> list[Tensor]:
        out = attend(*leaves)
        ones = torch.ones_like(out)
        found = [out, ones, *torch.autograd.grad(out, leaves, ones)] if backward else [out]
        torch.cuda.synchronize()
        return found

    return run


def _megabytes_beyond(case: Case) -> float:
    """At the highest, what a call holds beyond what it takes and returns."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    results = case()
    return (torch.cuda.max_memory_allocated() - before - sum(x.nbytes for x in results)) / 2**20
