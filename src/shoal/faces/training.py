"""Training a face network: from triplets, and where that is wanted it classifies people first, or beside them.

    network = create_network("compact", seed=0)
    history = fit_faces(network, faces, FacesConfig(minutes=10), validation_pairs=(others, pairs))

Either is one fit of `shoal.engine`, so that time, precision, checkpoints and resuming are the engine's. Images stay
bytes in memory; a batch is turned into numbers, and augmented, when it is needed.
"""

from typing import Any

import torch
from torch import Tensor

from shoal.data.faces.pairs import FacePairs
from shoal.data.faces.sets import FaceSet
from shoal.engine import Batches, History, Objective, Progress, RunFolder, Silent, as_batches, fit
from shoal.errors import wrong
from shoal.faces.embedding import to_unit
from shoal.faces.learning import Learning, TripletObjective, classification_of_people
from shoal.faces.losses import TripletLoss
from shoal.faces.network import FaceNetwork
from shoal.faces.pretraining import CosineSoftmax, classes_of
from shoal.faces.sampling import IdentityBatchSampler
from shoal.faces.training_batches import LOOKS, IdentityBatches, hold_back
from shoal.faces.training_config import FIRST, FacesConfig
from shoal.faces.watching import watch

FEWEST_HELD_BACK = 10  # people; a loss of fewer tells nothing, and their images are better used


def fit_faces(
    network: FaceNetwork,
    data: FaceSet,
    config: FacesConfig | None = None,
    *,
    validation_pairs: tuple[FaceSet, FacePairs] | None = None,
    run: RunFolder | None = None,
    part: str = "faces",
    progress: Progress | None = None,
) -> History:
    """Train a face network, in place.

    Args:
        network: from `create_network`.
        data: faces of known people, in the size that they are going to be embedded in.
        config: how.
        validation_pairs: faces of other people, and pairs of their images, which the training is watched with.
        run: folder for checkpoints and metrics; a run that is there goes on where it stopped.
        part: first half of the names of both trainings within the run.
        progress: told how it goes.

    Returns:
        The history of both phases. Beside what the engine measures a row has the phase; losses of images that were
        seen and that were held back (`shoal.faces.watching`); and, in the second phase, means over its batches of
        what `Monitor` says. The network is in evaluation mode, on the device that it came on.

    Raises:
        InputError: if there are too few people or images, or nobody is known.
        Interrupted: on Ctrl-C or SIGTERM, after the checkpoint was saved.
        ShoalError: if training diverges or collapses, or a file cannot be written.

    Example:
        >>> from shoal.faces.networks import create_network
        >>> images = torch.randint(256, (16, 3, 32, 32), dtype=torch.uint8)
        >>> faces = FaceSet(name="toy", images=images, labels=torch.arange(16) // 2, people=tuple("abcdefgh"),
        ...                 names=tuple(map(str, range(16))), source="drawn")
        >>> config = FacesConfig(minutes=0, epochs=2, pretraining=0.5, batch_size=8, identities=4, per_identity=2,
        ...                      precision="fp32")
        >>> history = fit_faces(create_network("compact", embedding_dim=8, seed=0), faces, config)
        >>> sorted({row["phase"] for row in history.rows})
        ['classification', 'triplets']
    """
    config, progress = config or FacesConfig(), progress or Silent()
    kept, held = _divide(data, config)
    before = next(network.parameters()).device
    model = _prepare(network, kept.labels, config)
    look = watch(model, kept, held, validation_pairs, pairs=config.watched, margin=config.margin, seed=config.seed)
    parts = []
    for phase in config.phases:
        options = {"run": run, "part": f"{part}-{phase}", "progress": progress}
        batches, objective = _teach(phase, model, kept, config)
        found = fit(model, batches, config=config.training(phase), objective=objective, validate=look, **options)
        parts.append((phase, config.share(phase), found))
    # whatever was fastest in training: other programs, and what is loaded, expect plain rows
    network.to(before, memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    return join_histories(parts)


def join_histories(parts: list[tuple[str, float, History]]) -> History:
    """Trainings that followed each other as one.

    Args:
        parts: the phase, its share of the whole, and what it measured.

    Returns:
        All rows; step, epoch, progress and seconds count on, and each row has its phase.
    """
    joined = History(precision=parts[-1][2].precision)
    progress = 0.0
    for phase, share, history in parts:
        last = joined.rows[-1] if joined.rows else {}
        for row in history.rows:
            counted: dict[str, Any] = {name: row[name] + last.get(name, 0) for name in ("step", "epoch", "seconds")}
            joined.rows.append({"phase": phase, **row, **counted, "progress": progress + share * row["progress"]})
        joined.seconds += history.seconds
        progress += share
    return joined


def check_people(data: FaceSet) -> None:
    """Refuse faces that nothing can be learned from.

    Raises:
        InputError: if nobody is known, or nobody has two images.
    """
    counts = data.counts
    if not len(data) or int((counts > 0).sum()) < 2 or int(counts.max()) < LOOKS:
        got = f"{len(data):,} images of {int((counts > 0).sum()):,} people" if data.people else "unknown people"
        raise wrong(f"faces of {data.name}", expected="people, somebody with two images or more", got=got)


def _divide(data: FaceSet, config: FacesConfig) -> tuple[FaceSet, FaceSet]:
    """Images to train on, with people numbered anew, and images that are held back."""
    check_people(data)
    data = data.renumbered()
    kept, held = hold_back(data.labels, config.held_back, config.seed)
    if len(held) < LOOKS * FEWEST_HELD_BACK:
        return data, data.take(held[:0])
    return data.take(kept), data.take(held)


def _prepare(network: FaceNetwork, people: Tensor, config: FacesConfig) -> Learning:
    """The network with what it needs to learn."""
    if not config.classifies:
        return Learning(network)
    classes = classes_of(people, fewest=config.class_images)
    of_person = torch.empty(int(people.max()) + 1, dtype=torch.int64)
    of_person[people] = classes
    head = CosineSoftmax(
        int(classes.max()) + 1,
        network.embedding_dim,
        scale=config.scale,
        margin=config.cosine_margin,
        seed=config.seed,
    )
    return Learning(network, head, of_person)


def _teach(phase: str, model: Learning, data: FaceSet, config: FacesConfig) -> tuple[Batches, Objective]:
    """Batches and objective of a phase."""
    options: dict[str, Any] = {"seed": config.seed, "prepare": to_unit, "augment": config.augment}
    if phase == FIRST:
        rows = (model.class_of[data.labels] >= 0).nonzero().flatten()
        pair = (data.images, data.labels) if len(rows) == len(data) else data.take(rows).pair
        batches = as_batches(pair, batch_size=config.batch_size, small_until=config.small_until, **options)
        return batches, classification_of_people(config.label_smoothing)
    sampler = IdentityBatchSampler(data.labels, config.identities, config.per_identity, seed=config.seed)
    loss = TripletLoss(config.margin, config.mining, seed=config.seed)
    objective = TripletObjective(model, loss, classification=config.classification, smoothing=config.label_smoothing)
    return IdentityBatches(data.images, data.labels, sampler, **options), objective
