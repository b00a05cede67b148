"""The commands around summaries: on files of one's own, in a process of their own."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.summarize import Summarizer, score
from tests.commands.process import on_a_full_disk, run, shoal
from tests.summarize.toy import pairs

FIT = ["--epochs", "12", "--size", "tiny", "--vocabulary", "330", "--max-source", "40", "--max-target", "12"]
FIT += ["--batch-tokens", "512", "--precision", "fp32", "--dropout", "0", "--held-back", "20"]


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    lines = [json.dumps({"document": document, "summary": summary}) + "\n" for document, summary in rows]
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.jsonl, some of whose rows are bad, validation.jsonl, and a model that was trained on them."""
    place = tmp_path_factory.mktemp("summarize")
    train = write_rows(place / "train.jsonl", pairs(400))
    with train.open("ab") as file:
        file.write(b'{"document": "no summary"}\n{"document": "a", "summary": ""}\nbroken\n\xff\xfe\n')
    write_rows(place / "validation.jsonl", pairs(40, 400))
    found = shoal(
        "summarize", "fit", "train.jsonl", "--validation", "validation.jsonl", "--output", "m", *FIT, cwd=place
    )
    assert found.returncode == 0, found.stderr
    (place / "told").write_text(found.stdout)
    return place


def test_a_training_tells_losses_verdict_and_what_was_left_out(place: Path) -> None:
    told = (place / "told").read_text()
    assert "verdict: " in told
    assert "400 pairs of train.jsonl, 40 of validation.jsonl for validation" in told
    assert "left out of train.jsonl: 4 rows (line 401: no field 'summary'" in told
    rows = list(csv.DictReader((place / "m" / "losses.csv").read_text().splitlines()))
    assert len(rows) >= 12
    assert float(rows[-1]["validation_loss"]) < float(rows[0]["validation_loss"])
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    page = (place / "m" / "losses.html").read_text()
    assert "held back from training" in page
    assert str(Summarizer.from_pretrained(place / "m").verdict) in (place / "m" / "README.md").read_text()


def test_the_same_command_again_is_done_at_once(place: Path) -> None:
    before = (place / "m" / "model.safetensors").read_bytes()
    words = ["summarize", "fit", "train.jsonl", "--validation", "validation.jsonl", "--output", "m", *FIT]
    found = shoal(*words, cwd=place)
    assert found.returncode == 0, found.stderr
    assert (place / "m" / "model.safetensors").read_bytes() == before


def test_summaries_of_files_and_of_what_is_piped_in(place: Path) -> None:
    documents = [document for document, _ in pairs(3, 800)]
    write_rows(place / "asked.jsonl", pairs(3, 800))
    (place / "one.txt").write_text(documents[0])
    expected = Summarizer.from_pretrained(place / "m").summarize(documents)
    found = shoal("summarize", "run", "m", "asked.jsonl", "one.txt", cwd=place)
    assert found.stdout.splitlines() == [*expected, expected[0]], found.stderr
    command = [sys.executable, "-m", "shoal", "summarize", "run", "m", "--json"]
    piped = subprocess.run(command, input=documents[1], cwd=place, capture_output=True, text=True, check=True)
    assert json.loads(piped.stdout) == [{"source": "stdin", "summary": expected[1]}]
    few = shoal("summarize", "run", "m", "one.txt", "--max-words", "1", cwd=place)
    assert len(few.stdout.split()) == 1


def test_scores_are_told_and_noted(place: Path) -> None:
    rows = pairs(30, 700)
    write_rows(place / "test.jsonl", rows)
    words = ["summarize", "score", "m", "test.jsonl", "--output", "written.txt", "--json"]
    found = shoal(*words, cwd=place)
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    written = (place / "written.txt").read_text().splitlines()
    ours = score(written, [summary for _, summary in rows])
    assert told["rouge"]["model, 4 beams"]["rougeL"][0] == pytest.approx(ours.rougeL.value)
    assert "first sentence" in told["rouge"]
    assert told["ahead"]["rouge1"][0] == pytest.approx(
        ours.rouge1.value - told["rouge"]["first sentence"]["rouge1"][0], abs=1e-6
    )
    assert f"test.jsonl, 4 beams: rouge1 {ours.rouge1.value:.1f}" in (place / "m" / "README.md").read_text()
    assert Summarizer.from_pretrained(place / "m").about["scores"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
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
    ],
)
def test_wrong_use_is_told_in_one_line(place: Path, words: list[str], message: str) -> None:
    found = shoal("summarize", *words, cwd=place)
    assert found.returncode in (1, 2)
    assert message in found.stderr
    lines = [line for line in found.stderr.splitlines() if line.startswith("shoal: ")]
    assert len(lines) == 1, found.stderr
    assert "Traceback" not in found.stderr


def test_a_full_disk_leaves_no_half_model(place: Path) -> None:
    words = ["summarize", "fit", "train.jsonl", "--output", "full", *FIT]
    found = on_a_full_disk(*words, cwd=place)
    assert found.returncode == 1
    assert "disk full" in found.stderr
    assert not (place / "full" / "config.json").exists()
    assert not list((place / "full").rglob("*.partial"))


def test_help_is_quick_to_read(place: Path) -> None:
    found = run(["summarize", "--help"], place, {})
    for name in ("fit", "score", "run"):
        assert name in found.stdout
