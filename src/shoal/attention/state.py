"""What linear attention remembers of all keys and values so far: sums, of a size that does not grow.

    out, state = linear_attention(q, k, v, feature_map=phi, is_causal=True, return_state=True)
    out, state = linear_attention(q1, k1, v1, feature_map=phi, is_causal=True, state=state, return_state=True)

A state is never changed in place: one that was kept can be continued in several ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.errors import wrong

UNSET = -1e30  # log scale of a feature that no key has reached; finite, so that differences are no NaN


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionState:
    """Running sums of one attention layer.

    With weights w = phi(k) · exp(−log_scale), per feature, `sums` holds Σ w vᵀ and, in its last column, Σ w.
    `log_scale` follows the largest feature seen (see `shoal.attention.causal`), which keeps every sum in range.

    Attributes:
        sums: float32, or float64 for float64 inputs.
        log_scale: one per feature, or one for all features of a head; empty for maps without a log factor.
        value_sum: Σ v.
        longest: largest norm of a value, where the map has features of both signs; else 0.
        count: keys seen, per row of the batch.
        replaced: query rows so far whose denominator was negative or vanished, per head.
        label: of the feature map that the sums are made with.
    """

    sums: Float[Tensor, "batch heads features m_plus_1"]
    log_scale: Float[Tensor, "batch heads scales"]
    value_sum: Float[Tensor, "batch heads m"]
    longest: Float[Tensor, "batch heads"]
    count: Int[Tensor, "batch"]
    replaced: Int[Tensor, "batch heads"]
    label: str

    @property
    def num_features(self) -> int:
        """Features of the map that it belongs to."""
        return self.sums.shape[2]

    @property
    def nbytes(self) -> int:
        """Size in memory; the same after any number of tokens."""
        return sum(tensor.nbytes for tensor in self._tensors().values())

    def clone(self) -> Self:
        """A copy that shares no memory."""
        return self._map(torch.clone)

    def select(self, rows: Int[Tensor, "rows"] | list[int]) -> Self:
        """Rows of the batch, in the order given and as often as given: the beams that go on.

        Raises:
            InputError: if a row is not in the batch.
        """
        chosen = torch.as_tensor(rows, device=self.sums.device)
        if chosen.numel() and (chosen.is_floating_point() or chosen.dtype == torch.bool):
            raise wrong("rows", expected="whole numbers", got=str(chosen.dtype), fix="mask.nonzero()[:, 0] makes them")
        chosen = chosen.long()
        batch = self.sums.shape[0]
        if chosen.ndim != 1 or (chosen.numel() and not -batch <= int(chosen.min()) <= int(chosen.max()) < batch):
            raise wrong("rows", expected=f"a list of rows of a batch of {batch}", got=chosen.tolist())
        return self._map(lambda tensor: tensor[chosen])

    def merge(self, other: "AttentionState") -> Self:
        """The state of both sequences of keys together, in any order.

        Raises:
            InputError: if the states are of different maps or shapes.
        """
        if not isinstance(other, AttentionState):
            raise wrong("merge", expected="an AttentionState", got=type(other).__name__)
        self.check(other.label, other.sums.shape)
        top = torch.maximum(self.log_scale, other.log_scale)
        parts = (self, other)
        sums = [s.sums * (s.log_scale - top).exp()[..., None] if top.shape[2] else s.sums for s in parts]
        return replace(
            self,
            sums=sums[0] + sums[1],
            log_scale=top,
            longest=torch.maximum(self.longest, other.longest),
            **{name: getattr(self, name) + getattr(other, name) for name in ("value_sum", "count", "replaced")},
        )

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move to a device; a dtype is taken by the sums, not by the counts."""
        device = self.sums.new_empty(0).to(*args, **kwargs).device
        return self._map(lambda t: t.to(*args, **kwargs) if t.is_floating_point() else t.to(device))

    def state_dict(self) -> dict[str, Any]:
        """Tensors by name, and the label: what `torch.save` can keep."""
        return {**self._tensors(), "label": self.label}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Any]) -> "AttentionState":
        """The state that `state_dict` described.

        Raises:
            InputError: if an entry is missing or one too many, or has another shape than the sums say.
        """
        names = {field.name for field in fields(cls)}
        if set(state_dict) != names:
            raise wrong("state_dict", expected=", ".join(sorted(names)), got=", ".join(sorted(state_dict)))
        batch, heads, features, more = state_dict["sums"].shape
        scales = state_dict["log_scale"].shape[-1]
        shapes = {
            "log_scale": (batch, heads, scales if scales in (0, 1) else features),
            "value_sum": (batch, heads, more - 1),
            "longest": (batch, heads),
            "count": (batch,),
            "replaced": (batch, heads),
        }
        for name, shape in shapes.items():
            if tuple(state_dict[name].shape) != shape:
                raise wrong(f"state_dict[{name!r}]", expected=list(shape), got=list(state_dict[name].shape))
        return cls(**state_dict)

    def check(self, label: str, shape: tuple[int, ...]) -> None:
        """Refuse to go on with another map, or with another batch, number of heads or size of values.

        Raises:
            InputError: if something differs.
        """
        if label != self.label:
            raise wrong("state", expected=f"one made with feature map {label}", got=f"one of {self.label}")
        if tuple(shape) != tuple(self.sums.shape):
            names = "[batch, heads, features, m + 1]"
            raise wrong("state", expected=f"sums of shape {names} = {list(shape)}", got=list(self.sums.shape))

    def _tensors(self) -> dict[str, Tensor]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Tensor)}

    def _map(self, fn: Any) -> Self:
        return replace(self, **{name: fn(tensor) for name, tensor in self._tensors().items()})
