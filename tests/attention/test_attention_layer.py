"""`LinearAttention` in the place of `nn.MultiheadAttention`: weights, masks, layouts, in an encoder, as a stream."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shoal.attention import LinearAttention, create_feature_map, linear_attention
from shoal.errors import InputError
from tests.attention.inputs import distance, normal

EMBED, HEADS, N = 12, 3, 20


def pair(*, window: int | None = N, bias: bool = True, batch_first: bool = True) -> tuple[nn.MultiheadAttention, Any]:
    """Torch's layer, and a linear one with its weights; a window that holds everything makes them equal."""
    torch.manual_seed(0)
    multihead = nn.MultiheadAttention(EMBED, HEADS, bias=bias, batch_first=batch_first)
    for parameter in multihead.parameters():
        nn.init.normal_(parameter, std=0.4)  # biases too
    layer = LinearAttention(EMBED, HEADS, window=window, bias=bias, batch_first=batch_first)
    missing, unexpected = layer.load_state_dict(multihead.state_dict(), strict=False)
    assert not unexpected
    assert all(name.startswith("feature_map.") for name in missing)
    return multihead, layer


def rows(*shape: int, seed: int = 1) -> Tensor:
    return normal(*shape, seed=seed).float()


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_the_weights_of_torchs_layer_give_its_output(bias: bool, batch_first: bool) -> None:
    multihead, layer = pair(bias=bias, batch_first=batch_first)
    x = rows(2, N, EMBED) if batch_first else rows(N, 2, EMBED)
    single = rows(N, EMBED)
    hidden = torch.ones(N, N).triu(1).bool()
    as_floats = torch.zeros(N, N).masked_fill(hidden, -torch.inf)
    for inputs in (x, single):
        assert distance(layer(inputs, inputs, inputs)[0], multihead(inputs, inputs, inputs)[0]) < 1e-5
        for mask in (hidden, as_floats):
            found, weights = layer(inputs, inputs, inputs, attn_mask=mask)
            assert weights is None
            assert distance(found, multihead(inputs, inputs, inputs, attn_mask=mask)[0]) < 1e-5
        found = layer(inputs, inputs, inputs, is_causal=True)[0]
        assert distance(found, multihead(inputs, inputs, inputs, attn_mask=hidden, is_causal=True)[0]) < 1e-5


def test_queries_keys_and_values_are_projected_by_their_own_weights() -> None:
    multihead, layer = pair()
    q, k, v = (rows(2, N, EMBED, seed=s) for s in range(3))
    assert distance(layer(q, k, v)[0], multihead(q, k, v)[0]) < 1e-5


@pytest.mark.parametrize("as_floats", [True, False])
def test_padding_is_torchs(as_floats: bool) -> None:
    multihead, layer = pair()
    x = rows(2, N, EMBED)
    padding = torch.arange(N) >= torch.tensor([13, N])[:, None]
    mask = torch.zeros(2, N).masked_fill(padding, -torch.inf) if as_floats else padding
    found, expected = layer(x, x, x, key_padding_mask=mask)[0], multihead(x, x, x, key_padding_mask=mask)[0]
    assert distance(found, expected) < 1e-5
    found = layer(x[0], x[0], x[0], key_padding_mask=mask[0])[0]
    assert distance(found, expected[0]) < 1e-5


