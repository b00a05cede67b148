"""What a head does with the entries of its weights that its rule has no use for: set to zero, does anything change?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from shoal.circuits.conditions import conditions_of
from shoal.circuits.head import Head
from shoal.circuits.layout import PADDING
from shoal.circuits.proof import Proof, verify
from shoal.circuits.rules import AnyRule, Rule
from shoal.circuits.sides import compared_inputs
from shoal.circuits.writing import not_self, same


@dataclass(frozen=True)
class Ablation:
    """A head before and after.

    Attributes:
        head: with the entries set to zero.
        before: proof of the head as it was.
        after: proof of the other.
        farthest: largest change of an output.
        removed: share of the weights' square norm that was set to zero.
    """

    head: Head
    before: Proof
    after: Proof
    farthest: float
    removed: float

    @property
    def harmless(self) -> bool:
        """Whether the rule holds after as it did before."""
        return self.after.holds or not self.before.holds


@torch.no_grad()
def ablate(head: Head, rule: AnyRule) -> Ablation:
    """Keep what the rule needs and take out the rest.

    Kept are the scores between contents if the rule looks at contents, and those between places if it looks at places.
    Of every other block of scores the mean over keys is left, which no key gains by but the null key would lose; of the
    values of places likewise their mean, places weighed by the attention that they get. What every query wants alike
    may stand in the block of either kind of query, and is counted where query and key are of one kind, see
    `shoal.circuits.tables`.

    Queries and keys are written anew, in as many dimensions as the input has: what is taken out are entries of their
    product.

    Args:
        head: learned, usually.
        rule: that it follows.
    """
    selection = rule if isinstance(rule, Rule) else same() & not_self()
    found = conditions_of(selection, head.layout.vocabulary, head.layout.max_len)
    tokens = slice(int(head.layout.null), head.layout.content.stop)
    places = head.layout.position
    scores = head.W_Q.double() @ head.W_K.double().mT / head.W_Q.shape[1] ** 0.5
    values = head.W_V.double().clone()
    if head.layout.positions:
        for query, key in ((tokens, places), (places, tokens)):  # what every query wants, to its own kind
            common = scores[query, key].mean(0)
            scores[query, key] -= common
            scores[key, key] += common
        mean = _attended_places(head) @ values[places]
        values[tokens] += mean
        values[places] -= mean
    kept, kept_values = scores.clone(), values.clone()
    wanted = {(0, 0): found.content is not None, (1, 1): found.level is not None}
    kinds = (tokens, places) if head.layout.positions else (tokens,)
    for i, query in enumerate(kinds):
        for j, key in enumerate(kinds):
            if not wanted.get((i, j), False):
                kept[query, key] = kept[query, key].mean(1, keepdim=True)
    kept_values[places] = 0
    return Ablation(
        head=(smaller := _written(head, kept, kept_values)),
        before=verify(head, rule),
        after=verify(smaller, rule),
        farthest=_farthest(head, smaller),
        removed=_share(scores - kept, scores, values - kept_values, values),
    )


def _attended_places(head: Head) -> Tensor:
    """Share of the attention to tokens that goes to each place, over the inputs of comparisons, (places,)."""
    tokens = compared_inputs(head, torch.Generator().manual_seed(0))
    maps = head.trace_batch(tokens).attention[..., int(head.layout.null) :]  # (batch, n, n)
    got = (maps * (tokens != PADDING)[:, :, None]).sum((0, 1)).double()
    return got / got.sum().clamp_min(1e-12)


def _written(head: Head, scores: Tensor, values: Tensor) -> Head:
    """A head with these scores and values."""
    dim = len(scores)
    found = Head(head.layout, dim, values.shape[1]).to(head.W_Q)
    found.W_Q.copy_(scores * dim**0.5)
    found.W_K.copy_(torch.eye(dim))
    found.W_V.copy_(values)
    return found


def _farthest(one: Head, other: Head) -> float:
    tokens = compared_inputs(one, torch.Generator().manual_seed(0))
    apart = (one(tokens) - other(tokens)).abs().amax(-1)
    return float(apart[tokens != PADDING].max())


def _share(removed_scores: Tensor, scores: Tensor, removed_values: Tensor, values: Tensor) -> float:
    total = float(scores.square().sum() + values.square().sum())
    return float(removed_scores.square().sum() + removed_values.square().sum()) / total if total else 0.0
