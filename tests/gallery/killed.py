"""A process that changes a gallery and tells of every change when it is done, until it is killed."""

import os
import random
from multiprocessing.connection import Connection

import torch

from shoal.gallery import Gallery
from tests.gallery.made_up import directions, turned


def change_and_tell(path: str, seed: int, pipe: Connection) -> None:
    """Enrol, forget and upgrade at random, and write what was done into a pipe, a line each."""

    def tell(*words: object) -> None:
        os.write(pipe.fileno(), ("\t".join(map(str, words)) + "\n").encode())

    torch.set_num_threads(1)
    rng = random.Random(seed)
    with Gallery.open(path) as gallery:
        known = {person.name for person in gallery.people()}
        tell("ready")
        for step in range(10_000):
            name = f"run {seed} step {step}"
            if known and rng.random() < 0.3:
                gone = rng.choice(sorted(known))
                tell("forgetting", gone)
                gallery.forget(gone)
                known.discard(gone)
                tell("forgot", gone)
            elif rng.random() < 0.15:
                faces = {face.id: i for i, face in enumerate(gallery.faces())}
                rows = turned(directions(max(1, len(faces)), 1, seed=step)[:, 0])
                tell("upgrading", len(gallery.models()))
                gallery.upgrade(
                    None, embeddings={face: rows[i] for face, i in faces.items()}, way="as it is", force=True
                )
                tell("upgraded", len(gallery.models()))
            else:
                gallery.enrol(name, directions(1, 3, seed=hash((seed, step)) % 2**31)[0])
                known.add(name)
                tell("enrolled", name)
