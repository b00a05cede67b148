"""The claims of the circuits study: each a function from measurements to a `Claim`.

They know nothing of weights, and are tested with made-up numbers. Learned heads and transformers, one seed each, are
what intervals count; where a claim is about all rules, the rule that speaks most against it is the one that counts.
"""

import math
from collections.abc import Callable

from shoal.measure import Interval, proportion_interval
from shoal.studies.circuits_measured import ROLES, LearnedHead, Measured, TaskFound, over
from shoal.studies.circuits_transformer import HEADS, LAYERS, READOUTS
from shoal.studies.ends import ends, point
from shoal.studies.result import Claim
from shoal.studies.wording import percent, powers

MOSTLY = 0.9  # share of heads, or a cosine, that counts as nearly always, or nearly alike
UNLIKE = 0.5  # cosine
APART = 0.5  # difference of scores
MIXED = 0.01  # share of variance
HALF = 0.5
SOLVED = 0.95  # accuracy of a transformer
SPARED = 0.01  # of accuracy, that a redundant head is worth at most

Of = Callable[[LearnedHead], float]


def all_claims(m: Measured) -> tuple[Claim, ...]:
    """Every claim of the study, in the order of the report."""
    return (
        hand_heads_hold(m),
        learned_heads_hold(m),
        the_hard_one_is_learned(m),
        raw_weights_look_unlike(m),
        circuits_agree(m),
        learned_is_softer(m),
        content_is_mixed_in(m),
        positions_make_stripes(m),
        distances_make_bands(m),
        values_copy(m),
        the_rest_can_go(m),
        rules_are_told_apart(m),
        heads_are_named(m),
        heads_specialise(m),
        content_has_a_head(m),
        training_sets_heads_apart(m),
        heads_are_redundant(m),
    )


def hand_heads_hold(m: Measured) -> Claim:
    """Heads that were written follow their rules on every input."""
    worst = min(m.tasks, key=lambda task: task.hand.accuracy)
    whole = all(task.hand.exhaustive for task in m.tasks)
    inputs = sum(task.hand.inputs for task in m.tasks)
    return Claim(
        id="hand_heads_hold",
        sentence="Heads set by hand solve selection by content, by position and by both on every input.",
        measured=f"{sum(task.hand.holds for task in m.tasks)} of {len(m.tasks)} rules hold on "
        f"{'every one' if whole else 'all that were looked at'} of their inputs, {inputs:,} in total; at most "
        f"{powers(max(task.hand.leak for task in m.tasks))} of a query's attention goes elsewhere.",
        **point(worst.hand.accuracy),
        bound=1.0,
        direction="above",
        unit="of the inputs",
    )


def learned_heads_hold(m: Measured) -> Claim:
    """Heads that were trained on outputs do too."""
    heads = [head.proof.holds for task in m.tasks for head in task.learned]
    few = min(m.tasks, key=lambda task: len(task.good) / len(task.learned))
    return Claim(
        id="learned_heads_hold",
        sentence="Learned heads of the same make solve them too: nine in ten initialisations are right on every input.",
        measured=f"{sum(heads)} of {len(heads)} heads are, over {len(m.tasks)} rules; fewest for {few.name}: "
        f"{len(few.good)} of {len(few.learned)}.",
        **ends(proportion_interval(sum(heads), len(heads))),
        bound=MOSTLY,
        direction="above",
        unit="of the heads",
    )


def the_hard_one_is_learned(m: Measured) -> Claim:
    """`unique` is learned without restarts."""
    task = m.task("unique")
    return Claim(
        id="the_hard_one_is_learned",
        sentence="The selection by content and position at once (unique) is learned as well, more often than not, "
        "without a restart.",
        measured=f"{len(task.good)} of {len(task.learned)} initialisations are right on every input.",
        **ends(proportion_interval(len(task.good), len(task.learned))),
        bound=HALF,
        direction="above",
        unit="of the heads",
    )


