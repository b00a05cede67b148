"""Train heads of the same make as the compiled one on a rule's outputs alone: many seeds at once.

All seeds lie in one tensor, so that a step costs little more for twenty than for one. One seed is one initialisation;
nothing is started again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.circuits.compiling import compile_rule
from shoal.circuits.head import Head, attend
from shoal.circuits.layout import PADDING, Layout
from shoal.circuits.rules import AnyRule
from shoal.circuits.sequences import all_or_some
from shoal.circuits.targets import wanted_output
from shoal.errors import wrong

MOST_INPUTS = 4096  # sequences that training runs over; so many are drawn where there are more


@dataclass(frozen=True, kw_only=True)
class Training:
    """How heads are trained: Adam on the mean squared error, the rate falling by a cosine.

    Small first weights matter: every query then starts by looking at all keys, and the scores grow from what the values
    have learned. With larger ones, heads stay with whatever they looked at first.

    Args:
        steps: of training.
        rate: at the beginning.
        betas: of Adam.
        spread: standard deviation of the first weights.
        batch: sequences of a step; all, where there are no more than these.
    """

    steps: int = 300
    rate: float = 0.05
    betas: tuple[float, float] = (0.9, 0.99)
    spread: float = 0.05
    batch: int = 128

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 0:
            raise wrong("steps", expected="a whole number >= 0", got=self.steps)
        if not isinstance(self.batch, int) or self.batch < 1:
            raise wrong("batch", expected="a whole number >= 1", got=self.batch)
        for name in ("rate", "spread"):
            number = getattr(self, name)
            if not isinstance(number, (int, float)) or not 0 < number < math.inf:
                raise wrong(name, expected="a number > 0", got=getattr(self, name))


def learn(
    rule: AnyRule,
    vocabulary: Sequence[str],
    max_len: int,
    *,
    seeds: int = 20,
    training: Training | None = None,
    qk_dim: int | None = None,
    first_seed: int = 0,
) -> list[Head]:
    """Train heads with the dimensions of `compile_rule(rule, vocabulary, max_len)`.

    Args:
        rule: whose outputs are learned.
        vocabulary: as in `compile_rule`.
        max_len: longest sequence.
        seeds: how many heads.
        training: how; the usual way unless given.
        qk_dim: of queries and keys, as in `compile_rule`.
        first_seed: of the first head; the others follow. A seed gives the same first weights whatever is beside it.

    Returns:
        One head for every seed, whether it learned the rule or not; `verify` tells.

    Raises:
        InputError: as `compile_rule`, or for settings that are out of range.

    Example:
        >>> from shoal.circuits import first, verify
        >>> heads = learn(first(), "AB", max_len=2, seeds=3)
        >>> [verify(head, first()).holds for head in heads]
        [True, True, True]
    """
    if not isinstance(seeds, int) or seeds < 1:
        raise wrong("seeds", expected="a whole number >= 1", got=seeds)
    hand = compile_rule(rule, vocabulary, max_len, qk_dim=qk_dim)
    layout, how = hand.layout, training or Training()
    weights = [_drawn(tuple(w.shape), seeds, first_seed, part, how.spread) for part, w in enumerate(hand.parameters())]
    generator = torch.Generator().manual_seed(0)  # the same inputs whatever the seeds
    tokens = all_or_some(len(layout.vocabulary), max_len, PADDING, most=MOST_INPUTS, generator=generator)
    targets = wanted_output(rule, tokens, layout.vocabulary).float()
    optimise(weights, layout, tokens, targets, how)
    heads = []
    for seed in range(seeds):
        head = Head(layout, hand.W_Q.shape[1], hand.W_V.shape[1])
        for parameter, trained in zip(head.parameters(), weights, strict=True):
            parameter.data.copy_(trained[seed].detach())
        heads.append(head)
    return heads


def optimise(
    weights: list[Tensor], layout: Layout, tokens: Tensor, targets: Float[Tensor, "batch n m"], how: Training
) -> None:
    """Train W_Q, W_K and W_V of all seeds, (seeds, dim, ·) each, in place.

    Args:
        weights: leaves that need a gradient.
        layout: of the inputs.
        tokens: sequences, padded.
        targets: wanted outputs.
        how: to train.
    """
    inputs = layout.embed(tokens)  # (B, keys, D)
    real = (tokens != PADDING).float()
    share = real / real.sum(1, keepdim=True)  # every sequence counts the same
    optimizer = torch.optim.Adam(weights, lr=how.rate, betas=how.betas)
    generator = torch.Generator().manual_seed(0)
    for step in range(how.steps):
        for group in optimizer.param_groups:
            group["lr"] = how.rate * 0.5 * (1 + math.cos(math.pi * step / how.steps))
        few = len(tokens) > how.batch
        rows = torch.randint(len(tokens), (how.batch,), generator=generator) if few else slice(None)
        x = inputs[rows]
        own = x[:, 1:] if layout.null else x
        queries, keys, values = (a @ w[:, None] for a, w in zip((own, x, x), weights, strict=True))
        outputs = attend(x, queries, keys, values, tokens[rows], null=layout.null).outputs  # (S, B, N, M)
        error = ((outputs - targets[rows]).square().mean(-1) * share[rows]).sum((1, 2)) / len(x)  # (S,)
        optimizer.zero_grad()
        error.sum().backward()
        optimizer.step()


def _drawn(shape: tuple[int, ...], seeds: int, first_seed: int, part: int, spread: float) -> Tensor:
    """First weights of one kind, (seeds, dim, ·)."""
    generators = (torch.Generator().manual_seed(3 * seed + part) for seed in range(first_seed, first_seed + seeds))
    return torch.stack([spread * torch.randn(shape, generator=g) for g in generators]).requires_grad_()
