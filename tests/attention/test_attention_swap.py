"""`replace_attention`: every layer is replaced and reported, or none is."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shoal.attention import LinearAttention, SwapReport, replace_attention
from shoal.errors import InputError
from tests.attention.inputs import distance, normal

EMBED, HEADS, N = 12, 3, 40


def encoder(layers: int = 2, *, heads: int = HEADS, nested: bool = False, **options: Any) -> nn.TransformerEncoder:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(EMBED, heads, 16, **{"dropout": 0.0, "batch_first": True, **options})
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=nested).eval()


def rows(*shape: int, seed: int = 1) -> Tensor:
    return normal(*shape, seed=seed).float()


def attentions(model: nn.Module) -> list[type[nn.Module]]:
    return [type(m) for m in model.modules() if isinstance(m, (nn.MultiheadAttention, LinearAttention))]


def test_every_layer_is_replaced_and_reported() -> None:
    model, x = encoder(), rows(4, N, EMBED)
    report = replace_attention(model, x, feature_map="positive", num_features=64)
    assert list(report.errors) == ["layers.0.self_attn", "layers.1.self_attn"]
    assert attentions(model) == [LinearAttention] * 2
    for error in report.errors.values():
        assert 0 < error.low <= error.value <= error.high < 1
    lines = str(report).splitlines()
    assert [line.split()[0] for line in lines] == list(report.errors)
    assert str(report.errors["layers.0.self_attn"]) in lines[0]
    assert not model.training
    assert str(SwapReport({})) == ""


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_window_that_holds_everything_leaves_the_output(batch_first: bool) -> None:
    model = encoder(batch_first=batch_first)
    x = rows(4, N, EMBED) if batch_first else rows(N, 4, EMBED)
    with torch.no_grad():
        expected = model(x)
        report = replace_attention(model, x, feature_map="positive", window=N)
        assert distance(model(x), expected) < 1e-4
    assert all(error.value < 1e-5 for error in report.errors.values())
    assert attentions(model) == [LinearAttention] * 2


def test_the_report_is_of_the_original_models_activations() -> None:
    """Of every layer alone: the second layer's error does not contain the first one's."""
    model, x = encoder(), rows(4, N, EMBED)
    alone = copy.deepcopy(model)
    whole = replace_attention(model, x, feature_map="positive", num_features=8)
    with torch.no_grad():
        first = alone.layers[0](x)
    part = replace_attention(alone.layers[1], first, feature_map="positive", num_features=8)
    assert part.errors["self_attn"].value == pytest.approx(whole.errors["layers.1.self_attn"].value, rel=1e-3)


@pytest.mark.parametrize("name", ["oprf", "sderf", "landmark", "learned"])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_maps_are_fitted_on_one_half_and_measured_on_the_other(name: str, batch: int) -> None:
    """Where the batch is a single sequence, the halves are of its positions."""
    model, x = encoder(1), rows(batch, 2 * N, EMBED)
    options: dict[str, Any] = {"steps": 3} if name == "learned" else {}
    report = replace_attention(model, x, feature_map=name, num_features=8, **options)
    assert model.layers[0].self_attn.feature_map.fitted  # type: ignore[union-attr]
    assert model.layers[0].self_attn.feature_map.heads == HEADS  # type: ignore[union-attr]
    assert report.errors["layers.0.self_attn"].value < 1.5
    assert report.errors["layers.0.self_attn"].rows == (N if batch == 1 else 2 * N)
    with torch.no_grad():
        assert model(x).isfinite().all()


def test_a_single_sequence_without_a_batch() -> None:
    model = encoder(1)
    report = replace_attention(model, rows(N, EMBED), feature_map="oprf", num_features=8)
    assert len(report.errors) == 1


def test_padding_and_causal_masks_of_the_calibration_run_are_kept() -> None:
    class Causal(nn.Module):
        def __init__(self, inner: nn.TransformerEncoder):
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor, padding: Tensor) -> Tensor:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.inner(x, mask=mask, src_key_padding_mask=padding, is_causal=True)

    model, x = Causal(encoder()), rows(4, N, EMBED)
    padding = torch.arange(N) >= torch.tensor([30, 35, 30, N])[:, None]
    floats = torch.zeros(4, N).masked_fill(padding, -torch.inf)
    with torch.no_grad():
        expected = model(x, floats)
        report = replace_attention(model, x, floats, feature_map="positive", window=N)
        assert distance(model(x, floats)[~padding], expected[~padding]) < 1e-4
    assert list(report.errors) == ["inner.layers.0.self_attn", "inner.layers.1.self_attn"]
    assert all(error.value < 1e-5 for error in report.errors.values())


@pytest.mark.parametrize("at_the_end", [True, False])
@pytest.mark.parametrize("batch", [6, 1])
def test_maps_are_not_fitted_on_padding(batch: int, at_the_end: bool) -> None:
    """Neither on what it holds, nor on how much of it there is."""
    padding = torch.arange(N) >= torch.tensor([30, 35, 5, N, 20, N])[:batch, None]
    padding = padding if at_the_end else padding.flip(1)
    fits = []
    for filler in (0.0, 50.0, -1e4):
        model, x = encoder(layers=1), rows(batch, N, EMBED).masked_fill(padding[..., None], filler)
        with torch.no_grad():
            replace_attention(model, x, None, padding, feature_map="sderf", num_features=8)
        fits.append({name: x for name, x in model.state_dict().items() if "feature_map" in name})
    assert any(tensor.abs().sum() > 0 for tensor in fits[0].values())
    for other in fits[1:]:
        assert all(torch.equal(fits[0][name], other[name]) for name in fits[0])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_an_encoder_with_nested_tensors_takes_padding_after_the_swap() -> None:
    """torch decides about nested tensors when the encoder is made; its default is to use them in evaluation mode."""
    model, exact = encoder(heads=2, nested=True), encoder(heads=2)
    x, padding = rows(4, N, EMBED), torch.arange(N) >= torch.tensor([30, 35, 30, N])[:, None]
    with torch.no_grad():
        expected = exact(x, src_key_padding_mask=padding)
        replace_attention(model, x, feature_map="positive", window=N)
        found = model(x, src_key_padding_mask=padding)
    assert distance(found[~padding], expected[~padding]) < 1e-4


def test_cross_attention_is_replaced_too() -> None:
    torch.manual_seed(0)
    decoder = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(EMBED, HEADS, 16, dropout=0.0, batch_first=True), 1
    ).eval()
    x, memory = rows(4, 10, EMBED), rows(4, N, EMBED, seed=2)
    report = replace_attention(decoder, x, memory, feature_map="oprf", num_features=8)
    assert list(report.errors) == ["layers.0.self_attn", "layers.0.multihead_attn"]
    assert decoder.layers[0].multihead_attn.feature_map.fitted  # type: ignore[union-attr]
    with torch.no_grad():
        assert decoder(x, memory).isfinite().all()


def test_cross_attention_is_fitted_on_all_keys_of_its_half() -> None:
    """There may be more keys than queries."""
    torch.manual_seed(0)
    layer = nn.TransformerDecoderLayer(EMBED, HEADS, 16, dropout=0.0, batch_first=True)
    decoder = nn.TransformerDecoder(layer, 1).eval()
    x, memory = rows(4, 10, EMBED), rows(4, N, EMBED, seed=2)
    memory[:, 10:] += 5  # what the first ten keys do not show
    replace_attention(decoder, x, memory, feature_map="oprf", num_features=8)
    swapped = decoder.layers[0].multihead_attn
    assert isinstance(swapped, LinearAttention)
    keys = swapped.project(x, memory[:2], memory[:2])[1]
    assert distance(swapped.feature_map.key_mean[:, 0], keys.mean((0, 2))) < 1e-4


def test_training_mode_and_weights_stay() -> None:
    model, x = encoder(dropout=0.1).train(), rows(4, N, EMBED)
    model.layers[0].norm1.eval()  # type: ignore[union-attr]
    modes = {name: module.training for name, module in model.named_modules()}
    weights = {name: p.clone() for name, p in model.state_dict().items()}
    replace_attention(model, x, feature_map="positive")
    assert torch.backends.mha.get_fastpath_enabled()
    found = dict(model.state_dict())
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
    after = {name: module.training for name, module in model.named_modules()}
    assert {name: after[name] for name in modes} == modes


class Plain(nn.Module):
    """A layer with a mask of its own kind, or one that it passes by."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        options: dict[str, Any] = {"batch_first": True}
        options |= {"kdim": 5} if kind == "kdim" else {}
        options |= {"add_bias_kv": True} if kind == "bias_kv" else {}
        options |= {"add_zero_attn": True} if kind == "zero_attn" else {}
        self.first = nn.MultiheadAttention(EMBED, HEADS, batch_first=True)
        self.second = nn.MultiheadAttention(EMBED, HEADS, **options)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.first(x, x, x)[0]
        if self.kind == "passed by":
            return x
        key = x[..., :5] if self.kind == "kdim" else x
        mask = torch.ones(N, N).tril(-3).bool() if self.kind == "mask" else None
        if self.kind == "fails":
            raise RuntimeError("the model's own")
        return x + self.second(x, key, x, attn_mask=mask)[0]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("kdim", "second: multihead: expected queries, keys and values of one dimension, .* got one with kdim or vdim"),
        ("bias_kv", "second: multihead: .* got one with add_bias_kv"),
        ("zero_attn", "second: multihead: .* got one with add_zero_attn"),
        ("mask", "attn_mask: expected None or the causal mask"),
        ("passed by", "second: expected a layer that the calibration run uses"),
        ("fails", "the model's own"),
        ("few tokens", "calibration batch: expected at least 500 tokens"),
        ("name", "unknown feature map 'positiv'"),
    ],
)
def test_a_model_that_cannot_be_changed_is_left_as_it_was(kind: str, message: str) -> None:
    model, x = Plain(kind), rows(4, N, EMBED)
    options: dict[str, Any] = {"few tokens": {"feature_map": "landmark", "num_features": 500}, "name": {
        "feature_map": "positiv"}}.get(kind, {"feature_map": "positive"})  # fmt: skip
    before = [id(module) for module in model.modules()]
    with pytest.raises((InputError, RuntimeError), match=message):
        replace_attention(model, x, **options)
    assert [id(module) for module in model.modules()] == before
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()
    assert model.training


def test_a_model_without_such_layers_is_refused() -> None:
    with pytest.raises(InputError, match=r"model: expected at least one nn.MultiheadAttention, got none"):
        replace_attention(nn.Linear(3, 3), torch.zeros(2, 3))


def test_a_layer_alone_is_replaced_or_refused() -> None:
    """It has no parent in which another could be put."""
    layer, x = nn.MultiheadAttention(EMBED, HEADS, batch_first=True), rows(4, N, EMBED)
    with pytest.raises(InputError, match="model"):
        replace_attention(layer, x, x, x, feature_map="positive")
    assert list(layer._modules) == ["out_proj"]


def test_a_layer_in_two_places_is_replaced_in_both() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.MultiheadAttention(EMBED, HEADS, batch_first=True)
            self.two = self.one

        def forward(self, x: Tensor) -> Tensor:
            x = x + self.one(x, x, x)[0]
            return x + self.two(x, x, x)[0]

    model = Shared()
    replace_attention(model, rows(4, N, EMBED), feature_map="positive")
    assert isinstance(model.one, LinearAttention)
    assert model.two is model.one
