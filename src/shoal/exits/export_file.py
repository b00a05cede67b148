"""A network with exits as one file that other programs run: `.pt2` for torch, `.onnx` for everything else.

    export(net, policy, "net.onnx", images[:2])
    session = onnxruntime.InferenceSession("net.onnx")
    logits, exit_index = session.run(None, {"x": images.numpy()})     # any batch size

    export(net, policy, "net.pt2", images[:2])
    logits, exit_index = torch.export.load("net.pt2").module()(images)

What is exported decides as `net.predict` does, and skips as it does: layers behind an exit see only the rows that go
on, and do not run where none does. See `shoal.exits.export_graph` for how. What the file holds besides is JSON under
the name "shoal.json", see `export`.

For a small network and one row at a time take `.onnx`: torch runs a `.pt2` one operation after the other from Python,
which then costs as much as exits save.
"""

import contextlib
import importlib.util
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import shoal
from shoal.errors import ShoalError, wrong
from shoal.exits.network import EarlyExit
from shoal.exits.policies import Policy
from shoal.exits.policy_json import policy_to_json
from shoal.files import atomic_file, explain_os_error

if TYPE_CHECKING:
    from torch.export import ExportedProgram

METADATA = "shoal.json"  # where a file keeps what is known of the network and the policy
_LARGEST_ONNX = 2**31 - 2**20  # protobuf ends at 2 GiB; a megabyte is left for the graph
_NOISY = ("torch.onnx", "onnx_ir", "onnxscript")  # loggers that warn of what is not installed, and of their own ways


def export(net: EarlyExit, policy: Policy, path: str | Path, example: Tensor) -> Path:
    """Write a network and its policy to one file.

    Inputs of what is written: x [n, ...], as `example` has it, with any n >= 1. Outputs: logits [n, classes] in
    float32, exit_index [n] in int64. It computes in evaluation mode.

    The file tells about itself, as JSON: `policy` as `policy_to_json` has it (kind, thresholds, temperatures,
    certificate, ...), `exits` (the layers' names), `num_classes`, `shoal` (the version). A `.pt2` holds it as the extra
    file "shoal.json", an `.onnx` as a metadata property of that name.

    Args:
        net: left as it is.
        policy: fixed in the file.
        path: ends in .pt2 or .onnx; a file there is replaced once the new one is complete. Its folder must exist.
        example: a batch, as `predict` takes it, of at least one row; all but the number of rows is fixed by it.

    Returns:
        The path.

    Raises:
        InputError: if the path cannot be a file of either kind, the policy does not fit the network, its certificate
            is of another one, or the example is no batch.
        ShoalError: if the file cannot be written, onnx or onnxscript is missing, or torch cannot export the network;
            then a file at this place stays as it was.

    Example:
        >>> from shoal.exits import Confidence
        >>> from shoal.nets import create_model
        >>> net = EarlyExit(create_model("cifar_resnet18", width=4), at=["layer1"], num_classes=10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = export(net, Confidence([0.5]), f"{folder}/net.pt2", torch.randn(2, 3, 16, 16))
        ...     logits, exit_index = torch.export.load(path).module()(torch.randn(5, 3, 16, 16))
        >>> tuple(logits.shape), tuple(exit_index.shape)
        ((5, 10), (5,))
    """
    from shoal.exits.export_graph import skipping_program  # here: torch.export takes a second to import

    path = Path(path)
    to_bytes = _writer(path)
    _check_policy(net, policy)
    rows = _two_rows(net, example)
    if to_bytes is _as_onnx:
        _check_onnx(net)
    _check_place(path)
    metadata = _metadata(net, policy)
    try:
        with _quiet():
            content = to_bytes(skipping_program(net, policy, rows), metadata)
    except ShoalError:
        raise
    except Exception as error:  # torch raises errors of many kinds, some of them its own
        fix = "its forward pass must not depend on the values in a batch"
        raise ShoalError(f"network: expected one that torch can export, got {_reason(error)}; {fix}") from error
    with atomic_file(path) as file:
        file.write(content)
    return path


