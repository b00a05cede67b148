"""Recording: queries and keys of torch's layers give the weights that torch itself uses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shoal.circuits import record_queries_and_keys, recorded_attention, redundancy, to_multihead
from shoal.errors import InputError
from tests.circuits.examples import hand, normal


def seeded(make: Any) -> Any:
    torch.manual_seed(0)
    return make()


def layer(**options: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(16, 4, 32, **{"batch_first": True, "dropout": 0.2, **options})


def encoder(layers: int = 3, **options: Any) -> nn.TransformerEncoder:
    made = nn.TransformerEncoder(layer(**options), layers, enable_nested_tensor=False)
    for parameter in made.parameters():  # copies of one layer otherwise
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


def torchs_weights(model: nn.Module, *inputs: Any, **more: Any) -> dict[str, Tensor]:
    """[batch, heads, n, n] of every layer, by asking torch for them in an evaluation run."""
    found: dict[str, Tensor] = {}
    hooks = []
    for name, part in model.named_modules():
        if isinstance(part, nn.MultiheadAttention):

            def keep(module: Any, args: Any, kwargs: Any, name: str = name) -> None:
                asked = {**kwargs, "need_weights": True, "average_attn_weights": False}
                weights = nn.MultiheadAttention.forward(module, *args, **asked)[1]
                assert weights is not None
                found[name] = weights

            hooks.append(part.register_forward_pre_hook(keep, with_kwargs=True))
    model.eval()
    with torch.no_grad():
        model(*inputs, **more)
    for hook in hooks:
        hook.remove()
    return found


def check(model: nn.Module, *inputs: Any, **how: Any) -> None:
    """Attention of what is recorded against torch's own."""
    recorded, expected = record_queries_and_keys(model, *inputs), torchs_weights(model, *inputs)
    assert list(recorded) == list(expected)
    for name, (q, k) in recorded.items():
        found = recorded_attention(q, k, **how).transpose(0, 1)
        assert float((found - expected[name]).abs().max()) < 1e-5, name


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_an_encoders_weights(norm_first: bool, bias: bool) -> None:
    model = seeded(lambda: encoder(norm_first=norm_first, bias=bias))
    check(model, torch.randn(2, 7, 16))
    assert list(record_queries_and_keys(model, torch.randn(1, 7, 16))) == [f"layers.{i}.self_attn" for i in range(3)]


def test_with_masks() -> None:
    model = seeded(encoder)
    x = torch.randn(2, 7, 16)
    causal = torch.ones(7, 7).triu(1).bool()
    padding = torch.zeros(2, 7, dtype=torch.bool)
    padding[1, 4:] = True
    check(model, x, causal, is_causal=True)
    check(model, x, None, padding, key_mask=~padding)
    check(model, x, causal, padding, is_causal=True, key_mask=~padding)


def test_sequences_first_and_single_sequences() -> None:
    check(seeded(lambda: encoder(batch_first=False)), torch.randn(7, 2, 16))
    attention = seeded(lambda: nn.MultiheadAttention(16, 4))
    x = torch.randn(7, 16)
    q, k = record_queries_and_keys(attention, x, x, x)[""]
    assert q.shape == k.shape == (1, 4, 7, 4)
    expected = attention(x, x, x, average_attn_weights=False)[1]
    assert torch.allclose(recorded_attention(q, k)[:, 0].float(), expected, atol=1e-6)


def test_keys_of_other_sizes_and_other_lengths() -> None:
    attention = seeded(lambda: nn.MultiheadAttention(16, 4, kdim=6, vdim=5, batch_first=True))
    x, keys, values = torch.randn(2, 7, 16), torch.randn(2, 7, 6), torch.randn(2, 7, 5)
    q, k = record_queries_and_keys(attention, x, keys, values)[""]
    expected = attention(x, keys, values, average_attn_weights=False)[1]
    assert torch.allclose(recorded_attention(q, k).transpose(0, 1).float(), expected, atol=1e-6)
    longer = torch.randn(2, 9, 6), torch.randn(2, 9, 5)
    q, k = record_queries_and_keys(attention, x, *longer)[""]
    assert (q.shape, k.shape) == ((2, 4, 7, 4), (2, 4, 9, 4))


