"""What pages of documentation take from the reader, made up: a folder of images, of people, a repository, texts.

Placeholders are paths as pages write them; `make_places` looks which a block names and makes those in a folder.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

SENTENCES = ("reads the {} before it is asked", "writes a {} for every {}", "counts each {} only once", "keeps the {}")
THINGS = ("table", "picture", "folder", "number", "name", "page", "line", "record", "network", "layer", "head", "word")


def make_places(code: str, folder: Path) -> None:
    """Make what a block of code names and what is not there yet."""
    for name, make in PLACES.items():
        if name in code and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            make(folder / name)


def make_images(root: Path) -> None:
    """The digits of scikit-learn, a hundred of each class, as a folder of classes."""
    from shoal.data import load

    digits = load("digits", validation=0, test=0).train
    for label in range(10):
        (root / f"digit {label}").mkdir(parents=True)
        for row in torch.nonzero(digits.labels == label)[:100, 0].tolist():
            Image.fromarray(digits.images[row, 0].numpy()).save(root / f"digit {label}" / f"{row:04d}.png")


def make_people(root: Path) -> None:
    """Patterns of colours for people: sixty of four pictures each, 32 pixels wide."""
    generator = torch.Generator().manual_seed(0)
    patterns = 80 * torch.randn(60, 3, 4, 4, generator=generator)
    for person, pattern in enumerate(patterns):
        (root / f"person {person:02d}").mkdir(parents=True)
        for picture in range(4):
            noisy = pattern + 25 * torch.randn(3, 4, 4, generator=generator)
            large = torch.nn.functional.interpolate(noisy[None] + 128, 32, mode="bicubic")[0].clamp(0, 255).byte()
            Image.fromarray(large.permute(1, 2, 0).contiguous().numpy()).save(
                root / f"person {person:02d}" / f"{picture}.png"
            )


def make_photos(root: Path) -> None:
    """The same patterns in one folder."""
    make_people(root)


def pair(number: int) -> tuple[str, str]:
    """A document of a few sentences and a summary of it, both in plain words; a function of its number."""
    draw = torch.Generator().manual_seed(number)
    pick = lambda of: of[int(torch.randint(len(of), (), generator=draw))]  # noqa: E731
    subject, thing = pick(THINGS), pick(THINGS)
    lines = [f"The {subject} {number} {pick(SENTENCES).format(thing, pick(THINGS))}." for _ in range(3)]
    return " ".join(lines), f"The {subject} and the {thing} {number}"


def make_texts(path: Path) -> None:
    """A file of pairs, a JSON object a line."""
    pairs = [pair(number) for number in range(300)]
    lines = [json.dumps({"document": document, "summary": summary}) for document, summary in pairs]
    path.write_text("\n".join(lines) + "\n")


def make_repository(root: Path) -> None:
    """A repository of three hundred commits, each with a subject and a body."""
    root.mkdir(parents=True)
    commits = []
    for number in range(300):
        body, subject = pair(number)
        message = f"{subject}\n\n{body}\n"
        who = f"Reader <reader@example.org> {1_700_000_000 + 60 * number} +0000"
        commits.append(f"commit refs/heads/main\ncommitter {who}\ndata {len(message.encode())}\n{message}\n")
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    fast = ["git", "-C", str(root), "fast-import", "--quiet"]
    subprocess.run(fast, input="".join(commits), text=True, check=True)


PLACES: dict[str, Callable[[Path], None]] = {
    "path/to/folder": make_images,
    "path/to/people": make_people,
    "path/to/photos": make_photos,
    "path/to/repository": make_repository,
    "mine.jsonl": make_texts,
    "test.jsonl": make_texts,
}
