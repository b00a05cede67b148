"""One token after a state: the sums of the loops without their machinery, a few dozen operators at any context.

For decoding, where no gradient is recorded. The result is that of the causal form to rounding.
"""

from dataclasses import replace

import torch
from torch import Tensor

from shoal.attention.preparing import starting_sums
from shoal.attention.problem import Problem
from shoal.attention.state import AttentionState
from shoal.attention.values import SLACK
from shoal.attention.weights import ROOM, Sums, exponent_of_keys, first_exponent, weigh_keys, weigh_queries


def is_step(q: Tensor, is_causal: bool, key_mask: Tensor | None) -> bool:
    """Whether a call that has a state is one for `step`: one causal token, without a mask and a gradient."""
    return q.shape[2] == 1 and is_causal and key_mask is None and not torch.is_grad_enabled()


def step(problem: Problem, state: AttentionState) -> tuple[Tensor, AttentionState] | None:
    """Output (P, G, 1, M) and the state after the token; None where a denominator fails or an input is not finite."""
    sums = starting_sums(problem, state, copy=False)
    keys = problem.key_features(problem.key_rows(0, 1))
    first = first_exponent(keys, None)
    if first is not None:
        assert sums.reference is not None
        if float((first - sums.reference).amax()) > ROOM:
            sums.raise_to(first)
    weights = weigh_keys(keys, exponent_of_keys(keys, sums.reference, None), None)  # (P, 1, R)
    v = problem.v[:, :, 0].flatten(0, 1).to(problem.dtype)  # (P, M)
    extended = torch.nn.functional.pad(v, (0, 1), value=1.0)[:, None]  # (P, 1, M + 1)
    after = torch.baddbmm(sums.sums, weights.mT, extended)
    queries = problem.query_features(problem.query_rows(0, 1))
    row_weights, _ = weigh_queries(queries, sums.reference)  # (P, G, R)
    total = torch.bmm(row_weights, after)
    out, den = total[..., :-1] / total[..., -1:], total[..., -1]
    smallest, checksum = float(den.amin()), float(out.sum())
    if not smallest > problem.floor or checksum - checksum != 0:  # inf − inf and NaN are not 0
        return None
    if problem.feature_map is not None and problem.feature_map.signed:
        longest = torch.maximum(state.longest.flatten(), v.norm(dim=-1))  # (P,)
        if bool((out.norm(dim=-1) > SLACK * longest[:, None]).any()):
            return None
        state = replace(state, longest=longest.view(state.longest.shape))
    return out[:, :, None], _state_after(state, Sums(after, sums.reference), v)


def _state_after(state: AttentionState, sums: Sums, v: Tensor) -> AttentionState:
    pairs = state.sums.shape[:2]
    scale = state.log_scale if sums.reference is None else sums.reference.view(*pairs, -1)
    return replace(
        state,
        sums=sums.sums.view(state.sums.shape),
        log_scale=scale,
        value_sum=state.value_sum + v.view(state.value_sum.shape),
        count=state.count + 1,
    )
