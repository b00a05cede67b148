"""The commands around exits: on a folder of made-up images, in a process of their own."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from shoal.data import load
from shoal.errors import InputError
from shoal.exits import Confidence, Margin, Patience, exit_outputs
from shoal.exits.calibration import fewest_rows
from shoal.exits.content import digests
from shoal.exits.saving import inputs_of, load_exits, load_network, save_exits
from shoal.nets import create_model, load_model, save_model
from shoal.studies.exits_asked_config import FittingConfig, exit_places, resolve
from shoal.studies.exits_asked_images import find_images
from tests.commands.process import Told, in_turn

CLASSES = ("across & <b>", "down", "grau ü")  # as a folder sorts them
EACH, SIDE = 120, 8
FIT = ["--size", str(SIDE), "--epochs", "3", "--seed", "3"]
SMALL = [*FIT, "--at", "layer1,layer3"]
DROP = ["--max-accuracy-drop", "0.1"]
MODULE = """
from shoal.nets import create_model
def mine():
    return create_model("cifar_resnet18", num_classes=3, in_channels=1, width=4, seed=0)
def seven():
    return create_model("cifar_resnet18", num_classes=7, in_channels=1, width=4, seed=0)
def colours():
    return create_model("cifar_resnet18", num_classes=3, in_channels=3, width=4, seed=0)
"""


def stripes(label: int, generator: torch.Generator) -> Tensor:
    """Stripes across, stripes down or neither, under noise: some are clear and some are not."""
    wave = 60.0 * (torch.arange(SIDE) % 2) * torch.rand((), generator=generator)
    flat = torch.full((SIDE, SIDE), 128.0) + 25 * torch.randn(SIDE, SIDE, generator=generator)
    return (flat + (wave[:, None], wave[None, :], torch.zeros(1, 1))[label]).clamp(0, 255).byte()


def write_images(root: Path, each: int, seed: int, *, classes: tuple[str, ...] = CLASSES, colour: bool = False) -> Path:
    generator = torch.Generator().manual_seed(seed)
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            picture = Image.fromarray(stripes(classes.index(name) % 3, generator).numpy())
            if colour:
                picture = Image.merge("RGB", (picture, picture, picture.point(lambda value: 255 - value)))
            picture.save(root / name / f"{seed}-{i:03d}.png")
    return root


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of images, a model and a module of models."""
    place = tmp_path_factory.mktemp("exits")
    write_images(place / "photos", EACH, 1)
    write_images(place / "others", 40, 2)
    write_images(place / "few", 4, 3)
    write_images(place / "two", 4, 4, classes=CLASSES[:2])
    write_images(place / "four", 4, 5, classes=(*CLASSES, "xyz"))
    write_images(place / "coloured", 4, 6, colour=True)
    write_images(place / "parts" / "train", 30, 7)
    write_images(place / "parts" / "test", 20, 8)
    (place / "mine.py").write_text(MODULE)
    save_model(create_model("cifar_resnet18", num_classes=3, in_channels=1, width=4, seed=0), place / "model")
    save_model(create_model("cifar_resnet18", num_classes=7, in_channels=1, width=4, seed=0), place / "seven")
    return place


