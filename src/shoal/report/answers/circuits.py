"""Answers about heads that select: by content and by position, set by hand and learned."""

from collections.abc import Iterator

from shoal.report.answers.blocks import Block, Points, Prose, formula
from shoal.report.answers.found import Found

_BY_CONTENT = ("selects by", ("content", "content and position"))
_BY_POSITION = ("selects by", ("position", "content and position"))


def by_content(found: Found) -> Iterator[Block]:
    """2a."""
    yield Prose(
        text="A head scores each pair of places by $x_i^\\top W_Q^\\top W_K\\, x_j$. To select **by content** by "
        "hand, let $W_Q$ and $W_K$ read the part of the residual stream that holds the token, as a one-hot "
        "vector, and nothing else. Their product is then a table, tokens by tokens: a large number where the rule "
        "says “look”, zero where it does not. For “the same token” it is a multiple of the identity, and the "
        "multiple is how sharp the head is. A learned head of the same make sees only inputs and the right "
        "outputs."
    )
    yield Prose(text="**What is alike.** Both are asked about every input up to a length, not about a sample:")
    yield found.claim(
        "hand_heads_hold",
        supported="What is set by hand is proved: there is no input on which it fails.",
        contradicted="Some head by hand fails on some input; the table has which.",
    )
    yield found.claim(
        "learned_heads_hold",
        supported="Nearly every initialisation ends with a head that is right everywhere: the task is easy to learn.",
        contradicted="Too many initialisations end with a head that is wrong somewhere: the task is not as easy "
        "to learn as to write down.",
    )
    yield found.claim(
        "the_hard_one_is_learned",
        supported="That holds for the rule that needs content and position at once, too.",
        contradicted="The rule that needs content and position at once is beyond most initialisations.",
    )
    yield found.table(
        "proofs", columns=("selects by", "inputs", "by hand", "learned heads that hold"), where=_BY_CONTENT
    )
    yield found.claim(
        "values_copy",
        supported="Their values are alike as well: what is looked at is copied.",
        contradicted="Their values are not alike: learned heads do not simply copy what they look at.",
    )
    yield Prose(
        text="**What seems to differ, and does not.** Only the product $W_Q^\\top W_K$ acts. For any invertible "
        "$A$ the pair $(A W_Q,\\; A^{-\\top} W_K)$ gives the same scores, so that raw weights of two heads that "
        "do the same can look like strangers. And a constant added to a whole row of scores cancels in the "
        "softmax:"
    )
    yield formula(
        r"(A W_Q)^\top (A^{-\top} W_K) = W_Q^\top W_K, \quad "
        r"\mathrm{softmax}(s_i + c_i\mathbf{1}) = \mathrm{softmax}(s_i)",
        "A cancels in the product of both matrices; a constant that is added to a row of scores cancels in the softmax",
    )
    yield Prose(text="So compare the scores, each row less its mean (the gauge is fixed then), not the weights:")
    yield found.claim(
        "raw_weights_look_unlike",
        supported="The raw weights do look unlike, as they may.",
        contradicted="Even the raw weights look alike here, which nothing demands.",
    )
    yield found.claim(
        "circuits_agree",
        supported="With the gauge fixed, the circuits agree: the learned head has found the table.",
        contradicted="With the gauge fixed they still differ for at least one rule: there is more than one table of "
        "scores that selects the same keys, and training picks another than the hand does.",
    )
    yield found.picture("circuits")
    yield found.table("agreement", columns=("score", "QK, gauge fixed", "raw W_Q", "times softer"))
    yield Prose(text="**What differs.** Sharpness, and what stands where the rule does not look:")
    yield found.claim(
        "learned_is_softer",
        supported="Learned attention is softer: the loss stops rewarding sharpness once the output is right, while the "
        "hand chooses any number that it likes.",
        contradicted="Learned attention is as sharp as that by hand, or sharper.",
    )
    yield found.claim(
        "the_rest_can_go",
        supported="Entries outside of the rule's subspaces do no harm: nothing in the task pushed them to zero, and "
        "taking them out changes no answer.",
        contradicted="Entries outside of the rule's subspaces matter: without them heads go wrong, so that they "
        "were no left-overs but part of the solution.",
    )
    yield found.claim(
        "heads_are_named",
        supported="And the rule can be read back from the weights alone.",
        contradicted="The rule cannot be read back from the weights as often as it should.",
    )
    yield found.picture("one_sequence")


def by_position(found: Found) -> Iterator[Block]:
    """2b."""
    yield Prose(
        text="To select **by position** by hand, let $W_Q$ and $W_K$ read the part that holds the place. Their "
        "product is a table, places by places. “The first” needs one column: every query scores the first place "
        "high, whatever its own. “The previous” needs the diagonal below the main one: $i$ scores $i-1$."
    )
    yield Points(
        items=(
            "**Stripes.** A column of the table is a vertical stripe in the map of attention.",
            "**Bands.** A diagonal of the table is a diagonal band. Its breadth is softness: what a learned head gives "
            "to the neighbours of the place that it means.",
        )
    )
    yield found.claim(
        "positions_make_stripes",
        supported="The key's place explains the maps of such heads, learned or by hand.",
        contradicted="The key's place does not explain the maps of learned heads: they are no clean stripes.",
    )
    yield found.claim(
        "distances_make_bands",
        supported="The distance explains them.",
        contradicted="The distance does not explain the maps of learned heads: their bands are broken or very broad.",
    )
    yield found.table("looks", columns=("head", "position–position", "entropy", "stripe", "band"))
    yield found.table(
        "proofs", columns=("selects by", "inputs", "by hand", "learned heads that hold"), where=_BY_POSITION
    )
    yield Prose(
        text="**Content that should not be there.** By hand, the scores of a positional rule hear nothing about "
        "tokens. A learned head has no reason to keep them out, as long as its answers are right:"
    )
    yield found.claim(
        "content_is_mixed_in",
        supported="Learned heads let contents in where the rule is about places only.",
        contradicted="Learned heads keep contents out nearly as well as the hand does.",
    )
    yield found.picture("shares")
    yield found.table("entries")
    yield Prose(
        text="**Several heads.** In a small transformer that is asked for the first token, the previous token and "
        "whether a token is unique, nobody tells a head what to do. Do they divide the work?"
    )
    yield found.claim(
        "heads_specialise",
        supported="They do: one takes the first place, one the previous.",
        contradicted="They do not divide it cleanly: no head gives most of its attention to the place that the task "
        "asks for.",
    )
    yield found.claim(
        "content_has_a_head",
        supported="Contents have a head of their own, too.",
        contradicted="No head is left to contents alone: that work is spread over several.",
    )
    yield found.claim(
        "training_sets_heads_apart",
        supported="Training sets them apart: they start out alike.",
        contradicted="Training does not set them apart: they share as much attention as before.",
    )
    yield found.claim(
        "heads_are_redundant",
        supported="Some can be spared: what they do, another does as well, and a loss does not punish a double.",
        contradicted="None can be spared, or hardly any: this transformer has no head too many.",
    )
    yield found.picture("transformer_maps")
    yield found.picture("roles")
    yield found.table("heads")
