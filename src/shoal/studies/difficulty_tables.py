"""The tables of the difficulty study."""

import torch
from torch import Tensor

from shoal.measure import Interval, bootstrap_interval, proportion_interval
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Measured, Training
from shoal.studies.difficulty_numbers import NOTHING, effect_size, in_quarters, mean_of
from shoal.studies.difficulty_properties import MEANINGS
from shoal.studies.difficulty_words import WORDS, capital, points, shown
from shoal.studies.ranks import rank_correlation
from shoal.studies.result import Table
from shoal.studies.wording import percent

FEWER = 200  # draws of what takes long


def tables(m: Measured) -> tuple[Table, ...]:
    """Layers, scores, hard against easy, alterations, classes, agreement, convergence, and people's errors."""
    found = [_layers(m), _scores(m), _properties(m), _altered(m), _by_class(m), _agreements(m), _convergence(m)]
    return tuple(found + ([_people(m)] if m.human_errors else []))


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
            shown(rank_correlation(scores.harder(name), scores.harder("depth"))) if name in scores.columns else "–"
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
        easy, hard = in_quarters(m, column)
        size, rank = effect_size(easy, hard), rank_correlation(depth, column)
        means = [f"{float(part.mean()):.3g}" for part in (easy, hard)]
        rows.append((WORDS[name], *means, shown(size), shown(rank)))
    return Table(
        id="properties",
        title="Hard against easy images",
        columns=("property", "easiest quarter", "hardest quarter", "effect size", "with depth"),
        rows=tuple(rows),
        note=f"Quarters of the {len(m.test):,} test images by depth, among equals by soft depth. Effect size: "
        "difference of the means in standard deviations (Cohen's d); with depth: rank correlation over all; 95 % "
        f"intervals. {capital('; '.join(f'{WORDS[name]}: {MEANINGS[name]}' for name in columns))}.",
    )


def _altered(m: Measured) -> Table:
    rows = []
    for altered in m.altered:
        n = len(altered.depth)
        before, (one, other) = float(m.test.right[:n].double().mean()), m.deeper(altered)
        rows.append(
            (
                INTERVENTIONS[altered.name].title,
                round(float(m.test.column("depth")[:n].double().mean()), 2),
                round(sum(altered.depth) / n, 2),
                shown(mean_of(one)),
                shown(mean_of(other)),
                percent(float((one > 0).double().mean()), 1),
                percent(before, 1),
                percent(sum(altered.right) / n, 1),
            )
        )
    return Table(
        id="interventions",
        title="The same images, altered",
        columns=(
            "alteration",
            "depth before",
            "after",
            "difference",
            "second network",
            "deeper",
            "right before",
            "after",
        ),
        rows=tuple(rows),
        note="Differences of depth are paired by image, with 95 % intervals; all else is of the network. Depth is that "
        "of its answer to the altered image. "
        f"{capital('; '.join(f'{how.title}: {how.words}' for how in INTERVENTIONS.values()))}.",
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
        ranked = [shown(rank_correlation(final.column(c), part.column(c))) for c in ("depth", "soft_depth")]
        same = float((final.column("predicted") == part.column("predicted")).double().mean())
        rows.append((name, percent(part.accuracy, 1), *ranked, percent(same, 1)))
    return Table(
        id="agreement",
        title="Difficulty in other networks, on the same test images",
        columns=("network", "right", "depths agree", "soft depths agree", "same answers"),
        rows=tuple(rows),
        note=f"Rank correlations with the network, {percent(final.accuracy, 1)} right, with 95 % intervals, which draw "
        "images anew, not networks. The batch normalisation of the early network was measured anew.",
    )


def _convergence(m: Measured) -> Table:
    return Table(
        id="convergence",
        title="Have the networks converged?",
        columns=("network", "seed", "epochs", "minutes", "right, training", "right, validation", "gain", "converged"),
        rows=tuple(_trained(training) for training in m.trainings),
        note=f"Gain of validation accuracy over the last fifth of the training, on {len(m.trainings[0].now):,} images, "
        "paired by image, with its 95 % interval. It has converged with less than 0.2 points, if every training image "
        "is seen in that fifth. Where the learning rate falls towards the end, this tells that the training is over, "
        "not that a longer one would gain nothing. Training accuracy is on augmented images.",
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
        points(training.gain) if training.gain else "–",
        "yes" if training.converged else "no",
    )


def _people(m: Measured) -> Table:
    rows, depth = [], m.train.column("depth")
    for name, column in m.human_errors.items():
        wrong = torch.tensor(column).bool()
        share = proportion_interval(int(wrong.sum()), len(wrong))
        found = _average_precision(m, wrong)
        depths = [depth[chosen].double() for chosen in (wrong, ~wrong)]
        means = [f"{float(part.mean()):.2f}" if len(part) else "–" for part in depths]
        rows.append((name, percent(share.value, 1), *means, shown(found, 3) if found else "–"))
    return Table(
        id="people",
        title="Images that people label wrongly, and images whose labels look wrong",
        columns=(
            "people's labels (CIFAR-10N)",
            "differ from the published",
            "their mean depth (probes)",
            "that of the others",
            "average precision",
        ),
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


def _mean(depth: Interval) -> str:
    """Of a single image there is no interval."""
    return shown(depth) if depth.high < NOTHING else f"{depth.value:.2f}"
