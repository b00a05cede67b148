"""What every probe sees: the input, chosen layers and the softmax as rows of numbers, and the network's answers."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shoal.difficulty.pooling import pool
from shoal.engine import Data, Precision, in_order
from shoal.engine.batches import Prepare, is_pair
from shoal.errors import wrong
from shoal.measure import record
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode
from shoal.measure.paths import check_layers, choose_layers

INPUT, SOFTMAX = "input", "softmax"


@dataclass(frozen=True)
class Features:
    """Rows of every probe for one data set, on the CPU, in float32.

    Attributes:
        layers: names of the probes: the input first, the softmax last.
        values: rows by probe, [n, at most 512] but for the input, which is whole.
        pooling: how the rows of every probe were made.
        probabilities: of the network.
        labels: as given.
        seconds: that it took.
    """

    layers: tuple[str, ...]
    values: dict[str, Float[Tensor, "n dim"]]
    pooling: dict[str, str]
    probabilities: Float[Tensor, "n classes"]
    labels: Int[Tensor, " n"]
    seconds: float

    @property
    def predicted(self) -> Int[Tensor, " n"]:
        """The network's classes; ties go to the lower one."""
        return self.probabilities.argmax(1)


def find_layers(model: nn.Module, data: Data, layers: Sequence[str] | None, *, prepare: Prepare | None) -> list[str]:
    """Layers to look at: those that were named, in the order in which they run, or chosen ones.

    Raises:
        InputError: see `choose_layers` and `check_layers`.
    """
    if isinstance(data, Iterator):
        fix = "give a list of batches or a DataLoader"
        raise wrong("data", expected="a loader that can be gone through again", got=type(data).__name__, fix=fix)
    inputs, _ = next(iter(in_order(data, batch_size=2, prepare=prepare)), (None, None))
    if inputs is None or not len(inputs):
        raise wrong("data", expected="at least one example", got="none")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    example = inputs[:2].to(device)
    return choose_layers(model, example) if layers is None else check_layers(model, layers, example)


@torch.no_grad()
def probe_features(
    model: nn.Module,
    data: Data,
    layers: Sequence[str],
    *,
    batch_size: int = 512,
    prepare: Prepare | None = None,
    precision: Precision | None = None,
    device: torch.device | None = None,
) -> Features:
    """Run a classifier once over a data set.

    Args:
        model: put into evaluation mode, and every part back into the mode that it was in.
        data: (inputs [n, ...], labels [n]), or a loader of such pairs that does not shuffle.
        layers: names, in the order in which they run.
        batch_size: rows at a time, for a pair of tensors.
        prepare: applied to the inputs of every batch.
        precision: how to run; float32 unless given.
        device: where to run; where the model is, unless given.

    Raises:
        InputError: if there are no data, labels are out of range, or an activation is NaN or infinite.
    """
    began = time.perf_counter()
    precision = precision or Precision()
    device = device or next((p.device for p in model.parameters()), torch.device("cpu"))
    how: dict[str, str] = {}
    expected = len(data[0]) if is_pair(data) else 0
    found = {name: _Rows(expected) for name in (INPUT, *layers, SOFTMAX)}
    labels = []
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # it passes layers by
        with in_mode(model, training=False):
            for inputs, truth in in_order(data, batch_size=batch_size, prepare=prepare):
                placed = precision.place(inputs, device)
                with record(model, layers) as recording, precision.autocast(device):
                    answer = logits_of(model(placed))
                for name in layers:
                    rows, how[name] = pool(recording[name])
                    found[name].add(rows)
                found[INPUT].add(inputs.flatten(1))
                found[SOFTMAX].add(answer.float().softmax(1))
                labels.append(truth.cpu())
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    if not labels:
        raise wrong("data", expected="at least one example", got="none")
    values = {name: rows.whole() for name, rows in found.items()}
    _check_finite(values)
    given = torch.cat(labels)
    check_labels(given, values[SOFTMAX].shape[1], several=False)  # one class can be asked about, but not vote
    return Features(
        layers=tuple(values),
        values=values,
        pooling={INPUT: "whole", **how, SOFTMAX: "whole"},
        probabilities=values[SOFTMAX],
        labels=given.long(),
        seconds=time.perf_counter() - began,
    )


class _Rows:
    """Rows of all batches in one tensor from the start: parts that are joined at the end take twice the memory."""

    def __init__(self, expected: int):
        self.expected, self.count, self.rows = expected, 0, torch.empty(0)

    def add(self, rows: Tensor) -> None:
        """Copy the rows of a batch."""
        end = self.count + len(rows)
        if end > len(self.rows):
            more = torch.empty(max(end, self.expected, 3 * self.count // 2), rows.shape[1], dtype=torch.float32)
            if self.count:
                more[: self.count] = self.rows[: self.count]
            self.rows = more
        self.rows[self.count : end] = rows
        self.count = end

    def whole(self) -> Tensor:
        """All rows; memory that was not needed is given back."""
        return self.rows if self.count == len(self.rows) else self.rows[: self.count].clone()


def check_labels(labels: Tensor, classes: int, what: str = "labels", *, several: bool = True) -> None:
    """Refuse labels that are no classes; several: or of one class only.

    Raises:
        InputError: naming what was found.
    """
    if labels.ndim != 1 or labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise wrong(what, expected="whole numbers [n]", got=f"{labels.dtype} {list(labels.shape)}")
    if not len(labels):
        raise wrong(what, expected="at least one", got="none")
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= classes:
        raise wrong(what, expected=f"classes 0 to {classes - 1}", got=f"{least} to {most}")
    if several and least == most:
        raise wrong(what, expected="at least two classes", got=f"only class {least}")


def _check_finite(values: dict[str, Tensor]) -> None:
    for name, rows in values.items():
        bad = sum(int((~torch.isfinite(part)).any(1).sum()) for part in rows.split(4096))
        if bad:
            got, fix = f"NaN or infinity in {bad} rows", "look at the weights and inputs, or run in float32"
            raise wrong(f"activations of {name}", expected="finite numbers", got=got, fix=fix)
