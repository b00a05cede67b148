"""The story of the circuits study: heads written by hand, and what training makes of the same task (see `telling`)."""

from shoal.studies.circuits_config import BUDGETS
from shoal.studies.circuits_tasks import TASKS
from shoal.studies.circuits_transformer import HEADS, LAYERS
from shoal.studies.result import Result
from shoal.studies.story import Formula, Headline, Story
from shoal.studies.telling import Said, Told

WORDS = {
    "hand_heads_hold": Said(
        supported="One head of attention is enough for each of the rules: those written by hand are right on every "
        "input.",
        contradicted="Not every rule could be written by hand: the worst head is right on {percent} of its inputs.",
        whether="heads that are written by hand are right on every input",
        shown=("proofs",),
    ),
    "learned_heads_hold": Said(
        supported="Training finds such heads from outputs alone: {percent} of the learned ones are right on every "
        "input.",
        contradicted="Training finds such heads from outputs alone less often than hoped: {percent} of the learned "
        "ones are right on every input.",
        whether="nine in ten learned heads are right on every input",
        shown=("proofs",),
    ),
    "the_hard_one_is_learned": Said(
        supported="The rule that needs content and position at once (unique) is learned by {percent} of the "
        "heads that tried.",
        contradicted="The rule that needs content and position at once (unique) is mostly not learned: {percent} of "
        "the heads that tried are right.",
        whether="the rule that needs content and position at once (unique) is learned more often than not",
        shown=("proofs", "one_sequence", "steps"),
    ),
    "raw_weights_look_unlike": Said(
        supported="Raw weights tell little: the query weights of heads by hand and learned ones look unlike "
        "(cosines of {effect} in size on average), since queries and keys may be turned into any basis together.",
        contradicted="Even the raw query weights of heads by hand and learned ones look alike here (cosines of "
        "{effect} in size on average).",
        whether="the raw query weights of heads by hand and learned ones look unlike",
        shown=("agreement", "steps"),
    ),
    "circuits_agree": Said(
        supported="The product of query and key weights does tell: with the softmax's freedom taken out, the "
        "circuits of both agree for every rule (mean cosine of {effect} for the rule that agrees least).",
        contradicted="The product of query and key weights differs for at least one rule, even with the softmax's "
        "freedom taken out (cosine of {effect}): the same outputs come from another circuit.",
        whether="the circuits by hand and learned agree for every rule once the softmax's freedom is taken out",
        shown=("agreement", "circuits"),
    ),
    "learned_is_softer": Said(
        supported="Learned attention is softer: its scores would have to be multiplied by {effect} or more, on "
        "average over the heads of a rule, to be as sharp as by hand.",
        contradicted="Learned attention is sharper than by hand for at least one rule: to match, its scores are to "
        "be multiplied by {effect}.",
        whether="learned attention is softer than by hand for every rule",
        shown=("agreement", "looks", "attention", "one_sequence"),
    ),
    "content_is_mixed_in": Said(
        supported="Rules about places alone are learned with contents mixed in: {percent} of the variance of their "
        "scores involves contents, where rules by hand have none.",
        contradicted="Rules about places alone are learned nearly without contents: {percent} of the variance of "
        "their scores involves them.",
        whether="rules about places alone are learned with contents mixed in",
        shown=("shares", "looks", "circuits"),
    ),
    "positions_make_stripes": Said(
        supported="Learned heads for the first place show as vertical stripes.",
        contradicted="Learned heads for the first place do not show as vertical stripes.",
        whether="learned heads for the first place show as vertical stripes",
        shown=("attention", "looks"),
    ),
    "distances_make_bands": Said(
        supported="Learned heads for the previous place show as diagonal bands.",
        contradicted="Learned heads for the previous place do not show as diagonal bands.",
        whether="learned heads for the previous place show as diagonal bands",
        shown=("attention", "looks"),
    ),
    "values_copy": Said(
        supported="What learned heads pass on is nearly a copy of the selected token (cosine of {effect} for the "
        "rule that copies least).",
        contradicted="What learned heads pass on is not quite a copy of the selected token (cosine of {effect} for "
        "the rule that copies least).",
        whether="what learned heads pass on is a copy of the selected token",
        shown=("agreement",),
    ),
    "the_rest_can_go": Said(
        supported="Entries that a rule has no use for can be set to zero: {percent} of the learned heads are still "
        "right on every input.",
        contradicted="Entries that a rule has no use for cannot simply be set to zero: without them {percent} of the "
        "learned heads are still right on every input.",
        whether="entries that a rule has no use for can be set to zero",
        shown=("entries",),
    ),
    "rules_are_told_apart": Said(
        supported="One number tells rules apart: on average the heads of every rule agree with their own better than "
        "with any other, by {effect} of the score or more.",
        contradicted="One number does not tell all rules apart widely: for one rule the score of the next is only "
        "{effect} less.",
        whether="the score tells all rules apart by {bound} or more",
        shown=("separation",),
    ),
    "heads_are_named": Said(
        supported="The rule can be read back from the weights: {percent} of the learned heads are given theirs.",
        contradicted="The rule can be read back from the weights less often than hoped: {percent} of the learned "
        "heads are given theirs.",
        whether="the rule can be read back from nine in ten learned heads",
        shown=("entries",),
    ),
    "heads_specialise": Said(
        supported="In the small transformers heads specialize: one gives most of its attention to the first key, one "
        "to the previous key.",
        contradicted="In the small transformers heads do not specialize by place: one of the two places asked for "
        "gets {percent} of a head's attention at the most.",
        whether="heads of the small transformers specialize in the first and in the previous key",
        shown=("heads", "transformers", "roles", "transformer_maps"),
    ),
    "content_has_a_head": Said(
        supported="Contents have a head of their own in the small transformers.",
        contradicted="Contents have no head of their own in the small transformers: places with the same token get "
        "{percent} of a head's attention at the most.",
        whether="contents have a head of their own in the small transformers",
        shown=("transformers", "heads", "roles"),
    ),
    "training_sets_heads_apart": Said(
        supported="Training sets heads apart: two of them share less attention than before.",
        contradicted="Training does not set heads apart: two of them share no less attention than before.",
        whether="training sets heads apart",
        shown=("likeness", "transformers"),
    ),
    "heads_are_redundant": Said(
        supported="Some heads are redundant: {percent} of them can each be left out for less than a point of accuracy.",
        contradicted="Hardly a head is redundant: {percent} of them can each be left out for less than a point of "
        "accuracy.",
        whether="some heads can be left out",
        shown=("transformers", "heads"),
    ),
}

