"""Searches: `Gallery.identify` beside a plain scan in numpy and beside pgvector, proved equal before they are timed."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.faces import _read as read_kilobytes
from benchmarks.faces import spread
from benchmarks.gallery_places import DIM, a_server, fill, made_up, name_of, new_database
from benchmarks.parts import say
from shoal.gallery import Gallery
from shoal.gallery.postgres import Postgres

EACH = 10  # faces of a person
K = 5  # people in an answer
CHECKED = 20  # queries that are compared with brute force
NEAREST = 10  # faces by which pgvector is judged, which knows no people
Vector = NDArray[np.float32]


def search(args: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a query at every size; pgvector's at the first."""
    sizes = [int(size) for size in args.faces.split()]
    found = [at_size(size, args.queries) for size in sizes]
    return {"dim": DIM, "k": K, "threads": torch.get_num_threads(), "rows": found, "pgvector": pgvector(sizes[0], args)}


def at_size(size: int, queries: int) -> dict[str, Any]:
    """A gallery of so many faces: time to open, memory, time of a query."""
    faces = made_up(size // EACH, EACH + 1)
    known, asked = faces[:, :EACH], faces[:, EACH]
    rows = known.reshape(-1, DIM)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.db"
        began = time.perf_counter()
        fill(str(path), known)
        say(f"{size:,} faces written in {time.perf_counter() - began:.0f} s")
        row: dict[str, Any] = {"faces": size, "people": len(known), "megabytes": path.stat().st_size / 1e6}
        row |= opened_alone(path, asked[0])
        with Gallery.open(path) as gallery:
            check(gallery, rows, asked)
            ways: dict[str, Callable[[Vector], Any]] = {
                "shoal": lambda query: gallery.identify(query, K),
                "numpy": lambda query: scan(rows, query),
            }
            row |= {
                name: {"cpu": spread(cpu), "clock": spread(clock)}
                for name, (cpu, clock) in in_turn(ways, asked, queries).items()
            }
    for name in ways:
        say(f"{size:,} faces, {name}: {row[name]['cpu']['median']:.2f} ms of the processor a query")
    return row | {"queries": queries}


def scan(rows: Vector, query: Vector) -> list[int]:
    """The nearest people by one product and a selection, as one writes it in three lines."""
    likeness = rows @ query
    best = np.argpartition(likeness, max(0, len(rows) - EACH * K))[-EACH * K :]
    people = best[np.argsort(-likeness[best])] // EACH
    return list(dict.fromkeys(people.tolist()))[:K]


def check(gallery: Gallery, rows: Vector, asked: Vector) -> None:
    """Compare both with every distance in float64.

    Raises:
        SystemExit: if they differ in a person, or in a distance by more than rounding.
    """
    truth = rows.astype(np.float64)
    for person in np.linspace(0, len(asked) - 1, CHECKED).astype(int).tolist():
        query = asked[person]
        squares = np.square(truth - query).sum(1).reshape(-1, EACH).min(1)  # by person
        best = np.argsort(squares)[:K]
        found = gallery.identify(query, K)
        same = [match.person for match in found] == [name_of(p) for p in best]
        if not same or not np.allclose([match.distance for match in found], squares[best], rtol=0, atol=1e-9):
            raise SystemExit(f"query {person}: shoal differs from brute force; nothing is timed")
        if scan(rows, query) != best.tolist()[: len(scan(rows, query))]:
            raise SystemExit(f"query {person}: the scan differs from brute force; nothing is timed")
    say(f"answers are those of brute force in float64 on {CHECKED} queries")


def in_turn(
    ways: dict[str, Callable[[Vector], Any]], asked: Vector, queries: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds of the processor and of the clock of every query, in each way in turn, after a few to warm up."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    for number in range(-5, queries):
        query = asked[(7919 * number) % len(asked)]
        for name, ask in ways.items():
            clock, cpu = time.perf_counter(), time.process_time()
            ask(query)
            cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
            if number >= 0:
                found[name][0].append(1e3 * cpu)
                found[name][1].append(1e3 * clock)
    return found


def opened_alone(path: Path, query: Vector) -> dict[str, float]:
    """What opening and the first answers cost, in a process of its own."""
    code = "import sys; from benchmarks.gallery_search import open_here; open_here(*sys.argv[1:])"
    words = [sys.executable, "-c", code, str(path), json.dumps(query.tolist())]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def open_here(path: str, query: str) -> None:
    """Open, ask, and tell what it took as JSON."""
    vector = np.array(json.loads(query), np.float32)
    before, began = read_kilobytes("/proc/self/status", "VmRSS"), time.perf_counter()
    with Gallery.open(path) as gallery:
        gallery.identify(torch.from_numpy(vector), K)
        first = time.perf_counter() - began
        gallery.identify(torch.from_numpy(vector), K)
        peak, now = (read_kilobytes("/proc/self/status", name) for name in ("VmHWM", "VmRSS"))
    told = {"first_answer_s": first, "peak_mb": (peak - before) / 1024, "resident_mb": (now - before) / 1024}
    print(json.dumps(told))


def pgvector(size: int, args: argparse.Namespace) -> dict[str, Any] | None:
    """Milliseconds on the clock of the nearest faces by the server, without an index and with one, and its recall."""
    faces = made_up(size // EACH, EACH + 1)
    known, asked = faces[:, :EACH], faces[:, EACH]
    rows = known.reshape(-1, DIM)
    with a_server() as server:
        if server is None:
            return None
        where = new_database(server)
        fill(where, known)
        database = Postgres(where)
        try:
            found: dict[str, Any] = {"faces": size, "nearest": NEAREST, "queries": args.queries}
            for way in ("scan", "index"):
                if way == "index":
                    began = time.perf_counter()
                    database.index(1, DIM)
                    found["index_s"] = time.perf_counter() - began
                recalls = [recall(database, rows, asked[p]) for p in range(0, len(asked), max(1, len(asked) // 100))]
                if way == "scan" and min(recalls) < 1:
                    raise SystemExit("pgvector's scan differs from brute force; nothing is timed")
                ways = {way: lambda query: database.nearest(1, query, NEAREST)}
                clock = in_turn(ways, asked, args.queries)[way][1]
                found[way] = {"clock": spread(clock), "recall": float(np.mean(recalls))}
                say(f"pgvector, {way}: {found[way]['clock']['median']:.2f} ms, recall {found[way]['recall']:.4f}")
            return found
        finally:
            database.close()


def recall(database: Postgres, rows: Vector, query: Vector) -> float:
    """The share of the nearest faces that the server gives."""
    truth = np.argpartition(np.square(rows.astype(np.float64) - query).sum(1), NEAREST)[:NEAREST]
    given = {face - 1 for face, _ in database.nearest(1, query, NEAREST)}  # faces are numbered from 1, in order
    return len(given & set(truth.tolist())) / NEAREST
