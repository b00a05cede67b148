"""What is kept in a file, a pickle or a copy goes on as the original would have, to the bit."""

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shoal.attention import (
    AttentionState,
    FeatureMap,
    LinearAttention,
    linear_attention,
    list_feature_maps,
    replace_attention,
)
from tests.attention.inputs import COUNTS, DIM, fitted, normal, qkv

EMBED, HEADS, N = 8, 2, 24
NAMES = list_feature_maps()

pytestmark = pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


# ---------------------------------------------------------------------- models


def encoder(seed: int) -> nn.TransformerEncoder:
    torch.manual_seed(seed)
    layer = nn.TransformerEncoderLayer(EMBED, HEADS, 16, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    for parameter in model.parameters():  # torch copies one layer: no two shall be alike
        parameter.add_(0.1 * torch.randn(parameter.shape))
    return model


def swapped(name: str, seed: int) -> nn.TransformerEncoder:
    """An encoder with weights, maps and calibration of its own."""
    model = encoder(seed)
    options: dict[str, Any] = {"steps": 3} if name == "learned" else {}
    x = (1 + seed) * normal(4, 2 * N, EMBED, seed=seed).float()
    replace_attention(model, x, feature_map=name, num_features=8, **options)
    return model


def unfitted(name: str) -> nn.TransformerEncoder:
    """An encoder whose layers were made by hand and never saw data."""
    model = encoder(9)
    for block in model.layers:
        block.self_attn = LinearAttention(EMBED, HEADS, feature_map=name, num_features=8, batch_first=True)
    return model


@pytest.mark.parametrize("name", ["landmark", "learned", "oprf", "positive", "taylor"])
@pytest.mark.parametrize("fresh", ["swapped", "unfitted"])
def test_a_swapped_encoder_survives_a_state_dict(name: str, fresh: str) -> None:
    """In another one that was swapped on other data, and in one that was never fitted."""
    model, x = swapped(name, 0), normal(2, N, EMBED, seed=5).float()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = swapped(name, 1) if fresh == "swapped" else unfitted(name)
    with torch.no_grad():
        if fresh == "swapped":
            assert not torch.equal(other(x), model(x))
        other.load_state_dict(torch.load(file, weights_only=True))
        assert torch.equal(other(x), model(x))


@pytest.mark.parametrize("name", ["landmark", "learned", "oprf", "positive", "taylor"])
def test_a_swapped_encoder_survives_a_file(name: str, tmp_path: Path) -> None:
    model, x = swapped(name, 0), normal(2, N, EMBED, seed=5).float()
    torch.save(model, tmp_path / "model.pt")
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    assert torch.equal(loaded(x), model(x))
    for one, other in zip(model.layers, loaded.layers, strict=True):
        assert one.self_attn.feature_map.label == other.self_attn.feature_map.label  # type: ignore[union-attr]


# ---------------------------------------------------------------------- maps and states


def by_pickle(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


COPIES = {"pickle": by_pickle, "deepcopy": copy.deepcopy}


def prompt_and_next(name: str) -> tuple[list[Tensor], list[Tensor]]:
    inputs = qkv(30, name=name, seed=2)
    return [x[:, :, :20] for x in inputs], [x[:, :, 20:] for x in inputs]


def go_on(phi: FeatureMap, tokens: list[Tensor], state: AttentionState) -> tuple[Tensor, AttentionState]:
    """A block and, by the other way through the code, a single token."""
    block, last = [x[:, :, :-1] for x in tokens], [x[:, :, -1:] for x in tokens]
    first, state = linear_attention(*block, feature_map=phi, is_causal=True, state=state, return_state=True)
    second, state = linear_attention(*last, feature_map=phi, is_causal=True, state=state, return_state=True)
    return torch.cat([first, second], 2), state


def tensors(state: AttentionState) -> dict[str, Tensor]:
    return {name: x for name, x in state.state_dict().items() if isinstance(x, Tensor)}


def equal(one: AttentionState, other: AttentionState) -> bool:
    pairs = zip(tensors(one).values(), tensors(other).values(), strict=True)
    return one.label == other.label and all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("name", NAMES)
def test_a_copied_map_goes_on_as_the_original(name: str, kind: str) -> None:
    phi = fitted(name)
    prompt, tokens = prompt_and_next(name)
    _, state = linear_attention(*prompt, feature_map=phi, is_causal=True, return_state=True)
    copied = COPIES[kind](phi)
    assert type(copied) is type(phi)
    assert repr(copied) == repr(phi)
    kept = {key: x.clone() for key, x in phi.state_dict().items()}
    expected, after = go_on(phi, tokens, state)
    for _ in range(2):  # the copy of a copy too
        found, end = go_on(copied, tokens, state)
        assert torch.equal(found, expected)
        assert equal(end, after)
        copied = COPIES[kind](copied)
    for tensor in copied.state_dict().values():
        tensor.fill_(2)
    assert all(torch.equal(x, kept[key]) for key, x in phi.state_dict().items())


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("name", ["trig", "landmark", "taylor"])
def test_a_copied_state_goes_on_as_the_original(name: str, kind: str) -> None:
    phi = fitted(name)
    prompt, tokens = prompt_and_next(name)
    _, state = linear_attention(*prompt, feature_map=phi, is_causal=True, return_state=True)
    kept, copied = state.clone(), COPIES[kind](state)
    assert equal(copied, state)
    found, end = go_on(phi, tokens, copied)
    assert equal(state, kept)
    expected, after = go_on(phi, tokens, state)
    assert torch.equal(found, expected)
    assert equal(end, after)
    for tensor in tensors(copied).values():  # no memory is shared
        tensor.fill_(2)
    assert equal(state, kept)


@pytest.mark.parametrize("kind", COPIES)
def test_a_map_copied_before_its_fit_can_be_fitted(kind: str) -> None:
    for name in ("oprf", "sderf", "landmark"):
        q, k, v = qkv(50)
        fresh = LinearAttention(EMBED, HEADS, feature_map=name, num_features=8).feature_map
        copied = COPIES[kind](fresh).fit(q, k, v)
        assert not fresh.fitted
        found, expected = (linear_attention(q, k, v, feature_map=phi) for phi in (copied, fresh.fit(q, k, v)))
        assert torch.equal(found, expected)


# ---------------------------------------------------------------------- another process

CHILD = """
import sys, torch
from shoal.attention import AttentionState, create_feature_map, linear_attention
torch.set_num_threads(1)
found = {}
for name, kept in torch.load(sys.argv[1], weights_only=True).items():
    phi = create_feature_map(name, *kept["size"])
    phi.load_state_dict(kept["map"])
    state = AttentionState.from_state_dict(kept["state"])
    with torch.no_grad():
        out, state = linear_attention(
            *kept["tokens"], feature_map=phi, is_causal=True, state=state, return_state=True
        )
    found[name] = {"out": out, "state": state.state_dict()}
torch.save(found, sys.argv[2])
"""


def test_another_process_goes_on_with_a_saved_map_and_state(tmp_path: Path) -> None:
    """One process for all maps: starting one takes seconds."""
    saved: dict[str, Any] = {}
    expected: dict[str, tuple[Tensor, AttentionState]] = {}
    for name in NAMES:
        phi = fitted(name)
        prompt, tokens = prompt_and_next(name)
        _, state = linear_attention(*prompt, feature_map=phi, is_causal=True, return_state=True)
        size = [DIM, COUNTS.get(name, 16)]
        saved[name] = {"size": size, "map": phi.state_dict(), "state": state.state_dict(), "tokens": tokens}
        expected[name] = linear_attention(*tokens, feature_map=phi, is_causal=True, state=state, return_state=True)
    torch.save(saved, tmp_path / "saved.pt")
    arguments = [sys.executable, "-W", "ignore", "-c", CHILD, str(tmp_path / "saved.pt"), str(tmp_path / "found.pt")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    assert list(found) == NAMES
    for name, (out, state) in expected.items():
        assert torch.equal(found[name]["out"], out), name
        assert equal(AttentionState.from_state_dict(found[name]["state"]), state), name
