"""What the early-exit study found: one record of measurements, and the sentences that it makes."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from shoal.data import ImageSplits
from shoal.engine import History
from shoal.exits import ExitOutputs, Policy
from shoal.studies.exits_breakeven import share_of_smaller
from shoal.studies.exits_measured import Measured
from shoal.studies.exits_timing import Timing
from shoal.studies.wording import millions, percent


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that the report is made of.

    Attributes:
        max_accuracy_drop: what the policy was allowed to lose on the validation images.
        splits: the data.
        at: the layers that hold exits.
        parameters: by network.
        plain_history: of the plain network's training.
        early_history: of the training with exits.
        smaller_histories: of the smaller networks' trainings, by name.
        plain_rows: images that the plain network was trained on.
        policy: the chosen one.
        path: policies from bold to safe, all chosen on validation images.
        validation_outputs: every exit on the validation images.
        test_outputs: every exit on the test images.
        plain_logits: [n, classes] of the plain network on the test images.
        plain_macs: of the plain network, for an image.
        timing: of all networks.
        measured: what the claims are judged by.
    """

    max_accuracy_drop: float
    splits: ImageSplits
    at: tuple[str, ...]
    parameters: dict[str, int]
    plain_history: History
    early_history: History
    smaller_histories: dict[str, History]
    plain_rows: int
    policy: Policy
    path: list[Policy]
    validation_outputs: ExitOutputs
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
    plain, early = (percent(float(right.double().mean())) for right in (m.plain_right, m.early_right))
    first = int((m.exit_index == 0).sum()) / len(m.exit_index)
    end = int((m.exit_index == m.exits - 1).sum()) / len(m.exit_index)
    alone = t.ms_alone("plain") / t.ms_alone("early exit")
    return (
        f"A plain network answers {plain} of the {len(m.plain_right):,} test images right with "
        f"{millions(m.plain_macs)} MACs an image. The same layers with exits, trained for as long, answer "
        f"{early} right with {millions(float(m.early_macs.double().mean()))} on average: {ratio:.2f} times fewer.",
        f"On this machine that makes it {float(m.speed_ups.median()):.2f} times as fast at batch {t.batch_size} "
        f"({t.ms('plain'):.3g} against {t.ms('early exit'):.3g} ms an image) and "
        f"{alone:.2f} times as fast one image at a time.",
        f"{percent(first, 0)} of the images leave at the first exit ({f.at[0]}); {percent(end, 0)} need the whole "
        "network.",
        _break_even(m),
    )


def _break_even(m: Measured) -> str:
    """Against which smaller networks early exit is the better choice."""
    shares = {other: share_of_smaller(m.path, other) for other in m.smaller}
    better = [other.name for other, share in shares.items() if share.high < 1]
    worse = [other.name for other, share in shares.items() if share.low > 1]
    open_ = [other.name for other in shares if other.name not in better + worse]
    parts = [
        f"early exit needs fewer MACs than the networks of {_list(better)}" if better else "",
        f"more than those of {_list(worse)}" if worse and better else "",
        f"early exit needs more MACs than the networks of {_list(worse)}" if worse and not better else "",
        f"it is open for {_list(open_)}" if open_ else "",
    ]
    return "At equal accuracy " + ", ".join(filter(None, parts)) + "."


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
