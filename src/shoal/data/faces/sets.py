"""Faces in memory: `FaceSet`, one table of images, who is on each, and where they come from.

faces = load_faces("lfw", image_size=64)
faces.images, faces.labels              # uint8 [n, 3, h, w], int64 [n]
faces.people[faces.labels[0]]           # a name
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html import escape

import torch
from jaxtyping import Int64
from torch import Tensor

from shoal.errors import wrong


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FaceSet:
    """Images of faces, the identity of each, and where they come from.

    Attributes:
        name: the data set, for example "lfw", or the folder's name.
        images: uint8 [n, 3, height, width], 0 to 255.
        labels: int64 [n], each in [0, len(people)); −1 everywhere where nobody is known.
        people: name of each label; empty where nobody is known.
        names: one of each image, unlike all others: its path in the folder with "/", or made up.
        source: a sentence for people: where it was found.
        terms: licence or terms in a few words; empty for the user's own.
        title: how people call it; the name unless given. Says so where these are not faces.
        folder: where the images lie; empty where they are no files.
        photos: int64 [n], the photo that each face is on; faces of one photo are different people. A photo for
            each image unless given.
        skipped: (path, why) of each image that could not be read and was left out.
        are_faces: False for stand-ins.

    Raises:
        InputError: if the parts do not belong together.

    Example:
        >>> two = FaceSet(name="toy", images=torch.zeros(2, 3, 4, 4, dtype=torch.uint8),
        ...               labels=torch.tensor([0, 1]), people=("Ann", "Bob"), names=("a.jpg", "b.jpg"),
        ...               source="made up")
        >>> two
        FaceSet('toy', 2 images 4×4 of 2 people)
    """

    name: str
    images: Tensor
    labels: Tensor
    people: tuple[str, ...]
    names: tuple[str, ...]
    source: str
    terms: str = ""
    title: str = ""
    folder: str = ""
    photos: Tensor = field(default=None)  # pyright: ignore[reportAssignmentType]
    skipped: tuple[tuple[str, str], ...] = ()
    are_faces: bool = True

    def __post_init__(self):
        n = len(self.images)
        if self.images.dtype != torch.uint8 or self.images.ndim != 4 or self.images.shape[1] != 3:
            got = f"{self.images.dtype} {list(self.images.shape)}"
            raise wrong("images", expected="uint8 [n, 3, height, width]", got=got)
        if self.photos is None:
            object.__setattr__(self, "photos", torch.arange(n))
        for what, numbers in (("labels", self.labels), ("photos", self.photos)):
            if numbers.dtype != torch.int64 or numbers.shape != (n,):
                raise wrong(what, expected=f"int64 [{n}]", got=f"{numbers.dtype} {list(numbers.shape)}")
        if len(self.names) != n:
            raise wrong("names", expected=f"one of each of {n} images", got=len(self.names))
        low, high = (0, len(self.people) - 1) if self.people else (-1, -1)
        if n and not low <= int(self.labels.min()) <= int(self.labels.max()) <= high:
            got = f"{int(self.labels.min())} to {int(self.labels.max())}"
            raise wrong("labels", expected=f"{low} to {high}, one per person", got=got)
        if not self.title:
            object.__setattr__(self, "title", self.name)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"FaceSet({self.name!r}, {self._contents()})"

    def __str__(self) -> str:
        return f"{self.title}: {self._contents()}"

    def _contents(self) -> str:
        height, width = self.image_size
        whose = f"of {len(self.people):,} people" if self.people else "of unknown people"
        return f"{len(self):,} images {height}×{width} {whose}"

    def _repr_html_(self) -> str:
        """Words only: photos of people do not belong into a notebook that is passed on."""
        skipped = f"{len(self.skipped):,} images skipped" if self.skipped else ""
        lines = [str(self), self.source, self.terms, skipped]
        return "".join(f"<p>{escape(line)}</p>" for line in lines if line)

    @property
    def pair(self) -> tuple[Tensor, Tensor]:
        """(images, labels), as the house takes data everywhere."""
        return self.images, self.labels

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        height, width = self.images.shape[2:]
        return height, width

    @property
    def counts(self) -> Int64[Tensor, "people"]:
        """Number of images of each person."""
        return torch.bincount(self.labels.clamp(min=0), minlength=len(self.people))[: len(self.people)]

    def take(self, index: Int64[Tensor, "m"]) -> "FaceSet":
        """The rows of `index`, in that order; people and their numbers stay as they are.

        Args:
            index: row numbers of this set, each in [0, n).

        Raises:
            InputError: if there is no such row.
        """
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(self):
            got = f"{int(index.min())} to {int(index.max())}"
            raise wrong("rows", expected=f"0 to {len(self) - 1}", got=got)
        return replace(
            self,
            images=self.images[index],
            labels=self.labels[index],
            names=tuple(self.names[row] for row in index.tolist()),
            photos=self.photos[index],
        )

    def of_people(self, people: Iterable[str]) -> "FaceSet":
        """The images of these people, numbered anew.

        Args:
            people: names; the order does not matter.

        Raises:
            InputError: if somebody is not there.
        """
        wanted = set(people)
        if strangers := wanted.difference(self.people):
            raise wrong("people", expected=f"people of {self.name}", got=", ".join(sorted(strangers)[:5]))
        chosen = torch.tensor([person in wanted for person in self.people], dtype=torch.bool)  # (people)
        rows = chosen[self.labels].nonzero().flatten() if self.people else torch.empty(0, dtype=torch.int64)
        return self.take(rows).renumbered()

    def renumbered(self) -> "FaceSet":
        """The same images, with only the people who have one, numbered from 0: what a classifier needs.

        Example:
            >>> three = FaceSet(name="toy", images=torch.zeros(3, 3, 4, 4, dtype=torch.uint8),
            ...                 labels=torch.tensor([2, 0, 2]), people=("Ann", "Bob", "Cy"),
            ...                 names=("a", "b", "c"), source="made up")
            >>> three.renumbered().people, three.renumbered().labels.tolist()
            (('Ann', 'Cy'), [1, 0, 1])
        """
        if not self.people:
            return self
        present, labels = self.labels.unique(return_inverse=True)
        return replace(self, labels=labels, people=tuple(self.people[label] for label in present.tolist()))
