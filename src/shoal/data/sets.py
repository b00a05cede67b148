"""Images with labels in memory: `ImageSet`, one table of rows, and `ImageSplits`, three of them that go together.

Images stay bytes (uint8, channels first) until a batch needs floats; `splits.normalise` makes them.

    splits = shoal.data.load("digits", validation=200, seed=0)
    images, labels = splits.train.pair
    x = splits.normalise(images[:64])
"""

from dataclasses import dataclass, field, replace
from html import escape

import torch
import torch.nn.functional as F
from jaxtyping import Int64
from torch import Tensor

from shoal.data.normalise import Normalise
from shoal.errors import wrong


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSet:
    """Images, their labels, and where they come from.

    Attributes:
        name: the data set, for example "cifar10", or the folder's name.
        images: uint8 [n, channels, height, width], 0 to 255.
        labels: int64 [n], each in [0, len(classes)).
        classes: name of each label.
        source: a sentence for people: where it was found.
        rows: int64 [n], the place of each row in the published order (of the training or of the test rows), to join
            other tables about the same images; counted from 0 if not given.
        files: path of each image, relative to its folder; empty for sets that are not folders of images.

    Raises:
        InputError: if images and labels do not belong together or are no images.

    Example:
        >>> import torch
        >>> two = ImageSet(name="toy", images=torch.zeros(2, 1, 4, 4, dtype=torch.uint8),
        ...                labels=torch.tensor([0, 1]), classes=("a", "b"), source="made up")
        >>> len(two), two.shape, two.counts
        (2, (1, 4, 4), (1, 1))
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    source: str
    rows: Tensor = field(default=None)  # pyright: ignore[reportAssignmentType]
    files: tuple[str, ...] = ()

    def __post_init__(self):
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            got = f"{self.images.dtype} {list(self.images.shape)}"
            raise wrong("images", expected="uint8 [n, channels, height, width]", got=got)
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            got = f"{self.labels.dtype} {list(self.labels.shape)}"
            raise wrong("labels", expected=f"int64 [{len(self.images)}]", got=got)
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            got = f"{int(self.labels.min())} to {int(self.labels.max())}"
            raise wrong("labels", expected=f"0 to {len(self.classes) - 1}, one per class", got=got)
        if self.files and len(self.files) != len(self.labels):
            raise wrong("files", expected=f"one of each of {len(self.labels)} images", got=len(self.files))
        if self.rows is None:
            object.__setattr__(self, "rows", torch.arange(len(self.labels)))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pair(self) -> tuple[Tensor, Tensor]:
        """(images, labels), as the house takes data everywhere."""
        return self.images, self.labels

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of images of each class."""
        return tuple(torch.bincount(self.labels, minlength=len(self.classes)).tolist())

    def take(self, index: Int64[Tensor, "m"]) -> "ImageSet":
        """The rows of `index`, in that order.

        Args:
            index: row numbers of this set, each in [0, n).
        """
        files = tuple(self.files[i] for i in index.tolist()) if self.files else ()
        return replace(self, images=self.images[index], labels=self.labels[index], rows=self.rows[index], files=files)

    def resized(self, size: int) -> "ImageSet":
        """The same set with images of size × size: shorter side scaled (antialiased), then the centre cut out.

        Args:
            size: pixels a side, at least 1.
        """
        if self.images.shape[2:] == (size, size):
            return self
        scale = size / min(self.images.shape[2:])
        height, width = (max(size, round(side * scale)) for side in self.images.shape[2:])
        top, left = (height - size) // 2, (width - size) // 2
        images = torch.empty(len(self), self.shape[0], size, size, dtype=torch.uint8)
        for small, large in zip(images.split(1024), self.images.split(1024), strict=True):
            scaled = F.interpolate(large, (height, width), mode="bilinear", antialias=True)
            small.copy_(scaled[:, :, top : top + size, left : left + size])
        return replace(self, images=images)


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSplits:
    """Training, validation and test rows of one data set, and the constants that normalise all three.

    Attributes:
        train: rows to learn from.
        validation: rows to choose with; has length 0 if none were asked for.
        test: rows to report on; no choice may look at them.
        mean, std: per channel, of the training rows, images scaled to [0, 1].
        seed: the seed that drew the splits.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.train.name

    @property
    def source(self) -> str:
        """A sentence for people: where the data were found."""
        return self.train.source

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.train.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        return self.train.shape

    @property
    def normalise(self) -> Normalise:
        """uint8 images to float32 with the training rows' mean 0 and standard deviation 1 per channel."""
        return Normalise(self.mean, self.std)

    def __str__(self) -> str:
        channels, height, width = self.shape
        rows = " + ".join(f"{len(part):,}" for part in (self.train, self.validation, self.test))
        return f"{self.name}: {rows} images {height}×{width}×{channels} in {len(self.classes)} classes"

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{title}</td><td>{len(part):,}</td></tr>"
            for title, part in (("train", self.train), ("validation", self.validation), ("test", self.test))
        )
        return f"<p>{escape(str(self))}</p><table>{cells}</table><p>{escape(self.source)}</p>"
