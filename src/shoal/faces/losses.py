"""The triplet loss of FaceNet over the triplets of a batch, mined by one of five rules.

    loss = TripletLoss(margin=0.2, mining="semi-hard")
    loss(embeddings, labels).backward()
    loss.monitor                        # share of triplets that satisfy the margin, mean distances, ...

Mean of [|a − p|² − |a − n|² + margin]₊, on rows of length 1. The gradient is computed together with the loss,
from the matrix of distances or a triplet at a time, and no row of numbers is gathered for each triplet
(`mining_gradients`); `tests/faces/oracle.py` has the sum as it is written here.
"""

import hashlib
import warnings

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from shoal.errors import unknown_name, wrong
from shoal.faces import mining_numba
from shoal.faces.mining import ONE_A_PAIR, negatives
from shoal.faces.mining_all import loss_over_all
from shoal.faces.mining_distances import check_batch, squared_distances, working
from shoal.faces.mining_gradients import pull, with_gradient
from shoal.faces.monitors import Monitor, spread_numbers, triplet_numbers
from shoal.faces.triplets import Identities, Triplets

MINING = (*ONE_A_PAIR, "all", "all-semi-hard")
TRIPLETS_AT_ONCE = 4096


class MonitoredLoss(nn.Module):
    """What losses over mined triplets have in common: settings, numbers of the last batch, one warning.

    Args:
        margin: in (0, 4].
        mining: name of the rule; checked by who has it.
        backend: "torch", "numba" or "auto".

    Raises:
        InputError: if the margin or the backend cannot be used.
    """

    def __init__(self, margin: float, mining: str, backend: str):
        super().__init__()
        check_margin(margin)
        mining_numba.check_backend(backend)
        self.margin, self.mining, self.backend = float(margin), mining, backend
        self._numbers: Tensor | None = None
        self._warned = False

    @property
    def monitor(self) -> Monitor | None:
        """The last batch in numbers; None before the first."""
        return None if self._numbers is None else Monitor.of(self._numbers, self.margin)

    def extra_repr(self) -> str:
        """The settings, for `print`."""
        return f"margin={self.margin:g}, mining={self.mining!r}"

    def warn_if_empty(self, triplets: int, holds: str) -> None:
        """Say once that a batch held nothing to learn from.

        Args:
            triplets: of the batch.
            holds: what a batch without any holds.
        """
        if triplets or self._warned:
            return
        self._warned = True
        warnings.warn(
            f"a batch without a triplet has no loss: it holds {holds}; draw batches with "
            "IdentityBatchSampler (said once)",
            stacklevel=5,  # this, forward, two of torch's, the caller
        )


class TripletLoss(MonitoredLoss):
    """Mean over mined triplets of [|a − p|² − |a − n|² + margin]₊, of embeddings [n, d] and labels [n].

    A batch without a triplet (nobody twice, or one person only) has a loss of 0 with a gradient of zeros, and
    warns once. The loss is float32 (float64 for float64 embeddings), also under autocast. It is a function of
    its arguments alone: random negatives are drawn from the seed and the batch.

    Args:
        margin: in (0, 4]; squared distances of rows of length 1 lie in [0, 4].
        mining: "semi-hard": for each pair the closest negative beyond the positive; "hardest": for each pair
            the closest negative; "random": for each pair any; "all": every triplet; "all-semi-hard": every
            triplet whose negative is beyond the positive and within the margin, which is
            pytorch-metric-learning's rule.
        backend: "torch", "numba" or "auto", of semi-hard mining and of the gradient; see `mine_semi_hard`.
        seed: of random mining.

    Raises:
        InputError: if an argument is out of range; when called, if embeddings and labels differ in length, or a
            row is NaN, infinite or zero.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]], requires_grad=True)
        >>> loss = TripletLoss(margin=0.2)
        >>> value = loss(embeddings, torch.tensor([0, 0, 1]))   # [0.4 − 0.8 + 0.2]₊ and [0.4 − 0.08 + 0.2]₊
        >>> value.backward()
        >>> round(value.item(), 6), loss.monitor.triplets, loss.monitor.satisfied
        (0.26, 2, 0.5)

    Source: Schroff et al. 2015, "FaceNet", equation 2 and section 3.2 (arXiv 1503.03832).
    """

    def __init__(self, margin: float = 0.2, mining: str = "semi-hard", *, backend: str = "auto", seed: int = 0):
        super().__init__(margin, mining, backend)
        if mining not in MINING:
            raise unknown_name("mining rule", str(mining), MINING)
        self.seed = seed

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Integer[Tensor, " batch"]) -> Float[Tensor, ""]:
        """The loss of one batch."""
        check_batch(embeddings, labels)
        rows, labels = working(embeddings), labels.to(embeddings.device)
        people = Identities.of(labels)
        self.warn_if_empty(people.number_of_pairs, "nobody twice, or one person only")
        wants = torch.is_grad_enabled() and embeddings.requires_grad
        with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
            numbers, gradient = self._measure(rows, labels, people, wants)
            self._numbers = torch.cat([numbers, spread_numbers(rows, people)])
        return with_gradient(embeddings, numbers[0].to(rows.dtype), gradient if wants else None)

    def _measure(self, rows: Tensor, labels: Tensor, people: Identities, wants: bool) -> tuple[Tensor, Tensor | None]:
        """The monitor's numbers, the loss first, and the gradient."""
        far = squared_distances(rows)
        if self.mining not in ONE_A_PAIR:
            only = self.mining == "all-semi-hard"
            return loss_over_all(rows, far, people, self.margin, semi_hard=only, gradient=wants)
        seed = _seed_of(self.seed, labels, rows) if self.mining == "random" else 0
        triplets = Triplets(*people.pairs(), negatives(self.mining, far, people, backend=self.backend, seed=seed))
        near, away = (_entries(far, triplets.anchor, other) for other in (triplets.positive, triplets.negative))
        gradient = _gradient(rows, triplets, near, away, self.margin, self.backend, far) if wants else None
        return triplet_numbers(near, away, self.margin), gradient


