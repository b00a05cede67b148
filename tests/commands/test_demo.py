"""What `shoal demo` does with its studies, on toy studies in real processes: overview, interrupts, failures."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shoal.commands.demo import Task, run_all
from shoal.commands.overview import Overview, showing_overview
from shoal.commands.overview_shown import ShownLines
from shoal.engine.progress import is_terminal
from shoal.studies.result import Claim, Result

ROOT = Path(__file__).parents[2]
KINDS = ("one=quick", "two=trains", "three=bug", "four=has-no-data", "five=fails")


@dataclass
class Ended:
    """A process that has ended, and all that it wrote."""

    code: int
    out: str
    err: str


def _heed_interrupts() -> None:
    """Tests that run in the background of a shell hand on that interrupts are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Toys:
    """A demo of toy studies; on a terminal or in a pipe.

    Args:
        words: folder and kinds, see `tests.commands.toys`.
        slow: enough to be interrupted.
        terminal: for stderr.
    """

    def __init__(self, *words: str, slow: bool = False, terminal: bool = False):
        plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "CI", "COLUMNS", "LINES")}
        environment = {**plain, "TERM": "xterm", "OMP_NUM_THREADS": "1", "TOYS_SLOW": "1" if slow else ""}
        leader, follower = pty.openpty() if terminal else os.pipe()
        command = [sys.executable, "-m", "tests.commands.toys", *words]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=follower,
            text=True,
            preexec_fn=_heed_interrupts,
        )
        os.close(follower)
        self._told = bytearray()
        self._reader = threading.Thread(target=self._read, args=(leader,))
        self._reader.start()

    def _read(self, leader: int) -> None:
        try:
            while part := os.read(leader, 4096):
                self._told += part
        except OSError:  # a terminal ends so
            pass
        finally:
            os.close(leader)

    def interrupt_when(self, ready: Callable[[str], object]) -> None:
        """Send SIGINT once what was written to stderr says so."""
        while self.process.poll() is None and not ready(self._told.decode(errors="ignore")):
            time.sleep(0.02)
        self.process.send_signal(signal.SIGINT)

    def end(self) -> Ended:
        out, _ = self.process.communicate(timeout=120)
        self._reader.join(timeout=10)
        return Ended(self.process.returncode, out, self._told.decode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def interrupted(folder: Path) -> Ended:
    """On a terminal; stopped while the second study trains."""
    toys = Toys(str(folder), *KINDS, slow=True, terminal=True)
    trains = folder / "two-toy" / "metrics.jsonl"
    toys.interrupt_when(lambda _: trains.exists() and trains.stat().st_size)
    return toys.end()


@pytest.fixture(scope="module")
def again(folder: Path, interrupted: Ended) -> Ended:
    """The same command in a pipe, to its end."""
    assert interrupted.code == 130
    return Toys(str(folder), *KINDS, "--json").end()


def test_an_interrupt_within_a_study_saves_and_stops_all(interrupted: Ended, folder: Path) -> None:
    assert interrupted.code == 130, interrupted.err
    assert "stopped by SIGINT" in interrupted.err
    assert "saved; run the same command to go on" in " ".join(interrupted.err.split())
    assert interrupted.out == ""
    assert not (folder / "report.html").exists()
    assert (folder / "one-toy" / "result.json").exists()
    assert not (folder / "two-toy" / "result.json").exists()
    assert not (folder / "three-toy").exists()  # it did not go on with the next


def test_a_terminal_shows_all_studies_and_is_left_as_it_was(interrupted: Ended) -> None:
    shown = interrupted.err
    assert "\x1b[?1049h" not in shown  # no other screen: what was there stays
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back
    frames = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "").split("\none ")
    rows = [frame.partition(" ended")[0].splitlines() for frame in frames[1:]]
    assert all([row.split()[0] for row in rows[1:5]] == ["two", "three", "four", "five"] for rows in rows)
    running = next(rows for rows in rows if "running" in rows[1] and "%" in rows[1])
    assert "finished" in running[0]
    assert "1 supported" in running[0]
    assert "net" in running[1]
    assert [row.split()[1] for row in running[2:5]] == ["waiting", "failed", "waiting"]
    assert "expected a folder" in running[3]
    assert "stopped" in rows[-1][1]


def test_what_had_ended_is_read_and_what_had_not_goes_on(again: Ended, folder: Path) -> None:
    assert f"one: finished before, read from {folder}/one-toy" in again.err
    assert re.search(r"two: net: going on from step \d+", again.err)
    assert "two: finished in" in again.err
    found = {row["study"]: row for row in json.loads(again.out)}
    one, two = (found[name]["claims"][0]["measured"] for name in ("one", "two"))
    assert one == two  # the same training: an interrupted one ends with the same weights


