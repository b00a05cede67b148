"""NN1 to NN4, as the paper's tables 1 and 2 print them.

NN1 is the network of Zeiler & Fergus (arXiv 1311.2901) with 1×1 convolutions between; NN2 is an inception
network, NN3 the same for images of 160 × 160, NN4 a smaller one for 96 × 96. Of NN4 the paper says that the
late blocks have no 5×5 branches; leaving them out of 4e, 5a and 5b gives the printed 6.6 M parameters and 285 M
operations.

`shoal.faces.arithmetic` computes the tables' numbers from these networks.

Source: Schroff, Kalenichenko & Philbin 2015, "FaceNet", section 3.3 (arXiv 1503.03832).
"""

from dataclasses import replace

from torch import nn

from shoal.faces.inception import Branches, inception_layers
from shoal.faces.layers import ConvUnit, Maxout, max_pool, response_norm
from shoal.faces.network import ImageSize, Trunk

# name: 1×1, (3×3 reduce, 3×3), (5×5 reduce, 5×5), pooling, projection
_TABLE_2 = {
    "3a": Branches(64, (96, 128), (16, 32), "max", 32),
    "3b": Branches(64, (96, 128), (32, 64), "l2", 64),
    "3c": Branches(0, (128, 256), (32, 64), "max", stride=2),
    "4a": Branches(256, (96, 192), (32, 64), "l2", 128),
    "4b": Branches(224, (112, 224), (32, 64), "l2", 128),
    "4c": Branches(192, (128, 256), (32, 64), "l2", 128),
    "4d": Branches(160, (144, 288), (32, 64), "l2", 128),
    "4e": Branches(0, (160, 256), (64, 128), "max", stride=2),
    "5a": Branches(384, (192, 384), (48, 128), "l2", 128),
    "5b": Branches(384, (192, 384), (48, 128), "max", 128),
}
_NN4 = _TABLE_2 | {name: replace(_TABLE_2[name], fives=None) for name in ("4e", "5a", "5b")}


def nn1(batch_norm: bool) -> Trunk:
    """Table 1, for images of 220 × 220: ten convolutions, then two maxout layers of 4,096.

    Args:
        batch_norm: whether the convolutions are followed by batch normalisation instead of having a bias.
    """

    def unit(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> ConvUnit:
        return ConvUnit(channels_in, channels_out, kernel, stride, batch_norm=batch_norm)

    layers: dict[str, nn.Module] = {
        "conv1": unit(3, 64, 7, 2),
        "pool1": max_pool(2),
        "norm1": response_norm(batch_norm),
        "conv2a": unit(64, 64, 1),
        "conv2": unit(64, 192, 3),
        "norm2": response_norm(batch_norm),
        "pool2": max_pool(2),
        "conv3a": unit(192, 192, 1),
        "conv3": unit(192, 384, 3),
        "pool3": max_pool(2),
        "conv4a": unit(384, 384, 1),
        "conv4": unit(384, 256, 3),
        "conv5a": unit(256, 256, 1),
        "conv5": unit(256, 256, 3),
        "conv6a": unit(256, 256, 1),
        "conv6": unit(256, 256, 3),
        "pool4": max_pool(2),  # [n, 256, 7, 7]
        "fc1": Maxout(256 * 7 * 7, 4096),
        "fc2": Maxout(4096, 4096),
    }
    return Trunk(layers, feature_dim=4096, image_size=(220, 220), batch_norm=batch_norm, fixed=True)


def nn2(batch_norm: bool) -> Trunk:
    """Table 2, for images of 224 × 224.

    Args:
        batch_norm: whether the convolutions are followed by batch normalisation instead of having a bias.
    """
    return _averaged(_TABLE_2, (224, 224), batch_norm)


def nn3(batch_norm: bool) -> Trunk:
    """Table 2, for images of 160 × 160.

    Args:
        batch_norm: see `nn2`.
    """
    return _averaged(_TABLE_2, (160, 160), batch_norm)


def nn4(batch_norm: bool) -> Trunk:
    """Table 2 without 5×5 filters in the last three blocks, for images of 96 × 96.

    Args:
        batch_norm: see `nn2`.
    """
    return _averaged(_NN4, (96, 96), batch_norm)


def _averaged(rows: dict[str, Branches], image_size: ImageSize, batch_norm: bool) -> Trunk:
    """Table 2's stem, the rows, and the mean over all positions."""
    layers, channels = inception_layers(7, 64, (64, 192), rows, batch_norm=batch_norm)
    layers["pool5"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # [n, channels]
    return Trunk(layers, feature_dim=channels, image_size=image_size, batch_norm=batch_norm)
