"""The layers of the paper's networks: convolution units, L2 pooling, maxout, response and L2 normalisation.

Convolutions and poolings are padded so that an image of side s leaves them with side ceil(s / stride), whatever
the kernel. That gives the sizes of the paper's tables at every row: 220 → 110 → 55 → 28 → 14 → 7.

Source: Schroff, Kalenichenko & Philbin 2015, "FaceNet", tables 1 and 2 (arXiv 1503.03832); Goodfellow et al.
2013 (arXiv 1302.4389) for maxout; Krizhevsky et al. 2012, section 3.3, for response normalisation.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_SHORTEST = 1e-4  # below this length a vector is divided by this: zero stays zero, its gradient finite
# Variance of relu(z) for a standard normal z; filters that sum to zero see it, and not the mean.
_RELU_VARIANCE = 0.5 - 0.5 / math.pi


class ConvUnit(nn.Sequential):
    """A convolution with bias, or one without and batch normalisation; then ReLU.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        kernel: odd side of the filters.
        stride: 1, or 2 to halve the size.
        batch_norm: whether to normalise.

    Example:
        >>> ConvUnit(3, 8, 7, stride=2, batch_norm=False)(torch.zeros(2, 3, 9, 11)).shape
        torch.Size([2, 8, 5, 6])
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, *, batch_norm: bool):
        convolution = nn.Conv2d(
            channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=not batch_norm
        )
        norm = [nn.BatchNorm2d(channels_out)] if batch_norm else []
        super().__init__(convolution, *norm, nn.ReLU())


def max_pool(stride: int) -> nn.MaxPool2d:
    """The largest of 3×3 positions."""
    return nn.MaxPool2d(3, stride=stride, padding=1)


class L2Pool(nn.Module):
    """The root of the mean square over 3×3 positions; at the border over those that are inside the image.

    The paper says "L2" and not whether it is the mean or the sum; the mean keeps the scale. A small number
    under the root keeps the gradient finite where all nine are zero, as after a ReLU they often are.

    Example:
        >>> L2Pool()(torch.full((1, 1, 4, 5), 3.0)).unique().round(decimals=4)
        tensor([3.])
    """

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Pool at stride 1: the size stays."""
        floor = max(1e-8, torch.finfo(x.dtype).tiny)  # float16 knows no 1e-8
        return (F.avg_pool2d(x * x, 3, stride=1, padding=1, count_include_pad=False) + floor).sqrt()


class Maxout(nn.Module):
    """A fully connected layer that keeps the larger of `pieces` linear functions per output.

    Args:
        features_in: numbers of an input, whatever their shape.
        features_out: numbers of an output.
        pieces: linear functions per output; p in the paper.

    Example:
        >>> Maxout(3 * 2 * 2, 5)(torch.zeros(7, 3, 2, 2)).shape
        torch.Size([7, 5])
    """

    def __init__(self, features_in: int, features_out: int, pieces: int = 2):
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(features_in, pieces * features_out)

    def forward(self, x: Float[Tensor, "n *shape"]) -> Float[Tensor, "n features"]:
        """Flatten, apply all functions, keep the largest of each group."""
        values = self.linear(x.flatten(1))  # [n, out * pieces]
        return values.unflatten(1, (-1, self.pieces)).amax(-1)  # [n, out]


def response_norm(batch_norm: bool) -> nn.Module:
    """The paper's "norm" layer, or nothing where batches are normalised.

    Each number is divided by (1 + 1e-4 m)^0.75, m the mean square over five neighbouring channels. The paper
    gives no constants; these are GoogLeNet's. Batch normalisation took its place (arXiv 1502.03167).

    Args:
        batch_norm: whether batches are normalised.
    """
    return nn.Identity() if batch_norm else nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)


def l2_normalise(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Bring rows to unit length, in float32 at least; a row that is zero stays zero instead of becoming NaN.

    Args:
        x: any float dtype.

    Returns:
        Rows of length 1; rows shorter than 1e-4 are divided by 1e-4.

    Example:
        >>> l2_normalise(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000..., 0.8000...], [0.0, 0.0]]
    """
    return F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=1, eps=_SHORTEST)


@torch.no_grad()
def draw_filters(
    weight: Float[Tensor, "out *rest"],
    *,
    gain: float,
    generator: torch.Generator | None = None,
) -> None:
    """Fill a weight with filters from a normal distribution, each with its mean taken off.

    A ReLU's outputs have a positive mean, the same for every image; plain filters carry it on, layer by layer,
    until all images look alike and no triplet tells anything. Filters that sum to zero do not see it.

    Args:
        weight: one filter per row, of at least two numbers; changed in place.
        gain: variance of an output for inputs of variance 1.
        generator: on the weight's device; torch's global random state unless given.
    """
    fan_in = weight[0].numel()
    std = math.sqrt(gain / (fan_in - 1))  # the mean takes one degree of freedom
    weight.normal_(std=std, generator=generator)
    weight -= weight.flatten(1).mean(1).view(-1, *[1] * (weight.ndim - 1))


def initialise(network: nn.Module) -> None:
    """Draw new weights for every convolution and fully connected layer, and set their biases to zero.

    The gain of convolutions keeps the variance through ReLUs, as He et al. 2015 (arXiv 1502.01852) do for
    filters that see the mean. Images stay apart through all 22 layers of NN2 without batch normalisation.

    Args:
        network: whose layers.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw_filters(module.weight, gain=1 / _RELU_VARIANCE if isinstance(module, nn.Conv2d) else 1.0)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
