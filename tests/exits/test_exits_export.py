"""Exported files answer as `predict` does, and skip as it does; what cannot be written is refused without a trace."""

import copy
import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from inspect import unwrap
from math import inf
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from shoal.errors import InputError, ShoalError
from shoal.exits import Certificate, Confidence, EarlyExit, Entropy, Margin, Patience, Policy
from shoal.exits.export_file import METADATA, export
from shoal.exits.policy_json import policy_from_json
from shoal.nets import BasicBlock, ResNet
from tests.exits.networks import Patches, flat
from tests.exits.test_exits_network import build

MODULE = sys.modules["shoal.exits.export_file"]  # by this way, whatever the package itself calls export
Answer = Callable[[Tensor], tuple[Tensor, Tensor]]
SMALL: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "short": (lambda: ResNet(BasicBlock, [1] * 4, num_classes=5, width=4), ["layer1", "layer2.0"]),
    "block": (Patches, ["blocks.0"]),
}
FAST = [
    ("short", "tempered", ".pt2"),
    ("short", "margin", ".onnx"),
    ("branches", "entropy", ".pt2"),
    ("block", "tempered", ".onnx"),
    ("flat", "certified", ".pt2"),
    ("flat", "certified", ".onnx"),
]
SLOW = [
    ("resnet", "entropy", ".pt2"),
    ("resnet", "tempered", ".onnx"),
    ("bottleneck", "never", ".pt2"),
    ("bottleneck", "margin", ".onnx"),
    ("branches", "entropy", ".onnx"),
    ("patches", "patience", ".pt2"),
    ("patches", "entropy", ".onnx"),
    ("flat", "patience", ".onnx"),
    ("flat", "never", ".onnx"),
]


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@cache
def network(name: str) -> tuple[EarlyExit, int]:
    if name not in SMALL:
        _, net, side = build(name)
        return net, side
    torch.manual_seed(0)
    make, at = SMALL[name]
    return EarlyExit(make().eval(), at, 5, example=torch.randn(2, 3, 32, 32)).eval(), 32


def pool(side: int) -> Tensor:
    return 3 * torch.randn(100, 3, side, side, generator=torch.Generator().manual_seed(3))


def halving(kind: type[Policy], net: EarlyExit, x: Tensor, temperatures: list[float] | None = None) -> Policy:
    """About half of all leave, at thresholds that no score comes near, so that rounding changes no decision."""
    thresholds = []
    for index, logits in enumerate(net(x)[:-1]):
        scores = kind.score(logits / (temperatures[index] if temperatures else 1)).sort().values[30:70]
        at = int(scores.diff().argmax())
        thresholds.append(float(scores[at : at + 2].mean()))
    return kind(thresholds, temperatures)


def certified(net: EarlyExit, x: Tensor) -> Policy:
    """No row leaves at the first exit, where something is remembered."""
    policy = Patience([inf] + [1] * (len(net.at) - 1))
    counts: dict[str, Any] = {"rows": 999, "losses": 0, "gains": 0, "p_value": 1e-4, "chosen_on": 1, "left_out": 0}
    promise: dict[str, Any] = {"max_accuracy_drop": 0.1, "confidence": 0.9, "tested": 2, "never_leaves": False}
    return policy.with_certificate(Certificate(**counts, **promise, network=net.fingerprint()))


POLICIES: dict[str, Callable[[EarlyExit, Tensor], Policy]] = {
    "tempered": lambda net, x: halving(Confidence, net, x, [0.7, 1.3, 2.0][: len(net.at)]),
    "entropy": lambda net, x: halving(Entropy, net, x),
    "margin": lambda net, x: halving(Margin, net, x),
    "patience": lambda net, x: Patience(1),
    "never": lambda net, x: Entropy([-inf] * len(net.at)),
    "certified": certified,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], tuple[EarlyExit, Policy, Path]]:
    """Every file is made once, alone in its folder."""
    made: dict[tuple[str, str, str], tuple[EarlyExit, Policy, Path]] = {}

    def get(name: str, kind: str, suffix: str) -> tuple[EarlyExit, Policy, Path]:
        if (name, kind, suffix) not in made:
            net, side = network(name)
            policy = POLICIES[kind](net, pool(side))
            path = export(net, policy, tmp_path_factory.mktemp("file") / f"net{suffix}", torch.randn(3, 3, side, side))
            made[name, kind, suffix] = net, policy, path
        return made[name, kind, suffix]

    return get


