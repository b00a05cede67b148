"""The inception block as FaceNet uses it: 1×1, 3×3, 5×5 and pooled branches side by side.

    Inception(192, Branches(64, (96, 128), (16, 32), "max", 32), batch_norm=False)      # row 3a of table 2

Wider filters look at the image through a 1×1 convolution with few channels ("reduce"). Unlike GoogLeNet's, some
blocks pool by L2 instead of by maximum, and two halve the size by their strides instead of a pooling behind
them.

Source: Szegedy et al. 2014, "Going deeper with convolutions" (arXiv 1409.4842); FaceNet, table 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shoal.faces.layers import ConvUnit, L2Pool, max_pool, response_norm

Pool = Literal["", "max", "l2"]


@dataclass(frozen=True)
class Branches:
    """One row of the paper's table 2.

    Attributes:
        ones: channels of the 1×1 branch; 0 leaves it out.
        threes: channels of the 1×1 reduction and of the 3×3 filters behind it; None leaves the branch out.
        fives: the same with 5×5 filters.
        pool: how 3×3 positions are pooled: "max", "l2", or "" for no such branch.
        projection: channels of the 1×1 convolution behind the pooling; 0 hands on what was pooled.
        stride: of 3×3, 5×5 and pooling; 2 halves the size and goes with neither a 1×1 branch nor a projection.
    """

    ones: int = 0
    threes: tuple[int, int] | None = None
    fives: tuple[int, int] | None = None
    pool: Pool = ""
    projection: int = 0
    stride: int = 1


class Inception(nn.Module):
    """Branches side by side; their channels are concatenated in the order 1×1, 3×3, 5×5, pool.

    Args:
        channels_in: channels of the input.
        branches: what they are.
        batch_norm: whether convolutions are followed by batch normalisation instead of having a bias.

    Attributes:
        channels_out: channels of the output.

    Example:
        >>> block = Inception(8, Branches(0, (4, 6), (2, 3), "max", stride=2), batch_norm=False)
        >>> block(torch.zeros(1, 8, 5, 7)).shape          # 6 + 3 + 8 channels
        torch.Size([1, 17, 3, 4])
    """

    def __init__(self, channels_in: int, branches: Branches, *, batch_norm: bool):
        super().__init__()
        stride = branches.stride
        self.channels_out = 0
        self.branches = nn.ModuleDict()
        if branches.ones:
            self._add("1x1", branches.ones, ConvUnit(channels_in, branches.ones, 1, batch_norm=batch_norm))
        for kernel, widths in ((3, branches.threes), (5, branches.fives)):
            if widths is not None:
                reduce, out = widths
                first = ConvUnit(channels_in, reduce, 1, batch_norm=batch_norm)
                second = ConvUnit(reduce, out, kernel, stride, batch_norm=batch_norm)
                self._add(f"{kernel}x{kernel}", out, nn.Sequential(first, second))
        if branches.pool:
            pool = L2Pool() if branches.pool == "l2" else max_pool(stride)
            if branches.projection:
                projection = ConvUnit(channels_in, branches.projection, 1, batch_norm=batch_norm)
                self._add("pool", branches.projection, nn.Sequential(pool, projection))
            else:
                self._add("pool", channels_in, pool)

    def _add(self, name: str, channels: int, branch: nn.Module) -> None:
        self.branches[name] = branch
        self.channels_out += channels

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run all branches: [n, channels_in, h, w] -> [n, channels_out, ceil(h / stride), ceil(w / stride)]."""
        return torch.cat([branch(x) for branch in self.branches.values()], 1)


def inception_layers(
    kernel: int, channels: int, second: tuple[int, int], rows: Mapping[str, Branches], *, batch_norm: bool
) -> tuple[dict[str, nn.Module], int]:
    """The layers of a network like NN2 up to its last feature map, which is a 32nd of the image's size.

    Args:
        kernel: of the first convolution.
        channels: of the first convolution.
        second: channels of the 1×1 and of the 3×3 convolution of "inception (2)".
        rows: the other blocks by name, two of them with stride 2.
        batch_norm: whether to normalise batches.

    Returns:
        The layers by name, and the channels of their output.
    """
    block = Inception(channels, Branches(threes=second), batch_norm=batch_norm)
    layers: dict[str, nn.Module] = {
        "conv1": ConvUnit(3, channels, kernel, stride=2, batch_norm=batch_norm),
        "pool1": max_pool(2),
        "norm1": response_norm(batch_norm),
        "inception2": block,
        "norm2": response_norm(batch_norm),
        "pool2": max_pool(2),
    }
    for name, branches in rows.items():
        block = Inception(block.channels_out, branches, batch_norm=batch_norm)
        layers[f"inception{name}"] = block
    return layers, block.channels_out