_FORMULAS = (
    Formula(
        latex=r"s_{ij} = \frac{(x_i W_Q)(x_j W_K)^\top}{\sqrt{d}} = \frac{x_i \, W_{QK} \, x_j^\top}{\sqrt{d}}, "
        r"\quad W_{QK} = W_Q W_K^\top",
        says="The score of query i with key j depends on the weights only through the product of query and key "
        "weights: the QK circuit.",
    ),
    Formula(
        latex=r"a_{ij} = \frac{e^{s_{ij}}}{\sum_l e^{s_{il}}}, \quad o_i = \sum_j a_{ij} \, x_j W_V",
        says="Attention is the softmax of the scores over keys; the output is the mean of the values, weighed by it. "
        "What a key adds to an output, its token times the value weights, is the OV circuit.",
    ),
    Formula(
        latex=r"(W_Q R)(W_K R^{-\top})^\top = W_Q W_K^\top",
        says="Queries and keys can be written in any other basis together: raw weights change, the circuit does not.",
    ),
    Formula(
        latex=r"\tilde{s}_{ij} = s_{ij} - \frac{1}{N} \sum_{l=1}^{N} s_{il}",
        says="The softmax does not see a number that is added to all scores of a query, so each query's mean over "
        "keys is taken off before circuits are compared.",
    ),
    Formula(
        latex=r"m = \min_i \left( \min_{y \neq y_i} \lVert o_i - y \rVert - \lVert o_i - y_i \rVert \right)",
        says="The margin: how much farther an output is from the nearest wrong answer than from the right one, at "
        "the worst place of all inputs. Above zero on every input, the head is proved.",
    ),
)