def answering(path: Path, **settings: Any) -> Answer:
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    options = onnxruntime.SessionOptions()
    for name, value in settings.items():
        setattr(options, name, value)
    session = onnxruntime.InferenceSession(path, options)

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        logits, exit_index = session.run(["logits", "exit_index"], {"x": x.numpy()})
        return torch.from_numpy(logits), torch.from_numpy(exit_index)

    return answer


def metadata(path: Path) -> dict[str, Any]:
    if path.suffix == ".pt2":
        extra = {METADATA: ""}
        torch.export.load(path, extra_files=extra)
        return json.loads(extra[METADATA])
    return json.loads({entry.key: entry.value for entry in onnx.load(path).metadata_props}[METADATA])


@pytest.mark.parametrize(
    ("name", "kind", "suffix"), [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_files_answer_as_predict_does(exported, name: str, kind: str, suffix: str) -> None:
    net, policy, path = exported(name, kind, suffix)
    answer, x = answering(path), pool(network(name)[1])
    taken = net.predict(x, policy).exit_index
    some_exit, last = int(taken.min()), len(net.at)
    assert (some_exit < last) != (kind == "never")
    batches = [x[:n] for n in (1, 2, 8, 33, 100)]
    batches += [x[taken == some_exit], x[taken == some_exit][:1]]  # all leave together
    batches += [x[taken == last], x[taken == last][:1]]  # none leaves
    assert all(map(len, batches))
    for batch in batches:
        expected = net.predict(batch, policy)
        logits, exit_index = answer(batch)
        assert torch.equal(exit_index, expected.exit_index)
        assert torch.allclose(logits, expected.logits, atol=1e-5)
        assert logits.dtype == torch.float32


def test_layers_of_a_pt2_see_only_the_rows_that_go_on(exported) -> None:
    net, policy, path = exported("short", "tempered", ".pt2")
    answer, x = answering(path), pool(32)
    taken = net.predict(x, policy).exit_index
    arriving = [int((taken >= index).sum()) for index in range(len(net.at) + 1)]
    assert arriving[0] > arriving[1] > arriving[-1] > 0
    assert rows_of_convolutions(answer, x) == arriving
    assert rows_of_convolutions(answer, x[taken == 0]) == [arriving[0] - arriving[1]]  # nothing else runs


def rows_of_convolutions(answer: Answer, x: Tensor) -> list[int]:
    with torch.profiler.profile(record_shapes=True) as profile:
        answer(x)
    events = profile.events() or []
    return sorted({event.input_shapes[0][0] for event in events if event.name == "aten::conv2d"}, reverse=True)


def test_layers_of_an_onnx_see_only_the_rows_that_go_on(exported, tmp_path: Path) -> None:
    net, policy, path = exported("short", "margin", ".onnx")
    x = pool(32)
    taken = net.predict(x, policy).exit_index
    arriving = [int((taken >= index).sum()) for index in range(len(net.at) + 1)]
    assert arriving[0] > arriving[1] > arriving[-1] > 0
    assert rows_in_onnxruntime(path, x, tmp_path) == arriving
    assert rows_in_onnxruntime(path, x[taken == 0], tmp_path) == [arriving[0] - arriving[1]]


def rows_in_onnxruntime(path: Path, x: Tensor, folder: Path) -> list[int]:
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "profile")
    session = onnxruntime.InferenceSession(path, options)
    session.run(None, {"x": x.numpy()})
    events = [event["args"] for event in json.loads(Path(session.end_profiling()).read_text()) if "args" in event]
    convolutions = [event["input_type_shape"] for event in events if event.get("op_name") == "Conv"]
    return sorted({next(iter(shapes[0].values()))[0] for shapes in convolutions}, reverse=True)


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_files_tell_what_is_in_them(exported, suffix: str) -> None:
    net, policy, path = exported("flat", "certified", suffix)
    found = metadata(path)
    assert (found["exits"], found["num_classes"]) == (list(net.at), 5)
    assert found["policy"]["thresholds"] == [None, 1]
    assert policy_from_json(found["policy"], net) == policy
    assert policy_from_json(found["policy"], net).certificate == policy.certificate
    assert policy.certificate is not None


def test_an_onnx_is_one_valid_file_with_named_ends(exported) -> None:
    _, _, path = exported("short", "margin", ".onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert list(path.parent.iterdir()) == [path]
    ends = {
        end.name: [size.dim_param or size.dim_value for size in end.type.tensor_type.shape.dim]
        for end in [*model.graph.input, *model.graph.output]
    }
    assert ends == {"x": ["batch", 3, 32, 32], "logits": ["batch", 5], "exit_index": ["batch"]}


def test_weights_of_an_onnx_lie_in_the_branch_that_uses_them(exported) -> None:
    """onnxruntime fuses nothing with weights of an outer graph, which costs more than exits save."""
    _, _, path = exported("short", "margin", ".onnx")
    graph = onnx.load(path).graph
    branches = [value.g for node in graph.node if node.op_type == "If" for value in node.attribute]
    here = {weight.name for weight in graph.initializer}
    convolutions = [node for branch in branches for node in branch.node if node.op_type == "Conv"]
    assert len(convolutions) == 9  # of 12 in the whole network
    assert not here & {name for node in convolutions for name in node.input}


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_loading_a_file_says_nothing(exported, suffix: str, caplog, capfd) -> None:
    _, _, path = exported("short", {".pt2": "tempered", ".onnx": "margin"}[suffix], suffix)
    caplog.clear()
    capfd.readouterr()
    answering(path)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert "initializer" not in capfd.readouterr().err


def test_token_ids_and_other_precisions_can_be_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 5)).double()
    ids = torch.randint(50, (40, 6), generator=torch.Generator().manual_seed(0))
    net = EarlyExit(backbone, ["2"], 5, example=ids[:2])
    policy = halving(Margin, net, ids[torch.arange(100) % 40])
    expected = net.predict(ids, policy)
    logits, exit_index = answering(export(net, policy, tmp_path / "net.pt2", ids[:1]))(ids)
    assert torch.equal(exit_index, expected.exit_index)
    assert len(exit_index.unique()) == 2
    assert torch.allclose(logits, expected.logits, atol=1e-5)


