"""scikit-learn's 1,797 handwritten digits: always there, 8×8 pixels, good enough to try a thing out offline."""

from typing import Any

import torch

from shoal.data.sets import ImageSet
from shoal.data.specs import DIGITS
from shoal.data.splits import PublishedSet


def read_digits(*, source: str = "") -> PublishedSet:
    """Read the digits; their greys 0 to 16 become 0 to 255.

    Args:
        source: a sentence on where it was found.

    Returns:
        All rows as training rows, since the authors set no test rows apart.

    Example:
        >>> read_digits().train.shape
        (1, 8, 8)
    """
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    greys = torch.from_numpy(bunch["images"])  # (n, 8, 8), 0 to 16
    images = (greys * (255 / 16)).round().to(torch.uint8)[:, None]
    return PublishedSet(
        train=ImageSet(
            name=DIGITS.name,
            images=images,
            labels=torch.from_numpy(bunch["target"]).long(),
            classes=DIGITS.classes,
            source=source or "the 1,797 digits that come with scikit-learn",
        )
    )
