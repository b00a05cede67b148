"""What the difficulty study found, in sentences and tables."""

import torch
from torch import Tensor

from shoal.measure import Interval, bootstrap_interval, proportion_interval
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Measured, Training
from shoal.studies.difficulty_numbers import (
    NOTHING,
    class_means,
    effect_size,
    first_half,
    mean_of,
    quarters,
    standardised,
)
from shoal.studies.difficulty_properties import MEANINGS
from shoal.studies.ranks import agreement, rank_correlation
from shoal.studies.result import Table
from shoal.studies.wording import percent

FEWER = 200  # draws of what takes long
WORDS = {"contrast": "contrast", "clutter": "clutter", "typicality": "typicality", "boundary": "distance to a boundary"}


def summary(m: Measured) -> tuple[str, ...]:
    """The findings in sentences."""
    return tuple(filter(None, (_networks(m), _depths(m), _agreement(m), _hard(m), _alterations(m), _classes(m))))


def tables(m: Measured) -> tuple[Table, ...]:
    """Layers, scores, hard against easy, alterations, classes, agreement, convergence, and people's errors."""
    found = [_layers(m), _scores(m), _properties(m), _altered(m), _by_class(m), _agreements(m), _convergence(m)]
    return tuple(found + ([_people(m)] if m.human_errors else []))


