"""Making a trained network compatible with the embeddings of an older one.

    fit_faces(network, faces, config)                           # independently of the old one
    fit_harmonic(network, old_embeddings, faces)                # now its embeddings meet the old ones

The paper's recipe: the embedding layer gets new weights and learns from the harmonic loss alone, then everything does,
at a small rate. While only that layer learns, what it reads does not change: features of all images are computed once,
and of their mirror images.

The paper's new weights are random. Here, unless told otherwise, the layer begins as the linear map from features to old
embeddings: the harmonic loss then has to improve on a map, and needs a fraction of the steps.

Source: Schroff et al. 2015, "FaceNet", appendix A (arXiv 1503.03832).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from shoal.data.faces.sets import FaceSet
from shoal.engine import Batches, FitConfig, History, Progress, RunFolder, Silent, choose_device, fit
from shoal.errors import wrong
from shoal.faces.embedding import to_unit
from shoal.faces.harmonic import HarmonicTripletLoss
from shoal.faces.harmonic_watching import HarmonicValidation, watch_harmonic
from shoal.faces.layers import l2_normalise
from shoal.faces.learning import HarmonicObjective, Learning
from shoal.faces.network import FaceNetwork
from shoal.faces.sampling import IdentityBatchSampler
from shoal.faces.training import check_people, join_histories
from shoal.faces.training_batches import IdentityBatches, one_of_two
from shoal.faces.training_config import HarmonicConfig
from shoal.faces.translation import fit_translation
from shoal.measure.modes import in_mode

LAYER, WHOLE = "layer", "everything"


def fit_harmonic(
    network: FaceNetwork,
    old_embeddings: Float[Tensor, "m old_dim"],
    data: FaceSet,
    config: HarmonicConfig | None = None,
    *,
    validation_pairs: HarmonicValidation | None = None,
    run: RunFolder | None = None,
    part: str = "harmonic",
    progress: Progress | None = None,
) -> History:
    """Give a trained network a new embedding layer whose embeddings compare with older ones, in place.

    Args:
        network: trained independently.
        old_embeddings: of the images of `data` by the older network, of unit length and of the network's dimension.
        data: faces of known people.
        config: how.
        validation_pairs: faces of other people, pairs of their images, and their old embeddings, which the training is
            watched with.
        run: folder for checkpoints and metrics; a run that is there goes on where it stopped.
        part: first half of the names of both trainings within the run.
        progress: told how it goes.

    Returns:
        The history of both phases; "accuracy" is that of new with old embeddings, and every row has means of what
        `Monitor` says. The network is in evaluation mode, on the device that it came on.

    Raises:
        InputError: if the embeddings do not fit the images or the network, or nobody has two images.
        Interrupted: on Ctrl-C or SIGTERM, after the checkpoint was saved.
        ShoalError: if training diverges or collapses, or a file cannot be written.
    """
    config, progress = config or HarmonicConfig(), progress or Silent()
    check_people(data)
    _check(network, old_embeddings, data)
    before = next(network.parameters()).device
    old = F.normalize(old_embeddings.detach().float().cpu())
    features = _features(network, data.images, config)  # (n, 2, f), of the trunk as it came: also when resuming
    start_layer(network, features[:, 0], old, config)
    parts = []
    for phase in _phases(network, features, data, config):
        model, loss = Learning(phase.taught), HarmonicTripletLoss(config.margin, config.mining)
        look = watch_harmonic(
            network, model, (data, old), validation_pairs, pairs=config.watched, loss=loss, seed=config.seed
        )
        found = fit(
            model,
            phase.batches,
            config=phase.config,
            objective=HarmonicObjective(model, loss, old, data.labels),
            validate=look,
            run=run,
            part=f"{part}-{phase.name}",
            progress=progress,
        )
        parts.append((phase.name, phase.share, found))
    network.to(before, memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    network.eval()
    return join_histories(parts) if parts else History()


@dataclass(frozen=True, eq=False)
class _Phase:
    """A part of the training.

    Attributes:
        name: of it.
        share: of the whole.
        taught: what learns.
        batches: that it learns from; beside the inputs the numbers of the rows.
        config: how.
    """

    name: str
    share: float
    taught: nn.Module
    batches: Batches
    config: FitConfig


def _phases(
    network: FaceNetwork, features: Float32[Tensor, "n 2 f"], data: FaceSet, config: HarmonicConfig
) -> Iterator[_Phase]:
    """The layer by itself, then everything, as far as either is wanted."""
    rows = torch.arange(len(data))
    sampler = IdentityBatchSampler(data.labels, config.identities, config.per_identity, seed=config.seed)
    options: dict[str, Any] = {"seed": config.seed}
    share = 0.5 if config.trains_everything else 1.0
    if config.trains_layer:
        batches = IdentityBatches(features, rows, sampler, augment=one_of_two, **options)
        yield _Phase(LAYER, share, EmbeddingLayer(network), batches, config.layer_training())
    if config.trains_everything:
        share = 0.5 if config.trains_layer else 1.0
        batches = IdentityBatches(data.images, rows, sampler, prepare=to_unit, augment=config.augment, **options)
        yield _Phase(WHOLE, share, network, batches, config.training())


@torch.no_grad()
def start_layer(
    network: FaceNetwork, features: Float32[Tensor, "n f"], old: Float32[Tensor, "n dim"], config: HarmonicConfig
) -> None:
    """Give the embedding layer its first weights: random ones, or the linear map that comes closest to the old space.

    Args:
        network: whose layer.
        features: what it reads.
        old: what it should answer.
        config: which start, and the seed.
    """
    network.reset_embedding(config.seed)
    if config.start == "ridge":
        found = fit_translation(features, old)
        network.embedding.weight.copy_(found.weight)
        network.embedding.bias.copy_(found.bias)


class EmbeddingLayer(nn.Module):
    """The last layer of a network, of features that were computed once.

    Args:
        network: whose layer it is; nothing else of it is part of this.
    """

    def __init__(self, network: FaceNetwork):
        super().__init__()
        self.embedding = network.embedding

    def forward(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b dim"]:
        """Embeddings."""
        return l2_normalise(self.embedding(features))


@torch.no_grad()
def _features(
    network: FaceNetwork, images: UInt8[Tensor, "n 3 h w"], config: HarmonicConfig
) -> Float32[Tensor, "n 2 f"]:
    """What the embedding layer reads of every image and of its mirror image."""
    device, _ = choose_device(config.device)
    network.to(device)
    found = []
    with in_mode(network, training=False):
        for some in images.split(256):
            pixels = to_unit(some.to(device))
            both = [network.features(x).float().flatten(1).cpu() for x in (pixels, pixels.flip(3))]
            found.append(torch.stack(both, 1))
    return torch.cat(found)


def _check(network: FaceNetwork, old: Tensor, data: FaceSet) -> None:
    if len(old) != len(data):
        raise wrong("old embeddings", expected=f"{len(data):,}, one for each image", got=f"{len(old):,}")
    if old.shape[1] != network.embedding_dim:
        got, fix = network.embedding_dim, "make the network with the embedding_dim of the old one"
        raise wrong("embedding_dim", expected=f"{old.shape[1]}, as the old embeddings have", got=got, fix=fix)
    if not bool(torch.isfinite(old).all()) or not bool((old != 0).any(1).all()):
        raise wrong("old embeddings", expected="rows of unit length", got="NaN, infinity or rows of zeros")
