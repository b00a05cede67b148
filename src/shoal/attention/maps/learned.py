"""A map refined by gradient descent on what counts: the output of attention on a calibration batch.

    log phi_q = x A + a + gelu(x U_q + u_q) V_q
    log phi_k = log_softmax(y B + b + gelu(y U_k + u_k) V_k) + y·g

Features are positive whatever is learned, so no denominator is ever negative. The softmax makes the features of a key
soft memberships in cells of the key space; queries weigh the cells. Training is in `learning`.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shoal.attention.features import Features
from shoal.attention.maps.base import FeatureMap, Role
from shoal.attention.maps.learning import learn

HIDDEN = 64  # units beside the linear part
_SHAPES = {
    "query_weight": ("dim", "features"),
    "query_bias": (1, "features"),
    "query_in": ("dim", HIDDEN),
    "query_in_bias": (1, HIDDEN),
    "query_out": (HIDDEN, "features"),
    "key_weight": ("dim", "features"),
    "key_bias": (1, "features"),
    "key_in": ("dim", HIDDEN),
    "key_in_bias": (1, HIDDEN),
    "key_out": (HIDDEN, "features"),
    "key_tilt": ("dim", 1),
}


class Learned(FeatureMap):
    """Positive features learned per head, in five to fifteen seconds a head; see the module.

    `fit` takes `v` as well (random values stand in for it otherwise), `window` where the map is for
    `windowed_linear_attention`, `is_causal`, and the number of `steps`. A map that is fitted without a window knows the
    kernel only up to a factor per row and cannot be put beside exact weights.
    """

    name, needs_fit = "learned", True
    per_head = (*FeatureMap.per_head, *_SHAPES)

    window_: Tensor

    def __init__(self, dim: int, num_features: int, **options: Any):
        super().__init__(dim, num_features, **options)
        sizes: dict[str | int, int] = {"dim": dim, "features": num_features, HIDDEN: HIDDEN, 1: 1}
        for name, shape in _SHAPES.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(1, *(sizes[size] for size in shape))))
        self.register_buffer("window_", torch.tensor(0))

    @property
    def estimates_softmax(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride] - known after `fit` only
        """Whether it was fitted for use beside exact weights."""
        return int(self.window_) > 0

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """Positive."""
        own = {
            name.removeprefix(f"{role}_"): getattr(self, name).to(x.dtype) for name in _SHAPES if name.startswith(role)
        }
        log = x @ own["weight"] + own["bias"] + hidden(x, own)
        if role == "query":
            return Features(log=log)
        return Features(log=log, row=x @ own["tilt"] - log.logsumexp(-1, keepdim=True))

    def _fit(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor | None,
        scale: float,
        *,
        window: int | None = None,
        is_causal: bool = False,
        steps: int = 1000,
    ) -> None:
        learn(self, q, k, v, scale, window=window, is_causal=is_causal, steps=steps)
        self.window_.fill_(window or 0)


def hidden(x: Tensor, own: dict[str, Tensor]) -> Tensor:
    """The part of the logs that is not linear."""
    return F.gelu(x @ own["in"] + own["in_bias"], approximate="tanh") @ own["out"]
