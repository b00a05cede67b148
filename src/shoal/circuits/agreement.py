"""How much two heads agree, whatever basis, gauge or sharpness they are written in.

    found = compare(hand, learned)
    found.score                        # 1: the same head; 0: no more than chance; below: opposites
    found.qk, found.contributions, found.attention, found.ov

Two parts make the score, which is their product (the smaller, where one is below 0): the cosine of the QK circuits
after the gauge is fixed, which does not see sharpness; and the cosine of what every key contributes to every output on
all inputs, attention times value, which does not see how a head gets rid of attention (to a null key, or to keys whose
value is zero). Beside them stand the attention maps as they are, 1 − 2 · total variation, the OV circuits where they
are used, and what each head looks like by itself.

Every part comes with a 95 % interval (queries and inputs are drawn again) and with what chance gives: the same head
with its query tokens, query places, key tokens and key places renamed at random.
"""

from dataclasses import dataclass

import torch

from shoal.circuits.copying import copy_measure, ov_measure
from shoal.circuits.head import Head
from shoal.circuits.measures import Measure, check_draws, cosine, draw_again, measure, turns
from shoal.circuits.patterns import Pattern, measure_pattern
from shoal.circuits.sides import Common, Side, compared_inputs, longest_maps
from shoal.circuits.tables import Shares, check_alike, measure_shares


@dataclass(frozen=True)
class Agreement:
    """What `compare` found about two heads.

    Attributes:
        overall: the score with its interval and chance.
        qk: cosine of the QK circuits with the gauge fixed, −1 to 1.
        contributions: cosine of attention times value, key by key, −1 to 1; 0 for outputs of different sizes.
        attention: 1 − 2 · mean total variation of the attention maps, −1 to 1.
        jensen_shannon: mean divergence of the maps in bits, 0 to 1.
        ov: cosine of the OV circuits, keys weighed by the attention that they get; 0 for outputs of different sizes.
            By chance: keys renamed.
        raw_queries: cosine of the weights W_Q as they are, to show how little it says: by chance is what the same head
            gives in another basis of queries and keys. None for different shapes.
        temperature: by how much the scores of the second head are to be multiplied to be those of the first: above 1 it
            is softer.
        copies: how alike each OV circuit is to a copy of the key's token, −1 to 1; 0 where it has other outputs. By
            chance: keys' tokens renamed.
        shares: where the variance of the scores of each head comes from, see `measure_shares`.
        patterns: what the maps of each head look like on sequences of full length, see `measure_pattern`.
    """

    overall: Measure
    qk: Measure
    contributions: Measure
    attention: Measure
    jensen_shannon: Measure
    ov: Measure
    raw_queries: Measure | None
    temperature: Measure
    copies: tuple[Measure, Measure]
    shares: tuple[Shares[Measure], Shares[Measure]]
    patterns: tuple[Pattern[Measure], Pattern[Measure]]

    @property
    def score(self) -> float:
        """In one number, −1 to 1: 1 for the same head."""
        return self.overall.value

    def __str__(self) -> str:
        return f"{self.score:.3f} (QK {self.qk}; contributions {self.contributions}; attention {self.attention})"


@torch.no_grad()
def compare(head_a: Head, head_b: Head, *, draws: int = 200, seed: int = 0) -> Agreement:
    """Compare two heads of one vocabulary and longest sequence, hand-made or learned.

    Args:
        head_a: a head.
        head_b: the head that it is compared with.
        draws: of intervals and of chance.
        seed: of both.

    Raises:
        InputError: if the heads see different inputs, or a weight is no number.

    Example:
        >>> from shoal.circuits import compile_rule, first, last
        >>> heads = [compile_rule(rule, "ABC", max_len=4) for rule in (first(), last())]
        >>> round(compare(heads[0], heads[0]).score, 6), compare(*heads).score < 0
        (1.0, True)
    """
    check_draws(draws)
    sides, generator = _sides(head_a, head_b, seed)
    common = Common.of(*sides)
    found = common.parts()
    by_chance = [Common.of(sides[0].renamed(generator), sides[1]).parts() for _ in range(draws)]
    again = common.parts(
        draw_again(len(common.scores), draws, generator), draw_again(len(common.apart), draws, generator)
    )
    heads = head_a, head_b
    return Agreement(
        **{name: measure(found[name], again[name], torch.cat([x[name] for x in by_chance])) for name in found},
        ov=ov_measure(heads, sides, draws, generator),
        raw_queries=_raw_queries(head_a, head_b, draws, generator),
        copies=(copy_measure(head_a, draws, generator), copy_measure(head_b, draws, generator)),
        shares=(measure_shares(head_a, draws=draws, seed=seed), measure_shares(head_b, draws=draws, seed=seed)),
        patterns=(_pattern(head_a, draws, seed), _pattern(head_b, draws, seed)),
    )


@torch.no_grad()
def agreement_score(one: Head, other: Head) -> float:
    """The score of `compare` alone, for many pairs."""
    return float(Common.of(*_sides(one, other, seed=0)[0]).parts()["overall"])


def _sides(one: Head, other: Head, seed: int) -> tuple[tuple[Side, Side], torch.Generator]:
    check_alike(one, other)
    for head in (one, other):
        head.check_weights()
    generator = torch.Generator().manual_seed(seed)
    tokens = compared_inputs(one, generator)
    return (Side.of(one, tokens), Side.of(other, tokens)), generator


def _pattern(head: Head, draws: int, seed: int) -> Pattern[Measure]:
    return measure_pattern(longest_maps(head, seed), draws=draws, seed=seed)


def _raw_queries(one: Head, other: Head, draws: int, generator: torch.Generator) -> Measure | None:
    if one.W_Q.shape != other.W_Q.shape:
        return None
    a, b = one.W_Q.double().cpu(), other.W_Q.double().cpu()  # (D, d)
    turned = a @ turns(a.shape[1], draws, generator)  # (draws, D, d)
    rows = torch.stack([(a * b).sum(1), a.square().sum(1), b.square().sum(1)], -1)  # (D, 3)
    by_chance = cosine((turned * b).sum((1, 2)), a.square().sum(), b.square().sum())
    again = cosine(*(draw_again(len(a), draws, generator) @ rows).unbind(-1))
    return measure(cosine(*rows.sum(0)), again, by_chance)
