"""One token after a state: the sums of the loops without their machinery, as few operators as it can be done with.

For decoding, where no gradient is recorded: at this size an operator costs its launch, not its arithmetic. The result
is that of the causal form to rounding.
"""

import torch
from torch import Tensor

from shoal.attention.checks import hides_infinity
from shoal.attention.features import Features
from shoal.attention.preparing import starting_sums
from shoal.attention.problem import Problem
from shoal.attention.state import AttentionState
from shoal.attention.values import SLACK
from shoal.attention.weights import ROOM, Sums, weigh_queries


def is_step(q: Tensor, is_causal: bool, key_mask: Tensor | None) -> bool:
    """Whether a call that has a state is one for `step`: one causal token, without a mask and a gradient."""
    return q.shape[2] == 1 and is_causal and key_mask is None and not torch.is_grad_enabled()


def step(problem: Problem, state: AttentionState) -> tuple[Tensor, AttentionState] | None:
    """Output (P, G, 1, M) and the state after the token; None where a denominator fails or an input is not finite."""
    sums = starting_sums(problem, state, copy=False)
    queries, keys = problem.token_features()
    v = problem.v.reshape(problem.pairs, 1, -1)  # (P, 1, M)
    v = v if v.dtype == problem.dtype else v.to(problem.dtype)
    weights = _weigh_key(keys, sums)  # (P, 1, R)
    extended = torch.cat([v, v.new_ones(problem.pairs, 1, 1)], -1)  # (P, 1, M + 1)
    after = torch.addcmul(sums.sums, weights.mT, extended)  # a product of one key: no matrix product is as fast
    total = torch.bmm(weigh_queries(queries, sums.reference)[0], after)  # (P, G, M + 1)
    den = total[..., -1:]
    out = total[..., :-1] / den
    checksum = float(out.sum())
    if not float(den.amin()) > problem.floor or checksum - checksum != 0:  # inf − inf and NaN are not 0
        return None
    if hides_infinity(problem.q, problem.k, problem.feature_map):
        return None
    longest = state.longest
    if problem.feature_map is not None and problem.feature_map.signed:
        longest = torch.maximum(longest, v.norm(dim=-1).view(longest.shape))
        if bool((out.norm(dim=-1) > SLACK * longest.view(-1, 1)).any()):
            return None
    return out[:, :, None], AttentionState(
        sums=after.view(state.sums.shape),
        log_scale=state.log_scale if sums.reference is None else sums.reference.view(state.log_scale.shape),
        value_sum=state.value_sum + v.view(state.value_sum.shape),
        longest=longest,
        count=state.count + 1,
        replaced=state.replaced,
        label=state.label,
    )


def _weigh_key(features: Features, sums: Sums) -> Tensor:
    """w_k of one key, (P, 1, R), as a segment of the causal form that starts with it weighs it."""
    exponent = features.exponent
    if sums.reference is None or exponent is None:
        return features.linear()
    above = exponent - sums.reference
    if float(above.amax()) > ROOM:
        sums.raise_to(exponent)
        above = exponent - sums.reference
    return above.exp_() if features.value is None else features.value * above.exp_()
