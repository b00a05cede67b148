"""Tables of the study of faces about what a trained network knows, and the paper's figures beside them."""

from shoal.measure import standard_error
from shoal.studies.faces_alterations import ALTERATIONS
from shoal.studies.faces_checked import Checked, percent_interval, shown
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_measured_parts import Altered, Generations
from shoal.studies.faces_names import MAIN, MIRRORED
from shoal.studies.faces_paper import BY_NETWORK, BY_PIXELS, BY_QUALITY, LFW, TRAINED_ON
from shoal.studies.result import Table
from shoal.studies.wording import lasting, percent

BEST = "nn2"  # of the paper's networks
LEAST, PEOPLE = 100e6, 8e6  # images and people that the paper trained on
KINDS = {
    "old": "v1/v1",
    "new": "v2/v2, independent",
    "plain": "v2/v1, as they are",
    "ridge": "v2/v1, linear map",
    "harmonic": "v2/v1, harmonic",
    "harmonic_new": "v2/v2, harmonic",
}


def paper_table(m: Measured) -> Table:
    """Ours beside the paper's, and why they differ."""
    main, best = m.trainings[MAIN], MIRRORED if m.are_faces else MAIN
    pair = percent_interval([m.checked[best]])
    rates = [(far, m.rates.val_at(far)) for far in m.rates.fars]
    val, error = BY_NETWORK[BEST]
    among = f", all pairs within parts of {m.rates.images:,.0f} images" if m.rates.val else ""
    what = "Test pairs, right, with mirror images" if m.are_faces else "Test pairs of digits, right"
    rows: list[tuple[str, str, str | None]] = [
        (what, f"{pair.value:.2f} % [{pair.low:.1f}, {pair.high:.1f}]", f"{LFW[0]} ± {LFW[1]} % (LFW, View 2)"),
        *(
            (
                f"VAL at FAR {100 * far:g} %{among}",
                f"{found.value:.1f} % [{found.low:.1f}, {found.high:.1f}]" if found else "too few people",
                f"{val} ± {error} % ({BEST.upper()})" if far == min(m.rates.fars) else None,
            )
            for far, found in rates
        ),
        (f"Threshold for FAR {100 * m.promised.far:g} %, chosen on other people", _threshold(m), None),
        ("Training", f"{main.images:,} images of {main.people:,} people", TRAINED_ON),
        ("Training time", lasting(main.seconds), "1,000 to 2,000 hours"),
        ("Pixels", f"{m.side} × {m.side}", "96 × 96 to 224 × 224"),
    ]
    return Table(
        id="paper",
        title="Beside the paper",
        columns=("", "this run", "the paper"),
        rows=tuple(rows),
        note=f"Why they differ: the paper had about {LEAST / main.images:,.0f} times as many images, of "
        f"{PEOPLE / main.people:,.0f} times as many people, and weeks on a cluster. "
        + ("" if m.are_faces else "And what is trained on here are digits, not faces. ")
        + "What can be compared are directions: what helps, what costs, and what is lost.",
    )


def _threshold(m: Measured) -> str:
    """What a threshold that other people chose does to test people."""
    p, found = m.promised, m.promised.rate()
    if p.refused or not found:
        return "refused: too few pairs" if p.refused else "too few test people"
    share = f"{found.value:.2f} % [{found.low:.2f}, {found.high:.2f}]"
    return f"accepts {share} of strangers, {percent(p.kept, 1)} of the pairs of one person"


