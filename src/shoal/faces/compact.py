"""`compact`: our own network, for ten thousand photos and two CPU cores.

A small ResNet. Almost all of its arithmetic is in 3×3 convolutions of 64 to 256 channels over at most 12 × 12
positions; there are no branches side by side, and no L2 pooling. Batch normalisation is always on.

    stem 3×3/2, 32 · stage1 2 blocks, 64 · stage2 2 blocks, 128 · stage3 1 block, 256 · 2×2 means

Every stage begins by halving the size, so that the last map of a 48 × 48 image has 3 × 3 positions. The mean
over each quarter is kept rather than the mean over everything: in an aligned face, eyes are above and the mouth
is below. 48 pixels a side, since in minutes a network learns more from twice the images than from twice the pixels:
see the lab log.
"""

from torch import nn

from shoal.faces.layers import ConvUnit
from shoal.faces.network import Trunk
from shoal.nets import BasicBlock

_STEM = 32
_STAGES = ((64, 2), (128, 2), (256, 1))  # channels and blocks
_GRID = 2  # means per side


def compact() -> Trunk:
    """1.7 M parameters, 47 M multiply–adds for an image of 48 × 48."""
    layers: dict[str, nn.Module] = {"stem": ConvUnit(3, _STEM, 3, stride=2, batch_norm=True)}
    channels = _STEM
    for number, (width, depth) in enumerate(_STAGES, start=1):
        first = BasicBlock(channels, width, stride=2)
        layers[f"stage{number}"] = nn.Sequential(first, *(BasicBlock(width, width) for _ in range(depth - 1)))
        channels = width
    layers["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(_GRID), nn.Flatten())
    feature_dim = channels * _GRID**2
    return Trunk(layers, feature_dim=feature_dim, image_size=(48, 48), batch_norm=True, stride=16)
