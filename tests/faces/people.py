"""Made-up people, each a smooth pattern of colours under other light and noise; and trainings that are stopped."""

import signal
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from shoal.data.faces import FaceSet
from shoal.engine import Silent


def draw_people(counts: list[int], *, side: int = 24, seed: int = 0, noise: float = 25.0) -> tuple[Tensor, Tensor]:
    """Images uint8 [n, 3, side, side], `counts[i]` of person i, and who is on each."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    patterns = torch.randn(len(counts), 3, 4, 4, generator=generator)
    faces = F.interpolate(patterns, side, mode="bicubic")[labels]  # (n, 3, side, side)
    light = 20 * torch.randn(len(labels), 1, 1, 1, generator=generator)
    images = 128 + 45 * faces + light + noise * torch.randn(faces.shape, generator=generator)
    return images.clamp(0, 255).byte(), labels


def face_set(counts: list[int], *, side: int = 24, seed: int = 0, noise: float = 25.0) -> FaceSet:
    images, labels = draw_people(counts, side=side, seed=seed, noise=noise)
    people = tuple(f"person {i:03d}" for i in range(len(counts)))
    names = tuple(f"{people[label]}/{row}.png" for row, label in enumerate(labels.tolist()))
    return FaceSet(name="drawn", images=images, labels=labels, people=people, names=names, source="drawn")


def write_people(root: Path, counts: list[int], *, side: int = 24, seed: int = 0, noise: float = 25.0) -> Path:
    """The same as a folder of people's folders of PNG files."""
    images, labels = draw_people(counts, side=side, seed=seed, noise=noise)
    for row, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        folder = root / f"person {label:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(folder / f"{row:04d}.png")
    return root


class StopAt(Silent):
    """Asks the process to stop, as a user does, once the fit loop has made so many steps."""

    def __init__(self, updates: int):
        self.left = updates

    def update(self, share: float, text: str = "") -> None:
        self.left -= 1
        if not self.left:
            signal.raise_signal(signal.SIGTERM)


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a history without what a clock says."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