USES: dict[str, list[str]] = {
    "fit": ["fit", "photos", *SMALL, "--held-out", "0.4"],
    "again": ["fit", "photos", *SMALL, "--held-out", "0.4", "--output", "again", "--json"],
    "thresholds": ["export", "again", "new/made.pt2", "--thresholds", "0.5,never", "--policy", "margin", "--json"],
    "calibrate": ["calibrate", "runs/exits-photos", "photos", *DROP],
    "calibrate others": ["calibrate", "again", "others", *DROP, "--policy", "patience", "--json"],
    "sweep": ["sweep", "runs/exits-photos", "photos"],
    "sweep others": [
        "sweep",
        "again",
        "others",
        "--choose-on",
        "photos",
        "--policy",
        "entropy",
        "--output",
        "swept",
        "--json",
    ],
    "export": ["export", "runs/exits-photos", "photos.pt2"],
    "frozen": ["fit", "photos", *SMALL, "--model", "model", "--output", "frozen", "--json"],
    "imported": ["fit", "parts", *FIT, "--at", "2", "--model", "mine:mine", "--mode", "self-distillation"],
    "sweep parts": ["sweep", "runs/exits-parts", "parts", "--json"],
}
AGAIN = ["calibrate", "again"]
WRONG: dict[str, tuple[list[str], str]] = {
    "no such folder": (["fit", "no/where"], "data no/where: expected a folder, or one of cifar10, "),
    "no such name": (["fit", "digit"], "unknown data set 'digit'; did you mean 'digits'"),
    "no such layer": (["fit", "photos", *FIT, "--at", "layr3"], "unknown layer 'layr3'; did you mean 'layer3'"),
    "no layers": (["fit", "photos", *FIT, "--at", "0"], 'at: expected "auto", how many exits, or layer names, got 0'),
    "bypassed": (["fit", "photos", *FIT, "--at", "layer1.0.conv1"], "exit at layer1.0.conv1: expected a layer that "),
    "both at": (
        ["fit", "photos", *FIT, "--at", "auto,layer3"],
        "--at: expected auto, how many exits, or names of layers",
    ),
    "mode": (["fit", "photos", "--mode", "frosen"], "mode"),
    "nothing to freeze": (["fit", "photos", "--mode", "frozen"], "--mode frozen: expected a network that has learned"),
    "no such model": (["fit", "photos", "--model", "nowhere"], "model: expected a folder that holds a saved network"),
    "outputs": (
        ["fit", "photos", *FIT, "--model", "seven"],
        "--model seven: expected 3 outputs, one for each class (across & <b>, down, grau ü), got 7",
    ),
    "channels": (
        ["fit", "photos", *FIT, "--model", "mine:colours"],
        "--model mine:colours: expected a network for these images, got one that refuses [2, 1, 8, 8]: images: ",
    ),
    "layer of a model": (["fit", "photos", *FIT, "--model", "model", "--at", "x"], "--model model: unknown layer 'x'"),
    "size": (["fit", "photos", "--size", "4"], "size: expected 0, or 8 to 1024 pixels, got 4"),
    "held out": (
        ["fit", "photos", "--held-out", "20"],
        "held_out: expected a share from 0 to 0.9, 0.2 for a fifth, got",
    ),
    "seed": (["fit", "photos", "--seed", "-1"], "seed: expected a whole number >= 0, got -1"),
    "time": (["fit", "photos", "--minutes", "1", "--epochs", "1"], "training time: expected minutes or epochs"),
    "output": (["fit", "photos", *SMALL, "--output", "mine.py"], "--output: expected a folder, or a new name, got"),
    "no network": (
        [*AGAIN[:1], "photos", "photos"],
        "photos: expected a folder of a network with exits, got no exits.json",
    ),
    "no DIR": (
        [*AGAIN[:1], "nowhere", "photos"],
        "nowhere: expected a folder of a network with exits, got no such folder",
    ),
    "a model alone": (
        ["sweep", "model", "photos"],
        "model: expected a folder of a network with exits, got no exits.json",
    ),
    "no images": ([*AGAIN, "nowhere/at/all"], "data nowhere/at/all: expected a folder, or one of cifar10, "),
    "too few": (
        [*AGAIN, "few"],
        f"few: expected at least {fewest_rows(0.01, 0.95)} images for 1 point at 95 %, got 12; give more, or ask for "
        "--max-accuracy-drop 0.",
    ),
    "other classes": (
        [*AGAIN, "four"],
        "four: expected the classes of the network (across & <b>, down, grau ü), got 4 classes, among them xyz",
    ),
    "colours": ([*AGAIN, "coloured"], "coloured: expected images 8×8×1, as the network takes, got 8×8×3"),
    "seen": ([*AGAIN, "seen", *DROP], "data: expected examples that the network has not seen, got "),
    "drop": ([*AGAIN, "photos", "--max-accuracy-drop", "1"], "max_accuracy_drop: expected a share in (0, 1), got 1.0"),
    "no drop": ([*AGAIN, "photos", "--max-accuracy-drop", "0"], "no number of examples proves that nothing is lost"),
    "confidence": (
        [*AGAIN, "photos", "--confidence", "95"],
        "confidence: expected a number in (0, 1), got 95.0; give 95 %",
    ),
    "policy": ([*AGAIN, "photos", "--policy", "certainty"], "certainty"),
    "the same": (
        ["sweep", "again", "others", "--choose-on", "others"],
        "--choose-on: expected other images than are measured on, got the same",
    ),
    "sweep output": (["sweep", "again", "others", "--output", "mine.py"], "--output: expected a folder, or a new name"),
    "no policy": (["export", "again", "no.pt2"], "again: expected a policy, got none; run shoal exits calibrate first"),
    "ending": (["export", "again", "no.pt"], "file: expected a name that ends in .pt2 or .onnx, got no.pt"),
    "no file": (["export", "again", "mine.py/no.pt2"], "file: expected a file, or a new name, got "),
    "number": (
        ["export", "again", "no.pt2", "--thresholds", "0.5"],
        "--thresholds: expected 2, one per exit (layer1, layer3), got 1",
    ),
    "range": (
        ["export", "again", "no.pt2", "--thresholds", "0.5,90"],
        "thresholds of Confidence: expected numbers from 0 to 1, or inf to let no row leave, got [0.5, 90.0]",
    ),
    "no numbers": (["export", "again", "no.pt2", "--thresholds", "a,b"], "--thresholds: expected numbers or"),
    "policy alone": (["export", "again", "no.pt2", "--policy", "margin"], "--policy: expected --thresholds beside it"),
    "damaged": (["export", "broken", "no.pt2", "--thresholds", "1,1"], "expected complete weights, got a truncated"),
}


