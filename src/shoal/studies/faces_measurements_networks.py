"""How well networks tell people apart: all pairs of test faces, a threshold that is promised, two generations."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from shoal.engine import stream
from shoal.errors import InputError
from shoal.faces.compatibility import compatibility
from shoal.faces.pair_distances import pair_distances
from shoal.faces.roc import threshold_for_far
from shoal.faces.thresholds import threshold_at
from shoal.faces.translation import fit_translation
from shoal.studies.faces_asked_data import pairs_of_strangers
from shoal.studies.faces_looking import Looking
from shoal.studies.faces_measured_parts import Generations, Promised, Rates
from shoal.studies.faces_names import MAIN, harmonic_name
from shoal.studies.faces_pairs import checked

FARS = (1e-3, 1e-2, 1e-1)  # the paper's, and two that small sets can measure
PARTS = 5  # of the test people, as in the paper
MOST_IMAGES = 5_000  # whose pairs are all compared
CURVE = 200  # points of a ROC
PROMISED = 0.01  # false-accept rate that a threshold is asked for


def measure_rates(look: Looking) -> Rates:
    """The ROC of the test pairs, and VAL at some FAR over all pairs within each of some parts of the test people."""
    roc = look.pairs.verify(look.of_pairs(MAIN)).roc
    points = torch.linspace(0, len(roc.fpr) - 1, min(CURVE, len(roc.fpr))).round().long()
    labels = look.faces.test.labels
    groups = parts_of_people(labels, look.config.seed)
    val = [_val(look.test[rows], labels[rows]) for rows in groups]
    return Rates(
        fpr=roc.fpr[points].tolist(),
        tpr=roc.tpr[points].tolist(),
        fars=list(FARS),
        val=val,
        images=sum(map(len, groups)) / len(groups) if groups else 0.0,
    )


def parts_of_people(labels: Int64[Tensor, "n"], seed: int) -> list[Tensor]:
    """Rows (int64 [m] each) of parts that share no person; none where people with two images are too few.

    Args:
        labels: who is on each image.
        seed: of the draw.
    """
    counts = torch.bincount(labels)
    several = (counts > 1).nonzero().flatten()
    if len(several) < 2 * PARTS:
        return []
    parts: list[list[Tensor]] = [[] for _ in range(PARTS)]
    for people in (several, (counts == 1).nonzero().flatten()):
        order = people[torch.randperm(len(people), generator=stream(seed, "parts", len(people)))]
        for part, own in zip(parts, order.tensor_split(PARTS), strict=True):
            part.append(own)
    rows = [torch.isin(labels, torch.cat(part)).nonzero().flatten() for part in parts]
    most = MOST_IMAGES // PARTS
    drawn = (torch.randperm(len(own), generator=stream(seed, "of a part", i))[:most] for i, own in enumerate(rows))
    return [own[some].sort().values for own, some in zip(rows, drawn, strict=True)]


def _val(embeddings: Float[Tensor, "n dim"], labels: Int64[Tensor, "n"]) -> list[float]:
    """Share of all matched pairs that is accepted at each of `FARS`."""
    i, j = torch.triu_indices(len(labels), len(labels), 1)
    distances: Float64[Tensor, "p"] = pair_distances(embeddings[i], embeddings[j])
    same = labels[i] == labels[j]
    impostors = distances[~same].sort().values
    return [float((distances[same] <= threshold_for_far(impostors, far)).double().mean()) for far in FARS]


def promise_threshold(look: Looking) -> Promised:
    """Ask for a threshold on people to choose with, and see what it does to test people."""
    seed, labels = look.config.seed, look.faces.test.labels
    refused, value = "", 0.0
    try:
        value = threshold_at(PROMISED, distances_to_choose_with(look)).low
    except InputError as error:  # too few pairs to promise anything: that is a finding
        refused = str(error)
    distances = [_of_strangers(look.test[rows], labels[rows], seed) for rows in parts_of_people(labels, seed)]
    of_pairs = look.of_pairs(MAIN)
    matched = look.pairs.distances(of_pairs, of_pairs)[look.pairs.same]
    return Promised(
        far=PROMISED,
        refused=refused,
        value=value,
        accepted=[float((part <= value).double().mean()) for part in distances],
        pairs=sum(map(len, distances)),
        kept=float((matched <= value).double().mean()),
    )


def distances_to_choose_with(look: Looking) -> Float64[Tensor, "p"]:
    """Of different people in the part that thresholds are chosen on, each image in two pairs at most."""
    return _of_strangers(look.to_choose_with, look.faces.validation.labels, look.config.seed)


def _of_strangers(embeddings: Float[Tensor, "n dim"], labels: Int64[Tensor, "n"], seed: int) -> Float64[Tensor, "p"]:
    """Distances of different people, each image in two pairs at most."""
    a, b = pairs_of_strangers(labels, seed).T
    return pair_distances(embeddings[a], embeddings[b])


def compare_generations(look: Looking, number: int) -> Generations:
    """An older and a newer network on the test pairs: as they are, by a linear map, and after harmonic training."""
    trainings, pairs = look.trainings, look.pairs
    old_name, new_name = trainings.generations(number)
    old, new, harmonic = (look.of_pairs(name) for name in (old_name, new_name, harmonic_name(number)))
    ridge = fit_translation(trainings.of_training_faces(new_name), trainings.of_training_faces(old_name))
    plain, mapped, made = (
        compatibility(x[pairs.a], x[pairs.b], old[pairs.a], old[pairs.b], pairs.same, pairs.fold, far=())
        for x in (new, ridge(new), harmonic)
    )
    return Generations(
        old=checked(plain.old_old),
        new=checked(plain.new_new),
        plain=checked(plain.new_old),
        ridge=checked(mapped.new_old),
        harmonic=checked(made.new_old),
        harmonic_new=checked(made.new_new),
        penalty=ridge.ridge,
    )
