"""Random changes to batches of faces that leave the person who they are: mirrored, moved, lit otherwise, part hidden.

All of a batch at once, and a pure function of the generator, so that training repeats itself and goes on exactly.
Flips and cut-outs are those of `shoal.data.augment`; what moves an image is one resampling for shift, zoom and turn.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from shoal.data import cutout, random_flip
from shoal.errors import wrong

_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


@dataclass(frozen=True, kw_only=True)
class FaceAugment:
    """How much faces are changed while a network learns them; 0 switches a change off.

    Attributes:
        flip: probability of a mirrored image.
        shift: farthest that an image moves up, down or sideways, as a share of its side.
        zoom: largest change of scale, as a share.
        turn: largest angle, in degrees.
        light: largest change of brightness, in the images' unit (of a standard deviation of about 1).
        contrast: largest change of contrast, as a share.
        grey: probability that colour is taken away, in part or all of it.
        blur: probability that an image is blurred, a little or by a 3×3 mean.
        erase: probability that a square is blanked.
        erase_side: side of that square, as a share of the image's shorter side.

    Raises:
        InputError: if a number is out of range.

    Example:
        >>> faces = torch.randn(4, 3, 32, 32)
        >>> generator = torch.Generator().manual_seed(0)
        >>> FaceAugment()(faces, index=torch.arange(4), epoch=0, generator=generator).shape
        torch.Size([4, 3, 32, 32])
    """

    flip: float = 0.5
    shift: float = 0.05
    zoom: float = 0.08
    turn: float = 4.0
    light: float = 0.2
    contrast: float = 0.2
    grey: float = 0.1
    blur: float = 0.1
    erase: float = 0.1
    erase_side: float = 0.35

    def __post_init__(self) -> None:
        largest = {"turn": 180.0, "light": 10.0}
        for field in fields(self):
            value, most = getattr(self, field.name), largest.get(field.name, 1.0)
            if not 0 <= value <= most:
                raise wrong(f"augmentation, {field.name}", expected=f"a number from 0 to {most:g}", got=value)
        if self.zoom == 1:
            raise wrong("augmentation, zoom", expected="a share below 1", got=self.zoom)

    def __call__(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        index: Int64[Tensor, "b"],  # noqa: ARG002 - what the fit loop's batches hand over
        epoch: int,  # noqa: ARG002
        generator: torch.Generator,
    ) -> Float[Tensor, "b 3 h w"]:
        """Change a batch.

        Args:
            images: of about mean 0 and standard deviation 1.
            index: not used.
            epoch: not used.
            generator: a CPU generator.
        """
        if self.flip:
            images = random_flip(images, generator=generator, probability=self.flip)
        if self.shift or self.zoom or self.turn:
            images = moved(images, shift=self.shift, zoom=self.zoom, turn=self.turn, generator=generator)
        images = _some(images, self.blur, lambda some: _towards(some, _blurred(some), generator), generator)
        images = _some(images, self.grey, lambda some: _towards(some, _grey(some), generator), generator)
        if self.light or self.contrast:
            images = relit(images, light=self.light, contrast=self.contrast, generator=generator)
        side = round(self.erase_side * min(images.shape[2:]))
        return _some(images, self.erase, lambda some: cutout(some, size=side, generator=generator), generator)


def moved(
    images: Float[Tensor, "b c h w"], *, shift: float, zoom: float, turn: float, generator: torch.Generator
) -> Float[Tensor, "b c h w"]:
    """Shift, scale and turn each image by random amounts, in one bilinear resampling; edges are mirrored.

    Args:
        images: square or not; a turn keeps shapes as they are in pixels.
        shift: farthest move along each side, as a share of it.
        zoom: scales are drawn between 1 / (1 + zoom) and 1 + zoom, evenly in their logarithm.
        turn: largest angle, in degrees.
        generator: a CPU generator.
    """
    b, _, h, w = images.shape
    across, down, scale, angle = (2 * _draw(4, generator, b) - 1).unbind()  # each (b,), in [-1, 1)
    size = torch.exp(-scale * math.log1p(zoom))  # of the window that is seen, as a share of the image
    cosine, sine = torch.cos(angle * math.radians(turn)) * size, torch.sin(angle * math.radians(turn)) * size
    theta = torch.stack(  # (b, 2, 3), of coordinates in [-1, 1] along each side
        (cosine, -sine * h / w, 2 * shift * across, sine * w / h, cosine, 2 * shift * down), 1
    ).view(b, 2, 3)
    grid = F.affine_grid(theta.to(images), [*images.shape], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def relit(
    images: Float[Tensor, "b c h w"], *, light: float, contrast: float, generator: torch.Generator
) -> Float[Tensor, "b c h w"]:
    """Change brightness and contrast of each image by random amounts.

    Args:
        images: of about mean 0; contrast is changed around it.
        light: most that is added.
        contrast: most that a factor differs from 1.
        generator: a CPU generator.
    """
    bright, strong = (2 * _draw(2, generator, len(images)) - 1).to(images.device, images.dtype)
    return images * (1 + contrast * strong)[:, None, None, None] + (light * bright)[:, None, None, None]


def _some(
    images: Float[Tensor, "b c h w"],
    probability: float,
    change: Callable[[Tensor], Tensor],
    generator: torch.Generator,
) -> Float[Tensor, "b c h w"]:
    """Change each image with a probability; what is not changed costs nothing."""
    if not probability:
        return images
    chosen = (_draw(len(images), generator) < probability).nonzero().flatten().to(images.device)
    return images.index_copy(0, chosen, change(images[chosen]))


def _towards(
    images: Float[Tensor, "b c h w"], changed: Float[Tensor, "b c h w"], generator: torch.Generator
) -> Float[Tensor, "b c h w"]:
    """Go some of the way from each image to its changed form."""
    share = _draw(len(images), generator).to(images.device, images.dtype)
    return torch.lerp(images, changed, share[:, None, None, None])


def _blurred(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Means over 3×3 pixels; sums of slices, since torch's pooling takes four times as long on a CPU."""
    wide = F.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]  # (b, c, h + 2, w)
    return (rows[..., :-2, :] + rows[..., 1:-1, :] + rows[..., 2:, :]) / 9


def _grey(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    weights = torch.tensor(_LUMINANCE, device=images.device, dtype=images.dtype)
    return torch.einsum("bchw,c->bhw", images, weights)[:, None].expand_as(images)


def _draw(rows: int, generator: torch.Generator, *columns: int) -> Float[Tensor, "rows *columns"]:
    return torch.rand(rows, *columns, generator=generator)