Writer = Callable[["ExportedProgram", str], "bytes | memoryview"]


def _as_pt2(program: "ExportedProgram", metadata: str) -> memoryview:
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA: metadata})
    return buffer.getbuffer()


def _as_onnx(program: "ExportedProgram", metadata: str) -> bytes:
    found = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        input_names=["x"],
        output_names=["logits", "exit_index"],
        dynamic_shapes=({0: "batch"},),
    )
    assert found is not None
    _sink_weights(found.model)
    found.model.metadata_props[METADATA] = metadata
    return found.model_proto.SerializeToString()


def _sink_weights(model: Any) -> None:
    """Move weights that one branch alone uses into it: onnxruntime fuses and reorders only where weights are at hand.

    Without it, the later stages of a ResNet-18 took twice as long there, and exits saved nothing. Weights that the
    exporter left behind, unused, are dropped.
    """
    branches = [value.as_graph() for node in model.graph if node.op_type == "If" for value in node.attributes.values()]
    for name, weight in list(model.graph.initializers.items()):
        users = {usage.node.graph for usage in weight.uses()}
        branch = next((branch for branch in branches if users == {branch}), None)
        if branch is not None or not (users or weight.is_graph_output()):
            del model.graph.initializers[name]
        if branch is not None:
            branch.register_initializer(weight)


def _writer(path: Path) -> Writer:
    writers: dict[str, Writer] = {".pt2": _as_pt2, ".onnx": _as_onnx}
    if path.suffix not in writers:
        fix = ".pt2 is for torch, .onnx for other programs"
        raise wrong("path", expected="a name that ends in .pt2 or .onnx", got=f"'{path.name}'", fix=fix)
    return writers[path.suffix]


def _check_policy(net: Any, policy: Any) -> None:
    if not isinstance(net, EarlyExit):
        raise wrong("net", expected="an EarlyExit", got=type(net).__name__, fix="EarlyExit(backbone, at=..., ...)")
    if not isinstance(policy, Policy):
        raise wrong("policy", expected="a policy such as Confidence([0.9, ...])", got=type(policy).__name__)
    policy.check(len(net.at))


def _two_rows(net: EarlyExit, example: Any) -> Tensor:
    """Two rows of the example, where the network is: tracing takes a batch of one for one that stays so."""
    if not isinstance(example, Tensor) or not example.ndim or not example.numel():
        got = f"a tensor {list(example.shape)}" if isinstance(example, Tensor) else type(example).__name__
        raise wrong("example", expected="a batch of at least one row", got=got, fix="pass one that predict takes")
    device = next((parameter.device for parameter in net.parameters()), example.device)
    return example.detach()[[0, -1]].to(device)


def _check_onnx(net: EarlyExit) -> None:
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ShoalError(
            f"export to .onnx: expected onnx and onnxscript, got no {' and no '.join(missing)}; "
            "pip install 'shoal[export]', or export to .pt2"
        )
    size = sum(value.numel() * value.element_size() for value in net.state_dict().values())
    if size > _LARGEST_ONNX:
        expected = "a network of less than 2 GiB, the most that one .onnx file holds"
        raise wrong("net", expected=expected, got=f"{size / 2**30:.1f} GiB", fix="export it to .pt2")


def _check_place(path: Path) -> None:
    """Find out before the long work whether the file can be written."""
    if path.is_dir():
        raise wrong("path", expected="the name of a file", got=f"the folder {path}", fix="add a name")
    if not path.parent.is_dir():
        raise wrong("path", expected="a folder that exists", got=f"{path.parent}", fix="make it, or choose another")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise explain_os_error(error, path) from error


def _metadata(net: EarlyExit, policy: Policy) -> str:
    known = {
        "policy": policy_to_json(policy, net),
        "exits": list(net.at),
        "num_classes": net.num_classes,
        "shoal": shoal.__version__,
    }
    return json.dumps(known, allow_nan=False)


def _reason(error: BaseException) -> str:
    """The first line of what lies at the bottom of an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of itself, and nothing else."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # torch.onnx copies a program, and so meets torch's own deprecated class
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
