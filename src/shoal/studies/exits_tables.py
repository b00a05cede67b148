"""The tables of the early-exit study: networks, exits, savings, smaller networks, policies, the promise."""

from typing import NamedTuple

from torch import Tensor

from shoal.engine import History
from shoal.exits import Confidence, Entropy, Margin, Patience, Policy, choose_policy
from shoal.measure import Interval, paired_difference_interval, proportion_interval
from shoal.studies.exits_findings import Findings
from shoal.studies.exits_tables_smaller import lowest_table, smaller_table, spread_tables
from shoal.studies.result import Table
from shoal.studies.wording import percent

SAVINGS = (1.5, 2.0, 3.0, 4.0)  # times fewer MACs


def tables(f: Findings) -> tuple[Table, ...]:
    """The networks, what every exit knows, what is saved, smaller networks, policies, and the promise."""
    return (
        _comparison(f),
        _exits_table(f),
        _savings(f),
        lowest_table(f),
        smaller_table(f),
        *spread_tables(f),
        _policies(f),
        _promise(f),
    )


class _Row(NamedTuple):
    name: str
    right: Tensor  # [n]
    macs: float
    timed: str  # its name in the timing, or nothing
    parameters: int


def _comparison(f: Findings) -> Table:
    m, t = f.measured, f.timing
    own = f.parameters["early exit"]
    rows = [
        _Row("plain", m.plain_right, float(m.plain_macs), "plain", f.parameters["plain"]),
        _Row("early exit", m.early_right, float(m.early_macs.double().mean()), "early exit", own),
        _Row("early exit, never leaving", m.right_by_exit[-1], float(f.test_outputs.costs[-1]), "", own),
        _Row("early exit, as bold as it goes", m.bold_right, float(m.bold_macs.double().mean()), "", own),
        *(
            _Row(other.name, other.right, float(other.macs), other.name, f.parameters[other.name])
            for other in m.smaller
        ),
    ]
    return Table(
        id="comparison",
        title="The networks on the test images",
        columns=(
            "network",
            "accuracy",
            "95 % interval",
            "mean MACs (M)",
            "share of the plain MACs",
            f"images a second, batch {t.batch_size}",
            "images a second, batch 1",
            "parameters (M)",
        ),
        rows=tuple(
            (
                row.name,
                _percent(row.right),
                _interval(row.right),
                round(row.macs / 1e6, 2),
                percent(row.macs / m.plain_macs, 1),
                round(1e3 / t.ms(row.timed)) if row.timed else None,
                round(1e3 / t.ms_alone(row.timed)) if row.timed else None,
                round(row.parameters / 1e6, 3),
            )
            for row in rows
        ),
        note="The plain network and the one with exits have the same layers, smaller ones the same of fewer channels; "
        f"all were trained apart: {_training(f.plain_history, f.plain_rows, 'the plain one')}, "
        f"{_training(f.early_history, len(f.splits.train), 'the one with exits')}, "
        + ", ".join(
            _training(history, f.plain_rows, f"that of {name}") for name, history in f.smaller_histories.items()
        )
        + f". Thresholds were chosen on {len(f.splits.validation):,} validation images, allowing a drop of "
        f"{100 * f.max_accuracy_drop:g} points against the network's own end; the test images were looked at once. "
        "Speeds are medians in one run on one machine, all networks in turn.",
    )


def _training(history: History, images: int, network: str) -> str:
    epochs = history.rows[-1]["epoch"]
    return f"{network} for {history.seconds / 60:.1f} minutes ({epochs:.1f} epochs of {images:,} images)"


def _exits_table(f: Findings) -> Table:
    m, outputs = f.measured, f.test_outputs
    rows = []
    never, kind = f.policy.never, type(f.policy).__name__.lower()
    thresholds = [*("never" if value == never else f"{value:.3f}" for value in f.policy.thresholds), "–"]
    for index, name in enumerate(f.layers):
        here = m.exit_index == index
        leavers = m.early_right[here]
        rows.append(
            (
                name,
                round(float(outputs.costs[index]) / 1e6, 2),
                percent(float(outputs.costs[index]) / m.plain_macs, 1),
                _percent(m.right_by_exit[index]),
                thresholds[index],
                percent(len(leavers) / len(here), 1),
                _percent(leavers) if len(leavers) else None,
                round(float(m.depth[here].double().mean()), 2) if len(leavers) else None,
            )
        )
    return Table(
        id="exits",
        title="What every exit knows, and who leaves there",
        columns=(
            "exit after",
            "MACs to here (M)",
            "share of the plain MACs",
            "right, asked about every image",
            f"{kind} to leave",
            "images that leave",
            "right among them",
            "their mean prediction depth",
        ),
        rows=tuple(rows),
        note="What is right among those that leave is above the accuracy over all images where an exit keeps what it "
        f"knows well. Prediction depth is that of the plain network, from 0 to {m.probes} probes.",
    )