def raw_weights_look_unlike(m: Measured) -> Claim:
    """W_Q of hand-made and learned heads point elsewhere."""
    signed = [head.compared.raw.value for t in m.tasks for head in t.good if head.compared.raw] or [0.0]
    found = over([abs(x) for x in signed])
    return Claim(
        id="raw_weights_look_unlike",
        sentence="The raw weights of hand-made and learned heads look unlike: the cosine of W_Q is below 0.5 in size.",
        measured=f"Over {len(signed)} learned heads that hold, the cosine of W_Q goes from {min(signed):.2f} to "
        f"{max(signed):.2f}; queries and keys can be written in any basis.",
        **ends(found),
        bound=UNLIKE,
        direction="below",
        unit="mean size of the cosine",
    )


def circuits_agree(m: Measured) -> Claim:
    """QK circuits agree after fixing the gauge."""
    task, found = _least(m.with_good, lambda head: head.compared.qk.value)
    beyond = [head.compared.qk.value > head.compared.qk.chance_high for t in m.tasks for head in t.good]
    return Claim(
        id="circuits_agree",
        sentence="Their QK circuits agree once the gauge of the softmax is fixed: the cosine is above 0.9.",
        measured=f"Least for {task}: {found.value:.3f} on average; the mean over all rules is "
        f"{_mean(m, lambda head: head.compared.qk.value):.3f}. Of {len(beyond)} heads, {sum(beyond)} agree better than "
        "95 % of heads with tokens and places renamed.",
        **ends(found),
        bound=MOSTLY,
        direction="above",
        unit="cosine",
    )


def learned_is_softer(m: Measured) -> Claim:
    """Scores of learned heads are to be multiplied to become those of the hand-made ones."""
    task, log = _least(m.with_good, lambda head: math.log(max(head.compared.temperature.value, 1e-6)))
    found = Interval(*(math.exp(min(x, 50.0)) for x in (log.value, log.low, log.high)))
    most = max(head.compared.temperature.value for t in m.with_good for head in t.good) if m.with_good else 1.0
    return Claim(
        id="learned_is_softer",
        sentence="Learned attention is softer than attention by hand: its scores lie closer together.",
        measured=f"To match the scores by hand, learned ones are to be multiplied by {found.value:.3g} for {task} "
        f"(least, geometric mean), and by up to {most:.3g}.",
        **ends(found),
        bound=1.0,
        direction="above",
        strict=True,
        unit="×",
    )


def content_is_mixed_in(m: Measured) -> Claim:
    """Rules by position: some of the scores' variance comes from contents."""
    heads = [head for task in m.tasks if task.kind == "position" for head in task.good]
    found = over([1 - head.looks.shares[3] for head in heads])
    return Claim(
        id="content_is_mixed_in",
        sentence="Learned heads mix content into rules that are about positions only: more than a hundredth of the "
        "variance of their scores involves contents.",
        measured=f"{percent(found.value, 1)} on average over {len(heads)} heads of the rules by position, by hand "
        f"{percent(max(1 - t.hand_looks.shares[3] for t in m.tasks if t.kind == 'position'), 1)} at most; of weights "
        f"that know no subspaces {percent(over([1 - head.looks.by_chance[3] for head in heads]).value, 1)}.",
        **ends(found),
        bound=MIXED,
        direction="above",
        strict=True,
        unit="of the variance",
    )


def positions_make_stripes(m: Measured) -> Claim:
    """The learned head for `first` has vertical stripes."""
    task = m.task("first")
    found = task.over_good(lambda head: head.looks.stripe)
    return Claim(
        id="positions_make_stripes",
        sentence="A head that selects a place shows as a vertical stripe: the key's place explains more than half of "
        "its attention maps.",
        measured=f"Of the maps of learned heads for {task.name} it explains {percent(found.value, 1)}, by hand "
        f"{percent(task.hand_looks.stripe, 1)}; with keys in another order "
        f"{percent(task.over_good(lambda head: head.looks.by_chance[5]).value, 1)}.",
        **ends(found),
        bound=HALF,
        direction="above",
        unit="of the variation",
    )


