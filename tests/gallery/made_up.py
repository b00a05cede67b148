"""Faces that are nobody's: directions on a sphere, and drawn pictures; and a small network that embeds pictures."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from shoal.gallery import Embedder, Gallery

DIM = 24


def directions(people: int, each: int, *, dim: int = DIM, noise: float = 0.35, seed: int = 0) -> Tensor:
    """Embeddings [people, each, dim] of unit length, those of a person near each other."""
    generator = torch.Generator().manual_seed(seed)
    centres = F.normalize(torch.randn(people, 1, dim, generator=generator), dim=2)
    return F.normalize(centres + noise * torch.randn(people, each, dim, generator=generator) / dim**0.5, dim=2)


def turned(embeddings: Tensor, *, noise: float = 0.0, seed: int = 1) -> Tensor:
    """The same faces by a model whose space is turned, [..., dim]."""
    generator = torch.Generator().manual_seed(seed)
    dim = embeddings.shape[-1]
    turn = torch.linalg.qr(torch.randn(dim, dim, generator=generator))[0]
    return F.normalize(
        embeddings @ turn + noise * torch.randn(embeddings.shape, generator=generator) / dim**0.5, dim=-1
    )


def picture(person: int, photo: int = 0, size: int = 40) -> bytes:
    """A PNG of a drawn head: colours and shapes by person, a little noise by photo."""
    rng = np.random.default_rng(person)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    pixels = np.full((size, size, 3), rng.integers(0, 256, 3), np.float64)
    for radius in (0.42, 0.12, 0.1, 0.06):
        cx, cy = rng.uniform(-0.2, 0.2, 2) * (radius < 0.4)
        pixels[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = rng.integers(0, 256, 3)
    pixels += np.random.default_rng(1000 * person + photo + 7).normal(0, 4, pixels.shape)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def colours(images: Tensor) -> Tensor:
    """An embedding of what a picture looks like from afar: 4 × 4 pixels, [n, 48]."""
    small = F.adaptive_avg_pool2d(images.float() / 255, 4).flatten(1) - 0.5
    return small + 1e-3


EYE = Embedder.of(colours, name="from afar", dim=48, image_size=16)


@dataclass
class Place:
    """Where galleries may be made: a folder, or a server with a database of its own for each test."""

    kind: str
    where: str

    def open(self, **options: object) -> Gallery:
        return Gallery.open(self.where, **options)  # type: ignore[arg-type]


def fill(gallery: Gallery, faces: Tensor) -> dict[str, list[int]]:
    """Enrol embeddings [people, each, dim] as person 000 and so on."""
    return {f"person {i:03}": gallery.enrol(f"person {i:03}", rows) for i, rows in enumerate(faces)}


def write_pictures(folder: Path, people: int, each: int) -> dict[str, list[Path]]:
    """Folders of people's pictures."""
    found: dict[str, list[Path]] = {}
    for person in range(people):
        name = f"person {person:03}"
        (folder / name).mkdir(parents=True)
        for photo in range(each):
            path = folder / name / f"{photo}.png"
            path.write_bytes(picture(person, photo))
            found.setdefault(name, []).append(path)
    return found
