"""`kill -9` at random moments: what was told is there, nothing is half there, and the database is whole."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from shoal.gallery import Gallery
from tests.gallery.killed import change_and_tell

# a server that has imported everything once: its children are ready in milliseconds, as often as they are killed
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.gallery.killed"])


def run_and_kill(path: Path, seed: int, seconds: float) -> list[list[str]]:
    """Let a process change the gallery for a while; gives what it told."""
    told, pipe = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=change_and_tell, args=(str(path), seed, pipe))
    process.start()
    pipe.close()
    with told, open(told.fileno(), closefd=False) as text:
        assert text.readline() == "ready\n"
        time.sleep(seconds)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        lines = text.read().split("\n")
    process.join()
    process.close()
    return [line.split("\t") for line in lines if line]


def check(path: Path, people: dict[str, bool], lines: list[list[str]]) -> None:
    """The gallery holds what was told, wholly; of the last thing that was under way, all or nothing."""
    under_way = None
    for what, *about in lines:
        under_way = (what, about[0]) if what in ("forgetting", "upgrading") else None
        if what == "enrolled":
            people[about[0]] = True
        elif what == "forgot":
            people.pop(about[0])
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        there = {person.name: person.faces for person in gallery.people()}
        assert set(there.values()) <= {3}
        missing = set(people) - set(there)
        assert missing <= ({under_way[1]} if under_way and under_way[0] == "forgetting" else set())
        extra = set(there) - set(people)
        assert len(extra) <= 1  # one that was written, but not yet told
        assert sum(model.state == "active" for model in gallery.models()) <= 1
        for face in gallery.faces():
            assert face.models
            assert face.person is not None
        if there:
            name = sorted(there)[0]
            with gallery._database.read() as rows:
                assert rows.all("SELECT COUNT(*) FROM photos WHERE id NOT IN (SELECT photo FROM faces)") == [(0,)]
            assert gallery.faces(name)
        people.clear()
        people.update(dict.fromkeys(there, True))


def kill_often(path: Path, times: int) -> int:
    people: dict[str, bool] = {}
    rng, told = random.Random(7), 0
    for seed in range(times):
        lines = run_and_kill(path, seed, rng.uniform(0.02, 0.35))
        told += len(lines)
        check(path, people, lines)
    return told


def test_killed_at_random_moments_nothing_is_lost_or_half_there(tmp_path: Path):
    assert kill_often(tmp_path / "faces.db", 20) > 40


@pytest.mark.slow
def test_killed_two_hundred_times(tmp_path: Path):
    assert kill_often(tmp_path / "faces.db", 200) > 400
