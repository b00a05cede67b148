"""Slips that the shape checker of the other tests would catch first: what a user without it is told.

One process for all of them: starting one takes seconds.
"""

import json
import subprocess
import sys
from functools import cache

import pytest

SETUP = """
import json, sys, torch
from shoal.attention import *
q, k, v = torch.randn(3, 2, 2, 9, 4).unbind()
phi = create_feature_map("positive", 4, 8)
state = linear_attention(q, k, v, feature_map=phi, is_causal=True, return_state=True)[1]
found = {}
for slip in json.loads(sys.stdin.read()):
    try:
        eval(slip)
        found[slip] = "no error"
    except Exception as error:
        found[slip] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
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
    # the other functions
    "windowed_linear_attention(q[:, :, :5], k, v, feature_map=phi)": "windowed attention: expected as many queries as keys, got 5 and 9",  # noqa: E501
    "windowed_linear_attention(q, k, v, feature_map=phi, window=2.5)": "window: expected a whole number >= 1, got 2.5",
    "windowed_linear_attention(q, k, v, feature_map=None)": "feature_map: expected a map that estimates exp(scale · q·k), got ready features",  # noqa: E501
    "windowed_linear_attention(q, k, v, feature_map='trig')": "feature_map: expected a feature map, or None for ready features, got 'trig'",  # noqa: E501
    "estimate_error(q, k, v, 'positive')": "feature_map: expected a feature map",
    "estimate_error(q[0], k, v, phi)": "q: expected a tensor [batch, heads, seq, dim]",
    "choose_feature_map(q, k, v, target_error=0.1)": "q and k: expected as many queries as keys, at least 64, got 9",
    "choose_feature_map(q[0], k, v, target_error=0.1)": "q: expected a tensor",
    "create_feature_map('positive', 4.0)": "dim: expected a whole number >= 1, got 4.0",
    "create_feature_map('positive', 4, '8')": "num_features: expected a whole number >= 1, got 8",
    "create_feature_map(None, 4)": "name: expected the name of a feature map, got None",
    "register_feature_map(torch.nn.Linear)": "register_feature_map: expected a subclass of FeatureMap with a name",
    "register_feature_map(phi)": "register_feature_map: expected a subclass of FeatureMap with a name",
    "phi.fit(q[0], k)": "q: expected [batch, heads, n, 4] with n >= 1, got [2, 9, 4]",
    "state.select(torch.tensor([[0, 1]]))": "rows: expected a list of rows of a batch of 2, got [[0, 1]]",
    "state.select(1)": "rows: expected a list of rows of a batch of 2, got 1",
    "state.select(torch.tensor([True, False]))": "rows: expected whole numbers, got torch.bool",
    "LinearAttention(12, 3)(q[0], q[0], q[0])": "query: expected [batch, seq, 12]",
    "LinearAttention(4, 1)(q[0], q[0], q[0], key_padding_mask=torch.ones(2, 9).bool())": "key_mask: expected a bool",
    "LinearAttention(12, 3, feature_map=None)": "feature_map: expected",
    "LinearAttention(12.0, 3)": "embed_dim: expected",
}


@cache
def messages() -> dict[str, str]:
    found = subprocess.run(
        [sys.executable, "-c", SETUP], input=json.dumps(list(SLIPS)), capture_output=True, text=True, check=True
    )
    return json.loads(found.stdout)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    found = messages()[slip]
    assert found.startswith("InputError: ")
    assert SLIPS[slip] in found
    assert "\n" not in found
