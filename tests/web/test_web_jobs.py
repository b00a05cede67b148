"""Runs in the making: one at a time, told of line by line, stopped when asked, ended with whoever began them."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from shoal.errors import InputError, ShoalError
from shoal.web.jobs import Job, Jobs

TALKING = "import sys, time; print('fitting: 25%  loss 2', file=sys.stderr, flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + TALKING


def jobs(root: Path, code: str) -> Jobs:
    return Jobs(root, (sys.executable, "-c", code))


async def said(job: Job) -> None:
    for _ in range(3000):
        if job.said:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it says nothing")


def test_one_at_a_time_told_of_and_cancelled(tmp_path: Path) -> None:
    async def story() -> None:
        making = jobs(tmp_path, TALKING)
        job = await making.start("exits")
        assert making.running is job
        assert await making.start("exits") is job
        with pytest.raises(ShoalError, match="a run of exits is being made"):
            await making.start("faces")
        await said(job)
        assert (job.state, job.said, job.percent) == ("running", "fitting: 25%  loss 2", 25)
        await making.cancel("exits")
        assert (job.state, making.running) == ("cancelled", None)
        assert job.process is not None
        with pytest.raises(ProcessLookupError):
            os.kill(job.process.pid, 0)
        again = await making.start("exits")
        assert again.folder == job.folder  # goes on
        await making.close()
        assert again.state == "cancelled"

    asyncio.run(story())


def test_what_does_not_listen_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoal.web.jobs._PATIENCE", 0.2)

    async def story() -> None:
        making = jobs(tmp_path, DEAF)
        job = await making.start("exits")
        await said(job)
        await making.close()
        assert (job.state, job.code) == ("cancelled", -9)

    asyncio.run(story())


def test_how_runs_end(tmp_path: Path) -> None:
    async def ended(code: str) -> tuple[Jobs, Job]:
        making = jobs(tmp_path, code)
        job = await making.start("attention")
        assert job.watcher is not None
        await job.watcher
        return making, job

    async def story() -> None:
        making, failed = await ended("import sys; sys.exit('shoal: the disk is full')")
        assert (failed.state, failed.said) == ("failed", "shoal: the disk is full")
        again = await making.start("attention")
        assert again.folder != failed.folder  # what failed is not gone on with
        await making.close()
        _, done = await ended("pass")
        assert done.state == "done"
        done.folder.mkdir(parents=True)
        (done.folder / "result.json").write_text("{}")
        making, other = await ended("pass")
        assert other.folder != done.folder  # what is finished stays
        with pytest.raises(InputError, match="unknown study 'exit'"):
            await making.start("exit")

    asyncio.run(story())


def test_long_lines_and_bars_are_taken_in(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.buffer.write(b'a' * 9999 + b'\\n' + b'10%\\r20%\\r\\xff end: 100%')"

    async def story() -> None:
        making = jobs(tmp_path, code)
        job = await making.start("exits")
        assert job.watcher is not None
        await job.watcher
        assert len(job.lines[0]) == 300
        assert (list(job.lines)[1:], job.percent) == (["10%", "20%", "\N{REPLACEMENT CHARACTER} end: 100%"], 100)

    asyncio.run(story())
