"""What people said about CIFAR-10's images: votes on the test images, noisy labels of the training images.

    people = find_votes(place)          # beside the images, or in the usual places; nothing is fetched
    people.votes, people.labels["worse"]

For analysis only: neither is ever trained on. Laid out as

    cifar-10h/cifar10h-counts.npy       votes by class of the 10,000 test images, in the official order
    cifar-10n/CIFAR-10_human.npz        labels of the 50,000 training images: clean_label, aggre_label, worse_label, …

Sources: Peterson et al. 2019, "Human uncertainty makes classification more robust" (CIFAR-10H); Wei et al. 2022,
"Learning with noisy labels revisited" (CIFAR-10N).
"""

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.data.find import Place, search_folders
from shoal.data.sets import ImageSet
from shoal.data.specs import CIFAR10
from shoal.errors import ShoalError

VOTES_FILE = Path("cifar-10h") / "cifar10h-counts.npy"
LABELS_FILE = Path("cifar-10n") / "CIFAR-10_human.npz"
_CLEAN, _SUFFIX = "clean", "_label"
_LEAST_AGREEMENT = 0.9  # of people with the labels; CIFAR-10H has 0.99


@dataclass(frozen=True, eq=False, kw_only=True)
class Votes:
    """What people said.

    Attributes:
        votes: of the test images, by class; None where CIFAR-10H is not there.
        labels: of the training images: "clean" (the published ones), "aggre", "worse", ...; empty without CIFAR-10N.
    """

    votes: Int[Tensor, "test classes"] | None = None
    labels: dict[str, Int[Tensor, " train"]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What was found: "CIFAR-10H", "CIFAR-10N"."""
        return ("CIFAR-10H",) * (self.votes is not None) + ("CIFAR-10N",) * bool(self.labels)

    def entropy(self, test: ImageSet) -> Float[Tensor, " n"] | None:
        """How much people disagree about test images, in nats; None without votes.

        Args:
            test: rows of the published test images.

        Raises:
            ShoalError: if most people name other classes than the labels: then the order is another.
        """
        if self.votes is None:
            return None
        votes = self.votes[test.rows].double()
        _check_order(VOTES_FILE, votes.argmax(1), test)
        shares = votes / votes.sum(1, keepdim=True)
        return torch.special.entr(shares).sum(1)

    def errors(self, train: ImageSet) -> dict[str, Tensor]:
        """Whether a human label differs from the published one, bool [n], by the name of the labels.

        Args:
            train: rows of the published training images.

        Raises:
            ShoalError: if the published labels in the file are others than those of the images.
        """
        if not self.labels:
            return {}
        _check_order(LABELS_FILE, self.labels[_CLEAN][train.rows], train)
        others = {name: labels for name, labels in self.labels.items() if name != _CLEAN}
        return {name: labels[train.rows] != train.labels for name, labels in others.items()}


def find_votes(place: Place) -> Votes:
    """What people said about the images of a place, as far as it is on this machine; empty for other data.

    Args:
        place: of the images, from `locate`.

    Raises:
        ShoalError: if a file is there and damaged.
    """
    if place.spec is not CIFAR10:
        return Votes()
    folders = [place.path.parent, place.path, *(folder for folder, _ in search_folders())]
    votes, labels = (
        next((f / name for f in folders if (f / name).is_file()), None) for name in (VOTES_FILE, LABELS_FILE)
    )
    return Votes(votes=read_cifar10h(votes) if votes else None, labels=read_cifar10n(labels) if labels else {})


def read_cifar10h(path: str | Path) -> Int[Tensor, "10000 10"]:
    """Read the votes of CIFAR-10H.

    Raises:
        ShoalError: if they are damaged, or something else.
    """
    found = _read(path)
    shape = (CIFAR10.test, len(CIFAR10.classes))
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype.kind not in "iu":
        raise _broken(path, f"whole numbers {list(shape)}", _form(found))
    votes = torch.from_numpy(found.astype(np.int64))
    if int(votes.min()) < 0 or int(votes.sum(1).min()) < 1:
        raise _broken(path, "at least one vote for every image, and none below 0", "others")
    return votes


def read_cifar10n(path: str | Path) -> dict[str, Int[Tensor, "50000"]]:
    """Read the labels of CIFAR-10N: by name, without "_label".

    Raises:
        ShoalError: if they are damaged, or something else.
    """
    found = _read(path)
    if isinstance(found, np.ndarray) or f"{_CLEAN}{_SUFFIX}" not in found:
        raise _broken(path, f"{_CLEAN}{_SUFFIX} and others", _form(found))
    labels = {}
    for name, values in found.items():
        if (
            values.shape != (CIFAR10.train,)
            or values.dtype.kind not in "iu"
            or not 0 <= values.min() <= values.max() < 10
        ):
            raise _broken(path, f"{name}: classes [{CIFAR10.train}]", _form(values))
        labels[name.replace(_SUFFIX, "")] = torch.from_numpy(values.astype(np.int64))
    return labels


def _read(path: str | Path) -> Any:
    """The arrays of a file; pickles are never opened."""
    try:
        with Path(path).open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return found if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _broken(path, "arrays of numpy", error) from error


def _check_order(file: Path, said: Tensor, images: ImageSet) -> None:
    agree = float((said == images.labels).double().mean()) if len(images) else 1.0
    if agree < (1.0 if file == LABELS_FILE else _LEAST_AGREEMENT):
        raise ShoalError(
            f"{file}: expected labels in the order of CIFAR-10's images, got {agree:.1%} of them alike; lay it out anew"
        )


def _form(found: Any) -> str:
    if isinstance(found, np.ndarray):
        return f"{found.dtype} {list(found.shape)}"
    return ", ".join(found) or "nothing"


def _broken(path: str | Path, expected: str, got: object) -> ShoalError:
    return ShoalError(f"{path}: expected {expected}, got {got}; lay it out anew, or take it away")
