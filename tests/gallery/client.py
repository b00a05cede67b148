"""A client of a gallery that others use at the same time: enrols, asks and renames for a while, and counts."""

import time

import torch

from shoal.gallery import Gallery
from tests.gallery.made_up import directions


def work(where: str, number: int, seconds: float) -> dict[str, int]:
    """Use a gallery for so many seconds, three rounds at least; gives how much was done, and how much was right."""
    torch.set_num_threads(1)
    told = {"enrolled": 0, "right": 0, "asked": 0, "people": 0}
    with Gallery.open(where, who=f"client {number}") as gallery:
        end = time.monotonic() + seconds
        while time.monotonic() < end or told["people"] < 3:
            name = f"person {told['people']} of client {number}"
            faces = directions(1, 3, seed=10_000 * number + told["people"])[0]
            told["enrolled"] += len(gallery.enrol(name, faces[:2]))
            told["right"] += gallery.identify(faces[2])[0].person == name
            told["asked"] += 1
            gallery.rename(name, f"renamed {name}")
            told["people"] += 1
    return told