def _networks(m: Measured) -> str:
    network = m.trainings[0]
    epochs = network.rows[-1]["epoch"]
    state = "It has converged" if network.converged else "It has not converged, so that no claim can be decided"
    gain = network.gain
    gained = f": its validation accuracy gained {_points(gain)} over the last fifth" if gain else ""
    return (
        f"The network answers {percent(m.test.accuracy, 1)} of {len(m.test):,} test images right after "
        f"{epochs:.1f} epochs. {state}{gained}."
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
    return f"{text}. {'; '.join(ends).capitalize()}."


def _agreement(m: Measured) -> str:
    depths = [part.column("depth") for part in (m.test, m.second, m.early)]
    between, before = (agreement(depths[0], other) for other in depths[1:])
    return (
        f"Depths agree with those of another seed with a rank correlation of {between:.2f}, and with those of the same "
        f"network after {percent(m.early_at, 0)} of its training with {before:.2f}."
    )


def _hard(m: Measured) -> str:
    """The property that tells hard from easy best, and how many errors probes know better."""
    sizes = {name: standardised(*_split(m, column)) for name, column in m.properties.items()}
    name = max(sizes, key=lambda name: abs(sizes[name]))
    side = "more" if sizes[name] > 0 else "less"
    wrong, known = int((~m.test.right).sum()), int(m.test.overthought.sum())
    errors = f" In {known} of {wrong} errors at least half of the probes are right." if wrong else ""
    return (
        f"What sets the hardest quarter apart most is {side} {WORDS[name]}: {sizes[name]:+.2f} standard deviations "
        f"from the easiest.{errors}"
    )


def _alterations(m: Measured) -> str:
    deeper = {INTERVENTIONS[a.name].title: float(a.deeper(m.test).mean()) for a in m.altered}
    if not deeper:
        return ""
    shown = ", ".join(f"{name} {value:+.2f}" for name, value in deeper.items())
    return f"The same images, altered, are settled later or earlier by so many probes on average: {shown}."


def _classes(m: Measured) -> str:
    means = class_means(m.test.column("depth").double(), m.test.column("labels"), len(m.classes))
    known = means.isfinite().nonzero().flatten().tolist()
    first, last = (pick(known, key=lambda i: float(means[i])) for pick in (min, max))
    return (
        f"Of the classes, {m.classes[first]} is settled first (mean depth {means[first]:.2f}) and {m.classes[last]} "
        f"last ({means[last]:.2f})."
    )


def _layers(m: Measured) -> Table:
    parts = (m.test, m.train)
    rows = []
    for at, name in enumerate(m.probes):
        settled = [percent(float((part.column("depth") == at).double().mean()), 1) for part in parts]
        right = [percent(part.probe_accuracy[at], 1) for part in parts]
        rows.append((name, m.pooling[name], *right, *settled))
    never = [percent(float((part.column("depth") == len(m.probes)).double().mean()), 1) for part in parts]
    return Table(
        id="layers",
        title="What every probe knows, and where images are settled",
        columns=(
            "probe at",
            "rows made by",
            "right, test",
            "right, training",
            "settled here, test",
            "settled here, training",
        ),
        rows=(*rows, ("never", "", None, None, *never)),
        note=f"A probe asks the nearest of {len(m.train):,} training images; a training image is left out of its own "
        "neighbours. An image is settled where a probe and all later ones agree with the network's answer.",
    )


def _scores(m: Measured) -> Table:
    rows = []
    for name in m.watched_scores.columns:
        if name == "depth":
            continue
        way = "more" if m.watched_scores.more_is_harder[name] else "less"
        cells = [
            f"{rank_correlation(scores.harder(name), scores.harder('depth')):.2f}" if name in scores.columns else "–"
            for scores in (m.watched_scores, m.test_scores)
        ]
        rows.append((name.replace("_", " "), way, *cells, m.watched_scores.meaning[name]))
    return Table(
        id="scores",
        title="Scores of difficulty beside depth",
        columns=("score", "is harder", "with depth, training", "with depth, test", "meaning"),
        rows=tuple(rows),
        note="Rank correlations with their 95 % intervals, each score turned so that more is harder. Training images: "
        f"{len(m.watched_scores.columns['depth']):,} that were watched while training, at {len(m.trainings[0].rows)} "
        "times; for test images there are no scores of a training.",
    )


def _properties(m: Measured) -> Table:
    columns = {name: torch.tensor(values) for name, values in m.properties.items()}
    columns |= {"people": torch.tensor(m.people)} if m.people else {}
    depth, rows = m.test.column("depth"), []
    for name, column in columns.items():
        easy, hard = _split(m, column)
        size, rank = effect_size(easy, hard), rank_correlation(depth, column)
        means = [f"{float(part.mean()):.3g}" for part in (easy, hard)]
        rows.append((WORDS.get(name, "people disagree"), *means, f"{size:.2f}", f"{rank:.2f}", MEANINGS[name]))
    return Table(
        id="properties",
        title="Hard against easy images",
        columns=("property", "easiest quarter", "hardest quarter", "effect size", "with depth", "meaning"),
        rows=tuple(rows),
        note=f"Quarters of the {len(m.test):,} test images by depth, among equals by soft depth. Effect size: "
        "difference of the means in standard deviations (Cohen's d); with depth: rank correlation over all; 95 % "
        "intervals.",
    )


def _split(m: Measured, column: Tensor | list[float]) -> tuple[Tensor, Tensor]:
    """A column in the easiest and in the hardest quarter."""
    easy, hard = quarters(m.test)
    values = torch.as_tensor(column, dtype=torch.float64)
    return values[easy], values[hard]


def _altered(m: Measured) -> Table:
    rows = []
    for altered in m.altered:
        n = len(altered.depth)
        before, deeper = float(m.test.right[:n].double().mean()), altered.deeper(m.test)
        rows.append(
            (
                INTERVENTIONS[altered.name].title,
                INTERVENTIONS[altered.name].words,
                round(float(m.test.column("depth")[:n].double().mean()), 2),
                round(sum(altered.depth) / n, 2),
                f"{mean_of(deeper):.2f}",
                percent(float((deeper > 0).double().mean()), 1),
                percent(before, 1),
                percent(sum(altered.right) / n, 1),
            )
        )
    return Table(
        id="interventions",
        title="The same images, altered",
        columns=("alteration", "what", "depth before", "after", "difference", "deeper", "right before", "after"),
        rows=tuple(rows),
        note="Paired by image, with 95 % intervals. Depth is that of the network's answer to the altered image.",
    )


def _by_class(m: Measured) -> Table:
    depth, labels, right = m.test.column("depth").double(), m.test.column("labels"), m.test.right
    rows = []
    for number, name in enumerate(m.classes):
        own = labels == number
        if bool(own.any()):
            half = float((depth[own] < len(m.probes) // 2).double().mean())
            accuracy = percent(float(right[own].double().mean()), 1)
            rows.append((name, int(own.sum()), mean_of(depth[own]), percent(half, 1), accuracy))
    ordered = sorted(rows, key=lambda row: row[2].value)
    return Table(
        id="classes",
        title="Which classes are settled where",
        columns=("class", "test images", "mean depth", "in the first half of the probes", "right"),
        rows=tuple((name, n, _mean(depth), *rest) for name, n, depth, *rest in ordered),
        note="The class that is settled first is first; mean depths with 95 % intervals.",
    )


def _agreements(m: Measured) -> Table:
    final = m.test
    rows = []
    for part, name in (
        (m.second, "another seed"),
        (m.early, f"the same after {percent(m.early_at, 0)} of its training"),
    ):
        ranked = [f"{rank_correlation(final.column(c), part.column(c)):.2f}" for c in ("depth", "soft_depth")]
        same = float((final.column("predicted") == part.column("predicted")).double().mean())
        rows.append((name, percent(part.accuracy, 1), *ranked, percent(same, 1)))
    return Table(
        id="agreement",
        title="Difficulty in other networks, on the same test images",
        columns=("network", "right", "depths agree", "soft depths agree", "same answers"),
        rows=tuple(rows),
        note=f"Rank correlations with the network, {percent(final.accuracy, 1)} right, with 95 % intervals, which draw "
        "images anew, not networks.",
    )


def _convergence(m: Measured) -> Table:
    return Table(
        id="convergence",
        title="Have the networks converged?",
        columns=("network", "seed", "epochs", "minutes", "right, training", "right, validation", "gain", "converged"),
        rows=tuple(_trained(training) for training in m.trainings),
        note=f"Gain of validation accuracy over the last fifth of the training, on {len(m.trainings[0].now):,} images, "
        "paired by image, with its 95 % interval; less than 0.2 points is converged. Training accuracy is on augmented "
        "images.",
    )


def _trained(training: Training) -> tuple[str | float | int | None, ...]:
    last = training.rows[-1]
    return (
        training.name,
        training.seed,
        round(last["epoch"], 1),
        round(training.seconds / 60, 1),
        percent(last["train_accuracy"], 1),
        percent(last["validation_accuracy"], 1),
        _points(training.gain) if training.gain else "–",
        "yes" if training.converged else "no",
    )


def _people(m: Measured) -> Table:
    rows = []
    for name, column in m.human_errors.items():
        wrong = torch.tensor(column).bool()
        share = proportion_interval(int(wrong.sum()), len(wrong))
        found = _average_precision(m, wrong)
        rows.append((name, percent(share.value, 1), f"{found:.3f}" if found else "–"))
    return Table(
        id="people",
        title="Images that people label wrongly, and images whose labels look wrong",
        columns=("people's labels (CIFAR-10N)", "differ from the published", "average precision"),
        rows=tuple(rows),
        note=f"Over the {len(m.train):,} training images that probes see. Average precision: how well images that "
        "people mislabel are ranked first by how little the neighbours' votes, over all probes, support the published "
        "label; chance gives the share that differs. People's labels enter no score: the network and its probes know "
        "the published ones only.",
    )


def _average_precision(m: Measured, wrong: Tensor) -> Interval | None:
    """Of the label scores as a ranking of people's errors; None where there are none, or nothing else."""
    from sklearn.metrics import average_precision_score

    if not 0 < int(wrong.sum()) < len(wrong):
        return None
    doubt = -torch.tensor(m.label_scores, dtype=torch.float64)

    def precision(wrong: Tensor, doubt: Tensor) -> float:
        return float(average_precision_score(wrong.numpy(), doubt.numpy())) if bool(wrong.any()) else 0.0

    return bootstrap_interval((wrong, doubt), precision, resamples=FEWER)


def _points(gain: Interval) -> str:
    low, high = 100 * gain.low, 100 * gain.high
    return f"{100 * gain.value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def _mean(depth: Interval) -> str:
    """Of a single image there is no interval."""
    return f"{depth:.2f}" if depth.high < NOTHING else f"{depth.value:.2f}"
