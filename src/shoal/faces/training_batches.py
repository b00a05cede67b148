"""Batches of a few people with several images each, and images that are held back from training to look at.

Like all batches of `shoal.engine` they are pure functions of the step, so that a training that was stopped goes on with
what it would have seen.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from torch import Tensor

from shoal.engine import stream
from shoal.engine.batches import Pair, TensorBatches, shrink
from shoal.engine.device import World
from shoal.errors import wrong

LOOKS = 2  # images of each person that a loss is looked at with: as many as most people have


@runtime_checkable
class Sampler(Protocol):
    """Chooses the rows of a step, for example `shoal.faces.IdentityBatchSampler`."""

    def batch(self, step: int) -> list[int]:
        """Row numbers, a pure function of the step."""
        ...


class IdentityBatches(TensorBatches):
    """Batches whose rows a sampler chooses, prepared and augmented as `TensorBatches` does it.

    An epoch is as many steps as it takes to see as many rows as there are.

    Args:
        inputs: [n, ...]; uint8 images, or features of them.
        labels: [n], given beside the inputs as they are: identities, or the numbers of the rows.
        sampler: of row numbers.
        options: seed, prepare, augment, small_until, small_scale, see `TensorBatches`.
    """

    def __init__(self, inputs: Tensor, labels: Tensor, sampler: Sampler, **options: Any):
        super().__init__(inputs, labels, batch_size=max(1, len(sampler.batch(0))), **options)
        self.sampler = sampler

    def batch(self, step: int, size: str, world: World) -> Pair:
        """The rows of this step that belong to this process: whole people, but for the ends of its share."""
        rows = torch.tensor(self.sampler.batch(step)).tensor_split(world.size)[world.rank]
        inputs = self.inputs[rows]
        if self.prepare:
            inputs = self.prepare(inputs)
        if size == "small":
            inputs = shrink(inputs, self.small_scale)
        if self.augment:
            generator = stream(self.seed, "augment people", step, world.rank)
            inputs = self.augment(inputs, index=rows, epoch=step // self.steps_per_epoch, generator=generator)
        return inputs, self.labels[rows]


def one_of_two(
    pairs: Tensor,
    *,
    index: Int64[Tensor, "b"],  # noqa: ARG001 - what batches hand over
    epoch: int,  # noqa: ARG001
    generator: torch.Generator,
) -> Tensor:
    """Of features [b, 2, f], of an image and of its mirror image, take one at random: flips for what is computed once.

    Returns:
        [b, f].
    """
    mirrored = torch.randint(2, (len(pairs),), generator=generator)
    return pairs[torch.arange(len(pairs)), mirrored]


def hold_back(
    labels: Int64[Tensor, "n"], share: float, seed: int = 0
) -> tuple[Int64[Tensor, "kept"], Int64[Tensor, "held"]]:
    """Divide images into those to train on and two each of some people, drawn at random, to look at.

    Only people with four images or more give any away, so that everyone stays who can be learned from.

    Args:
        labels: identities.
        share: of the images that is held back at most, in [0, 1).
        seed: of the draw.

    Returns:
        Row numbers of either part, ascending.

    Raises:
        InputError: if the share is out of range.

    Example:
        >>> kept, held = hold_back(torch.tensor([0, 0, 1, 1, 1, 1, 1, 2]), 0.25)
        >>> len(kept), torch.tensor([0, 0, 1, 1, 1, 1, 1, 2])[held].tolist()
        (6, [1, 1])
    """
    if not 0 <= share < 1:
        raise wrong("held_back", expected="a share in [0, 1)", got=share)
    held = some_of_each(labels, int(share * len(labels)) // LOOKS, fewest=2 * LOOKS, seed=seed)
    mask = torch.zeros(len(labels), dtype=torch.bool)
    mask[held] = True
    return (~mask).nonzero().flatten(), mask.nonzero().flatten()


def some_of_each(
    labels: Int64[Tensor, "n"], people: int, *, fewest: int = LOOKS, seed: int = 0
) -> Int64[Tensor, "rows"]:
    """Two images each of some people, drawn at random: what losses are compared on.

    Args:
        labels: identities.
        people: at most so many.
        fewest: images that a person must have.
        seed: of the draw.

    Returns:
        Row numbers, the two of a person side by side.
    """
    generator = stream(seed, "some of each")
    shuffled = torch.randperm(len(labels), generator=generator)
    rows = shuffled[labels[shuffled].argsort(stable=True)]  # by person, in random order within
    _, counts = labels.unique(return_counts=True)
    begins = (counts.cumsum(0) - counts)[counts >= max(fewest, LOOKS)]
    chosen = begins[torch.randperm(len(begins), generator=generator)[:people]]
    return rows[chosen[:, None] + torch.arange(LOOKS)].flatten()