def test_a_decoder_has_two_kinds_of_layers() -> None:
    model = seeded(lambda: nn.TransformerDecoderLayer(16, 4, 32, batch_first=True))
    found = record_queries_and_keys(model, torch.randn(2, 5, 16), torch.randn(2, 5, 16))
    assert list(found) == ["self_attn", "multihead_attn"]


def test_a_hand_made_head_in_torchs_layer_is_recorded_as_it_is() -> None:
    head = hand("same & not_self")
    x = head.layout.embed(head.layout.indices("ABCA"))
    q, k = record_queries_and_keys(to_multihead(head), x, x, x)[""]
    found = recorded_attention(q, k)[0, 0, 1:]
    assert torch.allclose(found.float(), head.trace("ABCA").attention[0], atol=1e-6)


def test_double_precision_stays() -> None:
    model = seeded(encoder).double()
    q, k = record_queries_and_keys(model, normal(2, 5, 16, seed=1))["layers.0.self_attn"]
    assert q.dtype == k.dtype == torch.float64


# ---------------------------------------------------------------------- the model is as it was


def test_the_model_is_left_as_it_was() -> None:
    model = seeded(encoder).train()
    model.layers[1].eval()
    fused = torch.backends.mha.get_fastpath_enabled()
    before = torch.get_rng_state()
    x = torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(1))
    first = record_queries_and_keys(model, x)
    assert [part.training for part in model.layers] == [True, False, True]
    assert model.training
    assert all(not part._forward_pre_hooks for part in model.modules())
    assert torch.backends.mha.get_fastpath_enabled() == fused
    assert torch.equal(before, torch.get_rng_state())  # nothing was dropped
    again = record_queries_and_keys(model, x)
    assert all(torch.equal(a, b) for name in first for a, b in zip(first[name], again[name], strict=True))
    assert not any(x.requires_grad for pair in first.values() for x in pair)


def test_also_where_the_run_fails() -> None:
    model = seeded(encoder).train()
    fused = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises((RuntimeError, AssertionError)):
        record_queries_and_keys(model, torch.randn(2, 7, 15))
    assert model.training
    assert all(not part._forward_pre_hooks for part in model.modules())
    assert torch.backends.mha.get_fastpath_enabled() == fused


def test_a_model_in_evaluation_mode_is_recorded_too() -> None:
    """Where torch would take its fused path around the layers."""
    model = nn.TransformerEncoder(seeded(layer), 2).eval()
    assert len(record_queries_and_keys(model, torch.randn(2, 7, 16))) == 2


def test_models_without_such_layers_are_refused() -> None:
    with pytest.raises(InputError, match=r"model: expected an nn\.MultiheadAttention that the run uses, got none"):
        record_queries_and_keys(nn.Linear(4, 4), torch.randn(2, 4))
    with pytest.raises(InputError, match=r"model: expected an nn\.MultiheadAttention that the run uses, got none"):
        record_queries_and_keys(Idle(), torch.randn(2, 4))


class Idle(nn.Module):
    """A layer that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.MultiheadAttention(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_copied_layers_are_redundant() -> None:
    model = seeded(lambda: nn.MultiheadAttention(8, 2, batch_first=True))
    model.in_proj_weight.data[4:8] = model.in_proj_weight.data[:4]  # queries of the second head
    model.in_proj_weight.data[12:16] = model.in_proj_weight.data[8:12]  # and its keys
    x = torch.randn(2, 6, 8)
    assert float(redundancy(recorded_attention(*record_queries_and_keys(model, x, x, x)[""]))[0, 1]) == pytest.approx(1)
