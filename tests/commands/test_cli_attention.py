"""The commands around linear attention: on a file of one's own, and the study."""

import json
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shoal.cli import app
from shoal.errors import InputError, ShoalError
from shoal.studies.attention_config import AttentionConfig, ErrorConfig, resolve
from shoal.studies.attention_file import judge, read_tokens
from shoal.studies.attention_inputs import draw_inputs
from tests.commands.process import shoal

TINY = {"dim": 8, "heads": 2, "length": 64, "calibration": 128, "steps": 1, "window": 8, "longest": 1024}
TINY |= {"draws": 10, "repeats": 3}


def write(path: Path, **tensors: torch.Tensor) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


@pytest.fixture(scope="module")
def tokens() -> dict[str, torch.Tensor]:
    """[batch, heads, seq, dim], trained-like."""
    q, k, v = draw_inputs("aniso", 512, heads=2, dim=8, seed=0, purpose="file")
    return {"q": q.float(), "k": k.float(), "v": v.float()}


def test_attention_error_of_a_file(tmp_path: Path, tokens: dict[str, torch.Tensor]) -> None:
    file = write(tmp_path / "mine.safetensors", **{name: x[0] for name, x in tokens.items()})
    words = ["--target-error", "0.7", "--maps", "positive", "--maps", "landmark", "--features", "16"]
    found = shoal("attention", "error", str(file), "--causal", *words, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "1 × 2 heads, 512 tokens of 8 numbers, causal" in found.stdout
    assert "mean(V)" in found.stdout
    assert "trying positive with 16 features" in found.stderr
    assert found.stdout.splitlines()[-1] == "landmark with 16 features reaches 0.7, and is the cheapest that does"
    asked = shoal("attention", "error", str(file), "--target-error", "0.001", *words[2:], "--json", cwd=tmp_path)
    answer = json.loads(asked.stdout)
    assert answer["exact_needed"] is True
    assert (answer["map"], answer["shape"]) == ("", [1, 2, 512, 8])
    assert 0 < answer["tried"][0]["error"]["low"] < answer["mean_value_error"] < 2


def test_what_is_said_when_nothing_reaches_it(tmp_path: Path, tokens: dict[str, torch.Tensor]) -> None:
    file = write(tmp_path / "mine.safetensors", **tokens)
    heard: list[str] = []
    found = judge(file, ErrorConfig(target_error=0.01, maps=("positive", "elu"), features=(16, 256)), heard.append)
    assert found.exact_needed
    assert found.lines()[-1] == "exact attention is needed: no cheaper map is sure to reach 0.01"
    assert any("not tried: costs as much as exact attention" in line for line in found.lines())
    assert heard
    windowed = judge(file, ErrorConfig(target_error=0.6, maps=("landmark",), features=(16,), window=16))
    assert (windowed.map, windowed.features) == ("landmark", 16)
    assert "window 16" in windowed.lines()[0]


def test_shared_key_heads_and_all_three_forms(tmp_path: Path, tokens: dict[str, torch.Tensor]) -> None:
    shared = {"q": tokens["q"], "k": tokens["k"][:, :1], "v": tokens["v"][:, :1]}
    found = judge(write(tmp_path / "a.safetensors", **shared), ErrorConfig(maps=("sderf",), features=(16,)))
    assert found.tried[0].error is not None
    single = {name: x[0, 0].half() for name, x in tokens.items()}
    q, k, v = read_tokens(write(tmp_path / "b.safetensors", **single))
    assert q.shape == k.shape == v.shape == (1, 1, 512, 8)
    assert q.dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": None}, "expected tensors q, k and v, got q, v; missing: k"),
        (
            {"k": torch.zeros(3)},
            r"k: expected \[batch, heads, seq, dim\], \[heads, seq, dim\] or \[seq, dim\], got \[3\]",
        ),
        ({"q": torch.zeros(512, 8)}, "expected q, k and v of one form, got 2, 4 and 4 dimensions"),
        ({"q": torch.zeros(1, 2, 99, 8)}, "expected as many queries as keys, at least 64, got 99 and 512"),
        ({"v": torch.full((1, 2, 512, 8), torch.nan)}, "v: expected finite numbers, got 8192 that are NaN or infinite"),
        ({"v": torch.zeros(1, 2, 512, 8, dtype=torch.long)}, "v: expected floating-point numbers, got int64"),
        (
            {"q": torch.zeros(1, 2, 512, 4)},
            r"q, k and v: expected one dim of q and k.*got \[1, 2, 512, 4\], \[1, 2, 512, 8\]",
        ),
        ({"v": torch.zeros(1, 2, 99, 8)}, "q, k and v: expected one dim of q and k, and values for the same keys"),
    ],
)
def test_wrong_tensors(
    tmp_path: Path, tokens: dict[str, torch.Tensor], changes: dict[str, torch.Tensor | None], message: str
) -> None:
    kept = {name: tensor for name, tensor in (tokens | changes).items() if tensor is not None}
    with pytest.raises(InputError, match=message):
        judge(write(tmp_path / "wrong.safetensors", **kept), ErrorConfig(maps=("sderf",), features=(16,)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ErrorConfig(target_error=0.0), "target_error: expected a number > 0"),
        (ErrorConfig(target_error=float("nan")), "target_error: expected a number > 0"),
        (ErrorConfig(window=-1), "window: expected a whole number >= 1, or 0 for none, got -1"),
        (ErrorConfig(features=(7,)), "features: expected even numbers"),
        (ErrorConfig(maps=("landmrk",)), "unknown feature map 'landmrk'; did you mean 'landmark'"),
    ],
)
def test_wrong_questions(tmp_path: Path, tokens: dict[str, torch.Tensor], config: ErrorConfig, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge(write(tmp_path / "mine.safetensors", **tokens), config)


def test_a_corrupt_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("no tensors here")
    with pytest.raises(ShoalError, match="expected a safetensors file, got: ") as caught:
        read_tokens(tmp_path / "text.safetensors")
    assert caught.value.exit_code == 1
    with pytest.raises(InputError, match="got no such file"):
        read_tokens(tmp_path)  # a folder


def test_the_study_as_a_command(tmp_path: Path) -> None:
    flags = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]
    words = ["study", "attention", "--budget", "quick", "--features", "8", *flags]
    found = shoal(*words, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    (report,) = (tmp_path / "runs").glob("attention-quick-*/report.html")
    assert found.stdout.splitlines()[-1] == f"report: {report.relative_to(tmp_path)}"
    assert "The softmax kernel is a Gaussian kernel" in found.stdout
    assert "no data set is needed" in found.stderr
    again = shoal(*words, "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    result = json.loads(again.stdout)[0]
    assert result["claims"][0]["verdict"] == "supported"
    app.config = []
    _, bound, _ = app.parse_args(shlex.split(result["command"])[1:], exit_on_error=False, print_error=False)
    asked = AttentionConfig(budget="quick", features=(8,), **TINY)
    assert resolve(bound.arguments["config"]) == resolve(asked)
