"""Batches for training: a pure function of the step, so that a resumed run sees exactly the same ones.

`as_batches` takes what the house takes everywhere: a pair of tensors (inputs, labels), or a loader of such
pairs. A pair is shuffled, augmented and resized here; a loader is trusted to do that itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import TypeIs

from shoal.engine.device import World
from shoal.engine.seeding import stream
from shoal.errors import wrong

Pair = tuple[Tensor, Tensor]
Data = Pair | Iterable[Pair]
Prepare = Callable[[Tensor], Tensor]


@runtime_checkable
class Augment(Protocol):
    """Changes a batch of images at random; `index` names the rows, so that a change can depend on the image."""

    def __call__(
        self, images: Tensor, *, index: Int[Tensor, "batch"], epoch: int, generator: torch.Generator
    ) -> Tensor:
        """Return the changed images, in the shape and dtype that they came in."""
        ...


@runtime_checkable
class Batches(Protocol):
    """What the fit loop asks for."""

    steps_per_epoch: int

    def size_at(self, progress: float) -> str:
        """Name of the input size used at this progress; steps of one size take the same time."""
        ...

    def sizes(self) -> tuple[str, ...]:
        """All names that `size_at` can return."""
        ...

    def batch(self, step: int, size: str, world: World) -> Pair:
        """This process's share of the batch of one step."""
        ...


class TensorBatches:
    """Shuffled batches of a pair of tensors, augmented, and optionally small at first.

    Args:
        inputs: [n, ...], any dtype; `prepare` makes floats of it.
        labels: [n, ...].
        batch_size: rows of one step over all processes; the rows left over after the last full batch wait for
            another epoch's shuffle.
        seed: of shuffling and augmentation.
        prepare: applied to every batch first, for example a normalisation of uint8 images.
        augment: applied after that, see `Augment`.
        small_until: images [n, c, h, w] are shrunk while progress is below this share of the run; 0 switches it
            off. Early training needs little detail, and small images cost less.
        small_scale: side of the shrunk images, as a share of the full side.

    Raises:
        InputError: if inputs and labels differ in length, or there are none.
    """

    def __init__(
        self,
        inputs: Tensor,
        labels: Tensor,
        *,
        batch_size: int,
        seed: int = 0,
        prepare: Prepare | None = None,
        augment: Augment | None = None,
        small_until: float = 0.0,
        small_scale: float = 0.75,
    ):
        check_pair(inputs, labels)
        if batch_size < 1:
            raise wrong("batch_size", expected="a whole number >= 1", got=batch_size)
        self.inputs, self.labels = inputs, labels
        self.batch_size = min(batch_size, len(inputs))
        self.steps_per_epoch = len(inputs) // self.batch_size
        self.seed, self.prepare, self.augment = seed, prepare, augment
        self.small_until = small_until if inputs.ndim == 4 else 0.0
        self.small_scale = small_scale
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    def size_at(self, progress: float) -> str:
        """Name the size: "small" or "full"."""
        return "small" if progress < self.small_until else "full"

    def sizes(self) -> tuple[str, ...]:
        """The sizes that occur."""
        return ("small", "full") if self.small_until else ("full",)

    def batch(self, step: int, size: str, world: World) -> Pair:
        """The rows of this step that belong to this process, prepared and augmented."""
        epoch, place = divmod(step, self.steps_per_epoch)
        rows = self._shuffled(epoch)[place * self.batch_size : (place + 1) * self.batch_size][world.rank :: world.size]
        inputs = self.inputs[rows]
        if self.prepare:
            inputs = self.prepare(inputs)
        if size == "small":
            inputs = shrink(inputs, self.small_scale)
        if self.augment:
            generator = stream(self.seed, "augment", step, world.rank)
            inputs = self.augment(inputs, index=rows, epoch=epoch, generator=generator)
        return inputs, self.labels[rows]

    def _shuffled(self, epoch: int) -> Int[Tensor, "n"]:
        if self._order[0] != epoch:
            order = torch.randperm(len(self.inputs), generator=stream(self.seed, "shuffle", epoch))
            self._order = (epoch, order)
        return self._order[1]


