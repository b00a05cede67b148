"""Pictures that a reader uploads: small, decoded by a process of its own that may not do much, never named on disk.

    picture = await read_image(upload, house.limits)      # uint8 [height, width, 3], the right way up

What cannot be read is refused in one sentence. The name that the request gives is never used.
"""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
from starlette.datastructures import UploadFile

from shoal.errors import ShoalError, wrong

_FORM_BYTES = 100_000  # of a request besides its file


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an upload may be.

    Args:
        most_bytes: of a file.
        most_pixels: of a picture.
        most_side: pixels; larger pictures are scaled down.
        seconds: that decoding may take.
        files: in one request.
    """

    most_bytes: int = 10_000_000
    most_pixels: int = 40_000_000
    most_side: int = 1024
    seconds: float = 10.0
    files: int = 2

    @property
    def request_bytes(self) -> int:
        """The longest body of a request."""
        return self.most_bytes * self.files + _FORM_BYTES


async def read_image(upload: UploadFile, limits: Limits, what: str = "picture") -> np.ndarray:
    """Decode an uploaded picture.

    Args:
        upload: the file of a form.
        limits: of bytes, pixels and seconds.
        what: it is, for messages.

    Returns:
        uint8 [height, width, 3]: red, green and blue, the right way up, at most `most_side` long.

    Raises:
        InputError: if it is empty, too large, or no picture that can be read.
    """
    from starlette.concurrency import run_in_threadpool

    content = await upload.read(limits.most_bytes + 1)
    return await run_in_threadpool(decode, content, limits, what)


def decode(content: bytes, limits: Limits, what: str = "picture") -> np.ndarray:
    """Decode the bytes of a picture, as `read_image`."""
    if not content:
        raise wrong(what, expected="a file", got="none", fix="choose one first")
    if len(content) > limits.most_bytes:
        raise wrong(what, expected=f"at most {limits.most_bytes / 1e6:g} MB", got="more")
    words = [str(limits.most_pixels), str(limits.most_side), str(int(limits.seconds) + 1)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "shoal.web.decoding", *words],
            input=content,
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise wrong(what, expected=f"one that is read within {limits.seconds:g} s", got="a slower one") from None
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == 2 and said:
        raise wrong(what, expected="PNG, JPEG, WebP, BMP or GIF", got=said.splitlines()[-1])
    if done.returncode:
        raise wrong(what, expected="PNG, JPEG, WebP, BMP or GIF", got="a file that cannot be read")
    head, _, pixels = done.stdout.partition(b"\n")
    try:
        height, width = map(int, head.split())
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3).copy()
    except ValueError:
        raise ShoalError("decoding a picture failed; try another one") from None