def distances_make_bands(m: Measured) -> Claim:
    """The learned head for `previous` has a diagonal band."""
    task = m.task("previous")
    found = task.over_good(lambda head: head.looks.band)
    return Claim(
        id="distances_make_bands",
        sentence="A head that selects by distance shows as a diagonal band: the distance of key and query explains "
        "more than half of its attention maps.",
        measured=f"Of the maps of learned heads for {task.name} it explains {percent(found.value, 1)}, by hand "
        f"{percent(task.hand_looks.band, 1)}; with keys in another order "
        f"{percent(task.over_good(lambda head: head.looks.by_chance[6]).value, 1)}.",
        **ends(found),
        bound=HALF,
        direction="above",
        unit="of the variation",
    )


def values_copy(m: Measured) -> Claim:
    """OV circuits are copies where they are used."""
    task, found = _least([t for t in m.with_good if t.name != "unique"], lambda head: head.compared.ov.value)
    return Claim(
        id="values_copy",
        sentence="OV circuits of learned heads copy, as those by hand do: where a key gets attention, the cosine with "
        "a copy of its token is above 0.9.",
        measured=f"Least for {task}: {found.value:.3f} on average, keys weighed by the attention that they get; "
        f"with keys renamed {_mean(m, lambda head: head.compared.ov.chance):.3f} over all rules.",
        **ends(found),
        bound=MOSTLY,
        direction="above",
        unit="cosine",
    )


def the_rest_can_go(m: Measured) -> Claim:
    """Entries outside of the rule's subspaces can be set to zero."""
    heads = [head for task in m.tasks for head in task.good]
    few = min(m.with_good, key=lambda task: sum(h.harmless for h in task.good) / len(task.good), default=m.tasks[0])
    removed = over([head.removed for head in heads]).value
    return Claim(
        id="the_rest_can_go",
        sentence="Entries outside of the rule's subspaces do no harm and no good: without them, nine in ten learned "
        "heads are still right on every input.",
        measured=f"{sum(head.harmless for head in heads)} of {len(heads)} are; fewest for {few.name}: "
        f"{sum(head.harmless for head in few.good)} of {len(few.good)}. What is taken out is {percent(removed, 1)} of "
        "the square norm of scores and values on average.",
        **ends(proportion_interval(sum(head.harmless for head in heads), max(1, len(heads)))),
        bound=MOSTLY,
        direction="above",
        unit="of the heads",
    )


def rules_are_told_apart(m: Measured) -> Claim:
    """The score tells a head's own rule from others."""
    gaps = {name: over(found) for name, found in zip(m.separation.rules, m.separation.gaps, strict=True) if found}
    name, found = min(gaps.items(), key=lambda pair: pair[1].value, default=("no rule", over([])))
    least = min((gap for row in m.separation.gaps for gap in row), default=0.0)
    return Claim(
        id="rules_are_told_apart",
        sentence="The score tells rules apart: a learned head agrees with its own rule better than with any other, by "
        "at least 0.5.",
        measured=f"Least for {name}: {found.value:.3f} on average; the least of any head is {least:.3f}.",
        **ends(found),
        bound=APART,
        direction="above",
        unit="of the score",
    )


def heads_are_named(m: Measured) -> Claim:
    """`decompile` names the rule of a learned head."""
    right = [head.right for task in m.tasks for head in task.good]
    other = [head for task in m.tasks for head in task.good if head.named and not head.right]
    return Claim(
        id="heads_are_named",
        sentence="The rule can be read back from a learned head: nine in ten heads that hold are given theirs.",
        measured=f"{sum(right)} of {len(right)} are; {len(other)} are given another rule, the rest none.",
        **ends(proportion_interval(sum(right), max(1, len(right)))),
        bound=MOSTLY,
        direction="above",
        unit="of the heads",
    )


