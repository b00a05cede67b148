"""All face networks side by side, and ResNet-50 beside them.

    print(compare_networks())

Parameters, multiply–adds as the paper counts them (see `shoal.faces.arithmetic`) and as Shoal counts them
(`shoal.measure.count_macs`: products only), each for one image of the network's own size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from shoal.faces.arithmetic import count_flops, millions
from shoal.faces.network import ImageSize
from shoal.faces.networks import create_network, list_networks
from shoal.faces.tables import TextTable
from shoal.measure import count_macs, count_parameters
from shoal.nets import create_model

_ORIGINS = {"nns1": "the paper's budget", "nns2": "the paper's budget", "compact": "ours"}


@dataclass(frozen=True)
class NetworkRow:
    """What one network costs.

    Attributes:
        name: of the network.
        image_size: height and width that the numbers are for.
        parameters: how many numbers it learns.
        flops: multiply–adds of one image as the paper counts them: (weights + biases) × positions.
        macs: multiply–adds of one image, products only.
        origin: where its layers come from.
    """

    name: str
    image_size: ImageSize
    parameters: int
    flops: int
    macs: int
    origin: str


@dataclass(frozen=True)
class NetworkTable(TextTable):
    """Networks side by side.

    Attributes:
        rows: one per network.
    """

    rows: tuple[NetworkRow, ...]

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text, head first."""
        head = ("network", "image", "parameters", "M FLOPS", "M MACs", "origin")
        return [head, *map(_cells_of, self.rows)]


def compare_networks(names: Sequence[str] | None = None, *, embedding_dim: int = 128) -> NetworkTable:
    """Put what the networks cost side by side, and ResNet-50 beside them.

    Args:
        names: of face networks; all unless given.
        embedding_dim: numbers of an embedding. ResNet-50 has its 1,000 logits.

    Returns:
        A row per network at its own image size, without batch normalisation where it can do without; the last
        one is ResNet-50 at 224 × 224.

    Raises:
        InputError: if there is no such network.

    Example:
        >>> print(compare_networks(["nn4"]))
        network       image  parameters  M FLOPS   M MACs  origin
        nn4         96 × 96   6,607,888    285.3    284.7  the paper's
        resnet50  224 × 224  25,557,032  4,089.2  4,089.2  He et al. 2016
    """
    rows = []
    with torch.device("meta"):
        for name in list_networks() if names is None else names:
            network = create_network(name, embedding_dim)
            rows.append(_row(name, network, network.image_size, _ORIGINS.get(name, "the paper's")))
        resnet = create_model("resnet50", num_classes=1000)
        rows.append(_row("resnet50", resnet, (224, 224), "He et al. 2016"))
    return NetworkTable(tuple(rows))


def _row(name: str, network: nn.Module, image_size: ImageSize, origin: str) -> NetworkRow:
    x = torch.empty(1, 3, *image_size, device="meta")
    flops = sum(count_flops(network, x).values())
    return NetworkRow(name, image_size, count_parameters(network), flops, count_macs(network, x).total, origin)


def _cells_of(row: NetworkRow) -> tuple[str, ...]:
    height, width = row.image_size
    counts = (f"{row.parameters:,}", millions(row.flops), millions(row.macs))
    return (row.name, f"{height} × {width}", *counts, row.origin)