def _savings(f: Findings) -> Table:
    """What saving so much costs, with policies that are chosen on validation images for that saving."""
    m, rows = f.measured, []
    whole = float(m.plain_macs)
    spent = [float(f.validation_outputs.replay(policy)[2].double().mean()) for policy in f.path]
    for times in SAVINGS:
        enough = [policy for policy, macs in zip(f.path, spent, strict=True) if whole / macs >= times]
        if not enough:
            rows.append((f"{times:g} ×", None, None, None, None, "no policy saves so much"))
            continue
        policy = enough[-1]  # the safest of them
        _, right, macs = f.test_outputs.replay(policy)
        lost, own = (_lost(whole_right, right) for whole_right in (m.plain_right, m.right_by_exit[-1]))
        rows.append(
            (
                f"{times:g} ×",
                round(whole / float(macs.double().mean()), 2),
                _percent(right),
                f"{lost.value:.2f}",
                f"{lost.low:.2f} to {lost.high:.2f}",
                f"{own.value:.2f}",
            )
        )
    return Table(
        id="savings",
        title="What saving costs",
        columns=(
            "MACs to be saved",
            "saved on the test images",
            "accuracy",
            "points lost to the plain network",
            "95 % interval",
            "points lost to its own end",
        ),
        rows=tuple(rows),
        note="For each saving the safest policy that reaches it on the validation images. Negative: won.",
    )


def _policies(f: Findings) -> Table:
    """What decides, at the same allowance."""
    m, rows = f.measured, []
    kinds: tuple[type[Policy], ...] = (Confidence, Entropy, Margin, Patience)
    for kind in kinds:
        policy = choose_policy(f.validation_outputs, kind, max_accuracy_drop=f.max_accuracy_drop)
        _, right, macs = f.test_outputs.replay(policy)
        lost = _lost(m.right_by_exit[-1], right)
        mean = float(macs.double().mean())
        rows.append(
            (
                kind.__name__,
                _percent(right),
                f"{lost.value:.2f}",
                f"{lost.low:.2f} to {lost.high:.2f}",
                round(mean / 1e6, 2),
                percent(mean / m.plain_macs, 1),
            )
        )
    return Table(
        id="policies",
        title="What decides whether a row leaves",
        columns=(
            "policy",
            "accuracy",
            "points lost to its own end",
            "95 % interval",
            "mean MACs (M)",
            "share of the plain MACs",
        ),
        rows=tuple(rows),
        note="One threshold per exit, chosen on validation images with an allowance of "
        f"{100 * f.max_accuracy_drop:g} points.",
    )


def _promise(f: Findings) -> Table:
    m = f.measured
    p, lost = m.promise, _lost(m.right_by_exit[-1], m.promise.right)
    rows = (
        ("asked for", f"at most {100 * p.max_accuracy_drop:g} points lost, with {percent(p.confidence, 0)} confidence"),
        ("answer", p.refused or p.said),
        ("lost on the test images", f"{lost.value:.2f} points, {lost.low:.2f} to {lost.high:.2f}"),
        ("mean MACs there", percent(float(p.macs.double().mean()) / m.plain_macs, 1) + " of the plain network's"),
    )
    return Table(
        id="promise",
        title="A certificate",
        columns=("", "on validation images, then on test images"),
        rows=rows,
        note="Half of the validation images put policies into an order, the other half tests them: an exact test, at "
        "most one in twenty certificates is wrong. The certificate compares with the network's own end.",
    )


def _lost(whole: Tensor, right: Tensor) -> Interval:
    """Points of accuracy."""
    share = paired_difference_interval(whole, right)
    return Interval(100 * share.value, 100 * share.low, 100 * share.high, share.confidence)


def _percent(right: Tensor) -> str:
    return percent(float(right.double().mean()))


def _interval(right: Tensor) -> str:
    interval = proportion_interval(int(right.sum()), len(right))
    return f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %"