@pytest.fixture(scope="module")
def told(place: Path) -> dict[str, Told]:
    """Exit code, stdout and stderr of every use; in one process, since starting one takes seconds."""
    found = use(place, USES)
    net = load_network(place / "again")
    everything = load(place / "photos", size=SIDE, validation=0, test=0).train
    rows = torch.isin(digests(everything.images), net.trained_on).nonzero().flatten()[::5].tolist()
    for row in rows:  # a fifth of what it was trained on, under other names
        name = CLASSES[int(everything.labels[row])]
        (place / "seen" / name).mkdir(parents=True, exist_ok=True)
        (place / "seen" / name / f"{row}.png").write_bytes((place / "photos" / everything.files[row]).read_bytes())
    write_images(place / "seen", 20, 2)
    save_exits(net, place / "broken")
    (place / "broken" / "exits.safetensors").write_bytes(b"no weights")
    (place / "again" / "policy.json").rename(place / "patience.json")
    return found | {f"wrong: {name}": said for name, said in use(place, {n: w for n, (w, _) in WRONG.items()}).items()}


def use(place: Path, uses: dict[str, list[str]]) -> dict[str, Told]:
    return dict(zip(uses, in_turn([["exits", *words] for words in uses.values()], place), strict=True))


def held_out(place: Path) -> Any:
    """What `fit` must have held out, by its seed."""
    return load(place / "photos", size=SIDE, validation=0.4, test=0, seed=3).validation


