"""The models whose vectors a gallery holds, and how vectors of one are compared with those of another.

A gallery begins with one model. Every upgrade adds one, whose vectors either compare with its parent's as they are
(harmonic training), or after a linear map into the parent's space. So each model has a path down to the first, and two
vectors meet in the space of the older of their models:

    v1 ← v2 ← v3        a query of v3 is mapped by v3's map, then by v2's, to be compared with vectors of v1
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from shoal.errors import wrong
from shoal.faces.translation import Translation
from shoal.gallery.database import Rows, now, plain
from shoal.gallery.values import Gate

ACTIVE, PAST, WITHDRAWN = "active", "past", "withdrawn"
_COLUMNS = "id, name, digest, dim, about, parent, translation, state"


@dataclass(frozen=True, eq=False)
class Version:
    """A model as the gallery knows it.

    Attributes:
        id: of the row.
        name: to be shown.
        digest: tells models apart.
        dim: numbers of a vector.
        about: where it came from, for example the path of its file.
        parent: id of the model that it followed; None for the first.
        translation: into the parent's space; None where vectors compare as they are.
        state: "active", "past" or "withdrawn".
    """

    id: int
    name: str
    digest: str
    dim: int
    about: dict[str, Any]
    parent: int | None
    translation: Translation | None
    state: str


def read_versions(rows: Rows) -> dict[int, Version]:
    """All models of a gallery, by id, oldest first."""
    return {int(row[0]): _version(row) for row in rows.all(f"SELECT {_COLUMNS} FROM models ORDER BY id")}


def active(versions: dict[int, Version]) -> Version | None:
    """The model that embeds what comes now; None in an empty gallery."""
    return next((version for version in versions.values() if version.state == ACTIVE), None)


def add_version(rows: Rows, version: Version, gate: object = None) -> Version:
    """Write a model down; gives it with its id."""
    blob = None if version.translation is None else _pack(version.translation)
    values = (version.name, version.digest, version.dim, plain(version.about), version.parent, blob, version.state)
    found = rows.all(
        "INSERT INTO models (name, digest, dim, about, parent, translation, state, added, gate) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        *values,
        now(),
        None if gate is None else plain(gate),
    )
    return replace(version, id=int(found[0][0]))


def read_gate(rows: Rows, version: Version) -> Gate | None:
    """What a model's upgrade was decided on; None where nothing was measured."""
    text = rows.all("SELECT gate FROM models WHERE id = ?", version.id)[0][0]
    return None if text is None else Gate(**json.loads(text))


def set_state(rows: Rows, version: Version, state: str) -> None:
    """Say that a model is active, past or withdrawn."""
    rows.run("UPDATE models SET state = ? WHERE id = ?", state, version.id)


def path_down(versions: dict[int, Version], start: int) -> list[int]:
    """A model and those it followed, down to the first."""
    path = [start]
    while (parent := versions[path[-1]].parent) is not None:
        path.append(parent)
    return path


def meeting(versions: dict[int, Version], a: int, b: int) -> int:
    """The model in whose space vectors of two models meet: the newest that both come down to."""
    below = set(path_down(versions, b))
    return next(version for version in path_down(versions, a) if version in below)


def bring_down(versions: dict[int, Version], vectors: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    """Vectors of a model as vectors in the space of one that it comes down to.

    Args:
        versions: of the gallery.
        vectors: [n, dim], of unit length.
        start: whose they are.
        end: where they go.

    Returns:
        [n, dim of the end's], of unit length.
    """
    while start != end:
        version = versions[start]
        if version.parent is None:
            raise wrong("models", expected="one that the other comes down to", got=f"{start} and {end}")
        if version.translation is not None:
            vectors = version.translation(torch.from_numpy(np.array(vectors, dtype=np.float32))).numpy()
        start = version.parent
    return vectors


def find_version(versions: dict[int, Version], digest: str) -> Version | None:
    """The model with this digest."""
    return next((version for version in versions.values() if version.digest == digest), None)


def _version(row: tuple[Any, ...]) -> Version:
    number, name, digest, dim, about, parent, blob, state = row
    translation = None if blob is None else _unpack(bytes(blob))
    return Version(
        id=int(number),
        name=name,
        digest=digest,
        dim=int(dim),
        about=json.loads(about),
        parent=None if parent is None else int(parent),
        translation=translation,
        state=state,
    )


def _pack(translation: Translation) -> bytes:
    numbers = torch.tensor([translation.ridge, translation.error, translation.rows], dtype=torch.float64)
    return to_bytes({"weight": translation.weight.contiguous(), "bias": translation.bias, "numbers": numbers})


def _unpack(blob: bytes) -> Translation:
    tensors = from_bytes(blob)
    ridge, error, rows = tensors["numbers"].tolist()
    return Translation(weight=tensors["weight"], bias=tensors["bias"], ridge=ridge, error=error, rows=int(rows))


def source_of(version: Version) -> Path | None:
    """The file that a model was loaded from, where it was."""
    path = version.about.get("path")
    return Path(path) if isinstance(path, str) else None
