"""What a run keeps of its images and numbers beside its result, so that its networks can be asked again later.

The difficulty study keeps a network, what its probes see and some test images; the exits study a network with exits
and what they say of test images; the study of faces keeps its networks anyway, and distances of strangers.
"""

from pathlib import Path

import torch

from shoal.engine import RunFolder
from shoal.engine.checkpoint import State, latest_checkpoint, load_checkpoint
from shoal.errors import ShoalError

KEPT = "kept"  # beside the checkpoints of the trainings, and of their form
NETWORK = "network"  # the folder of a network
SHOWN = 48  # test images that can be picked


def keep(run: RunFolder, state: State) -> None:
    """Write what is kept; what an earlier run in this folder kept is replaced.

    Args:
        run: its folder.
        state: nested dictionaries and lists of tensors and of values that JSON can hold.

    Raises:
        ShoalError: if it cannot be written.
    """
    run.save(KEPT, 1, state)


def load_kept(folder: str | Path, study: str) -> State:
    """Read what a run has kept.

    Args:
        folder: of the run.
        study: that made it, for the message.

    Raises:
        ShoalError: if there is nothing, as in runs of earlier versions, or the file is damaged.
    """
    path = latest_checkpoint(Path(folder) / "checkpoints" / KEPT)
    if path is None:
        raise ShoalError(
            f"{folder}: expected a run that kept its network and images, got one of an earlier version; run it again: "
            f"shoal study {study}"
        )
    return load_checkpoint(path)


def evenly(count: int, most: int = SHOWN) -> torch.Tensor:
    """Places (int64) of at most so many of a sorted column, evenly from its first to its last.

    Example:
        >>> evenly(100, 5).tolist(), evenly(3, 5).tolist()
        ([0, 25, 50, 74, 99], [0, 1, 2])
    """
    return torch.linspace(0, count - 1, min(most, count), dtype=torch.float64).round().long()