def triplet_loss(
    embeddings: Float[Tensor, "batch dim"], triplets: Triplets, margin: float = 0.2, *, backend: str = "auto"
) -> Float[Tensor, ""]:
    """The same mean over triplets that were mined elsewhere; 0 with a gradient of zeros where there are none.

    Args:
        embeddings: rows that the triplets point to.
        triplets: to take the mean over.
        margin: in (0, 4].
        backend: of the gradient.

    Raises:
        InputError: if a triplet points to no row, or the margin is out of range.

    Example:
        >>> row = torch.tensor([0])
        >>> triplet_loss(torch.eye(3), Triplets(row, row + 1, row + 2), margin=0.5)
        tensor(0.5000)
    """
    check_margin(margin)
    mining_numba.check_backend(backend)
    rows = working(embeddings)
    for name in ("anchor", "positive", "negative") if len(triplets) else ():
        least, most = getattr(triplets, name).aminmax()
        if int(least) < 0 or int(most) >= len(rows):
            got = f"{int(least)} to {int(most)}"
            raise wrong(f"triplets, {name}", expected=f"rows of 0 to {len(rows) - 1}", got=got)
    wants = torch.is_grad_enabled() and embeddings.requires_grad
    with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
        near, away = (_apart(rows, triplets.anchor, other) for other in (triplets.positive, triplets.negative))
        loss = triplet_numbers(near, away, margin)[0].to(rows.dtype)
        gradient = _gradient(rows, triplets, near, away, margin, backend, None) if wants else None
    return with_gradient(embeddings, loss, gradient)


def check_margin(margin: float) -> None:
    """Refuse a margin that no two distances can differ by.

    Raises:
        InputError: unless it is a number in (0, 4].
    """
    if not isinstance(margin, int | float) or isinstance(margin, bool) or not 0 < margin <= 4:
        fix = "the paper's is 0.2; squared distances between rows of length 1 lie in [0, 4]"
        raise wrong("margin", expected="a number in (0, 4]", got=margin, fix=fix)


def _gradient(
    rows: Tensor, triplets: Triplets, near: Tensor, away: Tensor, margin: float, backend: str, scratch: Tensor | None
) -> Tensor:
    """Of the mean, by the rows."""
    counted = triplets.select(away < near + margin)
    return pull(rows, counted, backend=backend, scratch=scratch).mul_(2 / max(1, len(triplets)))


def _entries(far: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Single numbers of a matrix."""
    return far.view(-1)[rows * len(far) + columns]


def _apart(rows: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Squared distances of pairs of rows, some at a time."""
    parts = zip(one.split(TRIPLETS_AT_ONCE), other.split(TRIPLETS_AT_ONCE), strict=True)
    return torch.cat([rows.new_zeros(0), *((rows[a] - rows[b]).square().sum(1) for a, b in parts)])


def _seed_of(seed: int, labels: Tensor, rows: Tensor) -> int:
    """A seed that is a function of the batch: no counter to save, and other negatives for each batch."""
    digest = hashlib.blake2b(repr(seed).encode(), digest_size=8)
    for part in (labels, rows):
        digest.update(part.cpu().contiguous().numpy().data)
    return int.from_bytes(digest.digest(), "big")
