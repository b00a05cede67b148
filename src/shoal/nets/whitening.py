"""A first layer that is computed, not learned: patches of the training images, whitened.

    net = create_model("cifar_resnet18", whitened=True)
    fit_whitening(net, images)          # normalised training images; then train as usual

Neighbouring pixels are almost alike, so that a first layer spends its first epochs on learning differences. Here the
filters are the principal directions of the images' own patches, each scaled to variance 1, with either sign; they stay
fixed, and only their biases are trained.

Source: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", section 3.2 (arXiv 2404.00498), after Page 2019.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from shoal.errors import wrong


class Whitening(nn.Conv2d):
    """A convolution over small patches whose filters `fit` computes; images keep their size (zeros below and right).

    Args:
        in_channels: channels of the images.
        side: of a patch, in pixels.
        floor: added to every direction's variance, so that directions without signal are not blown up.

    Example:
        >>> layer = Whitening(3).fit(torch.randn(64, 3, 8, 8))
        >>> layer(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 24, 8, 8])
    """

    def __init__(self, in_channels: int, side: int = 2, floor: float = 5e-4):
        super().__init__(in_channels, 2 * in_channels * side**2, side)
        self.floor = floor
        self.weight.requires_grad_(False)
        nn.init.zeros_(self.bias)  # pyright: ignore[reportArgumentType] - this convolution has one

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b directions h w"]:
        """Project every patch onto the directions, in both signs."""
        more = self.kernel_size[0] - 1
        return super().forward(F.pad(input, (0, more, 0, more)))

    @torch.no_grad()
    def fit(self, images: Float[Tensor, "n c h w"]) -> "Whitening":
        """Compute the filters from training images.

        Args:
            images: normalised as in training; a few thousand are plenty.

        Raises:
            InputError: if they have another number of channels or hold NaN.
        """
        if images.ndim != 4 or images.shape[1] != self.in_channels or not bool(torch.isfinite(images).all()):
            got = f"{list(images.shape)}{'' if bool(torch.isfinite(images).all()) else ' with NaN or infinity'}"
            raise wrong("images", expected=f"finite [n, {self.in_channels}, height, width]", got=got)
        patches = F.unfold(images.double(), self.kernel_size[0])  # [n, c * side², places]
        patches = patches.transpose(1, 2).flatten(0, 1)  # [n * places, c * side²]
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))  # columns are directions
        filters = (directions / (variances.clamp_min(0) + self.floor).sqrt()).T.reshape(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([filters, -filters]))
        return self


def fit_whitening(model: nn.Module, images: Float[Tensor, "n c h w"]) -> bool:
    """Fit every `Whitening` layer that sees the images themselves.

    Args:
        model: any network.
        images: normalised training images.

    Returns:
        Whether there was such a layer.
    """
    layers = [part for part in model.modules() if isinstance(part, Whitening)]
    for layer in layers:
        layer.fit(images)
    return bool(layers)