def heads_specialise(m: Measured) -> Claim:
    """Some head of a transformer looks at each of the places that the readouts ask for."""
    found = {role: _most(m, role) for role in ROLES[:2]}
    role = min(found, key=lambda name: found[name].value)
    shown = " and ".join(
        f"{interval.value:.2f} on the {name} key ({_most_before(m, name):.2f} before training)"
        for name, interval in found.items()
    )
    return Claim(
        id="heads_specialise",
        sentence="Heads of a transformer specialise: one gives more than half of its attention to the first key, one "
        "to the previous key.",
        measured=f"The most that one of {LAYERS * HEADS} heads gives, mean of {len(m.transformers)} transformers: "
        f"{shown}.",
        **ends(found[role]),
        bound=HALF,
        direction="above",
        unit="of the attention",
        unsettled=_unsolved(m),
    )


def content_has_a_head(m: Measured) -> Claim:
    """Some head of a transformer looks at places with the query's token."""
    return Claim(
        id="content_has_a_head",
        sentence="Contents have a head of their own there too: one gives more than half of its attention to other "
        "places that hold the query's token.",
        measured=f"The most that one of {LAYERS * HEADS} heads gives, where there are such places, is "
        f"{_most(m, 'same').value:.2f}, mean of {len(m.transformers)} transformers; before training "
        f"{_most_before(m, 'same'):.2f}.",
        **ends(_most(m, "same")),
        bound=HALF,
        direction="above",
        unit="of the attention",
        unsettled=_unsolved(m),
    )


def training_sets_heads_apart(m: Measured) -> Claim:
    """Heads are less alike after training than before."""
    found = over([x.redundancy - x.untrained_redundancy for x in m.transformers])
    after, before = (
        over([getattr(x, name) for x in m.transformers]).value for name in ("redundancy", "untrained_redundancy")
    )
    return Claim(
        id="training_sets_heads_apart",
        sentence="Training sets heads apart: the attention that two heads share falls.",
        measured=f"Two heads of an untrained transformer share {percent(before, 0)} of their attention on average, "
        f"those of a trained one {percent(after, 0)}.",
        **ends(found),
        bound=0.0,
        direction="below",
        strict=True,
        unit="of the attention",
        unsettled=_unsolved(m),
    )


def heads_are_redundant(m: Measured) -> Claim:
    """Some heads can be left out."""
    spared = [[head.drop < SPARED for head in x.heads] for x in m.transformers]
    found = over([sum(row) / len(row) for row in spared])
    return Claim(
        id="heads_are_redundant",
        sentence="Some heads are redundant: at least one in eight can be left out, by itself, for less than a point of "
        "accuracy.",
        measured=f"{sum(map(sum, spared))} of {sum(map(len, spared))} heads can; the dearest costs "
        f"{percent(max(head.drop for x in m.transformers for head in x.heads), 0)}.",
        **ends(found),
        bound=1 / (LAYERS * HEADS),
        direction="above",
        unit="of the heads",
        unsettled=_unsolved(m),
    )


def _least(tasks: list[TaskFound], measure: Of) -> tuple[str, Interval]:
    """The rule with the smallest mean over its heads that hold."""
    found = [(task.name, task.over_good(measure)) for task in tasks]
    return min(found, key=lambda pair: pair[1].value, default=("no rule", over([])))


def _mean(m: Measured, measure: Of) -> float:
    return over([measure(head) for task in m.tasks for head in task.good]).value


def _most(m: Measured, role: str) -> Interval:
    """Of its attention that one head gives to a role, over transformers."""
    return over([x.specialist(role).roles[ROLES.index(role)] for x in m.transformers])


def _most_before(m: Measured, role: str) -> float:
    """The same of the untrained twins."""
    return over([max(head.roles[ROLES.index(role)] for head in x.untrained) for x in m.transformers]).value


def _unsolved(m: Measured) -> str:
    """Why transformers cannot decide; empty where they learned the task."""
    worst, readout = min((x.accuracy[at], READOUTS[at]) for x in m.transformers for at in range(len(READOUTS)))
    if worst >= SOLVED:
        return ""
    return f"a transformer gets only {percent(worst, 0)} of “{readout}” right: it has not learned the task"
