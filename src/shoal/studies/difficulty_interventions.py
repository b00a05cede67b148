"""Changes that make an image harder to see: noise, less contrast, a patch over a part, a cut.

    altered = INTERVENTIONS["occlusion"].alter(images, generator)

The same images are measured as they are and altered, so that nothing but the change tells them apart. Changes are mild,
so that a person, and mostly the network, still knows what is shown: noise and contrast are of the second of the five
severities of Hendrycks & Dietterich 2019, "Benchmarking neural network robustness" (arXiv 1903.12261).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from shoal.studies.wording import percent

NOISE = 0.06  # standard deviation, as a share of white
CONTRAST = 0.5  # share that is left
PATCH = 0.5  # side, as a share of the image's
CUT = 0.75  # side of what is left, as a share of the image's

Images = UInt8[Tensor, "n channels height width"]


@dataclass(frozen=True)
class Intervention:
    """One way to alter images.

    Attributes:
        title: in a word or two, for tables.
        words: what is done, for sentences.
        alter: images and a generator to altered images of the same shape.
    """

    title: str
    words: str
    alter: Callable[[Images, torch.Generator], Images]


def add_noise(images: Images, generator: torch.Generator, strength: float = NOISE) -> Images:
    """Add Gaussian noise to every pixel.

    Example:
        >>> grey = torch.full((1, 1, 2, 2), 128, dtype=torch.uint8)
        >>> torch.equal(add_noise(grey, torch.Generator(), 0.0), grey)
        True
    """
    noise = torch.randn(images.shape, generator=generator) * 255 * strength
    return _bytes(images + noise)


def lower_contrast(images: Images, generator: torch.Generator | None = None, left: float = CONTRAST) -> Images:  # noqa: ARG001
    """Draw all pixels of an image towards its mean.

    Example:
        >>> lower_contrast(torch.tensor([[[[0, 200]]]], dtype=torch.uint8), left=0.5).tolist()
        [[[[50, 150]]]]
    """
    mean = images.float().mean((1, 2, 3), keepdim=True)
    return _bytes(mean + left * (images - mean))


def occlude(images: Images, generator: torch.Generator, share: float = PATCH) -> Images:
    """Lay a square of the image's mean colour over a random place that is whole within it.

    Example:
        >>> covered = occlude((200 * torch.eye(4, dtype=torch.uint8))[None, None], torch.Generator(), 0.5)
        >>> int((covered == 50).sum())
        4
    """
    n, _, height, width = images.shape
    sides = [max(1, round(share * side)) for side in (height, width)] if share else [0, 0]
    inside = []
    for side, size in zip((height, width), sides, strict=True):
        start = torch.randint(side - size + 1, (n, 1), generator=generator)
        place = torch.arange(side)
        inside.append((place >= start) & (place < start + size))  # (n, side)
    patch = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]  # (n, 1, h, w)
    return torch.where(patch, _bytes(images.float().mean((2, 3), keepdim=True)), images)


def cut_out(images: Images, generator: torch.Generator | None = None, share: float = CUT) -> Images:  # noqa: ARG001
    """Cut out the middle, and bring it to the old size: what stands around the object is gone.

    Example:
        >>> cut_out(torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4), share=1.0).flatten()[:3].tolist()
        [0, 1, 2]
    """
    height, width = images.shape[2:]
    tall, wide = (max(2, round(share * side)) for side in (height, width))
    top, left = (height - tall) // 2, (width - wide) // 2
    middle = images[:, :, top : top + tall, left : left + wide].float()
    return _bytes(F.interpolate(middle, (height, width), mode="bilinear"))


def _bytes(values: Tensor) -> Images:
    return values.round().clamp(0, 255).to(torch.uint8)


INTERVENTIONS: dict[str, Intervention] = {
    "noise": Intervention("noise", f"Gaussian noise of {percent(NOISE, 0)} of white", add_noise),
    "low_contrast": Intervention("low contrast", f"contrast lowered to {percent(CONTRAST, 0)}", lower_contrast),
    "occlusion": Intervention("occlusion", f"a patch over {percent(PATCH**2, 0)} of the image", occlude),
    "cropping": Intervention("cropping", f"a cut of the middle {percent(CUT**2, 0)}, enlarged", cut_out),
}
