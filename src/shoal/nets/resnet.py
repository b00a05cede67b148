"""ResNets for small and for large images, of any width.

    create_model("cifar_resnet18", num_classes=10, width=64)(torch.zeros(1, 3, 32, 32))
    create_model("resnet50", num_classes=1000)          # loads torchvision's published weights

Both kinds have the same four stages, at 1, 2, 4 and 8 times the width; they differ in the stem. "cifar_…" begins
with a 3×3 convolution at full size, for images of about 32×32; the others with a 7×7 convolution at stride 2 and
max-pooling, for images of about 224×224. Modules bear torchvision's names.

    conv1 · bn1 · relu · maxpool · layer1 · layer2 · layer3 · layer4 · avgpool · fc

Source: He et al. 2016 (arXiv 1512.03385), table 1; stem and initialisation as in torchvision.
"""

from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from shoal.errors import wrong
from shoal.nets.blocks import BasicBlock, Bottleneck
from shoal.nets.registry import ModelConfig, register_model
from shoal.nets.whitening import Whitening

Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """A residual network that classifies images.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: blocks in each of the four stages.
        num_classes: length of the logits.
        in_channels: channels of the images.
        width: channels of the stem and the first stage; every later stage doubles it.
        small_images: 3×3 stem without pooling (sides >= 8) instead of 7×7 with pooling (sides >= 32). Below
            these sides the last stage would have less than one pixel to look at.
        whitened: put a fixed layer of whitened patches before the stem (see `shoal.nets.whitening`).
        zero_init_residual: start every block as its shortcut alone (Goyal et al. 2017, arXiv 1706.02677, 5.1).

    Attributes:
        config: name and settings, where the network comes from the registry.

    Example:
        >>> import torch
        >>> net = ResNet(BasicBlock, [1, 1, 1, 1], width=8, small_images=True)
        >>> net(torch.zeros(2, 3, 20, 28)).shape
        torch.Size([2, 10])
    """

    config: ModelConfig | None = None

    def __init__(
        self,
        block: Block,
        depths: Sequence[int],
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        width: int = 64,
        small_images: bool = False,
        zero_init_residual: bool = False,
        whitened: bool = False,
    ):
        super().__init__()
        for name, value in (("num_classes", num_classes), ("in_channels", in_channels), ("width", width)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise wrong(name, expected="a whole number >= 1", got=value)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.min_side = 8 if small_images else 32
        kernel, stride, padding = (3, 1, 1) if small_images else (7, 2, 3)
        self.whiten = Whitening(in_channels) if whitened else None
        in_channels = self.whiten.out_channels if self.whiten else in_channels
        self.conv1 = nn.Conv2d(in_channels, width, kernel, stride=stride, padding=padding, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(block, width, width, depths[0], stride=1)
        self.layer2 = _stage(block, width * block.expansion, 2 * width, depths[1], stride=2)
        self.layer3 = _stage(block, 2 * width * block.expansion, 4 * width, depths[2], stride=2)
        self.layer4 = _stage(block, 4 * width * block.expansion, 8 * width, depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width * block.expansion, num_classes)
        _initialise(self, zero_init_residual)

    def forward(self, x: Tensor) -> Tensor:
        """Classify images.

        Args:
            x: [batch, in_channels, height, width], sides of at least `min_side`.

        Returns:
            Logits [batch, num_classes].

        Raises:
            InputError: if x has another form or is too small.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.min_side:
            form = f"[batch, {self.in_channels}, height, width] with sides >= {self.min_side}"
            raise wrong("images", expected=form, got=list(x.shape))
        if self.whiten is not None:
            x = F.relu(self.whiten(x))  # [b, 8 * in_channels, h, w]
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # [b, w, h, w] or [b, w, h/4, w/4]
        x = self.layer2(self.layer1(x))
        x = self.layer4(self.layer3(x))  # [b, C, h/8, w/8] or [b, C, h/32, w/32]
        return self.fc(self.avgpool(x).flatten(1))


def _stage(block: Block, channels_in: int, channels: int, depth: int, stride: int) -> nn.Sequential:
    """`depth` blocks, of which the first changes size and channels."""
    rest = [block(channels * block.expansion, channels) for _ in range(depth - 1)]
    return nn.Sequential(block(channels_in, channels, stride), *rest)


def _initialise(net: nn.Module, zero_init_residual: bool) -> None:
    """He et al. 2015 (arXiv 1502.01852) for convolutions; torch's own for the rest."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
            nn.init.zeros_(module.last_norm.weight)


_LAYERS: dict[int, tuple[Block, tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
for _layers, (_block, _depths) in _LAYERS.items():
    register_model(partial(ResNet, _block, _depths, small_images=True), name=f"cifar_resnet{_layers}")
    register_model(partial(ResNet, _block, _depths, small_images=False), name=f"resnet{_layers}")
