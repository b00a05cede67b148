"""Which arithmetic trains fastest on this machine, measured on the model and batch at hand.

bf16 autocast and channels_last pay off on some CPUs and cost time on others, so "auto" times one training step
of each and takes the fastest. Weights, sums and the loss stay in float32 either way.
"""

import copy
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shoal.errors import unknown_name

Step = Callable[[nn.Module, Tensor, Tensor], Tensor]  # (model, inputs, labels) -> loss, a scalar


@dataclass(frozen=True)
class Precision:
    """How a model is run.

    Args:
        bf16: whether matrix products and convolutions run in bfloat16 (torch.autocast).
        channels_last: whether images and convolution weights lie channel by channel within a pixel.
    """

    bf16: bool = False
    channels_last: bool = False

    @property
    def name(self) -> str:
        """For example "bf16+channels_last"; `precision_named` reads it back."""
        return ("bf16" if self.bf16 else "fp32") + ("+channels_last" if self.channels_last else "")

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """The context to run the model in."""
        return torch.autocast(device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def place(self, tensor: Tensor, device: torch.device) -> Tensor:
        """Move inputs to the device, in the chosen memory format where they are images [b, c, h, w]."""
        if self.channels_last and tensor.ndim == 4:
            return tensor.to(device, memory_format=torch.channels_last, non_blocking=True)
        return tensor.to(device, non_blocking=True)

    def place_model(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Move the model to the device and format, in place."""
        model.to(device)
        return model.to(memory_format=torch.channels_last) if self.channels_last else model  # pyright: ignore[reportCallIssue] - torch's stub lacks this overload


_CHANNELS = 16  # a block of oneDNN's kernels, 8 on CPUs without AVX-512

CHOICES = {p.name: p for p in (Precision(), Precision(False, True), Precision(True, False), Precision(True, True))}


def precision_named(name: str) -> Precision:
    """The precision of a name.

    Args:
        name: "fp32", "bf16", "fp32+channels_last" or "bf16+channels_last".

    Raises:
        InputError: if there is no such precision.

    Example:
        >>> precision_named("bf16")
        Precision(bf16=True, channels_last=False)
    """
    if name not in CHOICES:
        raise unknown_name("precision", name, [*CHOICES, "auto"])
    return CHOICES[name]


def survives_channels_last(model: nn.Module, device: torch.device) -> bool:
    """Whether the gradients of a model with channels_last stay within their memory.

    On CPUs, the gradient by the weights of a strided 1x1 convolution with few input channels is written past the end of
    its workspace in that format, which kills the process or, worse, does not (oneDNN issue 6035, torch 2.13).
    """
    return device.type != "cpu" or not any(
        module.in_channels // module.groups < _CHANNELS and set(module.kernel_size) == {1} and set(module.stride) != {1}
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
    )


def training_step(
    model: nn.Module, inputs: Tensor, labels: Tensor, loss: Step, precision: Precision, device: torch.device
) -> Tensor:
    """Forward and backward of one batch; gradients are left on the parameters.

    Returns:
        The loss, a float32 scalar.
    """
    inputs, labels = precision.place(inputs, device), labels.to(device, non_blocking=True)
    with precision.autocast(device):
        value = loss(model, inputs, labels)
    value.backward()
    return value.detach()


def seconds_per_step(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    loss: Step,
    precision: Precision,
    device: torch.device,
    *,
    repeats: int = 3,
) -> float:
    """Median seconds of a training step, on a copy of the model, after one step of warm-up."""
    model = precision.place_model(copy.deepcopy(model), device).train()
    times = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for _ in range(repeats + 1):
            start = time.perf_counter()
            value = training_step(model, *batch, loss, precision, device)
            float(value)  # waits for the device
            times.append(time.perf_counter() - start)
            model.zero_grad()
    return statistics.median(times[1:])


def choose_precision(
    model: nn.Module, batch: tuple[Tensor, Tensor], loss: Step, device: torch.device, *, rows: int = 64
) -> tuple[Precision, dict[str, float]]:
    """Time a training step in each precision and take the fastest.

    Args:
        model: the model to train; it is not changed.
        batch: inputs and labels; only the first `rows` rows are used.
        loss: the objective.
        device: where to run.
        rows: enough to be typical, few enough to be quick.

    Returns:
        The fastest precision, and the median seconds per row of each that was tried.
    """
    inputs, labels = batch[0][:rows], batch[1][:rows]
    images = inputs.ndim == 4 and survives_channels_last(model, device)
    names = list(CHOICES) if images else ["fp32", "bf16"]
    seconds = {
        name: seconds_per_step(model, (inputs, labels), loss, CHOICES[name], device) / len(inputs) for name in names
    }
    return CHOICES[min(seconds, key=lambda name: seconds[name])], seconds