def test_studies_that_fail_do_not_stop_the_others(again: Ended, folder: Path) -> None:
    assert again.code == 1
    errors = {row["study"]: row["error"] for row in json.loads(again.out) if "error" in row}
    assert [row["study"] for row in json.loads(again.out)] == ["one", "two", "three", "four", "five"]
    assert errors["three"].startswith("ZeroDivisionError: division by <zero> (traceback: ")
    assert errors["four"] == "data /nowhere: expected a folder, got none there"
    assert errors["five"] == "the loss is not finite: try a lower learning rate"
    for name, error in errors.items():
        assert re.search(f"^{name}: failed after \\d.* s: {re.escape(error)}$", again.err, re.MULTILINE)
    page = (folder / "report.html").read_text()
    assert "division by &lt;zero&gt;" in page
    assert "data /nowhere" in page
    assert "Toy two" in page
    assert "3 of 5 studies failed: three, four, five" in again.err.splitlines()[-1]
    kept = (folder / "three-toy" / "error.txt").read_text()
    assert kept.startswith("Traceback")
    assert "in _run" in kept
    assert not (folder / "five-toy" / "error.txt").exists()  # that was no bug


def test_no_flicker_of_lines_in_a_pipe(again: Ended) -> None:
    assert "\x1b" not in again.err
    assert "two: running (2 of 5; " in again.err


@pytest.mark.slow
def test_an_interrupt_between_trainings_stops_all_and_goes_on(tmp_path: Path) -> None:
    kinds = ("one=quick", "two=waits", "three=quick")
    toys = Toys(str(tmp_path), *kinds, slow=True)
    toys.interrupt_when(lambda told: "waiting for a signal" in told)
    ended = toys.end()
    assert ended.code == 130
    assert "two: stopped\nshoal: interrupted\n" in ended.err
    toys = Toys(str(tmp_path), *kinds, slow=True)
    toys.interrupt_when(lambda told: "three: data:" in told)  # between studies: none runs yet
    assert toys.end().code == 130
    again = Toys(str(tmp_path), *kinds).end()
    assert again.code == 0, again.err
    assert "one: finished before" in again.err
    assert again.out.splitlines()[-1] == f"report: {tmp_path}/report.html"
    fresh = Toys(str(tmp_path / "fresh"), *kinds).end()
    assert fresh.out.splitlines()[:-1] == again.out.splitlines()[:-1]


def overview_of(*names: str) -> tuple[Overview, list[float]]:
    """An overview whose clock is set by hand."""
    now = [0.0]
    return Overview(names, ShownLines(), clock=lambda: now[0]), now


def result_of(name: str) -> Result:
    claim = Claim(id="a", sentence="", measured="", effect=2, low=1, high=3, bound=0, direction="above")
    return Result(study=name, title="", summary=(), command="", claims=(claim,))


def test_time_left_is_learned_from_studies_that_have_ended(capsys: pytest.CaptureFixture[str]) -> None:
    overview, now = overview_of("attention", "exits", "faces")
    overview.ready("attention")
    overview.plan("exits", 60)
    overview.plan("faces", 90)
    assert overview.left() == "2 min of training to come, measuring on top"  # 150 seconds, rounded
    overview.running("attention")
    now[0] = 50
    overview.finished("attention", result_of("attention"))
    assert overview.left() == "2 min of training to come, measuring on top"  # attention announced nothing
    overview.running("exits")
    now[0] = 170  # 120 seconds for 60 of training: measuring takes as long
    overview.finished("exits", result_of("exits"))
    assert overview.left() == "about 3 min left"
    overview.running("faces")
    now[0] = 300
    assert overview.left() == "about 50 s left"
    now[0] = 400
    assert overview.left() == "time left not known: faces takes longer than expected"
    overview.finished("faces", result_of("faces"))
    assert overview.left() == ""
    said = capsys.readouterr().err.splitlines()
    assert said[1] == "attention: finished in 50 s: 1 supported"
    assert said[-1] == "faces: finished in 3 min 50 s: 1 supported"


def test_what_an_earlier_run_spent_is_not_waited_for_again() -> None:
    overview, now = overview_of("exits", "faces")
    overview.plan("exits", 60)
    overview.plan("faces", 60)
    overview.ready("faces", before=50)
    overview.running("exits")
    now[0] = 66
    overview.finished("exits", result_of("exits"))
    assert overview.left() == "about 15 s left"


def test_nothing_is_promised_where_nothing_is_announced() -> None:
    overview, _ = overview_of("attention")
    overview.ready("attention")
    assert overview.left() == "time left not known yet"


def test_a_study_that_cannot_say_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bug before there is a run folder: the traceback lies beside the report."""

    def prepare(progress: object) -> object:
        raise KeyError

    task = Task("exits", "shoal study exits", prepare)  # pyright: ignore[reportArgumentType]
    with showing_overview(["exits"]) as overview:
        run_all([task], tmp_path, overview)
    assert task.failure is not None
    assert task.failure.error == f"KeyError: no message (traceback: {tmp_path}/exits-error.txt)"
    assert "raise KeyError" in (tmp_path / "exits-error.txt").read_text()
    assert task.failure.command == "shoal study exits"
    assert "exits: failed after 0 s: KeyError" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["NO_COLOR=1", "CI=true", "TERM=dumb", "TERM=xterm"])
def test_a_terminal_that_asks_for_plain_lines_gets_them(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = pty.openpty()
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(*variable.split("="))
    with os.fdopen(follower, "w") as terminal:
        assert is_terminal(terminal) == (variable == "TERM=xterm")
    os.close(leader)
