"""The README's code runs, its tree is the tree, and its links lead somewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.faces.people import write_people

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_five_lines_run() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) == 5
    _run_exits(code)


def test_the_exits_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```py\n(.*?)```", (ROOT / "docs" / "exits.md").read_text(), re.DOTALL)
    _run_exits(code.replace("your_model", "your_trained_model").replace("found", "result"))
    assert "at most 1 point lost with 95 % confidence" in capsys.readouterr().out


def _run_exits(code: str) -> None:
    from shoal.nets import create_model

    torch.manual_seed(0)
    names = {
        "your_trained_model": create_model("cifar_resnet18", width=4),
        "images": torch.randn(64, 3, 8, 8),
        "labels": torch.arange(64) % 10,
        "held_out_images": torch.randn(400, 3, 8, 8),
        "held_out_labels": torch.arange(400) % 10,
        "new_images": torch.randn(5, 3, 8, 8),
    }
    before = {name: value.clone() for name, value in names["your_trained_model"].state_dict().items()}
    exec(code, names)
    result = names["result"]
    assert result.logits.shape == (5, 10)
    assert result.exit_index.shape == result.macs.shape == (5,)
    for name, value in names["your_trained_model"].state_dict().items():
        assert torch.equal(value, before[name])  # "your weights stay as they are"


@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
def test_the_attention_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    from shoal.studies.attention_inputs import draw_inputs

    code, _ = re.findall(r"```py\n(.*?)```", README, re.DOTALL)
    q, k, v = (x.float() for x in draw_inputs("aniso", 2048, heads=1, dim=64, seed=3, purpose="readme"))
    names = {"q": q, "k": k, "v": v}
    exec(code, names)
    assert names["out"].shape == v.shape
    assert "take landmark with 64 features" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "docs/difficulty.md"])
def test_the_difficulty_example_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    from shoal.nets import create_model

    code = re.findall(r"```py\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)[-1]
    model = create_model("cifar_resnet18", width=4, in_channels=1, seed=0)
    labels = torch.arange(200) % 10
    images = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + labels[:, None, None, None]
    names = {"model": model, "your_model": model, "train_images": images, "train_labels": labels}
    exec(code, names | {"test_images": images[:50] + 0.1, "test_labels": labels[:50]})
    assert "probes that are right: input" in capsys.readouterr().out


def test_the_faces_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    write_people(tmp_path / "people", [4] * 60, side=32)
    monkeypatch.chdir(tmp_path)
    few = 'precision="fp32", identities=4, per_identity=3'
    quick = {
        "path/to/people": "people",
        "image_size=48": "image_size=32",
        "minutes=10": f"minutes=0, epochs=1, batch_size=16, {few}",
        "HarmonicConfig()": f"HarmonicConfig(layer_epochs=1, epochs=1, {few})",
    }
    names: dict[str, Any] = {}
    for code in re.findall(r"```py\n(.*?)```", (ROOT / "docs" / "faces.md").read_text(), re.DOTALL):
        for written, here in quick.items():
            code = code.replace(written, here)
        if "splits" in names:
            names["groups"] = ["everybody"] * len(names["splits"].test_pairs)
        exec(code, names)
    told = capsys.readouterr().out
    for words in ("140,025,664", "VAL", "for a FAR of 0.1", "everybody: accuracy", "BCubed F", "v2/v1 − v1/v1"):
        assert words in told
    assert len(names["triplets"]) == names["loss"].monitor.triplets > 0
    assert (tmp_path / "faces.safetensors").exists()


def test_the_tree_is_there() -> None:
    (tree,) = re.findall(r"```\n(src/shoal/.*?)```", README, re.DOTALL)
    inside = re.findall(r"^  ([\w.]+/?) ", tree, re.MULTILINE)
    assert len(inside) >= 8
    for name in inside:
        assert (ROOT / "src" / "shoal" / name).exists(), name
    rooms = {path.name for path in (ROOT / "src" / "shoal").iterdir() if (path / "__init__.py").exists()}
    assert rooms == {name.rstrip("/") for name in inside if name.endswith("/")}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_commands_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
