"""Claims of the study of faces about what a trained network knows: size, data, image quality, thresholds, clusters."""

from shoal.measure import Interval, mean_interval
from shoal.studies.ends import ends
from shoal.studies.faces_alterations import ALTERATIONS
from shoal.studies.faces_checked import points
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_names import MAIN
from shoal.studies.faces_words import accuracy, pointed
from shoal.studies.result import Claim
from shoal.studies.wording import percent

LITTLE = 1.0  # points of accuracy
USUAL_DIM = 128  # the paper's
GOOD_JPEG = 50  # quality that should be good enough
LOST = 5.0  # points of BCubed F that an alteration may cost
_PLURALS = {"flip": "flips", "shift": "shifts", "brightness": "light"}
UNKNOWN = Interval(0.0, 0.0, 0.0)


def larger_embeddings_gain_little(m: Measured) -> Claim:
    """The largest size against the paper's, or the one next to it."""
    dims = dict(m.dims)
    usual = min(dims, key=lambda dim: (abs(dim - USUAL_DIM), dim))
    largest = max(dims)
    told = ", ".join(f"{dim} numbers {accuracy(m, name)}" for dim, name in m.dims)
    return pointed(
        points(m.checked[dims[largest]], m.checked[dims[usual]]),
        id="larger_embeddings_gain_little",
        sentence=f"Larger embeddings gain little: {largest} numbers at most {LITTLE:g} point more than {usual}.",
        measured=f"Test pairs right: {told}.",
        bound=LITTLE,
        direction="below",
        strict=False,
        unsettled="" if largest > usual else "no larger size was compared",
    )


def more_data_help(m: Measured) -> Claim:
    """All people against the smallest share of them."""
    (fewest, small), (most, large) = m.shares[0], m.shares[-1]
    told = ", ".join(f"{images:,} images {accuracy(m, name)}" for images, name in m.shares)
    return pointed(
        points(m.checked[large], m.checked[small]),
        id="more_data_help",
        sentence="More training people make a better network, in the same training time.",
        measured=f"Test pairs right: {told}. The effect is that of {most:,} images against {fewest:,}.",
    )


def returns_diminish(m: Measured) -> Claim:
    """The last step up against the first."""
    first, second = (m.checked[name] for _, name in m.shares[:2])
    last, before = m.checked[m.shares[-1][1]], m.checked[m.shares[-2][1]]
    gains = [points(second, first), points(last, before)]
    columns = (second.column() - first.column()) - (last.column() - before.column())
    found = mean_interval(100 * columns)
    steps = [f"from {m.shares[i][0]:,} to {m.shares[i + 1][0]:,} images" for i in (0, len(m.shares) - 2)]
    return pointed(
        found,
        id="returns_diminish",
        sentence="Returns diminish: the last step to more training people gains less than the first.",
        measured=f"{gains[0].value:+.1f} points {steps[0]}, {gains[1].value:+.1f} points {steps[1]}.",
    )


def jpeg_costs_little(m: Measured) -> Claim:
    """Compressed test images against those as they are."""
    told = ", ".join(f"quality {quality} {percent(one.accuracy, 1)}" for quality, one in sorted(m.jpeg.items()))
    return pointed(
        points(m.checked[MAIN], m.jpeg[GOOD_JPEG]),
        id="jpeg_costs_little",
        sentence=f"JPEG of quality {GOOD_JPEG} and better costs at most {LITTLE:g} point of accuracy.",
        measured=f"Test pairs right: {told}, uncompressed {accuracy(m, MAIN)}. Images are compressed in the size that "
        f"the network sees, {m.side} pixels a side.",
        bound=LITTLE,
        direction="below",
        strict=False,
    )


def resolution_matters(m: Measured) -> Claim:
    """Test images of fewer pixels against those as they are."""
    least = min(m.sides)
    told = ", ".join(f"{side}² pixels {percent(one.accuracy, 1)}" for side, one in sorted(m.sides.items()))
    return pointed(
        points(m.checked[MAIN], m.sides[least]),
        id="resolution_matters",
        sentence=f"Pixels matter: faces of {least} pixels a side are told apart less well than those of {m.side}, by "
        f"more than {LITTLE:g} point.",
        measured=f"Test pairs right: {told}, {m.side}² pixels {accuracy(m, MAIN)}.",
        bound=LITTLE,
    )


def threshold_keeps(m: Measured) -> Claim:
    """The rate of accepted strangers at a threshold that other people chose."""
    p, found = m.promised, m.promised.rate()
    told, why = f"Asked of people to choose with: {p.refused}.", "there are too few pairs for such a threshold"
    if not p.refused:
        share = f"{found.value:.2f} %" if found else "an unknown share"
        told = (
            f"At {p.value:.3f}, the cautious end of the threshold's interval, {share} of {p.pairs:,} pairs of "
            f"strangers among the test people are accepted, and {percent(p.kept, 1)} of the pairs of one person."
        )
        why = "" if found else "there are too few test people"
    return pointed(
        found or UNKNOWN,
        id="threshold_keeps",
        sentence=f"A threshold that was chosen on other people for a false-accept rate of {percent(p.far, 0)}, with "
        "95 % confidence, keeps to it on new people.",
        measured=told,
        bound=100 * p.far,
        direction="below",
        strict=False,
        unit="% of strangers accepted",
        unsettled=why,
    )


def identities_cluster(m: Measured) -> Claim:
    """By plain distance, against clusterings that look at nothing, and against what needs no training."""
    found, one = m.clustered.gain(m.control), m.clustered
    return Claim(
        id="identities_cluster",
        sentence="Identities cluster by plain Euclidean distance, though nothing was trained to cluster: better than "
        "leaving every face alone, than putting all together, and than the same network clusters before its training.",
        measured=f"BCubed F {_mean(one.f):.3f}, purity {one.purity:.3f} and pairwise F {one.pairwise_f:.3f} for "
        f"{m.faces:,} test faces of {m.persons:,} people in {m.grouped}, joined up to a squared distance of "
        f"{m.threshold:.3f} "
        f"that other people chose; {_mean(one.trivial):.3f} without looking, {_mean(m.control.f):.3f} by the untrained "
        "network.",
        **ends(found or UNKNOWN),
        bound=0.0,
        direction="above",
        strict=True,
        unit="of BCubed F",
        unsettled="" if found else "too few people for groups",
    )


def changed_faces_cluster(m: Measured) -> Claim:
    """The alteration that costs most: its interval is wider, since it was picked among several."""
    confidence = 1 - 0.05 / len(m.altered)  # of each, so that all hold together with 95 %
    costs = {name: one.clustered.lost_to(m.clustered, confidence) for name, one in m.altered.items()}
    known = {name: found for name, found in costs.items() if found}
    worst = max(known, key=lambda name: known[name].value) if known else ""
    told = ", ".join(f"{name} {_mean(one.clustered.f):.3f}" for name, one in m.altered.items())
    words = "; ".join(f"{name}: {ALTERATIONS[name].words}" for name in m.altered)
    *first, last = (_PLURALS.get(name, name) for name in m.altered)
    return pointed(
        known[worst] if known else UNKNOWN,
        id="changed_faces_cluster",
        sentence=f"Identities keep clustering under {', '.join(first)} and {last}: none costs more than {LOST:g} "
        "points of BCubed F.",
        measured=f"BCubed F {_mean(m.clustered.f):.3f} as they are; {told}"
        + (f". The effect is that of {worst}, which costs most; its interval is one that all keep to" if worst else "")
        + f" ({words}).",
        bound=LOST,
        direction="below",
        strict=False,
        unsettled="" if known else "too few people for groups",
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
