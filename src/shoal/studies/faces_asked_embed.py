"""What `shoal faces embed` does: photos of a folder to embeddings, however many there are.

    found = embed_folder(Path("faces.safetensors"), Path("photos"), Path("out"), EmbeddingConfig(), progress)
    read_embedded(Path("out")).embeddings

Photos are read and embedded some at a time; only embeddings stay in memory. Both files appear when they are complete,
the table last: where faces.csv is, embeddings.safetensors belongs to it.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from shoal.data.faces import Box, read_boxes
from shoal.data.faces.folders import Listing, check_boxes, list_faces, shown_path
from shoal.data.faces.reading import Reading, Wanted, read_faces
from shoal.engine import Progress
from shoal.errors import ShoalError, wrong
from shoal.faces.embedding import embed
from shoal.faces.network import FaceNetwork
from shoal.faces.saving import load_network
from shoal.files import atomic_file, write_text
from shoal.studies.faces_asked_config import EmbeddingConfig
from shoal.studies.faces_asked_verify import crop_of

EMBEDDINGS, TABLE = "embeddings.safetensors", "faces.csv"
KIND = "shoal face embeddings"
COLUMNS = ("row", "file", "person", "left", "top", "right", "bottom")
AT_ONCE = 1024  # photos that are read before they are embedded
SAID = 20  # broken photos that are named on the way; all of them are in the JSON


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face that was embedded.

    Attributes:
        file: the photo, relative to the folder and with "/".
        person: the folder that it lies in; empty where nobody is known.
        box: left, top, right, bottom; None for the photo's centre.
    """

    file: str
    person: str
    box: Box | None


