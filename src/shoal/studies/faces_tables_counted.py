"""Tables of the study of faces about what can be counted: triplets, parameters, operations."""

from shoal.studies.faces_measured import Measured
from shoal.studies.faces_paper import BY_NETWORK, TOTALS
from shoal.studies.result import Table


def sets_table(m: Measured) -> Table:
    """Triplets by the size of a set."""
    return Table(
        id="sets",
        title="How many triplets a set has",
        columns=("people", "images", "pairs (anchor, positive)", "all triplets", "triplets a pair"),
        rows=tuple(
            (
                one.people,
                round(one.images),
                round(one.pairs),
                round(one.triplets),
                round(one.triplets / max(1.0, one.pairs)),
            )
            for one in m.set_sizes
        ),
        note="What sets of so many of the training people have on average. Mining picks one triplet a pair.",
    )


def batches_table(m: Measured) -> Table:
    """Triplets by the size of a batch."""
    return Table(
        id="batches",
        title="How many triplets a batch has, and how many of them teach something",
        columns=(
            "people, images of each",
            "images",
            "pairs",
            "all triplets",
            "teach before training (%)",
            "after (%)",
            "semi-hard ones, after (%)",
        ),
        rows=tuple(
            (
                f"{one.identities} × {one.per_identity}",
                round(one.rows),
                round(one.pairs),
                round(_mean(one.triplets)),
                *(round(100 * _mean(share), 2) for share in (one.before, one.after, one.mined)),
            )
            for one in m.batches
        ),
        note=f"Means over {len(m.batches[0].after)} batches of training images. A triplet teaches something if it does "
        "not satisfy the margin. Where people have fewer images than asked for, those with one fill the batch. The "
        "paper's batches are of about 45 × 40.",
    )


def networks_table(m: Measured) -> Table:
    """What networks cost."""
    rows = []
    for one in m.networks:
        printed = " and ".join(TOTALS[one.name]) if one.name in TOTALS else None
        val = f"{BY_NETWORK[one.name][0]} ± {BY_NETWORK[one.name][1]}" if one.name in BY_NETWORK else None
        rows.append(
            (
                one.name,
                one.image,
                one.parameters,
                round(one.flops / 1e6, 1),
                round(one.macs / 1e6, 1),
                printed,
                val,
                one.origin,
            )
        )
    return Table(
        id="networks",
        title="What the networks cost",
        columns=(
            "network",
            "pixels",
            "parameters",
            "FLOPS as the paper counts (M)",
            "MACs (M)",
            "the paper prints",
            "its VAL at FAR 0.1 % (%)",
            "layers",
        ),
        rows=tuple(rows),
        note="The paper's FLOPS are weights and biases times positions of the output: one for each multiply–add. Its "
        "two small networks were never published; ours meet their budgets. VAL as in its table 3.",
    )


def layers_table(m: Measured) -> Table:
    """The paper's tables 1 and 2."""
    return Table(
        id="layers",
        title="The paper's tables 1 and 2, counted",
        columns=("network", "layer", "parameters", "printed", "FLOPS (M)", "printed FLOPS", "agree"),
        rows=tuple(
            (
                one.network.upper(),
                one.name,
                one.parameters,
                one.printed[0],
                round(one.flops / 1e6, 2),
                one.printed[1],
                "yes" if one.same else "no",
            )
            for one in m.layers
        ),
        note="Layers without parameters are left out. Printed numbers are rounded, but for the 545K of NN2's 4a, which "
        "is cut.",
    )


def _mean(values: list[int] | list[float]) -> float:
    return sum(values) / len(values)
