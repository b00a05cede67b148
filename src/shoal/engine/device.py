"""Where a computation runs, and how many processes share it.

`choose_device` is asked once per run and its reason goes into the run's record. `World` tells a process its
place among the processes that `torchrun` started; without torchrun it is a world of one.
"""

import os
from dataclasses import dataclass

import torch
from torch import nn

from shoal.errors import wrong


def choose_device(name: str = "auto") -> tuple[torch.device, str]:
    """Turn "auto", "cpu", "cuda" or "cuda:1" into a device and the reason for it.

    Args:
        name: "auto" takes CUDA where it is present and the CPU otherwise.

    Returns:
        The device, and why it was taken, as half a sentence.

    Raises:
        InputError: if the name is no device, or names CUDA where there is none.

    Example:
        >>> choose_device("cpu")
        (device(type='cpu'), 'asked for')
    """
    if name == "auto":
        if torch.cuda.is_available():
            own = int(os.environ.get("LOCAL_RANK", "0"))  # torchrun: every process of a machine has a device of its own
            device = torch.device("cuda", own) if own else torch.device("cuda")
            return device, f"automatic: {torch.cuda.get_device_name(device)} is present"
        return torch.device("cpu"), "automatic: no CUDA device is present"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise wrong("device", expected='"auto", "cpu" or "cuda"', got=repr(name)) from None
    present = torch.cuda.device_count() if device.type == "cuda" else int(device.type == "cpu")
    if (device.index or 0) >= present:
        raise wrong("device", expected="a device of this machine", got=repr(name), fix='use "auto" or "cpu"')
    return device, "asked for"


@dataclass(frozen=True)
class World:
    """A process's place: its rank, from 0, among `size` processes."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> "World":
        """Read the place from torch.distributed, where it is initialised."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return cls(torch.distributed.get_rank(), torch.distributed.get_world_size())
        return cls()

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and prints."""
        return self.rank == 0

    def average_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its mean over the processes; nothing to do in a world of one."""
        if self.size == 1:
            return
        for parameter in model.parameters():
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= self.size

    def share_weights(self, model: nn.Module) -> None:
        """Give every process the first one's weights and buffers; nothing to do in a world of one."""
        if self.size > 1:
            for value in model.state_dict().values():
                torch.distributed.broadcast(value, 0)

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        if self.size == 1:
            return value
        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        total = torch.tensor(value, dtype=torch.float64, device=device)
        torch.distributed.all_reduce(total)
        return float(total) / self.size
