"""Claims of the study of faces about an older and a newer network: do their embeddings compare?

Where several pairs of networks were trained, the mean over them is judged: of their accuracies part by part, so that
intervals tell what other test pairs would give. Each pair's own numbers are in the table.
"""

from collections.abc import Callable

from shoal.measure import Interval
from shoal.studies.faces_checked import Checked, percent_interval, points
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_measured_parts import Generations
from shoal.studies.faces_words import pointed
from shoal.studies.result import Claim

CHANCE = 50.0  # percent: there are as many matched as mismatched pairs
NEARLY = 5.0  # points above chance that are next to nothing
ALLOWED = 0.5  # points that compatibility may cost


def generations_do_not_compare(m: Measured) -> Claim:
    """Two networks that know nothing of each other."""
    plain = _all(m, lambda g: g.plain)
    found = percent_interval(plain)
    return pointed(
        Interval(found.value - CHANCE, found.low - CHANCE, found.high - CHANCE),
        id="generations_do_not_compare",
        sentence="Embeddings of two networks that were trained apart do not compare: verification across them is "
        f"less than {NEARLY:g} points above chance.",
        measured=f"v2/v1 {found.value:.1f} % of the test pairs right, where v1/v1 has {_mean(m, lambda g: g.old)} and "
        f"v2/v2 {_mean(m, lambda g: g.new)}{_pairs(m)}.",
        bound=NEARLY,
        direction="below",
        strict=False,
        unit="points above chance",
    )


def harmonic_beats_old(m: Measured) -> Claim:
    """A new query on an old gallery, against an old query."""
    return pointed(
        points(_all(m, lambda g: g.harmonic), _all(m, lambda g: g.old)),
        id="harmonic_beats_old",
        sentence="After harmonic training a new network's embeddings compare with an older one's better than the older "
        "ones among themselves: v2/v1 is above v1/v1, and nobody is embedded again.",
        measured=f"v2/v1 {_mean(m, lambda g: g.harmonic)}, v1/v1 {_mean(m, lambda g: g.old)}{_pairs(m)}.",
    )


def harmonic_beats_ridge(m: Measured) -> Claim:
    """Against the baseline that trains nothing."""
    return pointed(
        points(_all(m, lambda g: g.harmonic), _all(m, lambda g: g.ridge)),
        id="harmonic_beats_ridge",
        sentence="Harmonic training makes new embeddings compare with old ones better than a linear map that is fitted "
        "to both.",
        measured=f"v2/v1 {_mean(m, lambda g: g.harmonic)} after harmonic training, {_mean(m, lambda g: g.ridge)} by "
        f"ridge regression{_pairs(m)}.",
    )


def harmonic_keeps_new(m: Measured) -> Claim:
    """What compatibility costs the new network."""
    return pointed(
        points(_all(m, lambda g: g.harmonic_new), _all(m, lambda g: g.new)),
        id="harmonic_keeps_new",
        sentence=f"Compatibility costs a new network at most {ALLOWED:g} points of its own accuracy: v2/v2 against "
        "that of the network as it was trained independently.",
        measured=f"v2/v2 {_mean(m, lambda g: g.harmonic_new)} after harmonic training, {_mean(m, lambda g: g.new)} "
        f"before it{_pairs(m)}. Harmonic training takes time of its own, in which the new network learns too.",
        bound=-ALLOWED,
        strict=False,
    )


def _all(m: Measured, part: Callable[[Generations], Checked]) -> list[Checked]:
    return [part(one) for one in m.generations]


def _mean(m: Measured, part: Callable[[Generations], Checked]) -> str:
    return f"{percent_interval(_all(m, part)).value:.1f} %"


def _pairs(m: Measured) -> str:
    count = len(m.generations)
    return f", means over {count} pairs of networks" if count > 1 else ""
