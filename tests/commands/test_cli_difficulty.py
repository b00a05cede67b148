"""The commands around difficulty: on folders of one's own images, in a process of their own."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from shoal.data import load
from shoal.difficulty import difficulty_scores, find_label_errors, prediction_depth, probe_features
from shoal.nets import create_model, save_model
from shoal.studies.difficulty_asked import ImageScoring
from shoal.studies.difficulty_asked_config import ScoringConfig
from shoal.studies.difficulty_asked_galleries import galleries
from shoal.studies.difficulty_asked_measured import Measured, printable
from shoal.studies.difficulty_asked_page import page_of
from shoal.studies.difficulty_asked_rows import answer
from tests.commands.process import Told, in_turn, on_a_full_disk

CLASSES = ("null & <b>", "seven", "six \"6\" 'seis'", "vier Füße")  # as a folder sorts them
DIGIT: dict[str, int] = dict(zip(CLASSES, (0, 7, 6, 4), strict=True))
EACH, MOVED = 36, 2
MODULE = """
from shoal.nets import create_model
def seven():
    return create_model("cifar_resnet18", num_classes=7, in_channels=1, width=4, seed=0)
def colours():
    return create_model("cifar_resnet18", num_classes=4, in_channels=3, width=4, seed=0)
"""
SMALL = ["--size", "8", "--k", "10"]


def write_images(root: Path, each: int, *, moved: int = 0, first: int = 0) -> Path:
    """Digits as class folders of PNGs; the first few of each class lie in the next class's folder."""
    digits = load("digits", validation=0, test=0).train
    for at, (name, digit) in enumerate(DIGIT.items()):
        rows = (digits.labels == digit).nonzero().flatten()[first : first + each].tolist()
        for i, row in enumerate(rows):
            wrong = i < moved
            folder = root / (CLASSES[(at + 1) % len(CLASSES)] if wrong else name)
            folder.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(digits.images[row, 0].numpy())
            picture.save(folder / f"{'moved' if wrong else 'image'} {digit}-{i:02d}.png")
    return root


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds photos/, parts/ with train/ and test/, a model, and a module of models."""
    place = tmp_path_factory.mktemp("difficulty")
    write_images(place / "photos", EACH, moved=MOVED)
    write_images(place / "parts" / "train", 12)
    write_images(place / "parts" / "test", 4, first=12)
    (place / "mine.py").write_text(MODULE)
    model = create_model("cifar_resnet18", num_classes=4, in_channels=1, width=4, seed=0)
    save_model(model, place / "model")
    return place


USES: dict[str, list[str]] = {
    "score": ["score", "photos", *SMALL, "--epochs", "1", "--output", "out"],
    "again": ["score", "photos", *SMALL, "--epochs", "1", "--output", "again"],
    "labels": ["label-errors", "photos", *SMALL, "--epochs", "12", "--output", "out", "--json"],
    "given": ["label-errors", "parts", *SMALL, "--model", "model", "--layers", "layer3", "--layers", "layer1"],
    "one class": ["score", "single", *SMALL, "--epochs", "1", "--output", "alone"],
}
WRONG: dict[str, tuple[list[str], str]] = {
    "no such folder": (["score", "no/where"], "data no/where: expected a folder, or one of cifar10, "),
    "no such name": (["label-errors", "digit"], "unknown data set 'digit'; did you mean 'digits'"),
    "no such layer": (["score", "photos", *SMALL, "--layers", "layr3"], "unknown layer 'layr3'; did you mean 'layer3'"),
    "k": (
        ["score", "photos", "--size", "8", "--k", "144"],
        "--k: expected at most the 143 other training images, got 144; give --k 17, or more images",
    ),
    "no k": (["score", "photos", "--k", "0"], "k: expected a whole number >= 1, got 0"),
    "no such model": (["score", "photos", "--model", "nowhere"], "model: expected a folder that holds a saved network"),
    "outputs": (
        ["score", "photos", *SMALL, "--model", "mine:seven"],
        "--model mine:seven: expected 4 outputs, one for each class (null & <b>, seven, six \"6\" 'seis', vier Füße), "
        "got 7",
    ),
    "channels": (
        ["label-errors", "photos", *SMALL, "--model", "mine:colours"],
        "--model mine:colours: images: expected [batch, 3, height, width] with sides >= 8, got [2, 1, 8, 8]; --size",
    ),
    "size": (["score", "photos", "--size", "4"], "size: expected 0, or 8 to 1024 pixels, got 4"),
    "shown": (["score", "photos", "--shown", "0"], "shown: expected a whole number from 1 to 1000, got 0"),
    "time": (["score", "photos", "--minutes", "1", "--epochs", "1"], "training time: expected minutes or epochs"),
    "output": (
        ["score", "photos", *SMALL, "--output", "mine.py"],
        "--output: expected a folder, or a new name, got",
    ),
}


@pytest.fixture(scope="module")
def told(place: Path) -> dict[str, Told]:
    """Exit code, stdout and stderr of every use; in one process, since starting one takes seconds."""
    write_images(place / "single" / "train", 6)
    (place / "single" / "test" / "seven").mkdir(parents=True)
    Image.new("L", (8, 8)).save(place / "single" / "test" / "seven" / "a.png")
    uses = USES | {name: words for name, (words, _) in WRONG.items()}
    return dict(zip(uses, in_turn([["difficulty", *words] for words in uses.values()], place), strict=True))


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_score_writes_a_row_for_every_image(place: Path, told: dict[str, Told]) -> None:
    code, lines, errors = told["score"]
    assert code == 0, errors
    assert lines.splitlines()[:2] == ["out/scores.csv", "out/scores.html"]
    assert "train: 144 images, the network says the label for " in lines
    assert "training cifar_resnet18, 16 channels wide, on 144 images for at most 1 epoch;" in errors
    rows = read(place / "out" / "scores.csv")
    files = sorted(str(path.relative_to(place / "photos")) for path in (place / "photos").rglob("*.png"))
    assert [row["file"] for row in rows] == files
    assert [row["label"] for row in rows] == [file.partition("/")[0] for file in files]
    assert {row["predicted"] for row in rows} <= set(CLASSES)
    columns = "part file label predicted depth soft_depth margin entropy label_loss prototypicality el2n forgetting "
    assert list(rows[0]) == (columns + "confidence variability label_score suggested").split()
    assert all(value for row in rows for value in row.values())
    assert not list(place.rglob("*.partial"))


def test_a_test_part_of_one_class_is_scored(place: Path, told: dict[str, Told]) -> None:
    assert told["one class"][0] == 0, told["one class"][2]
    rows = read(place / "alone" / "scores.csv")
    assert [(row["file"], row["label"]) for row in rows if row["part"] == "test"] == [("test/seven/a.png", "seven")]


def test_moved_files_come_out_on_top(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["labels"]
    assert code == 0, errors
    rows = read(place / "out" / "label-errors.csv")
    top = rows[: MOVED * len(CLASSES)]
    assert all("/moved " in row["file"] for row in top)
    for row in top:
        digit = int(row["file"].partition("/moved ")[2][0])
        assert DIGIT[row["suggested"]] == digit
        assert row["suggested"] != row["label"]
    scores = [float(row["label_score"]) for row in rows]
    assert scores == sorted(scores)
    found = json.loads(text)
    assert (found["csv"], found["page"], found["k"]) == ("out/label-errors.csv", "out/label-errors.html", 10)
    assert [row["file"] for row in found["suspicious"]] == [row["file"] for row in rows[: len(found["suspicious"])]]
    assert found["wrong_labels"] == sum(row["label"] != row["suggested"] for row in rows)
    assert [part["images"] for part in found["parts"]] == [144]


def test_a_run_of_epochs_repeats(place: Path, told: dict[str, Told]) -> None:
    assert told["again"][0] == 0
    assert (place / "again" / "scores.csv").read_bytes() == (place / "out" / "scores.csv").read_bytes()


def test_a_model_and_a_test_part(place: Path, told: dict[str, Told]) -> None:
    """The columns are the core's: of training images without themselves, of test images against those."""
    code, lines, errors = told["given"]
    assert code == 0, errors
    assert "training cifar_resnet18" not in errors
    assert "Scores of a training are left out: the network was given." in errors
    assert "of 48 labels look wrong; the best probe (" in lines
    rows = {row["file"]: row for row in read(place / "runs" / "difficulty-parts" / "label-errors.csv")}
    splits = load(place / "parts", size=8, validation=0)
    model = create_model("cifar_resnet18", num_classes=4, in_channels=1, width=4, seed=0)
    options: dict[str, Any] = {"layers": ["layer1", "layer3"], "prepare": splits.normalise, "k": 10}
    for part, queries in (("train", None), ("test", splits.test.pair)):
        images = getattr(splits, part)
        depth = prediction_depth(model, splits.train.pair, queries, **options)
        assert depth.layers == ("input", "layer1", "layer3", "softmax")
        last = probe_features(model, images.pair, ["layer3"], prepare=splits.normalise).values["layer3"]
        scores = difficulty_scores(depth, features=last)
        own = [rows[file] for file in images.files]
        assert {row["part"] for row in own} == {part}
        for name in scores:
            found = torch.tensor([float(row[name]) for row in own], dtype=torch.float64)
            assert torch.allclose(found, scores[name].double(), rtol=1e-4, atol=1e-6), name
        assert [row["predicted"] for row in own] == [CLASSES[i] for i in depth.predicted.tolist()]
        if queries is None:
            issues = find_label_errors(depth)
            found = torch.tensor([float(row["label_score"]) for row in own])
            assert torch.allclose(found, issues.score.float(), atol=1e-5)
            assert [row["suggested"] for row in own] == [CLASSES[i] for i in issues.suggested.tolist()]
        else:
            assert {(row["label_score"], row["suggested"]) for row in own} == {("", "")}
    assert [row["part"] for row in rows.values()] == ["train"] * 48 + ["test"] * 16  # judged ones first
    assert "el2n" not in next(iter(rows.values()))  # nothing was trained


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_line(told: dict[str, Told], case: str) -> None:
    code, out, errors = told[case]
    assert (code, out) == (2, "")
    assert WRONG[case][1] in errors
    assert errors.strip().splitlines()[-1].startswith("shoal: ")
    assert "Traceback" not in errors