def quality_table(m: Measured) -> Table:
    """JPEG and pixels of test images."""
    rows: list[tuple[str, float, float, str, float | None]] = []
    for quality, one in sorted(m.jpeg.items()):
        rows.append((f"JPEG of quality {quality}", *shown(one), BY_QUALITY[quality]))
    theirs = sorted(BY_PIXELS.items())
    for side, one in sorted(m.sides.items()):
        rows.append((f"{side} × {side} = {side * side:,} pixels", *shown(one), None))
    rows.append((f"as they are: {m.side} × {m.side} pixels", *shown(m.checked[MAIN]), None))
    return Table(
        id="quality",
        title="Quality of the test images",
        columns=("test images", "right (%)", "± SE", "95 % interval", "the paper's VAL at FAR 0.1 % (%)"),
        rows=tuple(rows),
        note="Images are compressed in the size that the network sees, or brought to fewer pixels and back. The "
        "paper's (table 4) are of NN1, whose images have 220 × 220 pixels; by pixels it has "
        + ", ".join(f"{val} at {pixels:,}" for pixels, val in theirs)
        + ".",
    )


def generations_table(m: Measured) -> Table:
    """Every pair of networks."""
    rows = [
        (f"{number + 1}", words, *shown(getattr(one, name)))
        for number, one in enumerate(m.generations)
        for name, words in KINDS.items()
    ]
    if len(m.generations) > 1:
        for name, words in KINDS.items():
            found = percent_interval([_part(one, name) for one in m.generations])
            values = [100 * _part(one, name).accuracy for one in m.generations]
            spread = f"{found.low:.1f} to {found.high:.1f}; {min(values):.1f} to {max(values):.1f} by network"
            rows.append(("mean", words, round(found.value, 2), _error(m, name), spread))
    return Table(
        id="generations",
        title="Do embeddings of two generations compare?",
        columns=("pair of networks", "embeddings", "right (%)", "± SE", "95 % interval"),
        rows=tuple(rows),
        note="v1 saw half of the people for half of the time; v2 all of them. v2/v1: either image of each pair by v2, "
        "the other one by v1, both ways round. The linear map is ridge regression from v2's embeddings of the training "
        "images to v1's. Harmonic: v2 with a new last layer, trained with triplets that mix both, then all of it. "
        "Standard errors are over the parts of the test pairs.",
    )


def _part(one: Generations, name: str) -> Checked:
    return getattr(one, name)


def _error(m: Measured, name: str) -> float:
    columns = [_part(one, name).column() for one in m.generations]
    return round(100 * standard_error(sum(columns[1:], columns[0]) / len(columns)), 2)


def clusters_table(m: Measured) -> Table:
    """Clusters of test faces."""
    named = {"the network": m.clustered, "the network, untrained": m.control}
    named |= {f"the network, {name}": one.clustered for name, one in m.altered.items()}
    rows: list[tuple[str | float | None, ...]] = [
        (name, *(round(x, 3) for x in (_mean(one.f), one.purity, one.pairwise_f)), one.clusters)
        for name, one in named.items()
    ]
    rows.append(("without looking", round(_mean(m.clustered.trivial), 3), None, None, None))
    return Table(
        id="clusters",
        title="Faces put together by distance",
        columns=("embeddings", "BCubed F", "purity", "pairwise F", "clusters"),
        rows=tuple(rows),
        note=f"{m.faces:,} test faces of {m.persons:,} people, in {m.grouped}, each clustered by itself; means over "
        f"the groups. Average linkage up to a squared distance of {m.threshold:.3f}, which is best for other people; "
        "the untrained network has a threshold of its own. Without looking: everybody alone, or all together, "
        "whichever is better.",
    )


def altered_table(m: Measured) -> Table:
    """Distances under alterations."""
    named: dict[str, Altered] = {"as they are": m.unaltered, **m.altered}
    rows = [
        (name, *(round(values[0], 3) for values in (one.moved, one.same, one.different)), *shown(one.checked)[:2])
        for name, one in named.items()
    ]
    words = "; ".join(f"{name}: {ALTERATIONS[name].words}" for name in m.altered)
    return Table(
        id="altered",
        title="Distances when one image of each pair is altered",
        columns=("alteration", "to itself", "to one of the same person", "to somebody else", "right (%)", "± SE"),
        rows=tuple(rows),
        note=f"Mean squared distances between test images as they are and altered ones ({words}).",
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