def test_without_a_window_it_is_the_operator_on_projected_rows() -> None:
    _, layer = pair(window=None)
    q, x = rows(2, 7, EMBED, seed=2), rows(2, N, EMBED)
    padding = torch.arange(N) >= torch.tensor([13, N])[:, None]
    heads = layer.project(q, x, x)
    assert [tuple(h.shape) for h in heads] == [(2, HEADS, n, EMBED // HEADS) for n in (7, N, N)]
    out = linear_attention(*heads, feature_map=layer.feature_map, key_mask=~padding)
    expected = layer.out_proj(out.transpose(1, 2).flatten(2))
    assert distance(layer(q, x, x, key_padding_mask=padding)[0], expected) < 1e-6


def test_a_map_may_be_given_ready() -> None:
    phi = create_feature_map("hyperbolic", EMBED // HEADS, 32)
    layer = LinearAttention(EMBED, HEADS, feature_map=phi)
    assert layer.feature_map is phi
    assert "feature_map.directions" in layer.state_dict()


def test_a_layer_trains() -> None:
    _, layer = pair(window=None)
    x = rows(2, N, EMBED)
    with torch.enable_grad():
        layer(x, x, x, is_causal=True)[0].square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any(), name


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_layer_takes_another_dtype(dtype: torch.dtype) -> None:
    _, layer = pair(window=None)
    x = rows(2, N, EMBED)
    expected = layer(x, x, x)[0]
    found = layer.to(dtype)(x.to(dtype), x.to(dtype), x.to(dtype))[0]
    assert found.dtype == dtype
    assert distance(found, expected) < (0.05 if dtype == torch.bfloat16 else 1e-4)
    made = LinearAttention(EMBED, HEADS, dtype=dtype)
    assert made(x.to(dtype), x.to(dtype), x.to(dtype))[0].dtype == dtype


# ---------------------------------------------------------------------- inside an encoder


class Counting(LinearAttention):
    """Counts its calls: torch's fused path would pass it by."""

    calls = 0

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, None]:
        type(self).calls += 1
        return super().forward(*args, **kwargs)


def encoders(*, norm_first: bool = False) -> tuple[nn.TransformerEncoder, nn.TransformerEncoder]:
    """Torch's encoder, and the same with linear layers put in, two of each."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(EMBED, HEADS, 16, dropout=0.0, batch_first=True, norm_first=norm_first)
    exact = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    linear = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    for block in linear.layers:
        own = Counting(EMBED, HEADS, window=N, batch_first=True)
        own.load_state_dict(block.self_attn.state_dict(), strict=False)  # type: ignore[union-attr]
        block.self_attn = own
    return exact, linear


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_inside_an_encoder_it_is_really_called(training: bool, norm_first: bool) -> None:
    exact, linear = encoders(norm_first=norm_first)
    x = rows(2, N, EMBED)
    padding = torch.arange(N) >= torch.tensor([13, N])[:, None]
    causal = nn.Transformer.generate_square_subsequent_mask(N)
    for model in (exact, linear):
        model.train(training)
    for options in ({}, {"src_key_padding_mask": padding}, {"mask": causal}, {"mask": causal, "is_causal": True}):
        Counting.calls = 0
        found, expected = linear(x, **options), exact(x, **options)
        assert Counting.calls == 2
        keep = ~padding if "src_key_padding_mask" in options else torch.ones_like(padding)
        assert distance(found[keep], expected[keep]) < 1e-4


def test_an_encoder_layer_made_of_it_is_copied_by_an_encoder() -> None:
    block = nn.TransformerEncoderLayer(EMBED, HEADS, 16, batch_first=True)
    block.self_attn = Counting(EMBED, HEADS, batch_first=True)  # type: ignore[assignment]
    model = nn.TransformerEncoder(block, 3, enable_nested_tensor=False).eval()
    Counting.calls = 0
    padding = torch.arange(N) >= torch.tensor([13, N])[:, None]
    assert model(rows(2, N, EMBED), src_key_padding_mask=padding).isfinite().all()
    assert Counting.calls == 3


# ---------------------------------------------------------------------- stream


@pytest.mark.parametrize("name", ["positive", "elu", "trig"])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
def test_a_stream_is_the_causal_form(name: str, batch_first: bool) -> None:
    torch.manual_seed(0)
    layer = LinearAttention(EMBED, HEADS, feature_map=name, batch_first=batch_first)
    x = rows(2, N, EMBED)
    turned = x if batch_first else x.transpose(0, 1)
    whole = layer(turned, turned, turned, is_causal=True)[0]
    whole = whole if batch_first else whole.transpose(0, 1)
    state, outs = None, []
    for low, high in ((0, 1), (1, 2), (2, 9), (9, 10), (10, N)):
        out, state = layer.stream(x[:, low:high], state)
        outs.append(out)
    assert distance(torch.cat(outs, 1), whole) < 1e-5


def test_a_window_or_a_guard_cannot_stream() -> None:
    for layer in (LinearAttention(EMBED, HEADS, window=4), LinearAttention(EMBED, HEADS, guard=True)):
        with pytest.raises(InputError, match="stream: expected a layer without window and guard"):
            layer.stream(rows(2, 3, EMBED))


# ---------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(
    "kind", ["one key more", "one key less", "not square", "too small", "bias", "three dimensions"]
)
def test_other_masks_are_refused(kind: str) -> None:
    _, layer = pair()
    x = rows(2, N, EMBED)
    hidden = torch.ones(N, N).triu(1).bool()
    causal = torch.zeros(N, N).masked_fill(hidden, -torch.inf)
    mask = {
        "one key more": hidden.clone().index_put_((torch.tensor(3), torch.tensor(5)), torch.tensor(False)),
        "one key less": hidden.clone().index_put_((torch.tensor(5), torch.tensor(3)), torch.tensor(True)),
        "not square": hidden[:, :-1],
        "too small": hidden[:10, :10],
        "bias": causal.tril() + hidden * causal.new_tensor(-1e4),
        "three dimensions": hidden.expand(2 * HEADS, N, N),
    }[kind]
    with pytest.raises(InputError, match="attn_mask: expected None or the causal mask, got another; that needs exact"):
        layer(x, x, x, attn_mask=mask)


def test_wrong_shapes_and_settings_are_refused() -> None:
    _, layer = pair()
    x = rows(2, N, EMBED)
    with pytest.raises(InputError, match=r"key: expected \[batch, seq, 12\], got \[2, 20, 11\]"):
        layer(x, x[..., :-1], x)
    with pytest.raises(InputError, match="query: expected"):
        layer(x[None], x[None], x[None])
    with pytest.raises(InputError, match="as many queries as keys"):
        LinearAttention(EMBED, HEADS, batch_first=True)(x[:, :3], x, x, is_causal=True)
    for embed, heads in ((10, 3), (0, 1), (4, 0)):
        with pytest.raises(InputError, match="embed_dim: expected a multiple of num_heads"):
            LinearAttention(embed, heads)
    with pytest.raises(InputError, match="feature_map: expected one for 4 dimensions a head, got 5"):
        LinearAttention(EMBED, HEADS, feature_map=create_feature_map("positive", 5))
    with pytest.raises(InputError, match="unknown feature map 'positiv'"):
        LinearAttention(EMBED, HEADS, feature_map="positiv")
    with pytest.raises(InputError, match="feature map 'landmark': expected a fitted map"):
        LinearAttention(EMBED, HEADS, feature_map="landmark", batch_first=True)(x, x, x)
