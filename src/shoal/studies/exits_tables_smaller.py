"""Tables of the early-exit study about smaller networks: the lowest MACs, the better choice, mixed difficulty."""

import torch

from shoal.studies.exits_breakeven import alike_and_apart, macs_at, of_rows, share_of_smaller
from shoal.studies.exits_claims_compared import FEWEST_ROWS
from shoal.studies.exits_findings import Findings
from shoal.studies.result import Table
from shoal.studies.wording import percent

LOSSES = (0.0, 0.1, 0.5, 1.0, 2.0)  # points under the plain network
ROUND = 0.9  # accuracy that is asked for by itself


def lowest_table(f: Findings) -> Table:
    """The lowest MACs at a given accuracy."""
    m = f.measured
    plain = float(m.plain_right.double().mean())
    asked = sorted({*(plain - loss / 100 for loss in LOSSES), ROUND}, reverse=True)
    right, macs = m.path.right.double().mean(0), m.path.macs.mean(0)  # [policies]
    best = float(right.max())
    sizes = torch.tensor([*(float(other.macs) for other in m.smaller), float(m.plain_macs)]).double()
    small = torch.tensor([*(float(other.right.double().mean()) for other in m.smaller), plain]).double()
    rows = []
    for accuracy in asked:
        goal = torch.tensor(accuracy).double()
        early = float(macs_at(goal, right, macs)) if accuracy <= best else None
        other = float(macs_at(goal, small, sizes)) if accuracy <= plain else None
        rows.append(
            (
                percent(accuracy),
                None if early is None else round(early / 1e6, 2),
                None if early is None else percent(early / m.plain_macs, 1),
                None if other is None else round(other / 1e6, 2),
                None if early is None or other is None else round(early / other, 2),
            )
        )
    return Table(
        id="lowest",
        title="The lowest MACs at a given accuracy",
        columns=(
            "accuracy",
            "early exit (M)",
            "share of the plain MACs",
            "a network without exits (M)",
            "early exit over that",
        ),
        rows=tuple(rows),
        note="Read off between policies and between networks on straight lines; of networks smaller than all that were "
        "trained the smallest. Missing: not reached. Policies were chosen on validation images, accuracies are of the "
        "test images.",
    )


def smaller_table(f: Findings) -> Table:
    """Early exit beside each smaller network."""
    m, rows = f.measured, []
    for other in m.smaller:
        share = share_of_smaller(m.path, other)
        verdict = "early exit" if share.high < 1 else other.name if share.low > 1 else "open"
        rows.append(
            (
                other.name,
                percent(float(other.right.double().mean())),
                round(other.macs / 1e6, 2),
                round(share.value * other.macs / 1e6, 2),
                round(share.value, 2),
                f"{share.low:.2f} to {share.high:.2f}",
                verdict,
            )
        )
    return Table(
        id="smaller",
        title="Early exit or a smaller network?",
        columns=(
            "network",
            "accuracy",
            "MACs (M)",
            "early exit at that accuracy (M)",
            "share",
            "95 % interval",
            "fewer MACs",
        ),
        rows=tuple(rows),
        note="MACs that early exit needs for the accuracy of a network with fewer channels, on the same images.",
    )


def spread_tables(f: Findings) -> tuple[Table, ...]:
    """The same for images alike in difficulty, and for easy and hard ones mixed; nothing where they are few."""
    m, rows = f.measured, []
    halves = alike_and_apart(m.soft_depth)
    if min(map(len, halves)) < FEWEST_ROWS:
        return ()
    for at, other in enumerate(m.smaller):
        found = [share_of_smaller(path, others[at]) for path, others in (of_rows(m.path, m.smaller, h) for h in halves)]
        cells = [cell for one in found for cell in (round(one.value, 2), f"{one.low:.2f} to {one.high:.2f}")]
        rows.append((other.name, *cells))
    columns = ("network", "share, images alike", "95 % interval", "share, easy and hard mixed", "95 % interval (mixed)")
    return (
        Table(
            id="spread",
            title="Does it pay more where difficulty spreads?",
            columns=columns,
            rows=tuple(rows),
            note="MACs that early exit needs for a smaller network's accuracy, as a share of that network's. Alike: "
            "the middle half of the test images by soft prediction depth; mixed: the easiest and the hardest quarter.",
        ),
    )
