"""From a user's call to the loops' layout, and from a state to running sums."""

import torch
from torch import Tensor

from shoal.attention.maps.base import FeatureMap
from shoal.attention.problem import Problem
from shoal.attention.state import AttentionState
from shoal.attention.weights import Sums, empty_sums
from shoal.errors import wrong


def as_problem(
    q: Tensor, k: Tensor, v: Tensor, feature_map: FeatureMap | None, key_mask: Tensor | None, scale: float | None
) -> Problem:
    """The layout of the loops; inputs are checked already."""
    return Problem(
        q=q.unflatten(1, (k.shape[1], -1)),
        k=k,
        v=v,
        mask=key_mask,
        feature_map=feature_map,
        scale=q.shape[3] ** -0.5 if scale is None else scale,
        dtype=torch.float64 if q.dtype == torch.float64 else torch.float32,
    )


def starting_sums(problem: Problem, state: AttentionState | None, *, copy: bool = True) -> Sums:
    """The state's sums, or empty ones; without a copy they must not be changed in place."""
    batch, heads, _, m = problem.v.shape
    label, features, scales = label_of(problem)
    if state is None:
        like = problem.v.new_empty(0, dtype=problem.dtype)
        return empty_sums(problem.pairs, features, scales, m, like)
    if not isinstance(state, AttentionState):
        fix = "AttentionState.from_state_dict(...) makes one of a saved one"
        raise wrong("state", expected="an AttentionState", got=type(state).__name__, fix=fix)
    state.check(label, (batch, heads, features, m + 1))
    if state.sums.dtype != problem.dtype or state.sums.device != problem.q.device:
        expected = f"{problem.dtype} on {problem.q.device}, as the inputs need"
        raise wrong("state", expected=expected, got=f"{state.sums.dtype} on {state.sums.device}", fix="state.to(...)")
    reference = state.log_scale.flatten(0, 1)[:, None] if scales else None
    sums = state.sums.detach().flatten(0, 1)
    return Sums(sums.clone() if copy else sums, reference)


def label_of(problem: Problem) -> tuple[str, int, int]:
    """Label of the map, its number of features, and how many scales it has."""
    if problem.feature_map is None:
        features = problem.k.shape[3]
        return f"ready/{features}", features, 0
    found = problem.feature_map
    return f"{found.label}/scale {problem.scale:.9g}", found.num_features, found.num_scales
