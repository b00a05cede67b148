"""Faces of any folder within a budget's time: of a large one some people are drawn, by the sizes of their files.

How long reading takes is told from sizes, not measured: a run that goes on takes the same people.
"""

from pathlib import Path

import torch

from shoal.data.faces import FaceChoice, find_best_faces, match_face_spec
from shoal.data.faces.folders import Listing, list_faces, read_listing
from shoal.data.faces.lfw import find_lfw
from shoal.data.faces.reading import Progress, Reading
from shoal.engine import stream
from shoal.errors import wrong
from shoal.studies.faces_config import BUDGETS, FacesStudyConfig

# seconds of one core, measured with Pillow 12: a JPEG is decoded no larger than needed, all others are in full
FILE = 0.0015
MEGABYTE = {".jpg": 0.02, ".jpeg": 0.02, ".png": 0.03, ".bmp": 0.03}
OTHER_MEGABYTE = 0.15


def find_faces(config: FacesStudyConfig, progress: Progress | None = None) -> FaceChoice:
    """The faces that a run asks for, or the best at hand; of a large folder, as many people as there is time for.

    Args:
        config: resolved.
        progress: told how many images have been read.

    Raises:
        InputError: if nobody is known, or the data cannot be used.
        ShoalError: if they cannot be read.
    """
    folder = Path(config.data).expanduser()
    if not config.data or match_face_spec(config.data) or not folder.is_dir() or find_lfw(folder):
        return find_best_faces(
            config.data or None, image_size=config.image_size, offline=config.offline, progress=progress
        )
    listing = list_faces(folder)
    if not listing.people:
        expected, got = "a folder of people's folders", f"{len(listing.paths):,} images of whoever"
        raise wrong(f"data {folder}", expected=expected, got=got, fix="give each person a folder")
    some = draw_within(listing, BUDGETS[config.budget].reading, config.seed)
    faces = read_listing(some, Reading(size=config.image_size, progress=progress))
    read, known = len(set(some.labels)), len(listing.people)
    drawn = f"; {read:,} of {known:,} people, drawn: a {config.budget} run has no time for all" if read < known else ""
    return FaceChoice(faces=faces, why=f"{config.data}, as asked for{drawn}", better="", data=config.data)


def draw_within(listing: Listing, seconds: float, seed: int) -> Listing:
    """Some people of a listing, drawn at random, whose photos can be read in a time; all where that is enough.

    Args:
        listing: of people's folders.
        seconds: of one core.
        seed: of the draw.

    Returns:
        The listing with the photos of those people, in its order; two people at least.
    """
    costs = torch.zeros(len(listing.people), dtype=torch.float64)
    labels = torch.tensor(listing.labels)
    costs.index_add_(0, labels, torch.tensor([_seconds(path) for path in listing.paths], dtype=torch.float64))
    order = torch.randperm(len(costs), generator=stream(seed, "people to read"))
    enough = int((costs[order].cumsum(0) <= seconds).sum())
    kept = torch.zeros(len(costs), dtype=torch.bool)
    kept[order[: max(2, enough)]] = True
    rows = kept[labels].nonzero().flatten().tolist()
    paths, people = (tuple(listing.paths[row] for row in rows), tuple(listing.labels[row] for row in rows))
    return listing._replace(paths=paths, labels=people)


def _seconds(path: Path) -> float:
    """How long a photo takes to read."""
    return FILE + MEGABYTE.get(path.suffix.lower(), OTHER_MEGABYTE) * path.stat().st_size / 1e6
