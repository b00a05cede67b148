"""What the early-exit study found: one record of measurements, and the sentences and tables that it makes."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from shoal.data import ImageSplits
from shoal.engine import History
from shoal.exits import ExitOutputs, Policy
from shoal.measure import proportion_interval
from shoal.studies.exits_claims import Measured
from shoal.studies.exits_timing import Timing
from shoal.studies.result import Table
from shoal.studies.wording import millions, percent


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that the report is made of.

    Attributes:
        max_accuracy_drop: what the policy was allowed to lose on the validation images.
        splits: the data.
        at: the layers that hold exits.
        parameters: of the plain and of the early-exit network.
        plain_history, early_history: of both trainings.
        plain_rows: images that the plain network was trained on.
        policy: the chosen one; path: policies from bold to safe, all chosen on validation images.
        test_outputs: every exit on the test images.
        plain_logits: [n, classes] of the plain network on the test images.
        plain_macs: of the plain network, for an image.
        timing: of both.
        measured: what the claims are judged by.
    """

    max_accuracy_drop: float
    splits: ImageSplits
    at: tuple[str, ...]
    parameters: tuple[int, int]
    plain_history: History
    early_history: History
    plain_rows: int
    policy: Policy
    path: list[Policy]
    test_outputs: ExitOutputs
    plain_logits: Float[Tensor, "n classes"]
    plain_macs: int
    timing: Timing
    measured: Measured

    @property
    def layers(self) -> tuple[str, ...]:
        """The exits' names, the end included."""
        return (*self.at, "end")


def summary(f: Findings) -> tuple[str, ...]:
    """The findings in sentences."""
    m, t = f.measured, f.timing
    ratio = m.plain_macs / float(m.early_macs.double().mean())
    plain, early = _percent(m.plain_right), _percent(m.early_right)
    first = int((m.exit_index == 0).sum()) / len(m.exit_index)
    end = int((m.exit_index == m.exits - 1).sum()) / len(m.exit_index)
    return (
        f"A plain network answers {plain} of the {len(m.plain_right):,} test images right with "
        f"{millions(m.plain_macs)} MACs an image. The same layers with exits, trained for as long, answer "
        f"{early} right with {millions(float(m.early_macs.double().mean()))} on average: {ratio:.2f} times fewer.",
        f"On this machine that makes it {float(t.speed_ups.median()):.2f} times as fast at batch {t.batch_size} "
        f"({t.plain_ms:.3g} against {t.early_ms:.3g} ms an image) and "
        f"{t.single_plain_ms / t.single_early_ms:.2f} times as fast one image at a time.",
        f"{percent(first, 0)} of the images leave at the first exit ({f.at[0]}); {percent(end, 0)} need the whole "
        "network.",
    )


def tables(f: Findings) -> tuple[Table, ...]:
    """The comparison, and what every exit knows."""
    return _comparison(f), _exits_table(f)


def _networks(f: Findings) -> list[tuple[str, Tensor, float, float | None, float | None, int]]:
    """Name, right answers [n], mean MACs, milliseconds at a batch and alone, parameters of what is compared."""
    m, t = f.measured, f.timing
    end_right = m.right_by_exit[-1]
    full_cost = float(f.test_outputs.costs[-1])
    return [
        ("plain", m.plain_right, float(m.plain_macs), t.plain_ms, t.single_plain_ms, f.parameters[0]),
        (
            "early exit",
            m.early_right,
            float(m.early_macs.double().mean()),
            t.early_ms,
            t.single_early_ms,
            f.parameters[1],
        ),
        ("early exit, never leaving", end_right, full_cost, None, None, f.parameters[1]),
        (
            "early exit, as bold as it goes",
            m.bold_right,
            float(m.bold_macs.double().mean()),
            None,
            None,
            f.parameters[1],
        ),
    ]


def _comparison(f: Findings) -> Table:
    m, t = f.measured, f.timing
    return Table(
        id="comparison",
        title="The two networks on the test images",
        columns=(
            "network",
            "accuracy",
            "95 % interval",
            "mean MACs (M)",
            "share of the plain MACs",
            f"ms an image, batch {t.batch_size}",
            "ms, batch 1",
            "parameters (M)",
        ),
        rows=tuple(
            (
                name,
                _percent(right),
                _interval(right),
                round(macs / 1e6, 2),
                percent(macs / m.plain_macs, 1),
                None if ms is None else round(ms, 3),
                None if single is None else round(single, 2),
                round(parameters / 1e6, 3),
            )
            for name, right, macs, ms, single, parameters in _networks(f)
        ),
        note="Both networks have the same layers and were trained apart: "
        f"{_training(f.plain_history, f.plain_rows, 'the plain one')}, "
        f"{_training(f.early_history, len(f.splits.train), 'the one with exits')}. Thresholds were chosen on "
        f"{len(f.splits.validation):,} validation images, allowing a drop of {100 * f.max_accuracy_drop:g} points "
        "against the network's own end; the test images were looked at once. "
        "Times are medians in one run on one machine.",
    )


def _training(history: History, images: int, network: str) -> str:
    epochs = history.rows[-1]["epoch"]
    return f"{network} for {history.seconds / 60:.1f} minutes ({epochs:.1f} epochs of {images:,} images)"


def _exits_table(f: Findings) -> Table:
    m, outputs = f.measured, f.test_outputs
    rows = []
    thresholds = [*(f"{value:.3f}" if value <= 1 else "never" for value in f.policy.thresholds), "–"]
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
            "confidence to leave",
            "images that leave",
            "right among them",
        ),
        rows=tuple(rows),
        note="The right-most column rises above the accuracy over all images where an exit keeps what it knows well.",
    )


def _percent(right: Tensor) -> str:
    return percent(float(right.double().mean()))


def _interval(right: Tensor) -> str:
    interval = proportion_interval(int(right.sum()), len(right))
    return f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %"