def test_wrong_use_writes_nothing(place: Path, told: dict[str, Told]) -> None:
    assert told
    assert {path.name for path in (place / "runs").iterdir()} == {"difficulty-parts"}
    assert {path.name for path in (place / "out").iterdir()} == {
        f"{name}.{kind}" for name in ("scores", "label-errors") for kind in ("csv", "html")
    }


def test_an_interrupted_training_leaves_nothing(place: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = ["difficulty", "score", str(place / "photos"), *SMALL, "--epochs", "5000", "--output", "new/out"]
    command = [sys.executable, "-m", "shoal", *words]
    heeding = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731 - a shell's background jobs ignore it
    options: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": heeding}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, **options)
    assert process.stderr
    said = ""
    while "training" not in said:
        said = process.stderr.readline()
        assert said, "the command ended before it trained"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(place: Path, tmp_path: Path) -> None:
    words = ["difficulty", "score", str(place / "photos"), *SMALL, "--model", str(place / "model"), "--output", "out"]
    found = on_a_full_disk(*words, cwd=tmp_path)
    assert found.returncode == 1, found.stderr
    assert found.stderr.splitlines()[-1].startswith("shoal: disk full while writing out/")
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.name == "scores.csv" and len(read(path)) == 144 for path in left)  # whole, or not there


