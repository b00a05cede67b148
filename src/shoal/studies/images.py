"""Images as text: PNG in base64, for a result file that carries its own pictures."""

import base64
import io

from jaxtyping import UInt8
from torch import Tensor

THUMBNAIL = 96  # pixels: larger images are scaled down, so that a report stays small


def to_png(image: UInt8[Tensor, "channels height width"]) -> str:
    """Encode an image as a thumbnail; up to 96 pixels a side without loss.

    Args:
        image: one channel (grey) or three (RGB), 0 to 255.

    Returns:
        The PNG file in base64.
    """
    from PIL import Image

    array = image.permute(1, 2, 0).contiguous().numpy()  # [h, w, c]
    picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array[:, :, :3])
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
