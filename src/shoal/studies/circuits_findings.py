"""What the circuits study found, in sentences and tables."""

from collections.abc import Callable

from shoal.measure import Interval, proportion_interval
from shoal.studies.circuits_claims import SPARED
from shoal.studies.circuits_config import CircuitsConfig
from shoal.studies.circuits_measured import ROLES, LearnedHead, Measured, TaskFound, over
from shoal.studies.circuits_tasks import SHORT
from shoal.studies.circuits_transformer import DIM, HEADS, LAYERS, LENGTH, READOUTS, TEST, TOKENS
from shoal.studies.result import Table
from shoal.studies.wording import percent, powers

_EACH = "one initialisation each, nothing started again"


def summary(m: Measured) -> tuple[str, ...]:
    """The findings in sentences."""
    heads = [head for task in m.tasks for head in task.learned]
    good = [head for head in heads if head.proof.holds]
    unique = m.task("unique")
    raw = [head.compared.raw.value for head in good if head.compared.raw] or [0.0]
    qk = [head.compared.qk.value for head in good] or [0.0]
    removable = sum(head.drop < SPARED for x in m.transformers for head in x.heads)
    softer = [head.compared.temperature.value for head in good] or [1.0]
    mixed = over([1 - head.looks.shares[3] for t in m.tasks if t.kind == "position" for head in t.good]).value
    most = [over([x.specialist(role).roles[at] for x in m.transformers]).value for at, role in enumerate(ROLES[:2])]
    return (
        f"{sum(task.hand.holds for task in m.tasks)} of {len(m.tasks)} heads that were set by hand follow their rule "
        f"on every input. Of {len(heads)} that were trained on outputs alone, {len(good)} do; of those for unique, "
        f"{len(unique.good)} of {len(unique.learned)}.",
        f"Cosines of W_Q by hand and learned go from {min(raw):.2f} to {max(raw):.2f}, those of the gauge-fixed QK "
        f"circuits from {min(qk):.2f} to {max(qk):.2f}. Learned scores are to be multiplied by {min(softer):.1f} to "
        f"{max(softer):.1f} to be those by hand; in rules about places, {percent(mixed, 1)} of their variance involves "
        "contents.",
        f"In {len(m.transformers)} small transformers on a mixed task, the head that looks most at the first key gives "
        f"it {percent(most[0], 0)} of its attention, the one that looks most at the previous key "
        f"{percent(most[1], 0)} (means). {removable} of {sum(len(x.heads) for x in m.transformers)} heads can be left "
        "out, one at a time, for less than a point of accuracy.",
        "The page circuits.html, written along with this run, takes the heads apart: choose a rule, type a sequence, "
        "change weights, train a fresh twin.",
    )


def tables(config: CircuitsConfig, m: Measured) -> tuple[Table, ...]:
    """Proofs, agreement, looks, what can go and what is named, rules apart, transformers."""
    return (_proofs(m), _agreement(config, m), _looks(m), _entries(m), _separation(m), _heads(m), _transformers(m))


def _proofs(m: Measured) -> Table:
    return Table(
        id="proofs",
        title="Do they hold on every input?",
        columns=(
            "rule",
            "selects by",
            "up to (tokens)",
            "input, query, value dims",
            "inputs",
            "by hand",
            "leak by hand",
            "learned heads that hold",
            "95 % interval",
            "worst margin",
            "largest leak",
            "seconds for all seeds",
        ),
        rows=tuple(_proof_row(task) for task in m.tasks),
        note=f"Learned heads have the same dimensions, {_EACH}. A head holds where its output is nearest to the right "
        "one at every place of every input; the margin is by how much at the worst place, the leak is the most "
        "attention that a query gives to keys that should get none. Both are those of the learned heads that hold.",
    )


