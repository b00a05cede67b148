"""`LinearAttention`: torch's multi-head attention with the quadratic part replaced.

    layer = LinearAttention(512, 8, feature_map="positive")
    layer = LinearAttention.from_multihead(multihead, feature_map="positive")     # an nn.MultiheadAttention's weights

It takes the place of `nn.MultiheadAttention` inside `nn.TransformerEncoder`; `shoal.attention.replace_attention` does
that to a whole model and fits the maps.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from shoal.attention.maps.base import FeatureMap
from shoal.attention.operator import linear_attention
from shoal.attention.registry import create_feature_map
from shoal.attention.state import AttentionState
from shoal.attention.windowed import check_window_of, windowed_linear_attention
from shoal.errors import wrong


class LinearAttention(nn.Module):
    """Multi-head attention in linear time, with the parameters and the call of `nn.MultiheadAttention`.

    Args:
        embed_dim: of inputs and outputs.
        num_heads: that it is divided by.
        feature_map: name of a map, or one that is ready, for `embed_dim // num_heads` dimensions.
        num_features: of the map, where a name is given.
        bias: whether projections have one.
        batch_first: whether inputs are [batch, seq, embed_dim], else [seq, batch, embed_dim], as torch's default.
        window: of `windowed_linear_attention`; None for `linear_attention`.
        guard: see `linear_attention`.
        seed: of the map.
        device: of the projections.
        dtype: of the projections.

    Raises:
        InputError: if the numbers do not fit.

    Example:
        >>> layer = LinearAttention(64, 4, batch_first=True)
        >>> x = torch.randn(2, 100, 64)
        >>> out, _ = layer(x, x, x)
        >>> out.shape
        torch.Size([2, 100, 64])
    """

    # `nn.TransformerEncoderLayer` has a fused path of its own that would pass this layer by; it keeps to the plain one
    # where this is False.
    _qkv_same_embed_dim = False

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        feature_map: str | FeatureMap = "positive",
        num_features: int = 256,
        bias: bool = True,
        batch_first: bool = False,
        window: int | None = None,
        guard: bool = False,
        seed: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        for name, value in (("embed_dim", embed_dim), ("num_heads", num_heads)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise wrong(name, expected="a whole number >= 1", got=value)
        if not isinstance(feature_map, str | FeatureMap):
            raise wrong("feature_map", expected="a feature map or the name of one", got=feature_map)
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise wrong("embed_dim", expected="a multiple of num_heads", got=f"{embed_dim} and {num_heads}")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.batch_first, self.window, self.guard = batch_first, window, guard
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim, device=device, dtype=dtype))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim, device=device, dtype=dtype)) if bias else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        nn.init.xavier_uniform_(self.in_proj_weight)
        if bias:
            nn.init.zeros_(self.out_proj.bias)
        if isinstance(feature_map, str):
            feature_map = create_feature_map(feature_map, self.head_dim, num_features, seed=seed).to(device)
        if feature_map.dim != self.head_dim:
            raise wrong("feature_map", expected=f"one for {self.head_dim} dimensions a head", got=feature_map.dim)
        if window is not None and (feature_map.fitted or not feature_map.needs_fit):
            check_window_of(feature_map, window)
        self.feature_map = feature_map

    @classmethod
    def from_multihead(
        cls,
        multihead: nn.MultiheadAttention,
        *,
        feature_map: str | FeatureMap = "positive",
        num_features: int = 256,
        window: int | None = None,
        guard: bool = False,
        seed: int = 0,
    ) -> "LinearAttention":
        """A layer with the weights, the device and the mode of an `nn.MultiheadAttention`; arguments as of the class.

        Raises:
            InputError: if it has key or value dimensions of their own, bias_kv or zero_attn.

        Example:
            >>> exact = nn.MultiheadAttention(32, 2, batch_first=True)
            >>> torch.equal(LinearAttention.from_multihead(exact).in_proj_weight, exact.in_proj_weight)
            True
        """
        extras = {
            "kdim or vdim": not multihead._qkv_same_embed_dim,
            "add_bias_kv": multihead.bias_k is not None,
            "add_zero_attn": multihead.add_zero_attn,
        }
        if has := [name for name, there in extras.items() if there]:
            expected = "queries, keys and values of one dimension, without bias_kv and zero_attn"
            raise wrong("multihead", expected=expected, got=f"one with {has[0]}")
        layer = cls(
            multihead.embed_dim,
            multihead.num_heads,
            feature_map=feature_map,
            num_features=num_features,
            bias=multihead.in_proj_bias is not None,
            batch_first=multihead.batch_first,
            window=window,
            guard=guard,
            seed=seed,
            device=multihead.out_proj.weight.device,
            dtype=multihead.out_proj.weight.dtype,
        )
        layer.load_state_dict(multihead.state_dict(), strict=False)  # the map's constants are its own
        return layer.train(multihead.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, None]:
        """Attend, as `nn.MultiheadAttention.forward`.

        Args:
            query: [batch, seq, embed_dim] if batch_first, else [seq, batch, embed_dim]; or [seq, embed_dim].
            key: the same.
            value: the same.
            key_padding_mask: [batch, seq], True (or −inf) for keys that are padding.
            need_weights: ignored: there is no matrix of weights to return.
            attn_mask: only None or the causal mask; any other needs exact attention.
            average_attn_weights: ignored.
            is_causal: whether a query sees only keys up to its own.

        Returns:
            The output and None.

        Raises:
            InputError: if a mask is of another kind, or shapes do not fit.
        """
        for name, x in (("query", query), ("key", key), ("value", value)):
            if not isinstance(x, Tensor):
                raise wrong(name, expected="a tensor", got=type(x).__name__)
            if x.is_nested:
                fix = "build the nn.TransformerEncoder with enable_nested_tensor=False"
                raise wrong(name, expected="a padded tensor", got="a nested one", fix=fix)
        single = query.ndim == 2
        batch_first = self.batch_first or single
        query, key, value = (
            x[None] if single else x if batch_first else x.transpose(0, 1) for x in (query, key, value)
        )
        q, k, v = self.project(query, key, value)
        causal = is_causal or _is_causal_mask(attn_mask, q.shape[2], k.shape[2])
        keep = _kept(key_padding_mask, single)
        out = self.attend(q, k, v, is_causal=causal, key_mask=keep)
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        return (out[0] if single else out if batch_first else out.transpose(0, 1)), None

    def project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of all heads, [batch, heads, seq, head_dim], of [batch, seq, embed_dim] inputs."""
        for name, x in (("query", query), ("key", key), ("value", value)):
            if x.ndim != 3 or x.shape[-1] != self.embed_dim:
                raise wrong(name, expected=f"[batch, seq, {self.embed_dim}]", got=list(x.shape))
        weights = self.in_proj_weight.chunk(3)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        rows = (F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
        q, k, v = (x.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2) for x in rows)
        return q, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool, key_mask: Tensor | None) -> Tensor:
        """Attention of the heads, by the map and with the window of this layer."""
        phi, guard = self.feature_map, self.guard
        if self.window is None:
            return linear_attention(q, k, v, feature_map=phi, is_causal=is_causal, key_mask=key_mask, guard=guard)
        return windowed_linear_attention(
            q, k, v, feature_map=phi, window=self.window, is_causal=is_causal, key_mask=key_mask, guard=guard
        )

    def stream(
        self, x: Float[Tensor, "batch seq embed"], state: AttentionState | None = None
    ) -> tuple[Float[Tensor, "batch seq embed"], AttentionState]:
        """Causal self-attention of the next tokens, whatever came before being in the state.

        Args:
            x: [batch, seq, embed_dim], whatever `batch_first` says; one token or many.
            state: of the tokens before; None at the beginning.

        Returns:
            Outputs and the state after them.

        Raises:
            InputError: if the layer has a window or a guard, which need the keys themselves.
        """
        if self.window is not None or self.guard:
            got = f"window={self.window}, guard={self.guard}"
            raise wrong("stream", expected="a layer without window and guard", got=got)
        q, k, v = self.project(x, x, x)
        out, state = linear_attention(
            q, k, v, feature_map=self.feature_map, is_causal=True, state=state, return_state=True
        )
        return self.out_proj(out.transpose(1, 2).flatten(2)), state


