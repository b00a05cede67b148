"""Batches for triplets from real sets of faces, where most people have few images.

    sampler = IdentityBatchSampler(labels, identities=45, per_identity=40, seed=0)
    DataLoader(faces, batch_sampler=sampler)        # an epoch each time it is gone through
    sampler.batch(step)                             # or any batch by its number

In the paper's batches of about 1,800 every person has about 40 images, and random negatives are added. Of the
5,749 people of LFW 19 have 40 images, and 4,069 have one. Here people with two images or more give what they
have, up to `per_identity`; people with one image, who are nobody's positive, fill the batch as negatives.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float64, Int64, Integer
from torch import Tensor

from shoal.engine.seeding import stream
from shoal.errors import wrong
from shoal.faces.triplets import Identities


class IdentityBatchSampler:
    """Rows of a data set, a batch of people at a time; each batch is a function of the seed and its number.

    A batch has `identities` different people of those with two images or more (or all of them, if they are
    fewer), each with `per_identity` images, or all it has. Where that leaves room up to identities ·
    per_identity rows, people with one image fill it. Where everyone has enough images a batch has exactly
    identities · per_identity rows.

    People with more images than fit into a batch come more often, so that in an epoch each image of a person
    with two or more is expected once; more often only where somebody would have to be in every batch of the
    epoch, or where the last batch has to be filled up.

    Args:
        labels: identity of each row of the data set: a tensor [n], or any sequence of whole numbers.
        identities: people with two images or more in a batch, >= 2.
        per_identity: images of each, at most; >= 2.
        seed: equal seeds give equal batches.

    Attributes:
        epoch: the one that the next iteration goes through; it counts by itself. Set it to resume between
            epochs.

    Raises:
        InputError: if a number is out of range, or nobody has two images, or there is nobody else.

    Example:
        >>> sampler = IdentityBatchSampler([0, 0, 0, 1, 1, 2], identities=2, per_identity=3)
        >>> len(sampler), sorted(sampler.batch(0))      # 5 images of people with more than one, and a negative
        (1, [0, 1, 2, 3, 4, 5])

    Source: batches: Schroff et al. 2015, "FaceNet", section 3.2. Drawing by chances that may differ: systematic
        sampling, Madow 1949, "On the theory of systematic sampling, II" (Ann. Math. Stat. 20).
    """

    def __init__(
        self,
        labels: Integer[Tensor, " n"] | Sequence[int] | np.ndarray,
        identities: int = 45,
        per_identity: int = 40,
        *,
        seed: int = 0,
    ):
        for name, value in (("identities", identities), ("per_identity", per_identity)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 2:
                raise wrong(name, expected="a whole number >= 2", got=value)
        if not isinstance(seed, int):
            raise wrong("seed", expected="a whole number", got=seed)
        self.identities, self.per_identity, self.seed = identities, per_identity, seed
        self.epoch = 0
        self._people = people = _read(labels)
        sizes = people.count[people.order[people.place[people.order] == 0]]  # images of each person
        self._sizes, self._begins = sizes, sizes.cumsum(0) - sizes
        self._several = (sizes > 1).nonzero().flatten()  # people
        self._single = people.order[people.count[people.order] == 1]  # rows
        self._batches, self._places = _plan(sizes[self._several], identities, per_identity)
        self._order: tuple[int, Int64[Tensor, " visits"]] = (-1, torch.empty(0, dtype=torch.int64))

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of one epoch."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        return (self.batch(step) for step in range(epoch * len(self), (epoch + 1) * len(self)))

    def batch(self, step: int) -> list[int]:
        """The rows of a batch: person by person, then the people with one image.

        Args:
            step: number of the batch, from 0, counted on over all epochs.

        Returns:
            Different rows.

        Raises:
            InputError: if step is negative.
        """
        if not isinstance(step, int) or step < 0:
            raise wrong("step", expected="a whole number >= 0", got=step)
        epoch, place = divmod(step, self._batches)
        visits = self._visits(epoch)
        generator = stream(self.seed, "faces", step)
        rows = []
        for person in self._several[visits[place :: self._batches]].tolist():
            size, begin = int(self._sizes[person]), int(self._begins[person])
            chosen = torch.randperm(size, generator=generator)[: self.per_identity]
            rows.append(self._people.order[begin + chosen])
        room = self.identities * self.per_identity - sum(map(len, rows))
        fill = torch.randperm(len(self._single), generator=generator)[:room]
        return torch.cat([*rows, self._single[fill]]).tolist()

    def _visits(self, epoch: int) -> Int64[Tensor, " visits"]:
        """Who is visited in an epoch, in turn: the k-th visit is in batch k modulo the batches of an epoch.

        People lie on a line in random order, as long as the visits each is due; it is read off at whole steps
        from a random start. A person's visits follow each other, so that they are in different batches.
        """
        if self._order[0] != epoch:
            generator = stream(self.seed, "people", epoch)
            order = torch.randperm(len(self._several), generator=generator)
            start = torch.rand((), generator=generator, dtype=torch.float64)
            ends = self._places[order].cumsum(0)
            count = round(float(ends[-1]))
            at = torch.searchsorted(ends, start + torch.arange(count, dtype=torch.float64), right=True)
            self._order = (epoch, order[at.clamp(max=len(order) - 1)])
        return self._order[1]


def _read(labels: Tensor | Sequence[int] | np.ndarray) -> Identities:
    """Who has which rows; refuses labels that no batch can be made of."""
    values = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise wrong("labels", expected="whole numbers [n], one for each person", got=f"{values.dtype} {values.shape}")
    tensor = torch.from_numpy(values.astype(np.int64))
    people = Identities.of(tensor)
    if people.people < 2 or int(people.count.max()) < 2:
        got = f"{len(tensor)} rows of {people.people} people"
        fix = "triplets need two images of one person and one of somebody else"
        raise wrong("labels", expected="somebody with two images or more, and somebody else", got=got, fix=fix)
    return people


def _plan(
    sizes: Int64[Tensor, " several"], identities: int, per_identity: int
) -> tuple[int, Float64[Tensor, " several"]]:
    """Batches of an epoch, and how often each person is visited in it: so often that its images come once.

    Visits are in proportion to a person's images over those of them that fit into a batch, but nobody is in a
    batch twice: who would be is in every batch, and the others share the places that are left.

    Args:
        sizes: images of each person.
        identities: people in a batch.
        per_identity: images of each, at most.

    Returns:
        The batches, and the visits, which sum up to batches times people in a batch.
    """
    wanted = sizes.double() / sizes.clamp(max=per_identity)  # [several], >= 1
    places = min(identities, len(sizes))
    chance = torch.zeros_like(wanted)
    always = torch.zeros(len(sizes), dtype=torch.bool)
    while True:
        left = places - int(always.sum())
        shared = wanted.masked_fill(always, 0.0)
        chance = torch.where(always, 1.0, shared * (left / shared.sum().clamp(min=1.0)))
        if not bool((chance > 1).any()):
            break
        always |= chance > 1
    batches = math.ceil(round(float((wanted / chance).max()), 9))
    return batches, chance * batches
