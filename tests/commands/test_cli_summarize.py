"""The commands around summaries: on files of one's own, in a process of their own."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.summarize import Summarizer, score
from tests.commands.process import Told, in_turn, on_a_full_disk
from tests.summarize.toy import pairs

FIT = ["--epochs", "12", "--size", "tiny", "--vocabulary", "330", "--max-source", "40", "--max-target", "12"]
FIT += ["--batch-tokens", "512", "--precision", "fp32", "--dropout", "0", "--held-back", "20"]


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    lines = [json.dumps({"document": document, "summary": summary}) + "\n" for document, summary in rows]
    path.write_text("".join(lines))
    return path


TRAIN = ["fit", "train.jsonl", "--validation", "validation.jsonl", "--output", "m", *FIT]
USES: dict[str, list[str]] = {
    "fit": TRAIN,
    "again": TRAIN,
    "run": ["run", "m", "asked.jsonl", "one.txt"],
    "few words": ["run", "m", "one.txt", "--max-words", "1"],
    "score": ["score", "m", "test.jsonl", "--output", "written.txt", "--json"],
    "help": ["--help"],
}
WRONG: list[tuple[list[str], str]] = [
    (["fit", "nothing.jsonl"], "nothing.jsonl"),
    (["fit", "debian-description"], "did you mean 'debian-descriptions'"),
    (["fit", "train.jsonl", "--document", "text"], "document"),
    (["fit", "train.jsonl", "--strict"], "train.jsonl, line 401: expected texts 'document' and 'summary'"),
    (["fit", "train.jsonl", "--minutes", "-1"], "minutes: expected a number >= 0, got -1.0"),
    (["fit", "train.jsonl", "--size", "huge"], "huge"),
    (["fit", "train.jsonl", "--attention", "exakt"], "did you mean 'exact'"),
    (["fit", "train.jsonl", "--output", "train.jsonl"], "a file"),
    (["fit", "train.jsonl", "--output", "m", "--epochs", "3"], "run folder m/training"),
    (["run", "nowhere", "train.jsonl"], "nowhere: expected a folder that `save_pretrained` wrote"),
    (["run", ".", "train.jsonl"], "got a folder without config.json"),
    (["run", "m", "nothing.txt"], "nothing.txt"),
    (["run", "m", "validation.jsonl", "--num-beams", "0"], "num_beams: expected a whole number >= 1, got 0"),
    (["score", "m", "validation.jsonl", "--summary", "abstract"], "abstract"),
]
ASKED, TEST = pairs(3, 800), pairs(30, 700)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of texts to train on, some of whose rows are bad, to validate, to test and to summarize."""
    place = tmp_path_factory.mktemp("summarize")
    train = write_rows(place / "train.jsonl", pairs(400))
    with train.open("ab") as file:
        file.write(b'{"document": "no summary"}\n{"document": "a", "summary": ""}\nbroken\n\xff\xfe\n')
    write_rows(place / "validation.jsonl", pairs(40, 400))
    write_rows(place / "asked.jsonl", ASKED)
    write_rows(place / "test.jsonl", TEST)
    (place / "one.txt").write_text(ASKED[0][0])
    return place


@pytest.fixture(scope="module")
def told(place: Path) -> dict[str, Told]:
    """What every use of the commands tells, right ones first."""
    words = [*USES.values(), *(words for words, _ in WRONG)]
    found = in_turn([["summarize", *each] for each in words], place)
    return dict(zip([*USES, *(" ".join(words) for words, _ in WRONG)], found, strict=True))


@pytest.mark.parametrize("name", USES)
def test_every_use_ends_well(told: dict[str, Told], name: str) -> None:
    code, out, errors = told[name]
    assert code == 0, errors
    assert out
    assert "Traceback" not in errors


def test_a_training_tells_losses_verdict_and_what_was_left_out(place: Path, told: dict[str, Told]) -> None:
    _, lines, _ = told["fit"]
    assert "verdict: " in lines
    assert "400 pairs of train.jsonl, 40 of validation.jsonl for validation" in lines
    assert "left out of train.jsonl: 4 rows (line 401: no field 'summary'" in lines
    rows = list(csv.DictReader((place / "m" / "losses.csv").read_text().splitlines()))
    assert len(rows) >= 12
    assert float(rows[-1]["validation_loss"]) < float(rows[0]["validation_loss"])
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    page = (place / "m" / "losses.html").read_text()
    assert "held back from training" in page
    assert str(Summarizer.from_pretrained(place / "m").verdict) in (place / "m" / "README.md").read_text()


def test_the_same_command_again_trains_nothing(place: Path, told: dict[str, Told]) -> None:
    assert told["again"][1].splitlines()[-3:] == told["fit"][1].splitlines()[-3:]
    steps = [json.loads(line)["step"] for line in (place / "m" / "training" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))  # each was taken once


def test_summaries_of_files_and_of_what_is_piped_in(place: Path, told: dict[str, Told]) -> None:
    documents = [document for document, _ in ASKED]
    expected = Summarizer.from_pretrained(place / "m").summarize(documents)
    assert told["run"][1].splitlines() == [*expected, expected[0]]
    command = [sys.executable, "-m", "shoal", "summarize", "run", "m", "--json"]
    piped = subprocess.run(command, input=documents[1], cwd=place, capture_output=True, text=True, check=True)
    assert json.loads(piped.stdout) == [{"source": "stdin", "summary": expected[1]}]
    assert len(told["few words"][1].split()) == 1


def test_scores_are_told_and_noted(place: Path, told: dict[str, Told]) -> None:
    found = json.loads(told["score"][1])
    written = (place / "written.txt").read_text().splitlines()
    ours = score(written, [summary for _, summary in TEST])
    assert found["rouge"]["model, 4 beams"]["rougeL"][0] == pytest.approx(ours.rougeL.value)
    assert "first sentence" in found["rouge"]
    assert found["ahead"]["rouge1"][0] == pytest.approx(
        ours.rouge1.value - found["rouge"]["first sentence"]["rouge1"][0], abs=1e-6
    )
    assert f"test.jsonl, 4 beams: rouge1 {ours.rouge1.value:.1f}" in (place / "m" / "README.md").read_text()
    assert Summarizer.from_pretrained(place / "m").about["scores"]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_wrong_use_is_told_in_one_line(told: dict[str, Told], words: list[str], message: str) -> None:
    code, _, errors = told[" ".join(words)]
    assert code in (1, 2)
    assert message in errors
    lines = [line for line in errors.splitlines() if line.startswith("shoal: ")]
    assert len(lines) == 1, errors
    assert "Traceback" not in errors


def test_a_full_disk_leaves_no_half_model(place: Path) -> None:
    words = ["summarize", "fit", "train.jsonl", "--output", "full", "--epochs", "1", *FIT[2:]]
    found = on_a_full_disk(*words, cwd=place)
    assert found.returncode == 1
    assert "disk full" in found.stderr
    assert not (place / "full" / "config.json").exists()
    assert not list((place / "full").rglob("*.partial"))


def test_help_is_quick_to_read(told: dict[str, Told]) -> None:
    for name in ("fit", "score", "run"):
        assert name in told["help"][1]
