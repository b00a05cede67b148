"""Queries and keys of the attention layers of any model, as they are when it runs."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shoal.errors import wrong

QueriesAndKeys = tuple[Tensor, Tensor]


@torch.no_grad()
def record_queries_and_keys(model: nn.Module, *inputs: Any) -> dict[str, QueriesAndKeys]:
    """Run a model and keep what every `nn.MultiheadAttention` in it compares.

    Args:
        model: put into evaluation mode for the run, and left as it was.
        inputs: what it is called with.

    Returns:
        By the layer's name, queries and keys, [batch, heads, n, dim] each: what `recorded_attention` takes.

    Raises:
        InputError: if there is no such layer, or none was used.

    Example:
        >>> layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> found = record_queries_and_keys(layer, torch.randn(3, 5, 8))
        >>> {name: tuple(q.shape) for name, (q, k) in found.items()}
        {'self_attn': (3, 2, 5, 4)}
    """
    layers = {name: part for name, part in model.named_modules() if isinstance(part, nn.MultiheadAttention)}
    found: dict[str, QueriesAndKeys] = {}
    hooks = [
        part.register_forward_pre_hook(
            lambda _, args, kwargs, name=name, part=part: found.update({name: _projected(part, args, kwargs)}),
            with_kwargs=True,
        )
        for name, part in layers.items()
    ]
    modes = {part: part.training for part in model.modules()}
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # it passes the layers by
        model.eval()
        model(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for part, training in modes.items():
            part.training = training
        for hook in hooks:
            hook.remove()
    if not found:
        raise wrong("model", expected="an nn.MultiheadAttention that the run uses", got="none")
    return found


def _projected(layer: nn.MultiheadAttention, args: tuple, kwargs: dict[str, Any]) -> QueriesAndKeys:
    given = dict(zip(("query", "key"), args, strict=False)) | kwargs
    rows = [given[name] for name in ("query", "key")]
    rows = [x[None] if x.ndim == 2 else x if layer.batch_first else x.transpose(0, 1) for x in rows]
    if layer._qkv_same_embed_dim:
        weights: Any = layer.in_proj_weight.chunk(3)[:2]
    else:
        weights = layer.q_proj_weight, layer.k_proj_weight
    biases: Any = (None, None) if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)[:2]
    projected = (F.linear(x, w, b) for x, w, b in zip(rows, weights, biases, strict=True))
    q, k = (x.unflatten(-1, (layer.num_heads, -1)).transpose(1, 2) for x in projected)
    return q, k