def test_weights_in_another_memory_format_can_be_exported(tmp_path: Path) -> None:
    """torch saves the memory of a weight, and warns where it is not in order."""
    net = copy.deepcopy(build("branches")[1])
    for weight in net.parameters():
        weight.data = weight.to(memory_format=torch.channels_last) if weight.ndim == 4 else weight
    x = pool(16).to(memory_format=torch.channels_last)
    policy = halving(Margin, net, x)
    expected = net.predict(x, policy)
    answer = answering(export(net, policy, tmp_path / "net.pt2", x[:2]))
    for rows in (x, x.contiguous()):
        logits, exit_index = answer(rows)
        assert torch.equal(exit_index, expected.exit_index)
        assert torch.allclose(logits, expected.logits, atol=1e-5)
    assert not all(weight.is_contiguous() for weight in net.parameters())


def test_the_network_stays_as_it_was(tmp_path: Path) -> None:
    net = copy.deepcopy(build("flat")[1]).train()
    net.backbone.eval()
    before = {
        name: (value, value.clone(), value.requires_grad) for name, value in net.state_dict(keep_vars=True).items()
    }
    modes = [part.training for part in net.modules()]
    export(net, Confidence([0.5, 0.5]), tmp_path / "net.pt2", torch.randn(2, 3, 8, 8))
    assert [part.training for part in net.modules()] == modes
    assert not any(part._forward_hooks for part in net.modules())
    for name, value in net.state_dict(keep_vars=True).items():
        same, values, wanted = before[name]
        assert value is same
        assert value.requires_grad == wanted
        assert torch.equal(value, values)


def test_the_example_is_not_in_the_file(tmp_path: Path) -> None:
    path = export(build("flat")[1], Confidence([0.5, 0.5]), tmp_path / "net.pt2", torch.full((2, 3, 8, 8), 7.5))
    kept, _ = torch.export.load(path).example_inputs or ((torch.ones(1),), {})
    assert not any(rows.any() for rows in kept)


