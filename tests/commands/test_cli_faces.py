"""The commands around faces: on folders of made-up people, in a process of their own."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from shoal.data.faces import load_faces, read_face, split_faces
from shoal.faces.embedding import embed
from shoal.faces.networks import create_network
from shoal.faces.saving import load_network, save_network
from shoal.studies.faces_asked import verify_pairs
from shoal.studies.faces_asked_config import FaceTrainingConfig
from shoal.studies.faces_asked_data import pack_digests, pairs_of_strangers, set_watched_apart, strangers_to, trained_on
from shoal.studies.faces_asked_embed import read_embedded
from tests.commands.process import Told, in_turn, on_a_full_disk
from tests.faces.people import face_set, write_people

SIDE = 24
MANY = [4] * 14 + [1] * 6
FIT = ["--image-size", str(SIDE), "--embedding-dim", "8", "--batch-size", "16", "--identities", "6"]
FIT += ["--per-identity", "4", "--precision", "fp32", "--seed", "1", "--epochs", "2"]

USES: dict[str, list[str]] = {
    "train": ["train", "photos", *FIT],
    "again": ["train", "photos", *FIT, "--json"],
    "verify": ["verify", "runs/faces-photos.safetensors", "photos"],
    "verify others": ["verify", "runs/faces-photos.safetensors", "others", "--far", "0.2", "--json"],
    "embed": ["embed", "runs/faces-photos.safetensors", "mixed", "--output", "out"],
    "embed people": ["embed", "runs/faces-photos.safetensors", "others", "--no-flip", "--json"],
    "embed boxes": ["embed", "runs/faces-photos.safetensors", "loose", "--boxes", "boxes.csv", "--output", "boxed"],
    "cluster": ["cluster", "runs/embeddings-others", "--json"],
    "cluster boxed": ["cluster", "boxed", "--threshold", "4", "--output", "new/groups.csv"],
    "cluster linked": ["cluster", "runs/embeddings-others", "--links", "links.csv", "--output", "new/linked.csv"],
}
MODEL = "runs/faces-photos.safetensors"
WRONG: dict[str, tuple[list[str], str]] = {
    "no such folder": (["train", "no/where"], "data no/where: expected a folder, or one of lfw, "),
    "no such name": (["train", "lwf"], "unknown set of faces 'lwf'; did you mean 'lfw'"),
    "no images": (["train", "empty"], "data empty: expected images, or people's folders of images"),
    "nobody known": (["train", "loose"], "expected at least 4 people with two images"),
    "time": (["train", "photos", "--minutes", "1", "--epochs", "1"], "training time: expected minutes or epochs"),
    "network": (["train", "photos", "--network", "nn9"], "nn9"),
    "size": (["train", "photos", "--image-size", "8"], "image_size of compact: expected sides >= 16, got 8 × 8"),
    "share": (["train", "photos", "--watch-people", "1"], "watch_people: expected a share in [0, 1)"),
    "held out": (["train", "photos", *FIT, "--held-out", "0"], "held_out: expected a share in (0, 1)"),
    "pretraining": (["train", "photos", "--pretraining", "2"], "pretraining: expected a share from 0 to 1, got 2"),
    "margin": (["train", "photos", "--margin", "0"], "margin: expected a number in (0, 4]"),
    "suffix": (["train", "photos", *FIT, "--output", "net.pt"], "--output: expected a file that ends in .safetensors"),
    "inside a file": (["train", "photos", *FIT, "--output", "boxes.csv/a.safetensors"], "boxes.csv, a file"),
    "another run": (["train", "photos", *FIT, "--margin", "0.3"], "run folder runs/faces-photos-training: expected"),
    "no model": (["verify", "nothing.safetensors", "photos"], "nothing.safetensors: expected the file of a saved"),
    "not a model": (["verify", "boxes.csv", "photos"], "boxes.csv"),
    "all known": (["verify", "known.safetensors", "others"], "expected people that the network was not trained on"),
    "far": (["verify", MODEL, "others", "--far", "2"], "far: expected"),
    "confidence": (
        ["verify", MODEL, "others", "--confidence", "95"],
        "confidence: expected a number in [0.5, 1), got 95",
    ),
    "draw": (["verify", MODEL, "others", "--draw", "0"], "draw: expected a whole number >= 1"),
    "pairs": (["verify", MODEL, "others", "--pairs", "pairs.txt"], "pairs.txt, line 2: expected images that are there"),
    "broken only": (["embed", MODEL, "broken"], "data broken: expected at least one photo that can be read"),
    "no photos": (["embed", MODEL, "empty"], "data empty: expected images, or people's folders of images"),
    "no box file": (["embed", MODEL, "loose", "--boxes", "none.csv"], "none.csv: expected a CSV file of boxes"),
    "missing photo": (["embed", MODEL, "loose", "--boxes", "stray.csv"], "boxes: expected photos that are in loose"),
    "crop": (["embed", MODEL, "loose", "--crop", "0"], "crop"),
    "output": (["embed", MODEL, "loose", "--output", "boxes.csv"], "--output: expected a folder, or a new name"),
    "no embeddings": (["cluster", "photos"], "photos: expected a folder of embeddings, got no faces.csv"),
    "threshold": (["cluster", "out", "--threshold", "-1"], "threshold: expected a squared distance >= 0"),
    "link": (["cluster", "out", "--links", "stray-links.csv"], "stray-links.csv, line 2: expected rows of faces.csv"),
    "no links": (["cluster", "out", "--links", "none.csv"], "none.csv: expected a CSV file of links, got no such"),
    "damaged": (["cluster", "damaged"], "damaged: expected embeddings and their table"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("faces")
    write_people(place / "photos", MANY, side=SIDE)
    write_people(place / "others", [4] * 10, side=SIDE, seed=7)
    write_people(place / "mixed", [2] * 3, side=SIDE, seed=8)
    (place / "mixed" / "person 001" / "broken.jpg").write_bytes(b"no image")
    Image.new("LA", (50, 30), (200, 128)).save(place / "mixed" / "person 001" / "grey.png")
    (place / "mixed" / "nobody").mkdir()
    for name in ("loose", "broken", "empty", "damaged"):
        (place / name).mkdir()
    for name in ("a.png", "b.jpg", "c.png"):
        Image.effect_noise((60, 40), 80).convert("RGB").save(place / "loose" / name)
    (place / "broken" / "a.jpg").write_bytes(b"\xff\xd8 cut off")
    (place / "boxes.csv").write_text("file,left,top,right,bottom\na.png,0,0,30,40\na.png,30,0,60,40\nb.jpg,5,5,35,35\n")
    (place / "stray.csv").write_text("file,left,top,right,bottom\nz.png,0,0,30,40\n")
    (place / "links.csv").write_text("link,first,second\nmust,0,39\ncannot,0,1\n")
    (place / "stray-links.csv").write_text("link,first,second\nmust,0,1000\n")
    (place / "pairs.txt").write_text("1\nAnn 1 2\nAnn 1 Bob 1\n")
    return place


def use(place: Path, uses: dict[str, list[str]]) -> dict[str, Told]:
    return dict(zip(uses, in_turn([["faces", *words] for words in uses.values()], place), strict=True))


@pytest.fixture(scope="module")
def told(place: Path) -> dict[str, Told]:
    """Exit code, stdout and stderr of every use; in one process, since starting one takes seconds."""
    found = use(place, USES)
    network, about = load_network(place / MODEL)
    others = load_faces(place / "others", image_size=SIDE)
    save_network(network, place / "known.safetensors", about | {"trained_on": pack_digests(others)})
    for name in ("faces.csv", "embeddings.safetensors"):
        (place / "damaged" / name).write_bytes((place / "out" / name).read_bytes()[:-40])
    wrong = use(place, {name: words for name, (words, _) in WRONG.items()})
    return found | {f"wrong: {name}": said for name, said in wrong.items()}


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_training_reports_on_people_who_were_held_out(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["train"]
    assert code == 0, errors
    assert text.splitlines()[0] == MODEL
    assert "6 of 20 people drawn to report on" in text
    assert "data: " in errors
    network, about = load_network(place / MODEL)
    splits = split_faces(load_faces(place / "photos", image_size=SIDE), test=0.3, seed=1)
    found = verify_pairs(network, splits.test, splits.test_pairs, device="cpu")
    answer = json.loads(told["again"][1])
    assert answer["verification"]["accuracy"] == pytest.approx(found.accuracy)
    assert about["verification"]["accuracy"] == pytest.approx(found.accuracy)
    assert f"{100 * found.accuracy:.2f}" in text
    assert bool(trained_on(splits.train, about).all())
    assert not bool(trained_on(splits.test, about).any())
    assert "person 0" not in json.dumps(about)  # nobody's name goes into the file
    assert answer["images"] == len(splits.train)
    assert not list(place.rglob("*.partial"))


def test_the_same_command_again_trains_nothing_more(place: Path, told: dict[str, Told]) -> None:
    assert told["again"][0] == 0
    answer = json.loads(told["again"][1])
    assert f"{answer['steps']} steps, {answer['epochs']:.1f} epochs" in told["train"][1]
    assert f"AUC {answer['verification']['auc']:.4f}" in told["train"][1]
    metrics = (place / "runs" / "faces-photos-training" / "metrics.jsonl").read_text().splitlines()
    _, about = load_network(place / MODEL)
    assert len(metrics) == len(about["history"])


def test_verification_leaves_known_people_out(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["verify"]
    assert code == 0, errors
    assert "note: 14 people that the network was trained on are left out" in text
    assert "VAL" in text
    assert "no threshold: impostor_distances: expected at least 2,995 pairs" in text


def test_a_threshold_for_a_rate(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["verify others"]
    assert code == 0, errors
    found = json.loads(text)
    at = found["threshold"]
    assert at["low"] <= at["value"] <= at["high"]
    assert at["far"] == 0.2
    assert at["measured"][0] <= 0.2
    assert found["refused"] == ""
    assert any(row["far"] == 0.2 for row in found["verification"]["val"])


def test_every_face_is_embedded_and_broken_photos_are_named(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["embed"]
    assert code == 0, errors
    assert text.splitlines()[:2] == ["out/embeddings.safetensors", "out/faces.csv"]
    assert "7 faces of 3 people on 7 photos, 8 numbers each; 2 left out" in text
    assert "left out: person 001/broken.jpg: " in errors
    assert "left out: nobody/: no images in it" in errors
    table = rows(place / "out" / "faces.csv")
    assert [row["row"] for row in table] == [str(i) for i in range(7)]
    assert {row["person"] for row in table} == {"person 000", "person 001", "person 002"}
    network, _ = load_network(place / MODEL)
    images = torch.stack([read_face(place / "mixed" / row["file"], SIDE) for row in table])
    wanted = embed(network, images, flip=True, device="cpu")
    found = load_file(place / "out" / "embeddings.safetensors")["embeddings"]
    assert torch.allclose(found, wanted, atol=1e-5)


def test_faces_in_boxes(place: Path, told: dict[str, Told]) -> None:
    code, _, errors = told["embed boxes"]
    assert code == 0, errors
    assert "left out: c.png: no box" in errors
    embedded = read_embedded(place / "boxed")
    assert [(face.file, face.box) for face in embedded.faces] == [
        ("a.png", (0, 0, 30, 40)),
        ("a.png", (30, 0, 60, 40)),
        ("b.jpg", (5, 5, 35, 35)),
    ]
    network, _ = load_network(place / MODEL)
    image = read_face(place / "loose" / "a.png", SIDE, box=(30, 0, 60, 40))
    assert torch.allclose(embedded.embeddings[1], embed(network, image[None], flip=True, device="cpu")[0], atol=1e-5)
    assert len(embedded.about["model_sha256"]) == 64


def test_groups_keep_links(place: Path, told: dict[str, Told]) -> None:
    code, _, errors = told["cluster linked"]
    assert code == 0, errors
    with (place / "new" / "linked.csv").open() as file:
        groups = {int(row["row"]): row["group"] for row in csv.DictReader(file)}
    assert len(groups) == 40
    assert groups[0] == groups[39] != groups[1]


def test_groups(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["cluster"]
    assert code == 0, errors
    found = json.loads(text)
    assert found["faces"] == 40
    assert 0 < found["scores"]["bcubed_f"] <= 1
    table = rows(place / "runs" / "embeddings-others" / "groups.csv")
    assert len({row["group"] for row in table}) == found["clusters"]
    code, _, errors = told["cluster boxed"]
    assert code == 0, errors
    first, second, _ = (row["group"] for row in rows(place / "new" / "groups.csv"))
    assert first != second  # on one photo, however near


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_line(told: dict[str, Told], case: str) -> None:
    code, out, errors = told[f"wrong: {case}"]
    assert (code, out) == (1 if case in ("damaged", "not a model") else 2, "")
    assert WRONG[case][1] in errors
    assert errors.strip().splitlines()[-1].startswith("shoal: ")
    assert "Traceback" not in errors


def test_wrong_use_writes_nothing(place: Path, told: dict[str, Told]) -> None:
    assert told
    runs = {path.name for path in (place / "runs").iterdir()}
    assert runs == {"faces-photos.safetensors", "faces-photos-training", "embeddings-others"}
    assert {path.name for path in (place / "loose").iterdir()} == {"a.png", "b.jpg", "c.png"}


def test_a_full_disk_leaves_no_half_network(place: Path) -> None:
    words = ["train", "photos", *FIT[:-1], "0.1", "--pretraining", "1", "--output", "full.safetensors"]
    found = on_a_full_disk("faces", *words, cwd=place)
    assert found.returncode == 1
    assert "disk full" in found.stderr
    assert not (place / "full.safetensors").exists()
    assert not list(place.rglob("*.partial"))


@pytest.mark.slow
def test_an_interrupted_command_goes_on(place: Path) -> None:
    words = [sys.executable, "-m", "shoal", "faces", "train", "photos", *FIT[:-1], "60", "--output", "cut.safetensors"]
    options: dict[str, Any] = {"cwd": place, "text": True, "stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SHOAL_")} | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, env=environment, **options)
    metrics = place / "cut-training" / "metrics.jsonl"
    while process.poll() is None and (not metrics.exists() or not metrics.read_text()):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "run the same command to go on" in errors
    assert not (place / "cut.safetensors").exists()
    again = subprocess.run(words, env=environment, check=False, **options)
    assert again.returncode == 0, again.stderr
    assert "going on from step" in again.stderr
    whole = subprocess.run([*words[:-1], "whole.safetensors"], env=environment, check=False, **options)
    assert whole.returncode == 0, whole.stderr
    one, other = (load_network(place / f"{name}.safetensors")[0].state_dict() for name in ("cut", "whole"))
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_people_who_watch_are_nobody_who_is_learned_from() -> None:
    faces = face_set([3] * 60 + [1] * 30)
    left, watched = set_watched_apart(faces, 0.2, 0)
    assert watched is not None
    others, pairs = watched
    assert len(others.people) == 12
    assert set(others.people).isdisjoint(left.people)
    assert sorted([*others.names, *left.names]) == sorted(faces.names)
    pairs.check(len(others))
    assert set_watched_apart(faces, 0.1, 0) == (faces, None)  # six people tell nothing


def test_strangers_share_few_images() -> None:
    labels = torch.arange(60) // 3
    pairs = pairs_of_strangers(labels, 0)
    assert bool((labels[pairs[:, 0]] != labels[pairs[:, 1]]).all())
    assert int(torch.bincount(pairs.flatten()).max()) <= 2
    assert len(pairs) > 50


def test_who_was_trained_on_is_known_by_content() -> None:
    faces = face_set([3] * 6)
    about = {"trained_on": pack_digests(faces.take(torch.tensor([0, 4])))}
    assert trained_on(faces, about).nonzero().flatten().tolist() == [0, 4]
    assert strangers_to(faces, about).people == faces.people[2:]
    assert not bool(trained_on(faces, {}).any())


def test_settings() -> None:
    assert FaceTrainingConfig(epochs=3).given() == {"minutes": 0.0, "epochs": 3, "seed": 0}
    assert FaceTrainingConfig(network="nn4", seed=2).given() == {"network": "nn4", "seed": 2}
    assert create_network("compact").image_size == (48, 48)
