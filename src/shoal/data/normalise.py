"""From bytes to floats: per-channel mean and standard deviation, and the callable that applies them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from shoal.errors import wrong


@dataclass(frozen=True)
class Normalise:
    """Turns uint8 images into float32 with (x / 255 − mean) / std, channel by channel.

    Attributes:
        mean: per channel, of images scaled to [0, 1].
        std: per channel, above 0.

    Raises:
        InputError: if mean and std differ in length, or a std is not above 0.

    Example:
        >>> import torch
        >>> Normalise((0.5,), (0.25,))(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
        tensor([[[[-2.,  2.]]]])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self):
        if len(self.mean) != len(self.std) or not all(std > 0 for std in self.std):
            expected = "one std above 0 for each mean"
            raise wrong("normalisation", expected=expected, got=f"mean {self.mean}, std {self.std}")

    def __call__(self, images: UInt8[Tensor, "b c h w"]) -> Float32[Tensor, "b c h w"]:
        """Normalise a batch; the memory format is kept."""
        if images.shape[1] != len(self.mean):
            raise wrong("images", expected=f"{len(self.mean)} channels", got=images.shape[1])
        mean, std = (torch.tensor(x, device=images.device).view(-1, 1, 1) for x in (self.mean, self.std))
        return images.to(torch.float32).sub_(mean * 255).div_(std * 255)


def channel_statistics(
    images: UInt8[Tensor, "n c h w"], *, chunk: int = 2048
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and (population) standard deviation per channel of images scaled to [0, 1].

    Both come from a histogram of whole numbers, so that the result does not depend on the number of threads.

    Args:
        images: at least one pixel.
        chunk: images counted at a time; bounds the memory.

    Returns:
        (mean, std), one number a channel; the std of a constant channel is 1, so that one can divide by it.

    Example:
        >>> import torch
        >>> channel_statistics(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
        ((0.5,), (0.5,))
    """
    if not images.numel():
        raise wrong("images", expected="at least one", got=f"{list(images.shape)}")
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for part in images.split(chunk):
        for channel, pixels in enumerate(part.unbind(1)):
            counts[channel] += torch.bincount(pixels.flatten(), minlength=256)
    share = counts.double() / counts.sum(1, keepdim=True)  # (c, 256)
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = share @ values
    variance = (share * (values - mean[:, None]).square()).sum(1)
    std = torch.where(variance > 0, variance.sqrt(), 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())