@pytest.fixture(scope="module")
def measured(place: Path) -> Measured:
    """A network that was hardly trained: it has overthought images and some that are never settled."""
    return ImageScoring(str(place / "photos"), ScoringConfig(size=8, k=7, epochs=0.5)).run()


def test_galleries_are_heads_of_their_rankings(measured: Measured) -> None:
    part, shown = measured.parts[0], 9
    depth, issues = part.depth, measured.issues
    files, labels, predicted = part.images.files, depth.labels.tolist(), depth.predicted.tolist()
    found = {gallery.id: gallery for gallery in galleries(measured, shown=shown)}
    key: Callable[[int], tuple[int, float]] = lambda row: (int(depth.depth[row]), float(depth.soft_depth[row]))  # noqa: E731
    rows = sorted(range(len(part)), key=key)
    assert [example.file for example in found["easiest"].examples] == [files[row] for row in rows[:shown]]
    hardest = [key(files.index(example.file)) for example in found["hardest"].examples]
    assert hardest == [key(row) for row in reversed(rows)][:shown]
    doubted = [files[row] for row in issues.suspicious.tolist()]
    assert [example.file for example in found["mislabelled"].examples] == doubted[:shown]
    assert found["mislabelled"].found == len(doubted)
    overthought: dict[str, float] = {}
    for row in range(len(part)):
        said = [float(v[labels[row]]) for v in depth.votes[row, :-1] if int(v.argmax()) == labels[row]]
        if said and predicted[row] != labels[row]:
            overthought[files[row]] = max(said)
    assert overthought
    assert found["overthought"].found == len(overthought)
    shown_votes = [overthought[example.file] for example in found["overthought"].examples]
    assert shown_votes == sorted(overthought.values(), reverse=True)[:shown]


