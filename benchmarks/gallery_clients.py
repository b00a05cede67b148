"""Clients in processes of their own, who enrol and ask at the same time: how many, how long, nothing lost."""

import argparse
import multiprocessing
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gallery_places import a_server, fill, made_up, new_database
from benchmarks.parts import say
from shoal.gallery import Gallery

CLIENTS = 8
THERE = 1_000  # people who are in the gallery before,
EACH = 5  # with so many faces
ENROLLED = 2  # faces of a new person, beside one that is asked about
# a server that has imported everything once: its children are ready in milliseconds
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["benchmarks.gallery_clients"])


def clients(args: argparse.Namespace) -> dict[str, Any]:
    """The same work on a file and on a server."""
    with tempfile.TemporaryDirectory() as folder:
        found = [measured("SQLite", str(Path(folder) / "faces.db"), args.seconds)]
    with a_server() as server:
        if server is not None:
            found.append(measured("PostgreSQL", new_database(server), args.seconds))
    return {"clients": CLIENTS, "faces_before": THERE * EACH, "rows": found}


def measured(name: str, where: str, seconds: float) -> dict[str, Any]:
    """What eight clients do in so many seconds, and what is in the gallery afterwards."""
    fill(where, made_up(THERE, EACH))
    start = _PROCESSES.Barrier(CLIENTS)
    with _PROCESSES.Pool(CLIENTS, _begin, (start,)) as pool:
        told = pool.starmap(work, [(where, number, seconds) for number in range(CLIENTS)], chunksize=1)
    row: dict[str, Any] = {"database": name, "seconds": seconds, "lost": lost(where, told)}
    row["errors"] = dict(sum((Counter(one["errors"]) for one in told), Counter()))
    row["right"] = sum(one["right"] for one in told) / max(1, sum(len(one["query"]) for one in told))
    for kind in ("enrol", "query"):
        times = [second for one in told for second in one[kind]]
        p50, p99 = np.percentile(times, (50, 99)) if times else (float("nan"),) * 2
        row[kind] = {"count": len(times), "a_second": len(times) / seconds, "p50_ms": 1e3 * p50, "p99_ms": 1e3 * p99}
        say(f"{name}, {kind}: {len(times) / seconds:.1f} a second, p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms")
    say(f"{name}: {row['lost']} lost, errors: {row['errors'] or 'none'}")
    return row


def lost(where: str, told: list[dict[str, Any]]) -> int:
    """People who were enrolled and are not there with all their faces.

    Raises:
        SystemExit: if the gallery is damaged, or holds what nobody has enrolled.
    """
    wanted = {name for one in told for name in one["people"]}
    with Gallery.open(where) as gallery:
        there = {person.name: person.faces for person in gallery.people()}
        if faults := gallery.check():
            raise SystemExit(f"the gallery is damaged: {faults[0]}")
        unacknowledged = sum(sum(one["errors"].values()) for one in told)
        if len(there) - THERE - len(wanted) > unacknowledged:
            raise SystemExit("the gallery holds people whom nobody has enrolled")
    return sum(there.get(name) != ENROLLED for name in wanted)


def work(where: str, number: int, seconds: float) -> dict[str, Any]:
    """Enrol somebody new and ask for them, again and again; gives seconds of each, and what went wrong."""
    torch.set_num_threads(1)
    told: dict[str, Any] = {"enrol": [], "query": [], "people": [], "right": 0, "errors": Counter()}
    with Gallery.open(where, who=f"client {number}") as gallery:
        gallery.identify(made_up(1, 1, seed=number)[0, 0])  # everything is read, the thresholds are learned
        _START[0].wait()
        end, step = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            faces = made_up(1, ENROLLED + 1, seed=1_000_000 * (number + 1) + step)[0]
            name, step = f"client {number}, {step}", step + 1
            try:
                began = time.perf_counter()
                gallery.enrol(name, faces[:ENROLLED])
                done = time.perf_counter()
                told["people"].append(name)
                told["enrol"].append(done - began)
                told["right"] += gallery.identify(faces[ENROLLED])[0].person == name
                told["query"].append(time.perf_counter() - done)
            except Exception as error:
                told["errors"][f"{type(error).__name__}: {error}"] += 1
    return told


_START: list[Any] = []


def _begin(start: Any) -> None:
    _START.append(start)
