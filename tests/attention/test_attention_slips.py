"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

from functools import cache

import pytest

from tests.slips import check, messages

SETUP = """
import torch, warnings
from shoal.attention import *
q, k, v = torch.randn(3, 2, 2, 9, 4).unbind()
phi = create_feature_map("positive", 4, 8)
state = linear_attention(q, k, v, feature_map=phi, is_causal=True, return_state=True)[1]
inf, one = float("inf"), torch.tensor([2])
elu, relu, trig = (create_feature_map(name, 4, 2) for name in ("elu", "relu", "trig"))
streamed = linear_attention(q, k, v, feature_map=elu, is_causal=True, return_state=True)[1]

def located(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    raise RuntimeError(f"{len(caught)} in {sorted({warning.filename for warning in caught})}")

vanishing = LinearAttention(4, 1, feature_map="relu")
vanishing.in_proj_weight.data[:4] = 0  # queries of 0
block = torch.nn.TransformerEncoderLayer(4, 1, 8)
block.self_attn = vanishing
"""

SLIPS = {
    # shapes
    "linear_attention(q[0], k, v, feature_map=phi)": "q: expected a tensor [batch, heads, seq, dim], got [2, 9, 4]",
    "linear_attention(q, k, [1.0], feature_map=phi)": "v: expected a tensor [batch, heads, seq, dim], got list",
    "linear_attention(q, k[..., :3], v, feature_map=phi)": "shapes: expected q [batch, heads, n, dim], k",
    "linear_attention(q, k, v[:, :, :5], feature_map=phi)": "got [2, 2, 9, 4], [2, 2, 9, 4] and [2, 2, 5, 4]",
    "linear_attention(q[:1], k, v, feature_map=phi)": "shapes: expected",
    "linear_attention(q, k[:, :1], v, feature_map=phi)": "shapes: expected",
    "linear_attention(q[..., :0], k[..., :0], v, feature_map=phi)": "q, k and v: expected at least one head and one",
    "linear_attention(q[:, :, :5], k, v, feature_map=phi, is_causal=True)": "is_causal=True: expected as many queries as keys, got 5 and 9",  # noqa: E501
    "linear_attention(q, k[:, :1], v[:, :1], feature_map=phi)": "heads of q: expected 1, as k and v have, got 2; pass enable_gqa=True",  # noqa: E501
    "linear_attention(q[:, [0, 1, 0]], k, v, feature_map=phi, enable_gqa=True)": "heads of q: expected a multiple of the key heads, got 3",  # noqa: E501
    "linear_attention(q[..., :3], k[..., :3], v, feature_map=phi)": "feature map 'positive': expected rows of 4 numbers, got 3",  # noqa: E501
    # dtypes
    "linear_attention(q, k.double(), v, feature_map=phi)": "dtype of q, k and v: expected float32, float64, bfloat16 or float16, the same for all, got torch.float32, torch.float64",  # noqa: E501
    "linear_attention(q.long(), k.long(), v.long(), feature_map=phi)": "got torch.int64, torch.int64 and torch.int64",
    "linear_attention(q.cfloat(), k.cfloat(), v.cfloat(), feature_map=phi)": "dtype of q, k and v",
    # masks and settings
    "linear_attention(q, k, v, feature_map=phi, key_mask=torch.ones(2, 9))": "key_mask: expected a bool tensor [batch, len] = [2, 9]",  # noqa: E501
    "linear_attention(q, k, v, feature_map=phi, key_mask=torch.ones(2, 8).bool())": "got torch.bool [2, 8]",
    "linear_attention(q, k, v, feature_map=phi, key_mask=[True] * 9)": "key_mask: expected a bool tensor",
    "linear_attention(q, k, v, feature_map=phi, scale=0)": "scale: expected a number > 0, got 0",
    "linear_attention(q, k, v, feature_map=phi, scale=float('nan'))": "scale: expected a number > 0, got nan",
    "linear_attention(q, k, v, feature_map=phi, scale=float('inf'))": "scale: expected a number > 0, got inf",
    "linear_attention(q, k, v, feature_map='positive')": "feature_map: expected a feature map, or None for ready features, got 'positive'; create_feature_map(name, dim) makes one",  # noqa: E501
    "linear_attention(q, k, v, feature_map=torch.nn.ReLU())": "got ReLU",
    "linear_attention(q, k, v, feature_map=phi, state=state.state_dict())": "state: expected",
    # devices: 'meta' stands for any other
    "linear_attention(q, k.to('meta'), v, feature_map=phi)": "q, k and v: expected one device, got cpu, meta and cpu",
    "linear_attention(q, k, v, feature_map=create_feature_map('elu', 4).to('meta'))": "feature_map: expected on cpu, as q, got meta; feature_map.to('cpu')",  # noqa: E501
    "linear_attention(q, k, v, feature_map=phi, key_mask=torch.ones(2, 9).bool().to('meta'))": "[2, 9] on meta",
    # numbers
    "linear_attention(q / 0, k, v, feature_map=phi)": "q: expected finite numbers, got 144 NaN or infinite, the first at [0, 0, 0, 0]",  # noqa: E501
    "linear_attention(q, k.index_fill(3, one, -inf), v, feature_map=elu)": "k: expected finite numbers, got 36 NaN or",
    "linear_attention(q.index_fill(3, one, -inf), k, v, feature_map=elu)": "q: expected finite numbers, got 36 NaN or",
    "linear_attention(q, k.index_fill(3, one, -inf), v, feature_map=relu)": "k: expected finite numbers",
    "linear_attention(q, k.index_fill(3, one, inf), v, feature_map=phi)": "k: expected finite numbers",
    "linear_attention(q, k.index_fill(3, one, -inf), v, feature_map=None)": "k: expected finite numbers",
    "linear_attention(q, k, v.index_fill(3, one, inf), feature_map=relu)": "v: expected finite numbers",
    "torch.no_grad()(linear_attention)(q[:, :, :1] - inf, k[:, :, :1], v[:, :, :1], feature_map=elu, is_causal=True, state=streamed)": "q: expected finite numbers",  # noqa: E501
    # nothing to compute, and yet wrong
    "linear_attention(q[:, :, :0], k, v, feature_map=create_feature_map('oprf', 4))": "feature map 'oprf': expected a fitted map, got a new one; call .fit(q, k) first",  # noqa: E501
    "linear_attention(q[:0, ..., :3], k[:0, ..., :3], v[:0], feature_map=phi)": "feature map 'positive': expected rows of 4 numbers, got 3",  # noqa: E501
    "windowed_linear_attention(q, k, v, feature_map=create_feature_map('oprf', 4), window=99)": "expected a fitted map",
    # the other functions
    "windowed_linear_attention(q[:, :, :5], k, v, feature_map=phi)": "windowed attention: expected as many queries as keys, got 5 and 9",  # noqa: E501
    "windowed_linear_attention(q, k, v, feature_map=phi, window=2.5)": "window: expected a whole number >= 1, got 2.5",
    "windowed_linear_attention(q, k, v, feature_map=None)": "feature_map: expected a map that estimates exp(scale · q·k), got ready features",  # noqa: E501
    "windowed_linear_attention(q, k, v, feature_map='trig')": "feature_map: expected a feature map, or None for ready features, got 'trig'",  # noqa: E501
    "estimate_error(q, k, v, 'positive')": "feature_map: expected a feature map",
    "estimate_error(q[0], k, v, phi)": "q: expected a tensor [batch, heads, seq, dim]",
    "estimate_error(q[:, :, :0], k, v, phi)": "q and k: expected at least one query and one key, got [2, 2, 0, 4] and",
    "estimate_error(q, k[:, :, :0], v[:, :, :0], phi)": "q and k: expected at least one query and one key",
    "estimate_error(q, k, v, phi, rows=8.5)": "rows: expected a whole number >= 8, got 8.5",
    "estimate_error(q, k, v, phi, candidates=[])": "candidates: expected ascending positions, 0 to 8, at least one",
    "estimate_error(q, k, v, phi, candidates=[3, 9])": "candidates: expected ascending positions, 0 to 8, at least one, got [3, 9]",  # noqa: E501
    "estimate_error(q, k, v, phi, candidates=torch.tensor([-1, 3]))": "candidates: expected",
    "estimate_error(q, k, v, phi, candidates=torch.tensor([3, 3]))": "candidates: expected",
    "choose_feature_map(*(x.repeat(1, 1, 9, 1) for x in (q / 0, k, v)), target_error=0.1)": "q: expected finite",
    "choose_feature_map(q, k, v, target_error=0.1)": "q and k: expected as many queries as keys, at least 64, got 9",
    "choose_feature_map(q[0], k, v, target_error=0.1)": "q: expected a tensor",
    "create_feature_map('positive', 4.0)": "dim: expected a whole number >= 1, got 4.0",
    "create_feature_map('positive', 4, '8')": "num_features: expected a whole number >= 1, got 8",
    "create_feature_map(None, 4)": "name: expected the name of a feature map, got None",
    "register_feature_map(torch.nn.Linear)": "register_feature_map: expected a subclass of FeatureMap with a name",
    "register_feature_map(phi)": "register_feature_map: expected a subclass of FeatureMap with a name",
    "phi.fit(q[0], k)": "q: expected [batch, heads, n, 4] with n >= 1, got [2, 9, 4]",
    "phi.fit(q, k, scale=-1)": "scale: expected a number > 0, got -1",
    "phi.fit(q.long(), k.long())": "floats, on one device with the others, got torch.int64 on cpu",
    "phi.fit(q, k.to('meta'))": "on one device with the others, got torch.float32 on meta",
    "phi.fit(q.tolist(), k)": "q: expected a tensor of floats",
    "phi.fit(q, k, steps=3)": "fit of feature map 'positive': expected no more options, got steps",
    "create_feature_map('learned', 4, 8).fit(q, k, stops=3)": "fit of feature map 'learned': expected only window, is_causal, steps, got stops",  # noqa: E501
    "create_feature_map('positive', 4, seed=1.5)": "seed: expected a whole number, got 1.5",
    "state.select([0.5])": "rows: expected whole numbers, got torch.float32",
    "state.select([True, False])": "rows: expected whole numbers, got torch.bool",
    "state.merge(3)": "merge: expected an AttentionState, got int",
    "AttentionState.from_state_dict({**state.state_dict(), 'value_sum': v})": "state_dict['value_sum']: expected [2, 2, 4], got [2, 2, 9, 4]",  # noqa: E501
    "state.select(torch.tensor([[0, 1]]))": "rows: expected a list of rows of a batch of 2, got [[0, 1]]",
    "state.select(1)": "rows: expected a list of rows of a batch of 2, got 1",
    "state.select(torch.tensor([True, False]))": "rows: expected whole numbers, got torch.bool",
    "LinearAttention(12, 3)(q[0], q[0], q[0])": "query: expected [batch, seq, 12]",
    "LinearAttention(4, 1)(q[0], q[0], q[0], key_padding_mask=torch.ones(2, 9).bool())": "key_mask: expected a bool",
    "LinearAttention(4, 1)(q[0], q[0], q[0], key_padding_mask=torch.ones(9, 2))": "key_padding_mask: expected a bool tensor, True for padding, or one of 0 and -inf, got other numbers; that needs exact attention",  # noqa: E501
    "LinearAttention(4, 1)(q[0], q[0], q[0], key_padding_mask=torch.ones(9, 2).long())": "got torch.int64; mask.bool() makes one of 0 and 1",  # noqa: E501
    "LinearAttention(4, 1)(q[0].tolist(), q[0], q[0])": "query: expected a tensor, got list",
    "LinearAttention(4, 1)(*[torch.nested.nested_tensor([q[0, 0], q[0, 1, :5]])] * 3)": "query: expected a padded tensor, got a nested one; build the nn.TransformerEncoder with enable_nested_tensor=False",  # noqa: E501
    "LinearAttention(4, 1, window=0)": "window: expected a whole number >= 1, got 0",
    "LinearAttention(4, 1, feature_map='elu', window=8)": "feature_map: expected a map that estimates exp(scale · q·k), got 'elu'",  # noqa: E501
    "LinearAttention(4, 1, guard=True).stream(q[0])": "stream: expected a layer without window and guard, got window=None, guard=True",  # noqa: E501
    "LinearAttention.from_multihead(torch.nn.MultiheadAttention(4, 1, vdim=2))": "multihead: expected queries, keys and values of one dimension",  # noqa: E501
    "LinearAttention(12, 3, feature_map=None)": "feature_map: expected",
    "LinearAttention(12.0, 3)": "embed_dim: expected",
}


WARNINGS = [
    "located(lambda: linear_attention(0 * q, k, v, feature_map=relu))",
    "located(lambda: windowed_linear_attention(40 * q, k, v, feature_map=trig, window=1, is_causal=True))",
    "located(lambda: vanishing(q[0], q[0], q[0]))",
    "located(lambda: block(q[0]))",
]


@cache
def found() -> dict[str, str]:
    return messages(SETUP, [*SLIPS, *WARNINGS])


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    check(found()[slip], SLIPS[slip])


@pytest.mark.parametrize("call", WARNINGS)
def test_a_warning_points_at_the_line_of_the_user(call: str) -> None:
    """Whatever decorators and modules of torch lie between; a program given with -c is the file <string>."""
    assert found()[call] == "RuntimeError: 1 in ['<string>']"