def _is_causal_mask(mask: Tensor | None, queries: int, keys: int) -> bool:
    """Whether a mask hides the future and nothing else.

    Raises:
        InputError: for any other mask.
    """
    if mask is None:
        return False
    hidden = mask if mask.dtype == torch.bool else mask == -torch.inf
    square = tuple(hidden.shape) == (queries, keys) and queries == keys
    causal = square and torch.equal(hidden, torch.ones_like(hidden).triu(1))
    if not causal or (mask.dtype != torch.bool and bool((mask.masked_fill(hidden, 0) != 0).any())):
        raise wrong("attn_mask", expected="None or the causal mask", got="another", fix="that needs exact attention")
    return True


def _kept(padding: Tensor | None, single: bool) -> Tensor | None:
    """Torch's key_padding_mask (True or −inf: padding) as a key mask (True: takes part).

    Raises:
        InputError: for whole numbers, or floats that are neither 0 nor −inf, which would be added to logits.
    """
    if padding is None:
        return None
    expected = "a bool tensor, True for padding, or one of 0 and -inf"
    if not isinstance(padding, Tensor) or not (padding.dtype == torch.bool or padding.is_floating_point()):
        got = str(padding.dtype) if isinstance(padding, Tensor) else type(padding).__name__
        raise wrong("key_padding_mask", expected=expected, got=got, fix="mask.bool() makes one of 0 and 1")
    keep = ~padding if padding.dtype == torch.bool else padding != -torch.inf
    if padding.is_floating_point() and bool((padding.masked_fill(~keep, 0.0) != 0).any()):
        raise wrong("key_padding_mask", expected=expected, got="other numbers", fix="that needs exact attention")
    return keep[None] if single and keep.ndim == 1 else keep
