"""The tables of the study of faces about trained networks; others are in `faces_tables_measured` and `_counted`."""

from shoal.studies.faces_checked import shown
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_names import CLASSIFIED, MAIN, MINED, MIRRORED, NEW, PIXELS, RECIPE, UNTRAINED, USUAL
from shoal.studies.faces_paper import BY_DIM, BY_IMAGES
from shoal.studies.faces_tables_counted import batches_table, layers_table, networks_table, sets_table
from shoal.studies.faces_tables_measured import (
    altered_table,
    clusters_table,
    generations_table,
    paper_table,
    quality_table,
)
from shoal.studies.faces_words import in_words
from shoal.studies.result import Table


def tables(m: Measured) -> tuple[Table, ...]:
    """In the order of the report."""
    return (
        _verification(m),
        paper_table(m),
        _mining(m),
        *([_dims(m)] if m.dims else []),
        *([_shares(m)] if m.shares else []),
        quality_table(m),
        generations_table(m),
        clusters_table(m),
        altered_table(m),
        sets_table(m),
        batches_table(m),
        networks_table(m),
        layers_table(m),
    )


def _verification(m: Measured) -> Table:
    first = [MAIN, MIRRORED, RECIPE, CLASSIFIED, *MINED]
    names = [name for name in first if name in m.checked]
    names += [name for name in m.checked if name not in (*first, UNTRAINED, PIXELS)] + [UNTRAINED, PIXELS]
    matched, mismatched = m.pairs
    return Table(
        id="verification",
        title=f"The networks on {matched + mismatched:,} test pairs",
        columns=("network", "right (%)", "± SE", "95 % interval", "AUC", "people", "images", "minutes", "epochs"),
        rows=tuple(
            (in_words(name), *shown(m.checked[name]), round(m.checked[name].auc, 4), *_trained(m, name))
            for name in names
        ),
        note=f"{matched:,} pairs of one person, {mismatched:,} of two; nobody of them was trained on. Of each of "
        f"{len(m.checked[MAIN].parts)} parts, the share that is right at the threshold that is best on the others; "
        "mean and standard error over the parts, and Student's interval: what other pairs would give, not what other "
        f"trainings would. {_seeds(m)}All networks have the same layers, but for the size of the embedding.",
    )


def _seeds(m: Measured) -> str:
    """How much trainings differ that differ in their seeds alone."""
    names = [name for name in m.checked if name == USUAL or name.startswith(f"{NEW} ")]
    if len(names) < 2:
        return "Each was trained once. "
    found = sorted(100 * m.checked[name].accuracy for name in names)
    return f"{len(found)} trainings of one recipe with different seeds give {found[0]:.1f} to {found[-1]:.1f} %. "


def _trained(m: Measured, name: str) -> tuple[int | None, int | None, float | None, float | None]:
    training = m.trainings.get(MAIN if name == MIRRORED else name)
    if training is None:
        return None, None, None, None
    return training.people, training.images, round(training.seconds / 60, 2), round(training.epochs, 1)


def _mining(m: Measured) -> Table:
    rows = []
    for name in MINED:
        training = m.trainings[name]
        last = training.rows[-1] if training.rows else {}
        values = [last.get(key) for key in ("satisfied", "semi_hard", "hard", "mean_same", "mean_different")]
        cells = [None if value is None else round(100 * value, 1) for value in values[:3]]
        cells += [None if value is None else round(value, 4) for value in values[3:]]
        stopped = f"after {last['step']:,} steps" if training.collapsed and last else "no"
        rows.append((name, shown(m.checked[name])[0], *cells, stopped))
    return Table(
        id="mining",
        title="Which negatives a network learns from",
        columns=(
            "negatives",
            "right (%)",
            "satisfy the margin (%)",
            "semi-hard (%)",
            "hard (%)",
            "distance, one person",
            "distance, two people",
            "stopped as collapsed",
        ),
        rows=tuple(rows),
        note="Triplets alone, from scratch, in the same time. Shares of the mined triplets and squared distances are "
        "means over the last batches of each training. Where two people are no farther apart than images of one, faces "
        "have become one point; a training that stays there is stopped.",
    )


def _dims(m: Measured) -> Table:
    return Table(
        id="dims",
        title="Size of the embedding",
        columns=("numbers", "right (%)", "± SE", "95 % interval", "the paper's VAL at FAR 0.1 % (%)"),
        rows=tuple((dim, *shown(m.checked[name]), _with_error(BY_DIM.get(dim))) for dim, name in m.dims),
        note=f"The same layers, people and minutes ({in_words(USUAL)}). The paper's are of NN1 (table 5).",
    )


def _with_error(found: tuple[float, float] | None) -> str | None:
    return None if found is None else f"{found[0]} ± {found[1]}"


def _shares(m: Measured) -> Table:
    ours = tuple((images, m.trainings[name].people, *shown(m.checked[name]), None) for images, name in m.shares)
    theirs = tuple((images, None, None, None, None, val) for images, val in BY_IMAGES.items())
    return Table(
        id="shares",
        title="Size of the training set",
        columns=("images", "people", "right (%)", "± SE", "95 % interval", "the paper's VAL at FAR 0.1 % (%)"),
        rows=(*ours, *theirs),
        note="People are drawn at random, a larger set holds the smaller one; all train for the same time "
        f"({in_words(USUAL)}). The paper's are of a smaller network, trained for 700 hours (table 6).",
    )