def test_neighbours_are_the_cores(measured: Measured) -> None:
    part = measured.parts[0]
    for gallery in galleries(measured, shown=5):
        of = part.depth
        for example in gallery.examples:
            row, probe = part.images.files.index(example.file), part.depth.layers.index(example.probe)
            nearest = of.neighbours[row, probe, :4].tolist()
            assert [label for _, label in example.neighbours] == [CLASSES[int(of.labels[i])] for i in nearest]
            votes = of.votes[row, probe]
            if gallery.id == "overthought":
                assert CLASSES[int(votes.argmax())] == example.label
                assert example.remark == f"{example.probe} says {example.label}"
            if gallery.id == "mislabelled":
                best = of.votes[row, :-1, CLASSES.index(example.suggested)].max()
                assert float(votes[CLASSES.index(example.suggested)]) == float(best)


def test_pictures_come_from_files_where_those_have_more_pixels(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "large" / name).mkdir(parents=True)
        for i in range(4):
            picture = torch.randint(256, (150, 200, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(i))
            Image.fromarray(picture.numpy()).save(tmp_path / "large" / name / f"{i}.png")
    save_model(create_model("cifar_resnet18", num_classes=2, width=4, seed=0), tmp_path / "model")
    config = ScoringConfig(k=2, model=str(tmp_path / "model"))
    large = ImageScoring(str(tmp_path / "large"), config).run()
    assert large.splits.shape == (3, 32, 32)
    example = galleries(large, shown=2)[0].examples[0]
    assert (example.image.width, example.image.height) == (96, 96)
    assert {(image.width, image.height) for image, _ in example.neighbours} == {(64, 64)}
    assert len(example.neighbours) == 2  # k is smaller than what is shown
    assert example.image.source.startswith("data:image/webp;base64,")


def test_a_named_data_set_has_rows_for_files(place: Path) -> None:
    asked = ImageScoring("digits", ScoringConfig(k=3, epochs=0.01, layers=("layer4",)))
    assert (asked.run_name, asked.folder, len(asked.splits.train)) == ("difficulty-digits", None, 1797)
    assert len(asked.splits.test) == 0
    assert asked.splits.shape == (1, 8, 8)  # as published
    found = asked.run()
    assert found.parts[0].file(7) == "7"
    assert re.fullmatch(r"train row \d+", galleries(found, shown=1)[1].examples[0].file)
    line = answer(found, Path("a.csv"), Path("a.html"), shown=1).label_lines()[5]
    assert re.fullmatch(r"0\.\d{3}  \d      \d          train row \d+", line)


def test_what_is_said_when_no_label_looks_wrong(measured: Measured) -> None:
    found = answer(measured, Path("a.csv"), Path("a.html"), shown=3)
    assert len(found.suspicious) == 3
    assert found.label_lines()[-1] == f"… and {found.wrong_labels - 3} more, in the CSV file"
    page = page_of(measured, ScoringConfig(k=7, epochs=0.5), labels=True, words=["shoal", "my photos"])
    assert page.galleries[0].id == "mislabelled"
    assert page.command == "shoal 'my photos' --k 7 --epochs 0.5 --seed 0"
    assert f"{found.wrong_labels} labels look wrong" in page.summary[0]


def test_names_that_are_not_printable() -> None:
    assert printable("a\u202fb\tc\udce4 ü") == "a\u202fb\\tc\\udce4 ü"
    printable("a\udce4").encode()  # UTF-8 takes it
