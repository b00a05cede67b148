"""How much is computed at a time: what fits into a CPU's cache, or what fills a GPU.

A GPU takes about as long to start a product as a CPU takes for a small one: there, few large steps win.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Sizes:
    """Of the steps of the loops.

    Attributes:
        blocks: of a causal segment, at most.
        sums: pairs · blocks · features of a causal segment, at most: so many rows of sums are held.
        rows: of a step of the full form, and keys of a step of the guard.
        queries: of a step within a window.
    """

    blocks: int
    sums: int
    rows: int
    queries: int


CPU = Sizes(blocks=32, sums=2**12, rows=128, queries=128)
GPU = Sizes(blocks=512, sums=2**17, rows=4096, queries=512)


def sizes_for(device: torch.device) -> Sizes:
    """What suits a device."""
    return CPU if device.type == "cpu" else GPU
