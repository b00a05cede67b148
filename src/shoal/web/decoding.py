"""The process that decodes one uploaded picture: bytes on stdin, raw pixels on stdout, and hard limits on the rest.

A picture file is a program for its decoder; one that is made to misuse it can at most end this process.
`python -m shoal.web.decoding PIXELS SIDE SECONDS` writes a line "height width", then red, green and blue. Exit code 2
with a sentence on stderr where the file is no picture.
"""

import io
import resource
import sys
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_MEMORY = 1_500_000_000  # bytes of address space


def main() -> int:
    """Decode stdin to stdout."""
    pixels, side, seconds = map(int, sys.argv[1:4])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        height, width, content = _decoded(sys.stdin.buffer.read(), pixels, side)
    except _RefusedError as refused:
        print(refused, file=sys.stderr)
        return 2
    sys.stdout.buffer.write(f"{height} {width}\n".encode() + content)
    return 0


class _RefusedError(Exception):
    """Why a file is not taken."""


def _decoded(content: bytes, most_pixels: int, side: int) -> tuple[int, int, bytes]:
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # the check below says the same in our words
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > most_pixels:
                raise _RefusedError(
                    f"one of {image.width} × {image.height} pixels, more than {most_pixels / 1e6:g} million"
                )
            image.draft("RGB", (side, side))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((side, side))
            rgb = _on_white(upright)
    except UnidentifiedImageError:
        raise _RefusedError("another kind of file") from None
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError) as error:
        raise _RefusedError(f"a damaged one ({type(error).__name__})") from None
    return rgb.height, rgb.width, rgb.tobytes()


def _on_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    page = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(page, clear).convert("RGB")


if __name__ == "__main__":
    sys.exit(main())
