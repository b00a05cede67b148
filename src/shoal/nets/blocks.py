"""The two residual blocks: out = relu(shortcut(x) + F(x)), with F two 3×3 convolutions or a bottleneck of three.

The shortcut is the identity, or a 1×1 convolution with batch normalisation (`downsample`) where the shape
changes. In both blocks the module called `relu` makes the block's output and runs once; the activations inside
are modules of their own, so that a hook on any of them sees one tensor per forward pass. Nothing works in place:
a tensor that a hook has seen stays as it was.

Source: He et al. 2016, "Deep residual learning for image recognition" (arXiv 1512.03385), figures 2 and 5.
"""

from jaxtyping import Float
from torch import Tensor, nn


def conv3x3(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """A 3×3 convolution that keeps the size (at stride 1), without bias: batch normalisation follows."""
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)


def conv1x1(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """A 1×1 convolution without bias."""
    return nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False)


def _shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels_in == channels_out:
        return None
    return nn.Sequential(conv1x1(channels_in, channels_out, stride), nn.BatchNorm2d(channels_out))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions; the first one carries the stride.

    Args:
        channels_in: channels of the input.
        channels: channels of the output.
        stride: 1, or 2 to halve the size.

    Example:
        >>> import torch
        >>> BasicBlock(8, 16, stride=2)(torch.zeros(2, 8, 6, 6)).shape
        torch.Size([2, 16, 3, 3])
    """

    expansion = 1  # channels of the output per unit of width

    def __init__(self, channels_in: int, channels: int, stride: int = 1):
        super().__init__()
        self.conv1 = conv3x3(channels_in, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(channels_in, channels, stride)
        self.relu = nn.ReLU()

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation that ends the residual branch."""
        return self.bn2

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """Add the residual branch to the shortcut: [b, channels_in, h, w] -> [b, channels, h / stride, w / stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + shortcut)


class Bottleneck(nn.Module):
    """1×1 down, 3×3, 1×1 up to four times the channels; the 3×3 carries the stride.

    The paper puts the stride on the first 1×1, which drops three quarters of its input unseen; on the 3×3 is what
    torchvision's published weights have ("v1.5").

    Args:
        channels_in: channels of the input.
        channels: channels of the 3×3; the output has four times as many.
        stride: 1, or 2 to halve the size.

    Example:
        >>> import torch
        >>> Bottleneck(8, 4, stride=2)(torch.zeros(2, 8, 6, 6)).shape
        torch.Size([2, 16, 3, 3])
    """

    expansion = 4

    def __init__(self, channels_in: int, channels: int, stride: int = 1):
        super().__init__()
        self.conv1 = conv1x1(channels_in, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = conv1x1(channels, channels * self.expansion)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.downsample = _shortcut(channels_in, channels * self.expansion, stride)
        self.relu = nn.ReLU()

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation that ends the residual branch."""
        return self.bn3

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """Add the residual branch to the shortcut: [b, channels_in, h, w] -> [b, 4 channels, h / stride, …]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.relu2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + shortcut)
