"""Sets that come with scikit-learn, or that it fetches: the Olivetti faces, and digits in place of faces."""

import contextlib
import io
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from shoal.data.digits import read_digits
from shoal.data.faces.regions import Size, image_shape
from shoal.data.faces.sets import FaceSet
from shoal.data.faces.specs import DIGITS_AS_PEOPLE, FACE_SPECS, OLIVETTI, FaceSpec, match_face_spec
from shoal.errors import ShoalError, unknown_name, wrong

_SECONDS = 20.0  # without an answer, after which a fetch is given up


def olivetti_file() -> Path:
    """Where scikit-learn keeps the Olivetti faces once it has fetched them; need not be there.

    Source: scikit-learn's `get_data_home`, which would make the folder.
    """
    home = os.environ.get("SCIKIT_LEARN_DATA") or str(Path("~") / "scikit_learn_data")
    return Path(home).expanduser() / "olivetti_py3.pkz"


def read_olivetti(size: Size | None = None, *, offline: bool = True) -> FaceSet:
    """Read the Olivetti faces as scikit-learn keeps them.

    Args:
        size: of the images; None keeps their own, 64 × 64.
        offline: False lets scikit-learn fetch them into its own folder, if they are not there.

    Raises:
        ShoalError: if they are neither there nor to be had, or broken.
    """
    from sklearn.datasets import fetch_olivetti_faces

    if offline and not olivetti_file().is_file():
        raise ShoalError(f"the Olivetti faces are not in {olivetti_file().parent}; {OLIVETTI.get}")
    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(_SECONDS)  # scikit-learn has no setting for it, and would wait for minutes
        with contextlib.redirect_stdout(io.StringIO()):  # it prints, where results are printed
            bunch: Any = fetch_olivetti_faces(download_if_missing=not offline, n_retries=1)
        greys = torch.from_numpy(np.asarray(bunch["images"], dtype=np.float32))  # (n, 64, 64), 0 to 1
        people = torch.from_numpy(np.asarray(bunch["target"])).long()
    except Exception as error:  # no network, a proxy's page, a broken cache: all mean that there is none
        raise ShoalError(f"the Olivetti faces cannot be read ({type(error).__name__}: {error})") from error
    finally:
        socket.setdefaulttimeout(patience)
    images = (greys * 255).round().to(torch.uint8)[:, None]
    return _face_set(OLIVETTI, images, people, "person", size, "the Olivetti faces from scikit-learn's folder")


def fetch_faces(name: str) -> Path:
    """Have the Olivetti faces fetched by scikit-learn, if they are not there.

    Args:
        name: "olivetti"; LFW is had from its authors alone.

    Returns:
        The folder that they are in, which is scikit-learn's.

    Raises:
        InputError: if there is no such set, or it cannot be fetched; the message says how to get it.
        ShoalError: if the fetch fails.
    """
    spec = match_face_spec(name)
    if spec is None:
        raise unknown_name("set of faces", name, FACE_SPECS)
    if spec is not OLIVETTI:
        fix = f"get it {spec.get}" if spec.get else "nothing has to be fetched"
        raise wrong(f"data set {spec.name}", expected="one that can be fetched", got=spec.title, fix=fix)
    read_olivetti(offline=False)
    return olivetti_file().parent


def read_digits_as_people(size: Size | None = None) -> FaceSet:
    """scikit-learn's digits, each of the ten taken for a person. These are not faces, and the set says so.

    Args:
        size: of the images; None keeps their own, 8 × 8.

    Example:
        >>> digits = read_digits_as_people(16)
        >>> digits.name, digits.are_faces, digits.images.shape
        ('digits (not faces)', False, torch.Size([1797, 3, 16, 16]))
    """
    digits = read_digits().train
    source = "the 1,797 digits that come with scikit-learn; these are not faces"
    return _face_set(DIGITS_AS_PEOPLE, digits.images, digits.labels, "digit", size, source)


def _face_set(
    spec: FaceSpec,
    greys: UInt8[Tensor, "n 1 h w"],
    labels: Int[Tensor, "n"],
    word: str,
    size: Size | None,
    source: str,
) -> FaceSet:
    if size is not None:
        greys = _scaled(greys, image_shape(size))
    people = tuple(f"{word} {label}" for label in range(spec.people))
    seen = [0] * spec.people
    names = []
    for label in labels.tolist():
        seen[label] += 1
        names.append(f"{people[label]}, image {seen[label]}")
    return FaceSet(
        name=spec.name if spec.are_faces else f"{spec.name} (not faces)",
        images=greys.expand(-1, 3, -1, -1).contiguous(),
        labels=labels.long(),
        people=people,
        names=tuple(names),
        source=source,
        terms=spec.terms,
        title=spec.title,
        are_faces=spec.are_faces,
    )


def _scaled(images: UInt8[Tensor, "n c h w"], shape: tuple[int, int]) -> UInt8[Tensor, "n c height width"]:
    """The largest centred part of that shape, scaled (antialiased)."""
    height, width = images.shape[2:]
    aspect = shape[1] / shape[0]
    across = min(width, max(1, round(min(width, height * aspect))))
    down = min(height, max(1, round(across / aspect)))
    top, left = (height - down) // 2, (width - across) // 2
    part = images[:, :, top : top + down, left : left + across]
    if part.shape[2:] == shape:
        return part
    return torch.nn.functional.interpolate(part, shape, mode="bilinear", antialias=True)