def test_fit_measures_every_exit_on_what_was_held_out(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["fit"]
    assert code == 0, errors
    lines = text.splitlines()
    assert lines[0] == "runs/exits-photos"
    assert lines[2] == "144 images held out; 216 trained on for 3 epochs"
    assert [line.split()[0] for line in lines[3:]] == ["exit", "layer1", "layer3", "end"]
    assert "photos: 216 images 8×8×1 in 3 classes to train on, 144 held out (images in photos)" in errors
    found = json.loads(told["again"][1])
    net = load_network(place / "again")
    inputs = inputs_of(net)
    assert inputs is not None
    assert (inputs.shape, inputs.classes) == ((1, SIDE, SIDE), CLASSES)
    outputs = exit_outputs(net, held_out(place).pair, prepare=inputs.normalise)
    assert [row["macs"] for row in found["exits"]] == outputs.costs.tolist()
    assert [row["accuracy"] for row in found["exits"]] == outputs.right.double().mean(1).tolist()
    assert found["exits"][-1]["accuracy"] > 0.5  # rounding alone makes it 0.59 or 0.76: see the lab log
    assert found["whole_macs"] < found["exits"][-1]["macs"]  # heads cost, too
    assert not list(place.rglob("*.partial"))


def test_a_run_of_epochs_repeats(place: Path, told: dict[str, Told]) -> None:
    assert told["again"][0] == 0
    for name in ("exits.json", "exits.safetensors"):
        assert (place / "again" / name).read_bytes() == (place / "runs" / "exits-photos" / name).read_bytes()


def test_the_same_folder_gives_what_was_held_out(place: Path, told: dict[str, Told]) -> None:
    assert told["fit"][0] == 0
    net = load_network(place / "again")
    found = find_images(net, str(place / "photos"))
    assert torch.equal(found.new.images, held_out(place).images)
    assert found.new.files == held_out(place).files
    assert len(net.trained_on) == 216
    assert not torch.isin(digests(found.new.images), net.trained_on).any()
    other = find_images(net, str(place / "others"))
    assert len(other.new) == 120
    few = find_images(net, str(place / "two")).new  # fewer classes than the network's
    assert (few.classes, few.counts) == (CLASSES, (4, 4, 0))


def test_calibrate_writes_a_policy_that_holds(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["calibrate"]
    assert code == 0, errors
    assert "calibrating on 144 images of photos that were held out of the training" in errors
    net, policy = load_exits(place / "runs" / "exits-photos")
    assert isinstance(policy, Confidence)
    assert policy.certificate is not None
    lines = text.splitlines()
    assert lines[:2] == ["runs/exits-photos/policy.json", str(policy.certificate)]
    assert "at most 10 points lost with 95 % confidence" in lines[1]
    inputs = inputs_of(net)
    assert inputs is not None
    found = net.predict(inputs.normalise(held_out(place).images), policy)
    share = [f"{100 * float((found.exit_index == at).double().mean()):.1f} %" for at in range(3)]
    assert [" ".join(line.split()[-2:]) for line in lines[-3:]] == share
    assert policy.certificate.rows + policy.certificate.chosen_on == 144


def test_calibrate_on_other_images(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["calibrate others"]
    assert code == 0, errors
    found = json.loads(text)
    assert (found["policy"], found["images"], found["data"]) == ("patience", 120, "120 images of others")
    assert json.loads((place / "patience.json").read_text())["certificate"] == found["certificate"]
    assert sum(row["leaving"] for row in found["exits"]) == pytest.approx(1)
    assert found["mean_macs"] <= json.loads(told["again"][1])["exits"][-1]["macs"]


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_sweep_measures_the_half_that_it_did_not_choose_on(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["sweep"]
    assert code == 0, errors
    folder = place / "runs" / "exits-photos"
    assert text.splitlines()[:2] == ["runs/exits-photos/frontier.csv", "runs/exits-photos/frontier.html"]
    assert "accuracy on 72 images; thresholds of confidence chosen on 72 others" in text
    rows = read(folder / "frontier.csv")
    assert list(rows[0])[4:] == ["threshold layer1", "threshold layer3"]
    assert list(rows[-1].values())[4:] == ["never", "never"]
    net = load_network(folder)
    inputs = inputs_of(net)
    assert inputs is not None
    order = torch.randperm(144, generator=torch.Generator().manual_seed(0))[72:]
    images, labels = held_out(place).take(order).pair
    for row in (rows[0], rows[-1]):
        thresholds = [float(v.replace("never", "inf")) for k, v in row.items() if k.startswith("threshold")]
        found = net.predict(inputs.normalise(images), Confidence(thresholds))
        assert float((found.labels == labels).double().mean()) == pytest.approx(float(row["accuracy"]), rel=1e-5)
        assert float(found.macs.double().mean()) == pytest.approx(float(row["mean_macs"]), rel=1e-5)
        assert float(row["milliseconds"]) > 0
    page = (folder / "frontier.html").read_text()
    assert "<svg" in page
    assert "shoal exits sweep runs/exits-photos photos --policy confidence --seed 0" in page
    assert re.search(r"<script [a-z]|https?://(?!www\.w3\.org)", page) is None  # one of its own sorts tables


def test_sweep_chooses_elsewhere_where_it_is_told(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["sweep others"]
    assert code == 0, errors
    found = json.loads(text)
    assert (found["policy"], found["images"], found["chosen_on"]) == ("entropy", 120, 144)
    assert sorted(path.name for path in (place / "swept").iterdir()) == ["frontier.csv", "frontier.html"]
    assert found["rows"][-1]["thresholds"] == [None, None]


def test_sweep_of_a_folder_with_a_test_part(told: dict[str, Told]) -> None:
    """What was held out of train/ chooses, test/ is measured."""
    code, text, errors = told["sweep parts"]
    assert code == 0, errors
    found = json.loads(text)
    assert found["data"].startswith("60 test images of parts; chosen on 18 images of parts that were held out")
    assert (found["images"], found["chosen_on"]) == (60, 18)


def test_frozen_exits_leave_the_network_as_it_is(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["frozen"]
    assert code == 0, errors
    assert "If the given network has seen the held-out images, calibrate on others." in errors
    assert (json.loads(text)["mode"], json.loads(text)["network"]) == ("frozen", "model")
    net = load_network(place / "frozen")
    given = load_model(place / "model")
    for name, value in given.state_dict().items():
        assert torch.equal(value, net.backbone.state_dict()[name]), name


def test_exits_on_an_imported_network(place: Path, told: dict[str, Told], monkeypatch: pytest.MonkeyPatch) -> None:
    code, text, errors = told["imported"]
    assert code == 0, errors
    assert text.splitlines()[0] == "runs/exits-parts"
    assert json.loads((place / "runs" / "exits-parts" / "exits.json").read_text())["backbone"] == "mine:mine"
    with pytest.raises(InputError, match=r"exits\.json: model: expected a module that can be imported, got 'mine'"):
        load_network(place / "runs" / "exits-parts")
    monkeypatch.chdir(place)
    assert len(load_network(place / "runs" / "exits-parts").at) == 2


def test_export_writes_what_the_network_answers(place: Path, told: dict[str, Told]) -> None:
    code, text, errors = told["export"]
    assert code == 0, errors
    net, policy = load_exits(place / "runs" / "exits-photos")
    assert policy is not None
    inputs = inputs_of(net)
    assert inputs is not None
    lines = text.splitlines()
    assert lines[0] == "photos.pt2"
    assert lines[1].endswith(str(policy.certificate))
    assert lines[-1] == "classes: " + ", ".join(CLASSES)
    x = inputs.normalise(held_out(place).images[:13])
    logits, exit_index = torch.export.load(place / "photos.pt2").module()(x)
    wanted = net.predict(x, policy)
    assert torch.allclose(logits, wanted.logits, atol=1e-5)
    assert torch.equal(exit_index, wanted.exit_index)
    made = json.loads(told["thresholds"][1])
    assert (made["policy"], made["thresholds"], made["promise"]) == ("margin", [0.5, None], "")
    _, exit_index = torch.export.load(place / "new" / "made.pt2").module()(x)
    assert torch.equal(exit_index, net.predict(x, Margin([0.5, float("inf")])).exit_index)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_line(told: dict[str, Told], case: str) -> None:
    code, out, errors = told[f"wrong: {case}"]
    assert (code, out) == (1 if case == "damaged" else 2, "")
    assert WRONG[case][1] in errors
    assert errors.strip().splitlines()[-1].startswith("shoal: ")
    assert "Traceback" not in errors


def test_wrong_use_writes_nothing(place: Path, told: dict[str, Told]) -> None:
    assert told
    assert {path.name for path in (place / "runs").iterdir()} == {"exits-photos", "exits-parts"}
    assert {path.name for path in (place / "again").iterdir()} == {"exits.json", "exits.safetensors"}
    assert not list(place.glob("no.*"))


def test_an_interrupted_training_leaves_nothing(place: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = ["exits", "fit", str(place / "photos"), "--size", "8", "--epochs", "5000", "--output", "new/out"]
    command = [sys.executable, "-m", "shoal", *words]
    heeding = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731 - a shell's background jobs ignore it
    options: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": heeding}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, **options)
    assert process.stderr
    said = ""
    while "training" not in said:
        said = process.stderr.readline()
        assert said, "the command ended before it trained"
    errors = interrupt(process)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def interrupt(process: subprocess.Popen[str]) -> str:
    """Interrupt as often as it takes: Python drops what is raised in a callback while a module is being imported."""
    try:
        for _ in range(4):
            process.send_signal(signal.SIGINT)
            try:
                return process.communicate(timeout=30)[1]
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError("the command goes on")
    finally:
        process.kill()


def test_help_is_light(tmp_path: Path) -> None:
    code = "import sys, shoal.cli\ntry: shoal.cli.main(['exits', '--help'])\nfinally: print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0
    assert found.stdout.strip().endswith("False")
    assert "calibrate" in found.stdout


def test_images_that_occur_twice_are_not_held_out(tmp_path: Path) -> None:
    """An image in both parts would be left out as known; it is counted beforehand."""
    from shoal.studies.exits_asked import ExitsFitting

    write_images(tmp_path / "photos", 10, 1)
    for path in sorted((tmp_path / "photos").rglob("*-00?.png"))[::2]:
        path.with_name(f"copy of {path.name}").write_bytes(path.read_bytes())
    asked = ExitsFitting(str(tmp_path / "photos"), FittingConfig(size=SIDE, epochs=1, at=("layer3",), seed=1))
    twice = len(asked.splits.validation) - len(asked.held_out)
    assert twice > 0
    assert f"{len(asked.held_out)} held out ({twice} more occur in both, and are left out)" in asked.says
    assert not torch.isin(digests(asked.held_out.images), digests(asked.splits.train.images)).any()


def test_grey_images_for_a_network_of_colours(tmp_path: Path) -> None:
    from shoal.exits import EarlyExit
    from shoal.exits.saving import ImageInputs

    write_images(tmp_path / "grey", 2, 1)
    backbone = create_model("cifar_resnet18", num_classes=3, width=4, seed=0)
    inputs = ImageInputs(shape=(3, SIDE, SIDE), classes=CLASSES[::-1], mean=(0.5,) * 3, std=(1.0,) * 3)
    net = EarlyExit(backbone, ["layer1"], 3, example=torch.zeros(2, 3, SIDE, SIDE))
    with pytest.raises(InputError, match="network: expected one that was saved with the images it takes"):
        find_images(net, str(tmp_path / "grey"))
    found = find_images(load_network(save_exits(net, tmp_path / "saved", inputs=inputs)), str(tmp_path / "grey"))
    assert found.new.shape == (3, SIDE, SIDE)
    assert torch.equal(found.new.images[:, 0], found.new.images[:, 2])
    assert found.new.labels.tolist() == [2, 2, 1, 1, 0, 0]  # by name, in the network's order


def test_the_parts_of_a_folder_are_kept(tmp_path: Path) -> None:
    from shoal.studies.exits_asked import ExitsFitting

    for at, part in enumerate(("train", "val", "test")):
        write_images(tmp_path / "photos" / part, 6, at)
    config = FittingConfig(size=SIDE, epochs=1, at=("layer3",))
    asked = ExitsFitting(str(tmp_path / "photos"), config)
    assert {file.partition("/")[0] for file in asked.held_out.files} == {"val"}
    assert {file.partition("/")[0] for file in asked.splits.train.files} == {"train"}
    asked.net.trained_on = digests(asked.splits.train.images)
    net = load_network(save_exits(asked.net, tmp_path / "saved", inputs=asked.inputs))
    found = find_images(net, str(tmp_path / "photos"))
    assert {file.partition("/")[0] for file in found.new.files} == {"val"}
    assert {file.partition("/")[0] for file in found.test.files} == {"test"}


def test_settings() -> None:
    assert resolve(FittingConfig()).mode == "joint"
    assert resolve(FittingConfig(model="m")).mode == "frozen"
    assert (resolve(FittingConfig()).minutes, resolve(FittingConfig(epochs=2)).minutes) == (2.0, 0.0)
    assert exit_places(("layer1", "layer2,layer3")) == ["layer1", "layer2", "layer3"]
    assert exit_places(("1,3",)) == ["1", "3"]  # layers of an nn.Sequential have numbers for names
    assert Patience(1).thresholds == (1.0,)
