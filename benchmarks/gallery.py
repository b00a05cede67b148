"""The gallery under weight: searching, upgrading, many clients at once, forgetting.

    python -m benchmarks.gallery [search|upgrade|clients|forget|all] [--faces "100000 1000000"] [--queries 200]
        [--seconds 60] [--upgraded 100000] [--forgotten 10000]

search    `Gallery.identify` beside a plain scan in numpy and beside pgvector (its scan and its HNSW index). All are
          compared with brute force in float64 first. Milliseconds are of the processor, all threads together, and on
          the clock; the server's, which is another process, on the clock alone.
upgrade   a new model for a gallery: seconds, and a hash over every vector that was there, before and after.
clients   eight processes enrol people and ask for them, on a file and on a server; then everybody has to be there.
forget    people of a gallery, one with few faces and one with many; every file is searched for what was theirs.

Faces are made-up directions on a sphere. Writes benchmarks/records/gallery.json.
"""

import argparse
import hashlib
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faces import spread
from benchmarks.gallery_clients import clients
from benchmarks.gallery_places import DIM, fill, made_up, name_of
from benchmarks.gallery_search import EACH, search
from benchmarks.parts import Parts, run_parts, say
from shoal.gallery import Gallery

RECORD = Path(__file__).parent / "records" / "gallery.json"
MEASURED = 400  # people whose faces the new model embeds
TIMES = 10  # people who are forgotten, one after the other


def upgrade(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of an upgrade and of the way back, and what they did to the vectors that were there."""
    people = args.upgraded // EACH
    faces = made_up(people, EACH + 1)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((DIM, DIM)))[0].astype(np.float32)
    measured = min(MEASURED, people)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.db"
        fill(str(path), faces[:, :EACH])
        with Gallery.open(path) as gallery:
            new = {1 + EACH * p + i: faces[p, i] @ turn for p in range(measured) for i in range(EACH)}
            before, right = hash_of_vectors(path), share_right(gallery, faces)
            began = time.perf_counter()
            done = gallery.upgrade(None, embeddings=new)
            seconds = time.perf_counter() - began
            after, right_after = hash_of_vectors(path), share_right(gallery, faces @ turn)
            began = time.perf_counter()
            gallery.rollback()
            back = time.perf_counter() - began
    if before != after:
        raise SystemExit("the upgrade has changed vectors that were there")
    say(f"upgrade of {people * EACH:,} faces: {seconds:.2f} s, {done.added:,} vectors added, none changed: {before}")
    return {
        "faces": people * EACH,
        "seconds": seconds,
        "rollback_seconds": back,
        "kept": done.kept,
        "added": done.added,
        "gate": str(done.gate),
        "sha256_before": before,
        "sha256_after": after,
        "right_before": right,
        "right_after": right_after,
    }


def hash_of_vectors(path: Path) -> str:
    """SHA-256 over the first model's rows as the file holds them."""
    connection, digest = sqlite3.connect(path), hashlib.sha256()
    for face, model, value, added in connection.execute(
        "SELECT face, model, value, added FROM vectors WHERE model = 1 ORDER BY id"
    ):
        digest.update(f"{face} {model} {added} ".encode() + value)
    connection.close()
    return digest.hexdigest()


def share_right(gallery: Gallery, faces: np.ndarray) -> float:
    """How often somebody is found by a face that is not in the gallery."""
    asked = np.linspace(0, len(faces) - 1, min(200, len(faces))).astype(int).tolist()
    return float(np.mean([gallery.identify(faces[p, EACH], 1)[0].person == name_of(p) for p in asked]))


def forget(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds until nothing of somebody is left, and what the scan of the files found."""
    people, crowd = args.forgotten // EACH, args.forgotten // 10
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.db"
        fill(str(path), made_up(people, EACH))
        with Gallery.open(path) as gallery:
            gallery.enrol("somebody with many faces", made_up(1, crowd, seed=9)[0])
            size, rows = path.stat().st_size, []
            for name in ["somebody with many faces", *map(name_of, range(0, people, max(1, people // TIMES)))]:
                began = time.perf_counter()
                erased = gallery.forget(name)
                rows.append((time.perf_counter() - began, erased))
    if any(erased.found or not erased.complete for _, erased in rows):
        raise SystemExit("forgetting has left traces")
    (many, erased), *few = rows
    found = {
        "faces": people * EACH + crowd,
        "megabytes": size / 1e6,
        "few": {"faces": EACH, "people": len(few), "seconds": spread([seconds for seconds, _ in few])},
        "many": {"faces": erased.faces, "seconds": many},
        "traces": sum(erased.found or 0 for _, erased in rows),
    }
    say(f"{EACH} faces forgotten in {found['few']['seconds']['median']:.2f} s, {crowd:,} in {many:.2f} s")
    return found


PARTS: Parts = {"search": search, "upgrade": upgrade, "clients": clients, "forget": forget}


if __name__ == "__main__":
    run_parts(
        __doc__, PARTS, RECORD, faces="100000 1000000", queries=200, seconds=60.0, upgraded=100_000, forgotten=10_000
    )
