"""Embeddings of a new network that compare directly with those an older one left in a gallery.

    loss = HarmonicTripletLoss()
    loss(network(images), old_embeddings[rows], labels[rows]).backward()

Rows of new and old are the same images. Their union is one batch of 2n rows, each image in it twice, and triplets are
mined from that. Of the ways to mix the two generations, these are taken; a negative is always the semi-hard one among
all rows of other people, new and old, as in the paper:

    anchor new, positive new    the new network is a good one by itself
    anchor new, positive old    a new query finds the old gallery, its own old embedding included: people with one
                                image count too
    anchor old, positive new    an old embedding finds the new ones, so that one threshold serves both directions
    anchor old, positive old    left out: that distance cannot change any more. As a yardstick for negatives it
                                would only hold the new network to the old one's mistakes.

A triplet of two old rows still moves the third. Old embeddings never carry a gradient.

Source: Schroff et al. 2015, "FaceNet", appendix A (arXiv 1503.03832). It says that triplets mix both generations and
    where negatives come from, not which mixtures are taken.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.errors import unknown_name, wrong
from shoal.faces import mining_numba
from shoal.faces.losses import MonitoredLoss
from shoal.faces.mining import ONE_A_PAIR, negatives
from shoal.faces.mining_distances import check_batch, check_labels, squared_distances, working
from shoal.faces.mining_gradients import pull, with_gradient
from shoal.faces.monitors import spread_numbers, triplet_numbers
from shoal.faces.triplets import Identities, Triplets

RULES = tuple(rule for rule in ONE_A_PAIR if rule != "random")


class HarmonicTripletLoss(MonitoredLoss):
    """Mean of [|a − p|² − |a − n|² + margin]₊ over triplets that mix new and old embeddings.

    A batch of one person has a loss of 0 with a gradient of zeros, and warns once. The loss is float32 (float64 for
    float64 embeddings), also under autocast. The spreads in `monitor` are those of the new embeddings.

    Args:
        margin: in (0, 4].
        mining: of negatives, "semi-hard" or "hardest".
        backend: "auto", "torch" or "numba", see `shoal.faces.mine_semi_hard`.

    Raises:
        InputError: if a setting is out of range; when called, if shapes differ, or a row is NaN, infinite or zero.

    Example:
        >>> new = torch.nn.functional.normalize(torch.randn(6, 4)).requires_grad_()
        >>> old = torch.nn.functional.normalize(torch.randn(6, 4))
        >>> loss = HarmonicTripletLoss()
        >>> loss(new, old, torch.tensor([0, 0, 1, 1, 2, 3])).backward()
        >>> new.grad.shape, loss.monitor.triplets    # two images of a person: 4 · 3 pairs, less 2 of old rows; one: 2
        (torch.Size([6, 4]), 24)
    """

    def __init__(self, margin: float = 0.2, mining: str = "semi-hard", *, backend: str = "auto"):
        super().__init__(margin, mining, backend)
        _check_rule(mining)

    def forward(
        self, new: Float[Tensor, "n dim"], old: Float[Tensor, "m old_dim"], labels: Int[Tensor, " labels"]
    ) -> Float[Tensor, ""]:
        """The loss of a batch.

        Args:
            new: embeddings that are being trained, of unit length.
            old: those of the same images by the older network.
            labels: identity of each.
        """
        _check(new, old, labels)
        wants = torch.is_grad_enabled() and new.requires_grad
        with torch.no_grad(), torch.autocast(new.device.type, enabled=False):
            union, far, triplets = _mined(new, old, labels, self.mining, self.backend)
            self.warn_if_empty(len(triplets), "one person only")
            near = far[triplets.anchor, triplets.positive]  # (triplets,)
            away = far[triplets.anchor, triplets.negative]
            numbers = triplet_numbers(near, away, self.margin)
            spread = spread_numbers(union[: len(new)], Identities.of(labels.to(union.device)))
            self._numbers = torch.cat((numbers, spread))
            gradient = None
            if wants:
                counted = triplets.select(away < near + self.margin)
                slope = pull(union, counted, backend=self.backend)[: len(new)]  # what the old rows get goes nowhere
                gradient = slope * (2 / max(1, len(triplets)))
        return with_gradient(new, numbers[0].to(union.dtype), gradient)


def mine_harmonic(
    new: Float[Tensor, "n dim"],
    old: Float[Tensor, "m old_dim"],
    labels: Int[Tensor, " labels"],
    *,
    mining: str = "semi-hard",
    backend: str = "auto",
) -> Triplets:
    """The triplets of `HarmonicTripletLoss`: rows of the union, where new is row i and old is row n + i.

    Args:
        new: see `HarmonicTripletLoss`.
        old: likewise.
        labels: likewise.
        mining: likewise.
        backend: likewise.

    Returns:
        One triplet for each ordered pair of rows of one person, at least one of them new, by anchor and positive.

    Raises:
        InputError: see `HarmonicTripletLoss`.

    Example:
        >>> rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> triplets = mine_harmonic(rows, rows, torch.tensor([0, 1]))
        >>> [*zip(triplets.anchor.tolist(), triplets.positive.tolist(), triplets.negative.tolist())]
        [(0, 2, 1), (1, 3, 0), (2, 0, 1), (3, 1, 0)]
    """
    _check_rule(mining)
    mining_numba.check_backend(backend)
    _check(new, old, labels)
    return _mined(new, old, labels, mining, backend)[2]


@torch.no_grad()
def _mined(
    new: Tensor, old: Tensor, labels: Tensor, mining: str, backend: str
) -> tuple[Float[Tensor, "twice dim"], Float[Tensor, "twice twice"], Triplets]:
    """The union, its distances, and the triplets."""
    rows = working(new)
    union = torch.cat((rows, working(old).to(rows)))  # (2n, d)
    far = squared_distances(union)  # (2n, 2n)
    people = Identities.of(labels.to(union.device).repeat(2))
    triplets = Triplets(*people.pairs(), negatives(mining, far, people, backend=backend))
    moving = (triplets.anchor < len(new)) | (triplets.positive < len(new))
    return union, far, triplets.select(moving)


def _check(new: Tensor, old: Tensor, labels: Tensor) -> None:
    check_labels(labels, len(new))
    check_batch(new, labels)
    if new.shape != old.shape:
        fix = "embed the same images with both networks, in one dimension"
        raise wrong("old embeddings", expected=f"{list(new.shape)} like the new ones", got=list(old.shape), fix=fix)
    check_batch(old, labels)


def _check_rule(mining: str) -> None:
    if mining not in RULES:
        raise unknown_name("rule of harmonic mining", str(mining), RULES)
