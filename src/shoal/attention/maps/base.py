"""What every feature map is: a module that turns queries and keys into features whose products stand in for a kernel.

A map that approximates softmax attention estimates exp(scale · q·k) itself, factors and all, so that its features can
be put beside exact weights (see `shoal.attention.windowed_linear_attention`). Its coordinates are

    x = √scale · Ψ (q − μ_q)        y = √scale · Ψ⁻ᵀ (k − μ_k)

and what centring takes out of the exponent goes into a factor per row. Before `fit`, Ψ = 1 and μ = 0.
"""

import copy
import math
from abc import abstractmethod
from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shoal.attention.eager import full_precision
from shoal.attention.features import Features
from shoal.attention.maps.invariances import Invariances, find_invariances
from shoal.errors import wrong

Role = str  # "query" or "key"


class FeatureMap(nn.Module):
    """Base of all feature maps; use `create_feature_map` to make one.

    Args:
        dim: of queries and keys.
        num_features: that a row is turned into.
        orthogonal: whether random directions are orthogonal in blocks.
        seed: of whatever the map draws.
        invariances: whether `fit` also learns centring and balancing, which leave softmax attention as it is and
            make the kernel easier to approximate.

    Attributes:
        fitted: whether `fit` was called.
        heads: number of key heads that it was fitted to; 0 before.
    """

    name: ClassVar[str]
    needs_fit: ClassVar[bool] = False
    signed: ClassVar[bool] = False
    exponential: ClassVar[bool] = True
    scale_per_row: ClassVar[bool] = False  # log has one entry per row, not one per feature
    symmetric: ClassVar[bool] = False  # whether `features` is the same for queries and keys
    estimates_softmax: ClassVar[bool] = True  # whether its kernel is an estimate of exp(scale · q·k)
    feature_step: ClassVar[int] = 1  # num_features must be a multiple
    per_head: ClassVar[tuple[str, ...]] = ("query_mean", "key_mean", "query_basis", "key_basis")  # tensors (H, ...)

    query_mean: Tensor  # (H, 1, D)
    key_mean: Tensor
    query_basis: Tensor  # (H, D, D)
    key_basis: Tensor
    heads_: Tensor

    def __init__(
        self,
        dim: int,
        num_features: int,
        *,
        orthogonal: bool = True,
        seed: int = 0,
        invariances: bool = True,
    ):
        super().__init__()
        self.dim, self.num_features = dim, num_features
        self.orthogonal, self.seed, self.invariances = orthogonal, seed, invariances
        for name, tensor in Invariances.none(dim).items():
            self.register_buffer(name, tensor)
        self.register_buffer("heads_", torch.tensor(0))
        self._checksum, self._version = "", 0  # of the constants, once it was asked for; of the parameters then
        self.moved = False  # whether the invariances are more than none
        self.heads, self.groups = 0, 1  # groups: query heads that shared a key head in `fit`

    # ------------------------------------------------------------------ what a map does

    @abstractmethod
    def features(self, x: Float[Tensor, "batch heads n dim"], role: Role, scale: float) -> Features:
        """Features of rows in the map's own coordinates; `role` is "query" or "key"."""

    def queries(self, q: Float[Tensor, "batch heads n dim"], scale: float | None = None) -> Features:
        """Features of queries.

        Args:
            q: rows per key head; query heads that share a key head one after the other.
            scale: of the logits; 1/√dim unless given.
        """
        return self._features(q, "query", scale)

    def keys(self, k: Float[Tensor, "batch heads n dim"], scale: float | None = None) -> Features:
        """Features of keys; see `queries`."""
        return self._features(k, "key", scale)

    def queries_and_keys(self, q: Tensor, k: Tensor, scale: float | None = None) -> tuple[Features, Features]:
        """Both, with one product where their maps and shapes are the same: what decoding token by token waits for."""
        if not self.symmetric or self.moved or q.shape != k.shape:
            return self.queries(q, scale), self.keys(k, scale)
        both = self._features(torch.cat([q, k]), "query", scale)
        halves = [(None, None) if x is None else x.chunk(2) for x in (both.value, both.log, both.row)]
        return Features(*(x[0] for x in halves)), Features(*(x[1] for x in halves))

    @full_precision
    def fit(self, q: Tensor, k: Tensor, v: Tensor | None = None, *, scale: float | None = None, **options: Any) -> Self:
        """Learn centring, balancing and the map itself, per head, from a calibration batch.

        Fit on other tokens than the map is used on: constants taken from the sequence itself would let the future
        leak into the past.

        Args:
            q: [batch, query heads, n, dim]; all sequences are used together.
            k: [batch, heads, n, dim].
            v: [batch, heads, n, m]; only maps that look at the output of attention use values.
            scale: of the logits; 1/√dim unless given.
            options: what else the map takes.

        Returns:
            The map itself.

        Raises:
            InputError: if shapes do not fit, or values are not finite.
        """
        self._check_options(options)
        tidy_q, k, v = self._check_fit(q, k, v)
        grouped_by, q = q.shape[1] // k.shape[1], tidy_q
        if scale is not None and not 0 < scale < math.inf:
            raise wrong("scale", expected="a number > 0", got=scale)
        scale = float(self.dim**-0.5) if scale is None else scale
        self.moved = self.exponential and self.invariances
        with torch.no_grad():
            found = find_invariances(q, k) if self.moved else Invariances.none(self.dim)
            for name, tensor in found.items():
                setattr(self, name, tensor.to(q.device))
        self.heads, self.groups = k.shape[1], grouped_by
        self.heads_.fill_(self.heads)
        self._checksum = ""
        try:
            self._fit(q, k, v, scale, **options)
        except BaseException:  # half a fit is none
            self.heads, self.moved = 0, False
            self.heads_.fill_(0)
            raise
        return self

    def _check_options(self, options: dict[str, Any]) -> None:
        known = [name for name, p in signature(self._fit).parameters.items() if p.kind is Parameter.KEYWORD_ONLY]
        for name in options:
            if name not in known:
                expected = f"only {', '.join(known)}" if known else "no more options"
                raise wrong(f"fit of feature map '{self.name}'", expected=expected, got=name)

    def _fit(self, q: Tensor, k: Tensor, v: Tensor | None, scale: float) -> None:
        """Learn what is the map's own; invariances are there already."""

    def redraw(self, seed: int) -> Self:
        """Draw new random directions; what was fitted stays. Maps without randomness stay as they are."""
        self.seed, self._checksum = seed, ""
        return self

    @property
    def fitted(self) -> bool:
        """Whether `fit` was called."""
        return self.heads > 0

    @property
    def num_scales(self) -> int:
        """Size of the last dimension of `Features.log`; 0 where there is none."""
        if not self.exponential:
            return 0
        return 1 if self.scale_per_row else self.num_features

    @property
    def divisible(self) -> bool:
        """Whether `of_heads` can be used: no module of another kind hides constants of the heads."""
        return self.heads <= 1 or not self._modules

    def of_heads(self, heads: slice) -> Self:
        """The map of some of its heads, with constants that are views of this one's."""
        if self.heads <= 1:
            return self
        part = copy.copy(self)
        cut = lambda name, tensor: tensor[heads] if name in self.per_head else tensor  # noqa: E731
        part._buffers = {
            name: tensor if tensor is None else cut(name, tensor) for name, tensor in self._buffers.items()
        }
        part._parameters = {
            name: p if p is None else nn.Parameter(cut(name, p.detach()), requires_grad=p.requires_grad)
            for name, p in self._parameters.items()
        }
        part.heads = len(range(self.heads)[heads])
        return part

    @property
    def label(self) -> str:
        """What a state of running sums is made of; sums of one map mean nothing to another."""
        version = sum(p._version for p in self.parameters() if not p.is_inference())
        if not self._checksum or version != self._version:
            total = sum(float(tensor.detach().double().sum()) for tensor in (*self.buffers(), *self.parameters()))
            self._checksum, self._version = f"{total:.9e}", version
        return f"{self.name}/{self.dim}/{self.num_features}/{self.heads} heads/{self._checksum}"

    def extra_repr(self) -> str:
        """Shown by `print`."""
        fitted = f", fitted to {self.heads} heads" if self.fitted else ""
        return f"dim={self.dim}, num_features={self.num_features}, seed={self.seed}{fitted}"

    # ------------------------------------------------------------------ how it does it

    def check(self, *, heads: int, dim: int) -> None:
        """Refuse what the map was not made for.

        Raises:
            InputError: if it is not fitted and must be, or for another number of heads or dimensions.
        """
        name = f"feature map '{self.name}'"
        if self.needs_fit and not self.fitted:
            raise wrong(name, expected="a fitted map", got="a new one", fix="call .fit(q, k) first")
        if dim != self.dim:
            raise wrong(name, expected=f"rows of {self.dim} numbers", got=dim)
        if self.fitted and self.heads not in (1, heads):
            raise wrong(name, expected=f"the {self.heads} heads of its fit", got=heads)

    @full_precision
    def _features(self, rows: Tensor, role: Role, scale: float | None) -> Features:
        self.check(heads=rows.shape[1], dim=rows.shape[-1])
        rows = rows if rows.dtype in (torch.float32, torch.float64) else rows.float()
        scale = float(self.dim**-0.5) if scale is None else scale
        if not self.exponential:
            return self.features(rows, role, scale)
        x, offset = self._coordinates(rows, role, scale)
        found = self.features(x, role, scale)
        if offset is None:
            return found
        return Features(found.value, found.log, offset if found.row is None else found.row + offset)

    def _coordinates(self, rows: Tensor, role: Role, scale: float) -> tuple[Tensor, Tensor | None]:
        """X or y of the module's docstring, (B, H, n, D), and the logarithm of the factor per row, (B, H, n, 1)."""
        root = scale**0.5
        if not self.moved:
            return root * rows, None
        cast = lambda buffer: buffer.to(rows.dtype)  # noqa: E731
        mu_q, mu_k = cast(self.query_mean), cast(self.key_mean)  # (H, 1, D)
        if role == "query":
            return root * ((rows - mu_q) @ cast(self.query_basis)), scale * (rows @ mu_k.mT)
        centred = rows - mu_k
        return root * (centred @ cast(self.key_basis)), scale * (centred @ mu_q.mT)

    def _check_fit(self, q: Tensor, k: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Detached float32 (or float64) rows, query heads grouped by key head: (B, H, n, D)."""
        for name, x in (("q", q), ("k", k), ("v", v)):
            if x is not None and not (isinstance(x, Tensor) and x.is_floating_point() and x.device == q.device):
                got = f"{x.dtype} on {x.device}" if isinstance(x, Tensor) else type(x).__name__
                raise wrong(name, expected="a tensor of floats, on one device with the others", got=got)
        for name, x in (("q", q), ("k", k)):
            if x.ndim != 4 or x.shape[-1] != self.dim or not x.numel():
                raise wrong(name, expected=f"[batch, heads, n, {self.dim}] with n >= 1", got=list(x.shape))
        if q.shape[0] != k.shape[0] or q.shape[1] % k.shape[1]:
            raise wrong(
                "q and k",
                expected="one batch size, and query heads a multiple of key heads",
                got=f"{list(q.shape)} and {list(k.shape)}",
            )
        if v is not None and v.shape[:3] != k.shape[:3]:
            raise wrong("v", expected=f"[{', '.join(map(str, k.shape[:3]))}, m]", got=list(v.shape))
        for name, x in (("q", q), ("k", k), ("v", v)):
            if x is not None and not torch.isfinite(x).all():
                raise wrong(name, expected="finite numbers", got="NaN or infinity")
        tidy = lambda x: x.detach() if x.dtype == torch.float64 else x.detach().float()  # noqa: E731
        grouped = tidy(q).reshape(k.shape[0], k.shape[1], -1, self.dim)
        return grouped, tidy(k), None if v is None else tidy(v)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the model to its device; stay at least float32, whatever precision the model is brought to."""

        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return tensor.to(moved.device) if moved.dtype in (torch.float16, torch.bfloat16) else moved

        return super()._apply(move, recurse)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Tensors take as many heads as are loaded: a fitted map has one row for each, a new one has not."""
        for name, own in [*self._buffers.items(), *self._parameters.items()]:
            loaded = state_dict.get(prefix + name)
            if own is None or loaded is None or name not in self.per_head:
                continue
            if loaded.shape != own.shape and loaded.shape[1:] == own.shape[1:]:  # torch tells of any other difference
                empty = torch.empty_like(loaded, dtype=own.dtype, device=own.device)
                setattr(self, name, nn.Parameter(empty) if isinstance(own, nn.Parameter) else empty)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        self.heads, self._checksum = int(self.heads_), ""
        self.moved = self.exponential and self.fitted and len(self.query_mean) == self.heads