def _proof_row(task: TaskFound) -> tuple[str | float | int | None, ...]:
    found = proportion_interval(len(task.good), len(task.learned))
    return (
        task.name,
        task.kind,
        task.max_len,
        "/".join(map(str, task.dims)),
        f"{task.hand.inputs:,}" + ("" if task.hand.exhaustive else " (sample)"),
        "holds" if task.hand.holds else f"fails: {task.hand.counterexample}",
        powers(task.hand.leak),
        f"{len(task.good)} of {len(task.learned)}",
        f"{found.low:.2f} to {found.high:.2f}",
        _three(min((head.proof.margin for head in task.good), default=None)),
        _three(max((head.proof.leak for head in task.good), default=None)),
        _three(task.seconds),
    )


def _agreement(config: CircuitsConfig, m: Measured) -> Table:
    measures = (
        lambda head: head.compared.score.value,
        lambda head: head.compared.qk.value,
        lambda head: head.compared.contributions.value,
        lambda head: head.compared.attention.value,
        lambda head: head.compared.ov.value,
    )
    rows = []
    for task in m.with_good:
        raw = [head.compared.raw.value for head in task.good if head.compared.raw]
        rows.append(
            (
                task.name,
                *(_interval(task.over_good(measure)) for measure in measures),
                f"{_typical(task, lambda head: head.compared.qk.chance):.2f}",
                f"{min(raw):.2f} to {max(raw):.2f}" if raw else "",
                _three(_typical(task, lambda head: head.compared.temperature.value)),
                _three(_typical(task, lambda head: head.compared.jensen_shannon.value)),
            )
        )
    return Table(
        id="agreement",
        title="By hand against learned",
        columns=(
            "rule",
            "score",
            "QK, gauge fixed",
            "contributions",
            "attention",
            "OV where used",
            "QK of renamed heads",
            "raw W_Q, least to most",
            "times softer",
            "divergence (bits)",
        ),
        rows=tuple(rows),
        note="Means over learned heads that hold, with Student's 95 % interval over seeds. QK, contributions (that is, "
        "attention times value), OV and raw W_Q are cosines; attention is 1 − 2 · total variation; the score is QK "
        f"times contributions. Renamed heads have tokens and places shuffled ({config.resamples} times): what chance "
        "gives. Times softer is what learned scores are to be multiplied by.",
    )


def _looks(m: Measured) -> Table:
    rows = []
    for task in m.with_good:
        learned = [head.looks for head in task.good]
        for name, found in (("hand", [task.hand_looks]), ("learned", learned)):
            shares = [over([looks.shares[at] for looks in found]).value for at in range(4)]
            seen = [over([getattr(looks, which) for looks in found]).value for which in ("entropy", "stripe", "band")]
            rows.append((task.name, name, *_looking(shares, seen)))
        chance = [over([looks.by_chance[at] for looks in learned]).value for at in range(7)]
        rows.append((task.name, "by chance", *_looking(chance[:4], chance[4:])))
    return Table(
        id="looks",
        title="What scores are made of, and what attention looks like",
        columns=(
            "rule",
            "head",
            "content–content",
            "content–position",
            "position–content",
            "position–position",
            "entropy",
            "stripe",
            "band",
        ),
        rows=tuple(rows),
        note="Shares of the variance of gauge-fixed scores by query–key subspace; learned: means over heads that hold. "
        "Entropy is relative to attention spread over all keys. Stripe and band: share of the variation of the maps "
        "of the longest sequences that the key's place, and its distance from the query, explain. By chance: shares "
        "of weights as large that know no subspaces; stripe and band of the learned heads with every query's keys in "
        "another order, the same on all inputs; entropy of attention drawn evenly from all that there is.",
    )


def _looking(shares: list[float], seen: list[float]) -> tuple[str, ...]:
    return (*(percent(share, 1) for share in shares), *(f"{x:.2f}" for x in seen))


