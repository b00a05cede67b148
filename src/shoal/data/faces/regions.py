"""What part of a photo is taken: its centre, or a box; all of it in whole pixels of the upright photo."""

import math

from shoal.errors import wrong

Box = tuple[float, float, float, float]  # left, top, right, bottom
Size = int | tuple[int, int]  # pixels a side, or (height, width)
Region = tuple[int, int, int, int]  # left, top, right, bottom
Extent = tuple[int, int]  # width, height: as Pillow has it

_LARGEST_CROP = 4.0


def image_shape(size: Size) -> tuple[int, int]:
    """(height, width) of what a size says.

    Args:
        size: pixels a side, or (height, width).

    Raises:
        InputError: if a side is less than a pixel.

    Example:
        >>> image_shape(64), image_shape((140, 116))
        ((64, 64), (140, 116))
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in sides)
    if len(sides) != 2 or not whole:
        raise wrong("image size", expected="pixels a side >= 1, or (height, width)", got=size)
    return sides[0], sides[1]


def check_crop(crop: float, *, boxes: bool) -> None:
    """Refuse a share that leaves nothing, that no photo has, or that can only be a slip.

    Args:
        crop: share of the side of what is taken.
        boxes: whether boxes are taken, about which a photo has more.

    Raises:
        InputError: if it is out of range.
    """
    most = _LARGEST_CROP if boxes else 1.0
    if not 0 < crop <= most:
        more = not boxes and 1 < crop <= _LARGEST_CROP
        fix = "only of a box can more be taken" if more else "give 80 % as 0.8"
        raise wrong("crop", expected=f"a share in (0, {most:g}]", got=crop, fix=fix)


def choose_region(full: Extent, target: Extent, box: Box | None, crop: float, name: str) -> Region:
    """The part of a photo that is taken.

    Args:
        full: width and height of the photo.
        target: width and height that the part is scaled to; the centre that is taken has its shape.
        box: clipped to the photo; None takes the largest centred part.
        crop: share of the side of either that is taken, about its centre.
        name: of the photo, for the message.

    Raises:
        InputError: if the box is empty, no box, or all outside.

    Example:
        >>> choose_region((200, 100), (64, 64), None, 1.0, "photo")
        (50, 0, 150, 100)
        >>> choose_region((200, 100), (64, 64), (-20, 10, 60, 70), 1.0, "photo")
        (0, 10, 60, 70)
    """
    if box is None:
        aspect = target[0] / target[1]
        across = min(full[0], full[1] * aspect) * crop
        width, height = (
            min(most, max(1, round(side))) for most, side in zip(full, (across, across / aspect), strict=True)
        )
        left, top = (full[0] - width) // 2, (full[1] - height) // 2
        return left, top, left + width, top + height
    if len(box) != 4 or not all(math.isfinite(edge) for edge in box) or box[0] >= box[2] or box[1] >= box[3]:
        raise wrong(f"{name}, box", expected="left < right and top < bottom, in pixels", got=box)
    wider, higher = (box[2] - box[0]) * (crop - 1) / 2, (box[3] - box[1]) * (crop - 1) / 2
    left, top = max(0, math.floor(box[0] - wider)), max(0, math.floor(box[1] - higher))
    right, bottom = min(full[0], math.ceil(box[2] + wider)), min(full[1], math.ceil(box[3] + higher))
    if left >= right or top >= bottom:
        raise wrong(f"{name}, box", expected=f"a part of {full[0]}×{full[1]} pixels", got=f"{box}, all outside")
    return left, top, right, bottom


def scale_region(part: Region, full: Extent, now: Extent) -> Region:
    """The same part of a photo that was decoded smaller, rounded outwards.

    Args:
        part: in pixels of the full size.
        full: width and height of the photo.
        now: width and height that it was decoded to.

    Example:
        >>> scale_region((3, 0, 9, 12), (16, 12), (8, 6))
        (1, 0, 5, 6)
    """
    if now == full:
        return part
    across, down = now[0] / full[0], now[1] / full[1]
    left, top, right, bottom = part
    return (
        min(now[0] - 1, math.floor(left * across)),
        min(now[1] - 1, math.floor(top * down)),
        min(now[0], math.ceil(right * across)),
        min(now[1], math.ceil(bottom * down)),
    )
