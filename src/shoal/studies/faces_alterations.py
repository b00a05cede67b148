"""What is done to test faces: mirrored, moved, lit otherwise, blurred; compressed as JPEG; brought to fewer pixels.

ALTERATIONS["blur"].alter(images)           # uint8 [n, 3, h, w], as is what it takes
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

SHIFT = 0.08  # of the side, both ways
LIGHT = 40  # of 255
BLUR = 0.03  # standard deviation of the Gaussian, as a share of the side


@dataclass(frozen=True)
class Alteration:
    """One way to alter faces.

    Attributes:
        words: what it does.
        alter: from images to images of the same shape.
        of_all: whether other things than faces stay what they are too.
    """

    words: str
    alter: Callable[[Tensor], Tensor]
    of_all: bool = True


def shift(images: UInt8[Tensor, "n c h w"], share: float = SHIFT) -> UInt8[Tensor, "n c h w"]:
    """Move images down and to the right; the edge that is left is repeated.

    Args:
        images: any.
        share: of each side, in [0, 1).

    Example:
        >>> shift(torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8), 0.5).tolist()
        [[[[1, 1], [1, 1]]]]
    """
    down, right = (round(share * side) for side in images.shape[2:])
    height, width = images.shape[2:]
    rows, columns = (torch.arange(side).sub(by).clamp(min=0) for side, by in ((height, down), (width, right)))
    return images[:, :, rows][:, :, :, columns]


def brighten(images: UInt8[Tensor, "n c h w"], by: int = LIGHT) -> UInt8[Tensor, "n c h w"]:
    """Add light everywhere; what would be lighter than white is white.

    Args:
        images: any.
        by: of 255; may be negative.

    Example:
        >>> brighten(torch.tensor([[[[0, 250]]]], dtype=torch.uint8)).tolist()
        [[[[40, 255]]]]
    """
    return (images.short() + by).clamp(0, 255).to(torch.uint8)


def blur(images: UInt8[Tensor, "n c h w"], share: float = BLUR) -> UInt8[Tensor, "n c h w"]:
    """Blur with a Gaussian; edges are mirrored.

    Args:
        images: any.
        share: standard deviation, as a share of the longer side; above 0.
    """
    kernel = _gaussian(share * max(images.shape[2:]), reach=min(images.shape[2:]) - 1)
    reach = len(kernel) // 2
    found = []
    for part in images.split(256):
        n, c, h, w = part.shape
        x = F.pad(part.float(), (reach,) * 4, mode="reflect").view(n * c, 1, h + 2 * reach, w + 2 * reach)
        x = F.conv2d(F.conv2d(x, kernel[None, None, :, None]), kernel[None, None, None])
        found.append(x.view(n, c, h, w).round().clamp(0, 255).to(torch.uint8))
    return torch.cat(found) if found else images


def _gaussian(deviation: float, *, reach: int) -> Float[Tensor, "size"]:
    reach = max(1, min(reach, round(3 * deviation)))
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation).square())
    return weights / weights.sum()


ALTERATIONS: dict[str, Alteration] = {
    "flip": Alteration("mirrored", lambda images: images.flip(3), of_all=False),
    "shift": Alteration(f"moved by {100 * SHIFT:g} % of the side, down and to the right", shift),
    "brightness": Alteration(f"{LIGHT} of 255 brighter", brighten),
    "blur": Alteration(f"blurred by a Gaussian of {100 * BLUR:g} % of the side", blur),
}


def compress(images: UInt8[Tensor, "n 3 h w"], quality: int) -> UInt8[Tensor, "n 3 h w"]:
    """What is left of images that were kept as JPEG.

    Args:
        images: red, green, blue.
        quality: from 1 to 95, as libjpeg counts.
    """
    from PIL import Image

    found = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(file, format="JPEG", quality=quality)
        array = np.asarray(Image.open(file).convert("RGB"))  # [h, w, 3]
        found.append(torch.from_numpy(array.copy()).permute(2, 0, 1))
    return torch.stack(found) if found else images


def coarsen(images: UInt8[Tensor, "n c h w"], side: int) -> UInt8[Tensor, "n c h w"]:
    """What is left of images that were brought to fewer pixels, and back.

    Args:
        images: square.
        side: pixels a side in between.

    Example:
        >>> coarsen(torch.tensor([[[[0, 100], [100, 200]]]], dtype=torch.uint8), 1).tolist()
        [[[[100, 100], [100, 100]]]]
    """
    if side >= max(images.shape[2:]):
        return images
    found = []
    for part in images.split(256):
        small = F.interpolate(part.float(), (side, side), mode="bilinear", antialias=True)
        again = F.interpolate(small, part.shape[2:], mode="bicubic")
        found.append(again.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(found) if found else images
