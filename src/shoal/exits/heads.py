"""Exit heads: a pooling and one linear layer, small beside the layers that they let an example skip.

An image head sees the mean of each quadrant and the overall maximum of every channel: where something is, and
whether it is anywhere. On CIFAR-sized networks that costs under 0.01 % of the backbone and is clearly better than
the overall mean alone in early layers, whose channels are still local.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from shoal.errors import wrong


class ImageHead(nn.Module):
    """Classify feature maps [b, channels, height, width] from quadrant means and overall maxima.

    Args:
        channels: channels of the feature map.
        num_classes: logits to give.
    """

    def __init__(self, channels: int, num_classes: int):
        super().__init__()
        self.linear = nn.Linear(5 * channels, num_classes)

    def forward(self, features: Float[Tensor, "b channels height width"]) -> Float[Tensor, "b classes"]:
        """Return the logits."""
        # not self.linear(...): for one row, right after the convolutions of a layer, a module's call takes longer than
        # the product
        return F.linear(_pooled(features), self.linear.weight, self.linear.bias)


def _pooled(features: Float[Tensor, "b channels height width"]) -> Float[Tensor, "b five_channels"]:
    """Quadrant means and overall maxima, by the quicker of two ways.

    On a CPU adaptive pooling finds maxima ten times faster with bfloat16 in channels_last, amax four times with float32
    in rows. While training it is the pooling: amax would share a gradient among equal values.
    """
    height, width = features.shape[2:]
    in_rows = features.dtype == torch.float32 and features.is_contiguous() and not torch.is_grad_enabled()
    if in_rows and height % 2 == width % 2 == 0:
        means = F.avg_pool2d(features, (height // 2, width // 2))
    else:
        means = F.adaptive_avg_pool2d(features, 2)
    largest = features.amax((2, 3)) if in_rows else F.adaptive_max_pool2d(features, 1).flatten(1)
    return torch.cat([means.flatten(1), largest], 1)


class TokenHead(nn.Module):
    """Classify tokens [b, tokens, dim] from their mean and maximum, normalised.

    Args:
        dim: width of a token.
        num_classes: logits to give.
    """

    def __init__(self, dim: int, num_classes: int):
        super().__init__()
        self.norm = nn.LayerNorm(2 * dim)
        self.linear = nn.Linear(2 * dim, num_classes)

    def forward(self, tokens: Float[Tensor, "b tokens dim"]) -> Float[Tensor, "b classes"]:
        """Return the logits."""
        return self.linear(self.norm(torch.cat([tokens.mean(1), tokens.amax(1)], 1)))


class VectorHead(nn.Module):
    """Classify vectors [b, dim].

    Args:
        dim: width of a vector.
        num_classes: logits to give.
    """

    def __init__(self, dim: int, num_classes: int):
        super().__init__()
        self.linear = nn.Linear(dim, num_classes)

    def forward(self, vectors: Float[Tensor, "b dim"]) -> Float[Tensor, "b classes"]:
        """Return the logits."""
        return self.linear(vectors)


def create_head(output: Tensor, num_classes: int, layer: str) -> nn.Module:
    """Make the head that fits a layer's output.

    Args:
        output: an example, [b, channels, height, width], [b, tokens, dim] or [b, dim].
        num_classes: logits to give.
        layer: the layer's name, for the message.

    Raises:
        InputError: if the output has another form.
    """
    heads: dict[int, tuple[type[nn.Module], int]] = {4: (ImageHead, 1), 3: (TokenHead, 2), 2: (VectorHead, 1)}
    if output.ndim not in heads or not output.is_floating_point():
        raise wrong(
            f"exit at {layer}",
            expected="a layer whose output is [batch, channels, height, width], [batch, tokens, dim] or [batch, dim]",
            got=f"{output.dtype} {list(output.shape)}",
        )
    head, axis = heads[output.ndim]
    return head(output.shape[axis], num_classes)