class LoaderBatches:
    """A user's loader as `Batches`; to resume, the part of an epoch that was done is drawn again and dropped.

    torch's random state is set anew for every batch that is drawn and put back afterwards, so that shuffling and
    augmentation that draw from it are functions of the step, and training does not depend on them. What draws from
    elsewhere (numpy, `random`, a generator of its own) must repeat itself for resuming to be exact.
    """

    def __init__(self, loader: Iterable[Pair], *, seed: int = 0, prepare: Prepare | None = None):
        if not isinstance(loader, Sized) or not len(loader):
            raise wrong("training data", expected="a loader with a length of at least 1", got=type(loader).__name__)
        self.loader, self.seed, self.prepare = loader, seed, prepare
        self.steps_per_epoch = len(loader)
        self._epoch, self._next, self._iterator = -1, 0, iter(())

    def size_at(self, progress: float) -> str:  # noqa: ARG002 - a loader has one size
        """A loader has one size."""
        return "full"

    def sizes(self) -> tuple[str, ...]:
        """A loader has one size."""
        return ("full",)

    def batch(self, step: int, size: str, world: World) -> Pair:  # noqa: ARG002
        """The batch of this step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        with torch.random.fork_rng(devices=[]):
            if epoch != self._epoch or place < self._next:
                torch.manual_seed(stream(self.seed, "loader", epoch).initial_seed())
                self._epoch, self._next, self._iterator = epoch, 0, iter(self.loader)
            for _ in range(self._next, place):
                self._draw(epoch)  # done before the run was stopped
            inputs, labels = self._draw(epoch)
        inputs, labels = inputs[world.rank :: world.size], labels[world.rank :: world.size]
        return (self.prepare(inputs) if self.prepare else inputs), labels

    def _draw(self, epoch: int) -> Pair:
        torch.manual_seed(stream(self.seed, "loader", epoch, self._next).initial_seed())
        try:
            pair = next(self._iterator)
        except StopIteration:
            raise wrong("training data", expected=f"{self.steps_per_epoch} batches an epoch", got=self._next) from None
        if not is_pair(pair):
            raise wrong("training data", expected="pairs of tensors (inputs, labels)", got=_kinds(pair))
        self._next += 1
        return pair[0], pair[1]  # loaders give lists


def as_batches(
    data: Data, *, batch_size: int, seed: int = 0, prepare: Prepare | None = None, **options: Any
) -> Batches:
    """Training batches of a pair of tensors or of a loader of pairs.

    Args:
        data: (inputs [n, ...], labels [n]), or an iterable with a length that yields such pairs.
        batch_size: see `TensorBatches`, >= 1; a loader brings its own.
        seed: see `TensorBatches`.
        prepare: applied to the inputs of every batch.
        options: further arguments of `TensorBatches`.

    Raises:
        InputError: if data is neither.
    """
    if is_pair(data):
        return TensorBatches(data[0], data[1], batch_size=batch_size, seed=seed, prepare=prepare, **options)
    if isinstance(data, tuple | list):
        raise wrong("training data", expected="a pair of tensors, or a loader of such pairs", got=_kinds(data))
    return LoaderBatches(data, seed=seed, prepare=prepare)


def in_order(data: Data, *, batch_size: int = 512, prepare: Prepare | None = None) -> Iterator[Pair]:
    """All rows once, in order, in batches, for evaluation.

    Args:
        data: as in `as_batches`.
        batch_size: rows a batch of a pair of tensors.
        prepare: applied to the inputs of every batch.

    Yields:
        Pairs (inputs [b, ...], labels [b]).
    """
    if is_pair(data):
        inputs, labels = data
        check_pair(inputs, labels)
        pairs: Iterable[Pair] = zip(inputs.split(batch_size), labels.split(batch_size), strict=True)
    else:
        pairs = data
    for pair in pairs:
        if not is_pair(pair):
            raise wrong("data", expected="pairs of tensors (inputs, labels)", got=_kinds(pair))
        inputs, labels = pair
        yield (prepare(inputs) if prepare else inputs), labels


def shrink(images: Float[Tensor, "b c h w"], scale: float) -> Float[Tensor, "b c h2 w2"]:
    """Make images smaller, with antialiasing; every side stays at least one pixel."""
    size = tuple(max(1, round(side * scale)) for side in images.shape[2:])
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)


def is_pair(data: object) -> TypeIs[Pair]:
    """Whether data is a pair of tensors."""
    return isinstance(data, tuple | list) and len(data) == 2 and all(isinstance(part, Tensor) for part in data)


def _kinds(found: object) -> str:
    """What there is instead of a pair."""
    if not isinstance(found, tuple | list):
        return type(found).__name__
    return f"({', '.join(type(part).__name__ for part in found[:3])}{', ...' if len(found) > 3 else ''})"


def check_pair(inputs: Tensor, labels: Tensor) -> None:
    """Refuse a pair of unequal or no length."""
    if len(inputs) != len(labels) or not len(inputs):
        raise wrong(
            "data",
            expected="inputs and labels of one length, at least 1",
            got=f"{len(inputs)} and {len(labels)}",
        )
