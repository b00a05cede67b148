"""What the room of attention computes: one head on made-up tokens, exact beside linear, within a moment.

measure(Asked(map="landmark", length=512, features=64))
"""

import functools
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shoal.errors import unknown_name, wrong

if TYPE_CHECKING:
    from torch import Tensor

    from shoal.attention import ErrorEstimate, FeatureMap

MAPS = {
    "landmark": "landmark, fitted to data",
    "sderf": "SDERF, fitted to data",
    "oprf": "OPRF, fitted to data",
    "positive": "positive random features (FAVOR+)",
    "trig": "trigonometric random features",
    "hyperbolic": "hyperbolic random features",
    "elu": "elu + 1",
    "relu": "relu",
    "taylor": "Taylor, second order",
}
KINDS = {"aniso": "like a trained network's", "iso": "isotropic noise"}
DIM = 32
CALIBRATION = 512  # other tokens, that maps are fitted to
LENGTHS, FEATURES, SCALES = (64, 1024, 64), (8, 256, 8), (0.25, 4.0, 0.25)  # lowest, highest, step of the sliders
TOKENS = 48  # of the pictures
_TIMING = 0.012  # s that a timing goes on for


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the reader set.

    Args:
        map: name of the feature map.
        kind: of tokens, "aniso" or "iso".
        length: tokens.
        features: asked for; some maps have a number of their own.
        scale: factor of the logits.
        causal: whether a query sees only the keys up to its own.
        seed: of tokens and maps.
    """

    map: str = "landmark"
    kind: str = "aniso"
    length: int = 512
    features: int = 64
    scale: float = 1.0
    causal: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.map not in MAPS:
            raise unknown_name("feature map", self.map, MAPS)
        if self.kind not in KINDS:
            raise unknown_name("kind of tokens", self.kind, KINDS)
        _check("length", self.length, LENGTHS)
        _check("features", self.features, FEATURES)
        _check("scale", self.scale, SCALES)
        if not 0 <= self.seed < 2**31:
            raise wrong("seed", expected=f"a whole number from 0 to {2**31 - 1}", got=self.seed)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was measured.

    Attributes:
        features: that the map has.
        error: ‖out − exact‖ / ‖exact‖ of the output.
        estimate: of the same, by the library, from some rows.
        exact_seconds, linear_seconds: of a call now, one thread.
        exact, linear: attention of some tokens among themselves, rows of weights.
        top: weight of the deepest colour of both.
        replaced: share of rows whose denominator failed and that the mean of the values stands in for.
    """

    features: int
    error: float
    estimate: "ErrorEstimate"
    exact_seconds: float
    linear_seconds: float
    exact: list[list[float]]
    linear: list[list[float]]
    top: float
    replaced: float


def measure(asked: Asked) -> Found:
    """Compute what the room shows; hold the lock of the house."""
    import torch

    from shoal.attention import DenominatorWarning, estimate_error, linear_attention, softmax_attention_reference
    from shoal.studies.threads import threads

    scale = asked.scale * DIM**-0.5
    how = {"is_causal": asked.causal, "scale": scale}
    with threads(1), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DenominatorWarning)  # the page says it
        q, k, v = tokens(asked.kind, asked.length, asked.seed, "test")
        phi = fitted(asked.map, asked.features, asked.kind, asked.seed, asked.scale)
        out, state = linear_attention(q, k, v, feature_map=phi, return_state=True, **how)
        exact = softmax_attention_reference(q.double(), k.double(), v.double(), **how)
        error = float((out.double() - exact).square().sum() / exact.square().sum()) ** 0.5
        exactly = lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, **how)  # noqa: E731
        exactly()  # the first call of a length takes longer
        maps = _matrices(q, k, phi, asked, scale)
        return Found(
            features=phi.num_features,
            error=error,
            estimate=estimate_error(q, k, v, phi, seed=asked.seed, **how),
            exact_seconds=_median(exactly),
            linear_seconds=_median(lambda: linear_attention(q, k, v, feature_map=phi, **how)),
            exact=maps[0].tolist(),
            linear=maps[1].tolist(),
            top=float(maps[0].quantile(0.995)),
            replaced=float(state.replaced.sum()) / asked.length,
        )


@functools.lru_cache(maxsize=16)
def tokens(kind: Literal["aniso", "iso"], length: int, seed: int, purpose: str) -> "tuple[Tensor, Tensor, Tensor]":
    """Queries, keys and values of the study's distributions, float32 [1, 1, length, DIM]."""
    from shoal.studies.attention_inputs import draw_inputs

    q, k, v = draw_inputs(kind, length, heads=1, dim=DIM, seed=seed, purpose=purpose)
    return q.float(), k.float(), v.float()


@functools.lru_cache(maxsize=64)
def fitted(name: str, features: int, kind: Literal["aniso", "iso"], seed: int, scale: float) -> "FeatureMap":
    """A map, ready for use; fitted to other tokens than it is measured on, where it needs that."""
    from shoal.attention import create_feature_map

    phi = create_feature_map(name, DIM, features, seed=seed)
    return phi.fit(*tokens(kind, CALIBRATION, seed, "calibration"), scale=scale * DIM**-0.5) if phi.needs_fit else phi


def _matrices(q: "Tensor", k: "Tensor", phi: "FeatureMap", asked: Asked, scale: float) -> "tuple[Tensor, Tensor]":
    """Attention of the first tokens among themselves, exact and linear, (n, n).

    Without an order of their own, both sides are sorted along the strongest direction of the logits.
    """
    import torch

    from shoal.attention import kernel_matrix

    q, k = q[:, :, :TOKENS], k[:, :, :TOKENS]
    logits = scale * q[0, 0] @ k[0, 0].mT
    if not asked.causal:
        left, _, right = torch.linalg.svd(logits - logits.mean(1, keepdim=True))
        q, k = q[:, :, left[:, 0].argsort()], k[:, :, right[0].argsort()]
        logits = scale * q[0, 0] @ k[0, 0].mT
    kernel = kernel_matrix(q.double(), k.double(), phi, scale)[0, 0]
    if asked.causal:
        hidden = torch.ones_like(logits, dtype=torch.bool).triu(1)
        logits, kernel = logits.masked_fill(hidden, -torch.inf), kernel.masked_fill(hidden, 0.0)
    linear = kernel / kernel.sum(-1, keepdim=True)
    return logits.softmax(-1), linear.nan_to_num(0.0, 0.0, 0.0)


def _median(run: Callable[[], object]) -> float:
    """Seconds of a call that was made before: the median of those that fit into a moment, one at least."""
    taken: list[float] = []
    while not taken or (sum(taken) < _TIMING and len(taken) < 20):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _check(name: str, value: float, limits: tuple[float, float, float]) -> None:
    low, high, step = limits
    if not low <= value <= high or value % step:
        raise wrong(name, expected=f"a multiple of {step:g} from {low:g} to {high:g}", got=f"{value:g}")