def _entries(m: Measured) -> Table:
    rows = []
    for task in m.with_good:
        names = [head.named or "none" for head in task.good]
        rows.append(
            (
                task.name,
                percent(_typical(task, lambda head: head.removed), 1),
                f"{sum(head.harmless for head in task.good)} of {len(task.good)}",
                _three(_typical(task, lambda head: head.farthest)),
                f"{sum(head.right for head in task.good)} of {len(task.good)}",
                "; ".join(dict.fromkeys(names)),
            )
        )
    return Table(
        id="entries",
        title="What can be taken out of learned heads, and what they are named",
        columns=("rule", "square norm taken out", "still hold", "largest move of an output", "named right", "named"),
        rows=tuple(rows),
        note="Taken out are scores between subspaces that the rule does not look at, and values of places, but for "
        "their mean over keys. Names are those that decompile gives; right is what selects the same keys on every "
        "input.",
    )


def _separation(m: Measured) -> Table:
    found = m.separation
    rows = []
    for name, own, other, gaps in zip(found.rules, found.own, found.other, found.gaps, strict=True):
        if own:
            at = found.rules.index(name)
            nearest = max((row[at], found.rules[i]) for i, row in enumerate(found.scores) if i != at)
            rows.append(
                (name, _three(over(own).value), _three(over(other).value), nearest[1], _three(min(gaps)), len(own))
            )
    return Table(
        id="separation",
        title="Scores with the own rule and with others",
        columns=("learned rule", "own", "nearest other", "which", "least gap", "heads"),
        rows=tuple(rows),
        note=f"Sequences of up to {SHORT} tokens. Outputs of unique are numbers, not tokens, which scores 0 with the "
        "others at most.",
    )


def _heads(m: Measured) -> Table:
    x = m.transformers[0]
    rows = tuple(
        (
            f"layer {head.layer + 1}, head {head.head + 1}",
            *(f"{share:.2f}" for share in head.roles),
            *(f"{value:.2f}" for value in (head.entropy, head.stripe, head.band)),
            percent(head.drop, 1),
            ", ".join(f"{role} {share:.2f}" for role, share in zip(ROLES, before.roles, strict=True)),
        )
        for head, before in zip(x.heads, x.untrained, strict=True)
    )
    return Table(
        id="heads",
        title="The heads of one transformer",
        columns=(
            "head",
            *("first key", "previous key", "same token elsewhere"),
            *("entropy", "stripe", "band"),
            "accuracy lost without it",
            "before training",
        ),
        rows=rows,
        note=f"Seed {x.seed}; {LAYERS} layers of {HEADS} heads, {DIM} dimensions, {LENGTH} places, {TOKENS} tokens. "
        "The first three are shares of the attention, where there is such a key.",
    )


def _transformers(m: Measured) -> Table:
    rows = tuple(
        (
            x.seed,
            *(percent(value, 1) for value in x.accuracy),
            *(f"{x.specialist(role).roles[at]:.2f}" for at, role in enumerate(ROLES)),
            f"{x.redundancy:.2f}",
            f"{x.untrained_redundancy:.2f}",
            sum(head.drop < SPARED for head in x.heads),
        )
        for x in m.transformers
    )
    return Table(
        id="transformers",
        title="Small transformers on a mixed task",
        columns=(
            "seed",
            *READOUTS,
            *("most on the first key", "on the previous key", "on the same token elsewhere"),
            "two heads share",
            "before training",
            "heads that can be spared",
        ),
        rows=rows,
        note=f"Accuracy on {TEST:,} new sequences. Two heads share 1 less the total variation of their maps. A head "
        "can be spared where the mean accuracy falls by less than a point without it.",
    )


def _typical(task: TaskFound, measure: Callable[[LearnedHead], float]) -> float:
    return task.over_good(measure).value


def _interval(found: Interval) -> str:
    return f"{found.value:.3f} [{max(found.low, -1):.3f}, {min(found.high, 1):.3f}]"


def _three(value: float | None) -> float | None:
    """Rounded to three digits, as much as such a number carries."""
    return None if value is None else float(f"{value:.3g}")
