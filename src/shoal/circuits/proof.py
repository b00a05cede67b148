"""Whether a head follows a rule: looked up for every input, not argued.

A head's output is read as the nearest of the outputs that the rule can ask for. The rule holds where that is the right
one at every place of every sequence. How narrowly, is said beside: by the margin of that reading, and by the leak, the
attention on keys that should get none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.circuits.head import Head
from shoal.circuits.rules import AnyRule, Rule, Unique
from shoal.circuits.sequences import MOST, Sequences
from shoal.circuits.targets import wanted_attention, wanted_output
from shoal.errors import wrong


@dataclass(frozen=True)
class Counterexample:
    """The first place that a head gets wrong.

    Attributes:
        sequence: token names.
        place: of the query.
        expected: output.
        got: output.
    """

    sequence: tuple[str, ...]
    place: int
    expected: tuple[float, ...]
    got: tuple[float, ...]

    def __str__(self) -> str:
        rounded = lambda values: "[" + ", ".join(f"{value:.3g}" for value in values) + "]"  # noqa: E731
        return (
            f"{' '.join(self.sequence)}, place {self.place}: expected {rounded(self.expected)}, got {rounded(self.got)}"
        )


@dataclass(frozen=True)
class Proof:
    """What was found.

    Attributes:
        holds: whether every output that was looked at is read right.
        inputs: sequences that were looked at.
        accuracy: share of them that are right at every place.
        complete_up_to: length up to which these are all there are; longer ones are a seeded sample.
        max_len: longest sequence.
        worst_margin: how much farther the nearest wrong reading is than the right one, at the worst place; above 0
            where the rule holds. As far as the nearest two readings are from each other if the output is perfect.
        leak: most attention that a query gives to keys that should get none.
        counterexample: the first place that is wrong; None where the rule holds.
    """

    holds: bool
    inputs: int
    accuracy: float
    complete_up_to: int
    max_len: int
    worst_margin: float
    leak: float
    counterexample: Counterexample | None

    @property
    def exhaustive(self) -> bool:
        """Whether every input up to the longest was looked at."""
        return self.complete_up_to == self.max_len

    def __str__(self) -> str:
        which = (
            f"every input up to {self.max_len} tokens"
            if self.exhaustive
            else (f"every input up to {self.complete_up_to} tokens and a sample of longer ones up to {self.max_len}")
        )
        found = "holds on" if self.holds else f"fails ({self.counterexample}); right on {self.accuracy:.1%} of"
        return f"{found} {self.inputs:,} inputs: {which}; margin {self.worst_margin:.3g}, leak {self.leak:.1e}"


@torch.no_grad()
def verify(head: Head, rule: AnyRule, max_len: int | None = None, *, most: int = MOST, seed: int = 0) -> Proof:
    """Look at every input up to a length.

    Args:
        head: hand-made or learned.
        rule: that it should follow.
        max_len: longest sequence; the head's own unless given.
        most: sequences of one length that are all looked at; of lengths that have more, so many are drawn.
        seed: of the draw.

    Raises:
        InputError: if the head has weights that are no numbers, is too short, or has another number of outputs.

    Example:
        >>> from shoal.circuits import compile_rule, previous
        >>> proof = verify(compile_rule(previous(), "ABC", max_len=4), previous())
        >>> proof.holds, proof.inputs, proof.exhaustive
        (True, 120, True)
    """
    head.check_weights()
    if not isinstance(rule, Rule | Unique):
        raise wrong("rule", expected="a rule, as same() & not_self()", got=repr(rule), fix="parse_rule reads a text")
    if not isinstance(most, int) or most < 1:
        raise wrong("most", expected="a whole number >= 1", got=most)
    longest = head.layout.max_len if max_len is None else max_len
    if not 1 <= longest <= head.layout.max_len:
        raise wrong("max_len", expected=f"1 to the head's {head.layout.max_len}", got=longest)
    sequences = Sequences(len(head.layout.vocabulary), longest, most, seed)
    readings = possible_outputs(rule, sequences, head.layout.vocabulary)
    if readings.shape[1] != head.W_V.shape[1]:
        raise wrong("head", expected=f"{readings.shape[1]} outputs for {rule}", got=head.W_V.shape[1])
    inputs = right = 0
    margin, leak, first = torch.inf, 0.0, None
    for tokens in sequences:
        tokens = tokens.to(head.W_Q.device)
        trace = head.trace_batch(tokens)
        expected = wanted_output(rule, tokens, head.layout.vocabulary)  # (B, N, M)
        margins = reading_margins(trace.outputs.double(), expected, readings)  # (B, N)
        should = wanted_attention(rule, tokens, head.layout)  # (B, N, keys)
        outside = trace.attention.double().masked_fill(should > 0, 0.0).sum(-1)
        nothing = should.sum(-1) == 0  # a head without a null key has nothing to look at there
        leak = max(leak, float(outside.masked_fill(nothing, 0.0).max()))
        margin, inputs = min(margin, float(margins.min())), inputs + len(tokens)
        good = (margins > 0).all(1)
        right += int(good.sum())
        if first is None and not bool(good.all()):
            first = _counterexample(head, tokens, trace.outputs, expected, margins)
    return Proof(
        holds=right == inputs,
        inputs=inputs,
        accuracy=right / inputs,
        complete_up_to=sequences.complete_up_to,
        max_len=longest,
        worst_margin=margin,
        leak=leak,
        counterexample=first,
    )


def possible_outputs(rule: AnyRule, sequences: Sequences, vocabulary: tuple[str, ...]) -> Float[Tensor, "outputs m"]:
    """The different outputs that a rule asks for on these sequences."""
    found = [wanted_output(rule, tokens, vocabulary).flatten(0, 1).unique(dim=0) for tokens in sequences]
    return torch.cat(found).mul(2**20).round().unique(dim=0) / 2**20  # equal but for rounding is equal


def reading_margins(
    outputs: Float[Tensor, "*rows m"], expected: Float[Tensor, "*rows m"], readings: Float[Tensor, "outputs m"]
) -> Float[Tensor, "*rows"]:
    """How much farther each output is from the nearest wrong reading than from the right one.

    Distances are Euclidean. Where a rule can ask for one output only, there is no wrong one: what is missing to half
    of its length counts.
    """
    readings = readings.to(outputs.device)
    right = (outputs - expected).norm(dim=-1)
    others = torch.cdist(outputs.flatten(0, -2), readings).unflatten(0, outputs.shape[:-1])  # (…, outputs)
    itself = torch.cdist(expected.flatten(0, -2), readings).unflatten(0, expected.shape[:-1]) < 1e-5
    nearest = others.masked_fill(itself, torch.inf).amin(-1)
    return torch.where(nearest == torch.inf, 0.5 * expected.norm(dim=-1) - right, nearest - right)


def _counterexample(head: Head, tokens: Tensor, outputs: Tensor, expected: Tensor, margins: Tensor) -> Counterexample:
    row, place = (margins <= 0).nonzero()[0].tolist()
    names: Sequence[str] = head.layout.vocabulary
    return Counterexample(
        sequence=tuple(names[i] for i in tokens[row].tolist()),
        place=place,
        expected=tuple(expected[row, place].tolist()),
        got=tuple(outputs[row, place].tolist()),
    )