@dataclass(frozen=True, kw_only=True)
class EmbeddedFolder:
    """What was embedded, in plain values."""

    folder: str
    embeddings: str
    table: str
    faces: int
    photos: int
    people: int
    dim: int
    skipped: list[tuple[str, str]]

    def lines(self) -> list[str]:
        """The same to read."""
        whose = f" of {self.people:,} people" if self.people else ""
        left_out = f"; {len(self.skipped):,} left out" if self.skipped else ""
        return [
            self.embeddings,
            self.table,
            f"{self.faces:,} faces{whose} on {self.photos:,} photos, {self.dim} numbers each{left_out}",
        ]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What `embed_folder` wrote, read back.

    Attributes:
        embeddings: float32 [n, dim].
        faces: of each row.
        about: what the file says of itself: the network, its digest, and whether images were mirrored too.
    """

    embeddings: Tensor
    faces: list[Face]
    about: dict[str, str]


def embed_folder(
    model: Path, folder: Path, output: Path, config: EmbeddingConfig, progress: Progress
) -> EmbeddedFolder:
    """Embed every face of a folder that can be read.

    Args:
        model: the network's file.
        folder: of photos, or of people's folders.
        output: folder to write to.
        config: how.
        progress: told how it goes, and of every photo that is left out.

    Raises:
        InputError: if the network, the folder or the boxes cannot be used, or no photo can be read.
        ShoalError: if a file is damaged or cannot be written.
    """
    network, about = load_network(model)
    listing = list_faces(folder)
    wanted, faces, skipped = _faces_on(listing, read_boxes(config.boxes) if config.boxes else None)
    own_crop = 1.0 if config.boxes else crop_of(about)
    how = Reading(size=network.image_size, crop=own_crop if config.crop is None else config.crop)
    how.check(boxes=config.boxes is not None)
    told = _Skipped(progress, skipped)
    progress.start("embedding")
    found, kept = [], []
    for begin in range(0, len(wanted), AT_ONCE):
        images, rows, failed = read_faces(wanted[begin : begin + AT_ONCE], how)
        found.append(_embed(network, images, config))
        kept += [faces[begin + row] for row in rows]
        told.add((faces[begin + row].file, why) for row, why in failed)
        done = min(begin + AT_ONCE, len(wanted))
        progress.update(done / len(wanted), f"{done:,} of {len(wanted):,} faces")
    if not kept:
        first = ": ".join(told.every[0]) if told.every else "no box"
        raise wrong(f"data {folder}", expected="at least one photo that can be read", got=f"none (first: {first})")
    progress.finish(f"{len(kept):,} faces")
    _write(output, torch.cat(found), kept, _about(model, network.name, config))
    return EmbeddedFolder(
        folder=str(output),
        embeddings=str(output / EMBEDDINGS),
        table=str(output / TABLE),
        faces=len(kept),
        photos=len({face.file for face in kept}),
        people=len({face.person for face in kept if face.person}),
        dim=network.embedding_dim,
        skipped=told.every,
    )


class _Skipped:
    """Photos that are left out; the first of them are named on the way."""

    def __init__(self, progress: Progress, skipped: Iterable[tuple[str, str]]):
        self.progress = progress
        self.every: list[tuple[str, str]] = []
        self.add(skipped)

    def add(self, skipped: Iterable[tuple[str, str]]) -> None:
        for name, why in skipped:
            self.every.append((name, why))
            if len(self.every) <= SAID:
                self.progress.say(f"left out: {name}: {why}")


def _embed(network: FaceNetwork, images: Tensor, config: EmbeddingConfig) -> Tensor:
    options: dict[str, Any] = {"batch_size": config.batch_size, "flip": config.flip}
    return embed(network, images, device=config.device, precision=config.precision, **options)


def read_embedded(folder: Path) -> Embedded:
    """Read what `embed_folder` wrote.

    Raises:
        InputError: if the folder holds no such files.
        ShoalError: if they are damaged, or do not belong together.
    """
    table, file = folder / TABLE, folder / EMBEDDINGS
    for path in (table, file):
        if not path.is_file():
            fix = "make one with `shoal faces embed`"
            raise wrong(str(folder), expected="a folder of embeddings", got=f"no {path.name}", fix=fix)
    try:
        with safe_open(file, framework="pt") as tensors:
            about = dict(tensors.metadata() or {})
            embeddings = tensors.get_tensor("embeddings")
        with table.open(encoding="utf-8", newline="") as text:
            faces = [_face_of(row) for row in csv.DictReader(text)]
    except (OSError, SafetensorError, ValueError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise ShoalError(f"{folder}: expected embeddings and their table, got damaged files ({error})") from None
    if len(faces) != len(embeddings) or about.get("kind") != KIND:
        raise ShoalError(
            f"{folder}: expected embeddings and their table, got {len(embeddings):,} rows and a table of "
            f"{len(faces):,}; embed the folder again"
        )
    return Embedded(embeddings=embeddings, faces=faces, about=about)


def _faces_on(
    listing: Listing, boxes: Mapping[str, Sequence[Box]] | None
) -> tuple[list[Wanted], list[Face], list[tuple[str, str]]]:
    """What to read, what it is, and what is left out."""
    names = [shown_path(path, listing.folder) for path in listing.paths]
    if boxes is not None:
        check_boxes(boxes, names, listing.folder)
    wanted, faces = [], []
    skipped = [(f"{name}/", "no images in it") for name in listing.empty]
    for path, name, label in zip(listing.paths, names, listing.labels, strict=True):
        on_it: Sequence[Box | None] = (None,) if boxes is None else boxes.get(name, ())
        if not on_it:
            skipped.append((name, "no box"))
        for box in on_it:
            wanted.append(Wanted(path, box))
            faces.append(Face(file=name, person=listing.people[label] if label >= 0 else "", box=box))
    return wanted, faces, skipped


def _write(output: Path, embeddings: Tensor, faces: Sequence[Face], about: dict[str, str]) -> None:
    """Write both files; the table comes last and goes first, so that one is never beside embeddings of others."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, face in enumerate(faces):
        edges = ("",) * 4 if face.box is None else tuple(f"{edge:g}" for edge in face.box)
        writer.writerow((row, face.file, face.person, *edges))
    (output / TABLE).unlink(missing_ok=True)
    with atomic_file(output / EMBEDDINGS) as file:
        file.write(to_bytes({"embeddings": embeddings.contiguous()}, metadata=about))
    write_text(output / TABLE, text.getvalue())


def _about(model: Path, network: str, config: EmbeddingConfig) -> dict[str, str]:
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    return {"kind": KIND, "network": network, "model_sha256": digest, "flip": str(config.flip).lower()}


def _face_of(row: dict[str, str]) -> Face:
    edges = [row[edge] for edge in COLUMNS[3:]]
    left, top, right, bottom = map(float, edges) if all(edges) else (0.0,) * 4
    box = (left, top, right, bottom) if all(edges) else None
    return Face(file=row["file"], person=row["person"], box=box)