def tell(result: Result) -> Result:
    """The result with its story.

    Args:
        result: of the circuits study.
    """
    told = Told(result, WORDS)
    story = Story(asked=_asked(), done=_done(told), means=_means(told), changes=_changes(told), formulas=_FORMULAS)
    return told.told(_headline(told), story)


def _headline(told: Told) -> Headline:
    held, tried = _held(told)
    agree, learned = told.verdict("circuits_agree"), told.verdict("learned_heads_hold")
    if agree == "supported" and learned == "supported":
        sentence = "Heads that learn from examples alone end up with the circuit that one would write by hand."
    elif agree == "supported":
        sentence = "Heads that do learn a rule from examples end up with the circuit that one would write by hand."
    elif agree == "contradicted":
        sentence = "Heads that learn from examples alone can follow a rule by another circuit than the one by hand."
    elif learned == "contradicted":
        sentence = "Attention rules can be written by hand; learning them from examples alone often fails here."
    else:
        sentence = "Attention rules can be written by hand and learned; how alike both are is not settled here."
    what = "heads that learned a rule from examples are right on every input"
    return Headline(sentence=sentence, value=f"{held:,} of {tried:,}", what=what, picture="one_sequence")


def _held(told: Told) -> tuple[int, int]:
    """Learned heads that hold, and all of them, from the table of proofs."""
    proofs = told.table("proofs")
    assert proofs is not None
    at = proofs.columns.index("learned heads that hold")
    counts = [str(row[at]).split(" of ") for row in proofs.rows]
    return sum(int(held) for held, _ in counts), sum(int(tried) for _, tried in counts)


def _asked() -> tuple[str, ...]:
    return (
        "A head of attention selects places of a sequence and passes on what they hold. It can select by content "
        "(the same token), by position (the first place), or by both. The study asks whether the weights for such a "
        "rule can be written down and proved, and whether training finds the same head from examples alone.",
        "How would one see that two heads are the same? Their weights may look entirely different: only products of "
        "weights act on the outputs, and the softmax does not notice everything. So heads are compared by what is "
        "left when these freedoms are taken out.",
    )


def _done(told: Told) -> tuple[str, ...]:
    s = told.settings
    kinds = len({task.kind for task in TASKS})
    return (
        f"For {len(TASKS)} rules of {kinds} kinds a head was compiled and proved: its answer was looked at for every "
        f"sequence up to a length. For each rule {s['seeds']} heads of the same size were trained for "
        f"{s['learning_steps']} steps on the outputs alone, from different first weights, none of them started again. "
        f"Each was proved likewise and held against the head by hand. What chance gives is told by heads with tokens "
        f"and places renamed, {s['resamples']} times.",
        f"Then {s['transformers']} small transformers ({LAYERS} layers of {HEADS} heads) learned a mixed task for "
        f"{s['transformer_steps']} steps: to tell at every place the first token, the previous token, and whether "
        "the token occurs once. Their heads were looked at, and left out one at a time.",
    )


def _means(told: Told) -> tuple[str, ...]:
    same = (
        "hand_heads_hold",
        "learned_heads_hold",
        "the_hard_one_is_learned",
        "raw_weights_look_unlike",
        "circuits_agree",
        "learned_is_softer",
    )
    looks = (
        "content_is_mixed_in",
        "positions_make_stripes",
        "distances_make_bands",
        "values_copy",
        "the_rest_can_go",
        "rules_are_told_apart",
        "heads_are_named",
    )
    whole = ("heads_specialise", "content_has_a_head", "training_sets_heads_apart", "heads_are_redundant")
    return told.paragraphs(same, looks, whole)


def _changes(told: Told) -> tuple[str, ...]:
    s, full = told.settings, BUDGETS["full"]
    more = ""
    if s["seeds"] < full["seeds"]:
        seeds = f"{s['seeds']} for each rule here, {full['seeds']} with `--budget full`"
        more = f" Intervals narrow with the number of learned heads: {seeds}."
    return (
        "Longer training may sharpen learned attention, and change what is left of contents in rules about places. "
        f"Other rules, vocabularies and lengths can be tried with `shoal circuits`.{more}",
        "These heads stand alone: no residual stream, no normalization, three tokens. In a large model several heads "
        "share a task; what carries over is how heads are compared, not that every one of them follows a rule.",
    )
