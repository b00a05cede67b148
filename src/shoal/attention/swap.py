"""Replace exact attention in an existing model, fit the maps on its own activations, report the error of each layer.

report = replace_attention(model, batch, feature_map="learned", window=128)
print(report)                                     # encoder.layers.0.self_attn   0.041 [0.036, 0.047] …
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from shoal.attention.error import ErrorEstimate, estimate_error
from shoal.attention.layer import LinearAttention, _is_causal_mask, _kept
from shoal.errors import InputError, wrong


@dataclass(frozen=True)
class SwapReport:
    """What `replace_attention` did.

    Attributes:
        errors: of every layer that was replaced, by its name; of its attention alone, on inputs of the original model.
    """

    errors: dict[str, ErrorEstimate]

    def __str__(self) -> str:
        width = max(map(len, self.errors), default=0)
        return "\n".join(f"{name:{width}}  {error}" for name, error in self.errors.items())


@dataclass
class _Call:
    """What a layer was called with in the calibration run, heads projected."""

    q: Tensor
    k: Tensor
    v: Tensor
    is_causal: bool
    key_mask: Tensor | None


def replace_attention(
    model: nn.Module,
    *inputs: Any,
    feature_map: str = "learned",
    num_features: int = 256,
    window: int | None = None,
    guard: bool = False,
    seed: int = 0,
    **fit_options: Any,
) -> SwapReport:
    """Put a fitted `LinearAttention` in the place of every `nn.MultiheadAttention` of a model.

    The model is run once on the calibration inputs. Each layer's map is fitted on the first half of the batch, or of
    the positions where the batch is a single sequence, and its error is estimated on the other half. Weights stay as
    they are; dropout of attention weights has no counterpart and is left out.

    Args:
        model: changed in place.
        inputs: what the model is called with for calibration; padding may be masked.
        feature_map: name of the map.
        num_features: of the map.
        window: of `windowed_linear_attention`; None for `linear_attention`.
        guard: see `linear_attention`.
        seed: of the maps.
        fit_options: passed to the map's `fit`, for example steps=300.

    Returns:
        The error of each layer.

    Raises:
        InputError: if the model has no such layer, or one that linear attention cannot stand for (other masks, own key
            or value dimensions, bias_kv). The model is then left as it was.

    Example:
        >>> layer = nn.TransformerEncoderLayer(32, 2, batch_first=True)
        >>> model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
        >>> report = replace_attention(model, torch.randn(2, 64, 32), feature_map="positive")
        >>> list(report.errors)
        ['layers.0.self_attn', 'layers.1.self_attn']
    """
    if isinstance(model, nn.MultiheadAttention):
        raise wrong("model", expected="a model that holds attention layers", got="the layer itself", fix="wrap it")
    found = {name: module for name, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)}
    if not found:
        raise wrong("model", expected="at least one nn.MultiheadAttention", got="none")
    layers: dict[str, LinearAttention] = {}
    for name, module in found.items():
        try:
            layers[name] = LinearAttention.from_multihead(
                module, feature_map=feature_map, num_features=num_features, window=window, guard=guard, seed=seed
            )
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    calls = _record(model, layers, found, inputs)
    errors: dict[str, ErrorEstimate] = {}
    for name in found:
        if name not in calls:
            raise wrong(name, expected="a layer that the calibration run uses", got="one that it passes by")
        errors[name] = _fit_and_measure(layers[name], calls[name], fit_options)
    _put_in(model, {module: layers[name] for name, module in found.items()})
    return SwapReport(errors)


def _put_in(model: nn.Module, layers: dict[nn.MultiheadAttention, LinearAttention]) -> None:
    """Replace layers wherever they are used, also in several places."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # not named_children, which tells a shared one once
            if isinstance(child, nn.MultiheadAttention) and child in layers:
                setattr(parent, name, layers[child])
                if isinstance(parent, nn.TransformerEncoderLayer):
                    layers[child].train(parent.training)
        if isinstance(parent, nn.TransformerEncoder):  # nested tensors, its way to skip padding, end at exact attention
            parent.use_nested_tensor = False


def _record(
    model: nn.Module,
    layers: dict[str, LinearAttention],
    found: dict[str, nn.MultiheadAttention],
    inputs: tuple[Any, ...],
) -> dict[str, _Call]:
    """Run the model once, in evaluation mode and without its fused path, and keep what every layer is called with."""
    calls: dict[str, _Call] = {}
    fused = torch.backends.mha.get_fastpath_enabled()
    modes = {module: module.training for module in model.modules()}
    hooks = [
        module.register_forward_pre_hook(
            lambda _, a, kw, name=name: _keep(calls, name, layers[name], a, kw), with_kwargs=True
        )
        for name, module in found.items()
    ]
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        model.eval()
        with torch.no_grad():
            model(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, training in modes.items():  # each its own: some may be frozen in evaluation mode
            module.training = training
        for hook in hooks:
            hook.remove()
    return calls


def _keep(calls: dict[str, _Call], name: str, layer: LinearAttention, args: tuple, kwargs: dict) -> None:
    names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask")
    given = dict(zip(names, args, strict=False)) | kwargs
    rows = [given[key] for key in ("query", "key", "value")]
    rows = [x[None] if x.ndim == 2 else x if layer.batch_first else x.transpose(0, 1) for x in rows]
    lengths = rows[0].shape[1], rows[1].shape[1]
    causal = bool(given.get("is_causal", False)) or _is_causal_mask(given.get("attn_mask"), *lengths)
    keep = _kept(given.get("key_padding_mask"), given["query"].ndim == 2)
    calls[name] = _Call(*layer.project(*rows), causal, keep)


def _without_padding(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences of one length, made of positions that take part; those less than half as long as the longest go."""
    if mask is None:
        return q, k, v
    counts = mask.sum(1)
    long = (counts * 2 >= counts.max()).nonzero()[:, 0]
    first = (~mask[long]).byte().argsort(dim=1, stable=True)[:, : int(counts[long].min())]  # (sequences, positions)
    at = first[:, None, :, None]
    pick = lambda x: x[long].take_along_dim(at, 2)  # noqa: E731
    return pick(q) if q.shape[2] == k.shape[2] else q[long], pick(k), pick(v)


def _fit_and_measure(layer: LinearAttention, call: _Call, options: dict[str, Any]) -> ErrorEstimate:
    """Fit on one half, estimate on the other."""
    batch, n_q, n_k = call.q.shape[0], call.q.shape[2], call.k.shape[2]
    by_batch = batch > 1
    rows = slice(0, batch // 2) if by_batch else slice(None)
    queries, keys = ((rows, slice(None), slice(0, n if by_batch else max(1, n // 2))) for n in (n_q, n_k))
    second = slice(batch // 2, batch) if by_batch else slice(None)
    phi = layer.feature_map
    if phi.needs_fit or phi.exponential:
        extra = {"window": layer.window, "is_causal": call.is_causal} if phi.name == "learned" else {}
        mask = None if call.key_mask is None else call.key_mask[keys[0], keys[2]]
        phi.fit(*_without_padding(call.q[queries], call.k[keys], call.v[keys], mask), **extra, **options)
        phi.to(call.q.device)
    return estimate_error(
        call.q[second],
        call.k[second],
        call.v[second],
        phi,
        is_causal=call.is_causal,
        window=layer.window,
        key_mask=None if call.key_mask is None else call.key_mask[second],
        candidates=None if by_batch else torch.arange(n_q // 2, n_q),
    )