@pytest.fixture
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows must be refused before the long work."""

    def refuse(*_args: object) -> None:
        raise AssertionError("traced")

    monkeypatch.setattr("shoal.exits.export_graph.skipping_program", refuse)


ROWS = torch.zeros(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "net.pt"}, r"path: expected a name that ends in .pt2 or .onnx, got 'net.pt'; "),
        ({"path": "net"}, r"path: expected a name that ends in .pt2 or .onnx, got 'net'; "),
        ({"path": "none/net.pt2"}, r"path: expected a folder that exists, got .*none; make it, or choose another"),
        ({"path": "folder.pt2"}, r"path: expected the name of a file, got the folder .*folder.pt2; add a name"),
        ({"path": "file/net.onnx"}, r"path: expected a folder that exists, got .*file; "),
        ({"policy": Confidence([0.5])}, "Confidence: expected 2 thresholds, one per exit before the last, got 1"),
        ({"policy": 0.5}, "policy: expected a policy such as .*, got float"),
        ({"net": flat()}, "net: expected an EarlyExit, got Sequential"),
        ({"example": [1.0]}, "example: expected a batch of at least one row, got list"),
        ({"example": torch.zeros(())}, r"example: expected a batch of at least one row, got a tensor \[\]"),
        ({"example": torch.zeros(0, 3, 8, 8)}, r"example: .* got a tensor \[0, 3, 8, 8\]"),
    ],
)
def test_wrong_arguments_are_refused(no_tracing, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / "folder.pt2").mkdir()
    (tmp_path / "file").touch()
    right = {"net": build("flat")[1], "policy": Confidence([0.5, 0.5]), "path": "net.pt2", "example": ROWS}
    arguments = {**right, **change}
    with pytest.raises(InputError, match=message):
        # without the tests' type checker, which would refuse some of it first
        unwrap(export)(arguments["net"], arguments["policy"], tmp_path / arguments["path"], arguments["example"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.pt2"]


def test_a_certificate_of_another_network_is_refused(no_tracing, tmp_path: Path) -> None:
    net = copy.deepcopy(build("flat")[1])
    policy = certified(net, pool(8))
    next(net.heads.parameters()).mul_(2)
    with pytest.raises(InputError, match="policy: expected one for this network"):
        export(net, policy, tmp_path / "net.pt2", ROWS)


def test_places_that_cannot_be_written_are_refused(no_tracing) -> None:
    with pytest.raises(ShoalError, match=r"cannot write /proc/net.pt2: "):
        export(build("flat")[1], Confidence([0.5, 0.5]), "/proc/net.pt2", ROWS)


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user who may not write everywhere; this is root")
def test_a_forbidden_folder_is_refused(no_tracing, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ShoalError, match="permission denied"):
        export(build("flat")[1], Confidence([0.5, 0.5]), tmp_path / "net.pt2", ROWS)


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_missing_packages_are_named(no_tracing, tmp_path: Path, monkeypatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ShoalError, match=rf"got no {missing}; pip install 'shoal\[export\]', or export to .pt2"):
        export(build("flat")[1], Confidence([0.5, 0.5]), tmp_path / "net.onnx", ROWS)


def test_a_network_too_large_for_one_onnx_is_refused(no_tracing, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(MODULE, "_LARGEST_ONNX", 100)
    with pytest.raises(InputError, match=r"net: expected .* less than 2 GiB, .* got 0.0 GiB; export it to .pt2"):
        export(build("flat")[1], Confidence([0.5, 0.5]), tmp_path / "net.onnx", ROWS)


def test_an_example_that_the_backbone_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"example: expected a batch that the backbone takes, got \[2, 3, 4, 8\]: "):
        export(build("flat")[1], Confidence([0.5, 0.5]), tmp_path / "net.pt2", torch.zeros(2, 3, 4, 8))


class Choosing(nn.Module):
    """What it does depends on the values in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x) if x.sum() > 0 else self.last(-x)


class Counting(Choosing):
    """Counts with an operation that ONNX does not have."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.special.bessel_j0(self.first(x)))


@pytest.mark.parametrize(("make", "suffix"), [(Choosing, ".pt2"), (Counting, ".onnx")])
def test_a_failed_export_changes_nothing(tmp_path: Path, make: type[Choosing], suffix: str) -> None:
    net = EarlyExit(make().train(), ["first"], 5, example=torch.randn(2, 6))
    weights = [*net.parameters()]
    path = tmp_path / f"net{suffix}"
    path.write_text("old")
    with pytest.raises(ShoalError, match="network: expected one that torch can export, got ") as caught:
        export(net, Confidence([0.5]), path, torch.randn(2, 6))
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    assert net.backbone.training
    assert not any(part._forward_hooks for part in net.modules())
    assert all(weight is same for weight, same in zip(net.parameters(), weights, strict=True))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "net.pt2"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ShoalError, match="disk full while writing"):
        export(build("flat")[1], Confidence([0.5, 0.5]), path, ROWS)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_of_onnx_is_imported_before_it_is_needed() -> None:
    code = "import sys, shoal.exits.export_file; print([name for name in sys.modules if name.startswith('onnx')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
