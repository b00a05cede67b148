"""What the difficulty study found, in sentences; `difficulty_tables` has the tables."""

import torch

from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Measured
from shoal.studies.difficulty_numbers import class_means, first_half, in_quarters, standardised
from shoal.studies.difficulty_words import WORDS, capital, points, signed
from shoal.studies.ranks import agreement
from shoal.studies.wording import percent


def summary(m: Measured) -> tuple[str, ...]:
    """The findings in sentences."""
    return tuple(filter(None, (_networks(m), _depths(m), _agreement(m), _hard(m), _alterations(m), _classes(m))))


def _networks(m: Measured) -> str:
    network = m.trainings[0]
    state = "It has converged" if network.converged else "It has not converged, so that no claim can be decided"
    gain = network.gain
    gained = f": its validation accuracy gained {points(gain)} over the last fifth" if gain else ""
    return (
        f"The network answers {percent(m.test.accuracy, 1)} of {len(m.test):,} test images right after "
        f"{network.epochs:.1f} epochs. {state}{gained}."
    )


def _depths(m: Measured) -> str:
    depth, right = m.test.column("depth"), m.test.right
    early, never = depth < len(m.probes) // 2, depth == len(m.probes)
    ends = [
        f"{percent(float(right[rows].double().mean()), 1)} of those {words} are right"
        for rows, words in ((early, "settled there"), (never, "never settled"))
        if bool(rows.any())
    ]
    share = percent(first_half(m, m.test) / len(depth), 0)
    text = f"{share} of the test images are settled at one of the first {len(m.probes) // 2} of {len(m.probes)} probes"
    return f"{text}. {capital('; '.join(ends))}."


def _agreement(m: Measured) -> str:
    depths = [part.column("depth") for part in (m.test, m.second, m.early)]
    between, before = (agreement(depths[0], other) for other in depths[1:])
    return (
        f"Depths agree with those of another seed with a rank correlation of {between:.2f}, and with those of the same "
        f"network after {percent(m.early_at, 0)} of its training with {before:.2f}."
    )


def _hard(m: Measured) -> str:
    """The property that tells hard from easy best, and how many errors probes know better."""
    sizes = {name: standardised(*in_quarters(m, column)) for name, column in m.properties.items()}
    name = max(sizes, key=lambda name: abs(sizes[name]))
    side = "more" if sizes[name] > 0 else "less"
    wrong, known = int((~m.test.right).sum()), int(m.test.overthought.sum())
    errors = f" In {known} of {wrong} errors at least half of the probes are right." if wrong else ""
    return (
        f"What sets the hardest quarter apart most is {side} {WORDS[name]}: {signed(sizes[name], 2)} standard "
        f"deviations from the easiest.{errors}"
    )


def _alterations(m: Measured) -> str:
    deeper = {INTERVENTIONS[a.name].title: float(torch.stack(m.deeper(a)).mean()) for a in m.altered}
    if not deeper:
        return ""
    shown = ", ".join(f"{name} {signed(value, 2)}" for name, value in deeper.items())
    return f"Altered, the same images are settled later by so many probes, over both networks: {shown}."


def _classes(m: Measured) -> str:
    means = class_means(m.test.column("depth").double(), m.test.column("labels"), len(m.classes))
    known = means.isfinite().nonzero().flatten().tolist()
    first, last = (pick(known, key=lambda i: float(means[i])) for pick in (min, max))
    return (
        f"Of the classes, {m.classes[first]} is settled first (mean depth {means[first]:.2f}) and {m.classes[last]} "
        f"last ({means[last]:.2f})."
    )
