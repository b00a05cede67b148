"""How far linear attention is from exact attention, map by map, and what `estimate_error` says about it.

Errors are ‖out − exact‖ / ‖exact‖ (Frobenius), per head, against exact attention in float64, on tokens that no map was
fitted to. Every head has a distribution, tokens and directions of its own, so that heads are repetitions.
"""

import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.attention import (
    DenominatorWarning,
    FeatureMap,
    create_feature_map,
    estimate_error,
    linear_attention,
    softmax_attention_reference,
    windowed_linear_attention,
)
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_inputs import Kind, draw_inputs
from shoal.studies.measured_rows import Row

RANDOM = ("trig", "positive", "hyperbolic", "oprf", "sderf")
FITTED = ("landmark", "learned")
OWN_COUNT = ("elu", "relu", "taylor")
Tokens = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One feature map on one kind of inputs.

    Attributes:
        kind: of the inputs.
        map: its name.
        features: asked for.
        orthogonal: whether random directions are orthogonal in blocks.
        window: of exact attention; 0 for none.
    """

    kind: Kind
    map: str
    features: int
    orthogonal: bool = True
    window: int = 0


def tasks(config: AttentionConfig, kind: Kind) -> Iterator[Task]:
    """What is measured on one kind of inputs: random maps, simple ones, fitted ones, and those with a window."""
    most = max(config.features)
    for count in (*config.features, 2 * most, 4 * most):
        yield from (Task(kind=kind, map=name, features=count) for name in RANDOM)
    for count in config.features:
        yield from (Task(kind=kind, map=name, features=count, orthogonal=False) for name in RANDOM)
    yield from (Task(kind=kind, map=name, features=config.dim) for name in OWN_COUNT)
    yield from (Task(kind=kind, map="landmark", features=count) for count in config.features)
    if kind == "aniso":  # learning takes most of the time, and has nothing to find on the others
        yield from (Task(kind=kind, map="learned", features=count) for count in config.features)
        yield from (Task(kind=kind, map="landmark", features=n, window=config.window) for n in config.features)
        yield Task(kind=kind, map="learned", features=most, window=config.window)


class Inputs:
    """Test tokens of one kind, their exact outputs, and calibration tokens of the same distributions.

    Args:
        config: resolved.
        kind: of the inputs.
    """

    def __init__(self, config: AttentionConfig, kind: Kind):
        self.config = config
        self.kind: Kind = kind
        self._landmarks: dict[int, FeatureMap] = {}

    @cached_property
    def test(self) -> Tokens:
        """Tokens that errors are measured on."""
        return self._draw(self.config.length, "test")

    @cached_property
    def calibration(self) -> Tokens:
        """Tokens that maps are fitted to."""
        return self._draw(self.config.calibration, "calibration")

    @cached_property
    def exact(self) -> Tensor:
        """Exact outputs of the test tokens, float64."""
        q, k, v = self.test
        return softmax_attention_reference(q.double(), k.double(), v.double())

    def errors(self, out: Tensor) -> Float[Tensor, "heads"]:
        """Relative error of an output, per head."""
        size = lambda x: x.double().square().sum((0, 2, 3)).sqrt()  # noqa: E731
        return size(out.double() - self.exact) / size(self.exact)

    def maps(self, task: Task) -> list[FeatureMap]:
        """The map of a task for every head: random ones with directions of their own, the others fitted together."""
        heads = range(self.config.heads)
        if task.map not in FITTED:
            return [self._of_head(task, h) for h in heads]
        phi = self._landmark(task.features) if task.map == "landmark" else self._learned(task)
        return [phi.of_heads(slice(h, h + 1)) for h in heads]

    def _of_head(self, task: Task, head: int) -> FeatureMap:
        c = self.config
        phi = create_feature_map(task.map, c.dim, task.features, orthogonal=task.orthogonal, seed=c.seed + head)
        return phi.fit(*_heads(self.calibration, head)) if phi.needs_fit else phi

    def _landmark(self, features: int) -> FeatureMap:
        """Fitted once: a window makes no difference to it."""
        if features not in self._landmarks:
            phi = create_feature_map("landmark", self.config.dim, features, seed=self.config.seed)
            self._landmarks[features] = phi.fit(*self.calibration)
        return self._landmarks[features]

    def _learned(self, task: Task) -> FeatureMap:
        phi = create_feature_map("learned", self.config.dim, task.features, seed=self.config.seed)
        return phi.fit(*self.calibration, steps=self.config.steps, window=task.window or None)

    def _draw(self, n: int, purpose: str) -> Tokens:
        """Tokens of these distributions, float32."""
        c = self.config
        q, k, v = draw_inputs(self.kind, n, heads=c.heads, dim=c.dim, seed=c.seed, purpose=purpose)
        return q.float(), k.float(), v.float()


def baseline(inputs: Inputs) -> Row:
    """The error of returning the mean of the values for every query."""
    return {"errors": inputs.errors(inputs.test[2].mean(2, keepdim=True)).tolist()}


def floor(inputs: Inputs, ranks: list[int]) -> Row:
    """The error of the nearest matrix of rank m to the attention matrix (Eckart and Young), rank by rank.

    It is what m features could do that know the matrix itself.
    """
    q, k, v = (x.double() for x in inputs.test)
    errors = []
    for head in range(q.shape[1]):
        logits = q[0, head] @ k[0, head].mT * q.shape[-1] ** -0.5
        left, values, right = torch.linalg.svd(logits.softmax(-1))
        parts = right @ v[0, head]  # (N, M)
        exact = inputs.exact[0, head]
        outs = [left[:, :m] @ (values[:m, None] * parts[:m]) for m in ranks]
        errors.append([_distance(out, exact) for out in outs])
    return {"ranks": ranks, "errors": [list(column) for column in zip(*errors, strict=True)]}


@torch.no_grad()
def measure_task(inputs: Inputs, task: Task) -> Row:
    """True and estimated error of a map, per head, and how many rows had no usable denominator."""
    errors, estimates, replaced = [], [], 0
    window = task.window or None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DenominatorWarning)  # counted instead
        maps = inputs.maps(task)
        for head, phi in enumerate(maps):
            q, k, v = _heads(inputs.test, head)
            if window:
                out = windowed_linear_attention(q, k, v, feature_map=phi, window=window)
            else:
                out, state = linear_attention(q, k, v, feature_map=phi, return_state=True)
                replaced += int(state.replaced.sum())
            exact = inputs.exact[:, head : head + 1]
            errors.append(_distance(out.double(), exact))
            found = estimate_error(q, k, v, phi, window=window, seed=_sampling_seed(inputs.config.seed, task, head))
            estimates.append([found.value, found.low, found.high])
    share = replaced / (inputs.test[0].shape[2] * len(maps))
    return {"errors": errors, "estimates": estimates, "replaced": share, "used": maps[0].num_features}


def _distance(out: Tensor, exact: Tensor) -> float:
    return float((out - exact).square().sum() / exact.square().sum()) ** 0.5


def _sampling_seed(seed: int, task: Task, head: int) -> int:
    """Another sample of rows for every estimate, so that their luck is their own."""
    return zlib.crc32(repr((seed, task, head)).encode())


def _heads(tokens: Tokens, head: int) -> Tokens:
    q, k, v = (x[:, head : head + 1] for x in tokens)
    return q, k, v
