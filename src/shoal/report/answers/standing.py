"""Pictures as SVG files that stand alone, for Markdown: with their legend, titles of axes, and colours in both themes.

Within the page all that is text of the page, in the page's colours; a file beside Markdown has to bring its own.
"""

import functools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from shoal.report.charts import LETTER, WIDE, Key
from shoal.report.gallery import Thumbnail
from shoal.report.pictures import Drawing

_MARGIN, _LINE, _COLUMNS = 20, 18, 6
_WIDTH = WIDE + 2 * _MARGIN
_SHEET = Path(__file__).parents[1] / "templates" / "report.css"
_FORMS = {  # of a swatch 16 px wide, around (8, 0)
    "line": "M0 -1.2h16v2.4h-16z",
    "area": "M2 -6h12v12h-12z",
    "square": "M4 -4h8v8h-8z",
    "diamond": "M8 -5.4l4.4 5.4-4.4 5.4-4.4-5.4z",
    "triangle-up": "M8 -4.8l5 9h-10z",
    "circle": "M8 -4.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0 -9z",
}


@dataclass
class _Sheet:
    """What has been drawn so far, and how far down."""

    parts: list[str] = field(default_factory=list)
    y: float = 0.0

    def text(self, x: float, text: str, *, end: bool = False, bold: bool = False) -> None:
        """A line of text; the next one goes below it."""
        self.y += _LINE
        look = ' text-anchor="end"' if end else ""
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(f'<text x="{x:g}" y="{self.y - 5:g}"{look}{weight}>{escape(text)}</text>')


def standing_svg(drawing: Drawing) -> str:
    """Draw a chart or a gallery as a whole SVG document, in the colours of the reader's theme.

    Args:
        drawing: with a chart, or with images.

    Returns:
        The document; empty where there is nothing to see.
    """
    sheet = _Sheet(y=_MARGIN / 2)
    if drawing.groups:
        _gallery(drawing, sheet)
    elif drawing.wide:
        _chart(drawing, sheet)
    else:
        return ""
    height = sheet.y + _MARGIN / 2
    size = f'width="{_WIDTH}" height="{height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_WIDTH} {height:g}">'
    ground = f'<rect {size} fill="var(--paper)"/>'
    return f"{head}<style>{_colours()}</style>{ground}{''.join(sheet.parts)}</svg>\n"


def _chart(drawing: Drawing, sheet: _Sheet) -> None:
    plate = drawing.wide
    assert plate is not None, "only called with a chart"
    if drawing.legend:
        _legend(drawing.legend, sheet)
    elif drawing.ends:
        sheet.text(_MARGIN, f"from {drawing.ends[0]}, pale, to {drawing.ends[1]}, deep")
    if plate.above:
        sheet.text(_MARGIN, plate.above)
    height = float(re.search(r'height="([\d.]+)"', plate.svg)[1])  # pyright: ignore[reportOptionalSubscript] - every SVG has one
    sheet.parts.append(plate.svg.replace("<svg ", f'<svg x="{_MARGIN}" y="{sheet.y:g}" overflow="visible" ', 1))
    sheet.y += height
    if plate.below:
        sheet.text(_WIDTH - _MARGIN, plate.below, end=True)


def _legend(keys: tuple[Key, ...], sheet: _Sheet) -> None:
    """Names with swatches, from left to right, in as many lines as they need."""
    x = float(_MARGIN)
    sheet.y += _LINE
    for key in keys:
        width = 22 + 1.15 * LETTER * len(key.name) + 18
        if x > _MARGIN and x + width > _WIDTH:
            x, sheet.y = float(_MARGIN), sheet.y + _LINE
        at = f'transform="translate({x:.1f} {sheet.y - 9:g})"'
        sheet.parts.append(f'<path d="{_FORMS[key.form]}" {at} fill="{key.color}"/>')
        sheet.parts.append(f'<text x="{x + 22:.1f}" y="{sheet.y - 5:g}">{escape(key.name)}</text>')
        x += width
    sheet.y += 4


def _gallery(drawing: Drawing, sheet: _Sheet) -> None:
    for group in drawing.groups:
        sheet.text(_MARGIN, ": ".join(filter(None, (group.choice, group.name))), bold=True)
        for first in range(0, len(group.images), _COLUMNS):
            _row(group.images[first : first + _COLUMNS], sheet)


def _row(images: tuple[Thumbnail, ...], sheet: _Sheet) -> None:
    """Images side by side, with their captions below them."""
    size = (WIDE - (_COLUMNS - 1) * 12) / _COLUMNS
    lowest = sheet.y
    for at, image in enumerate(images):
        x, high = _MARGIN + at * (size + 12), size * image.height / image.width
        look = ' style="image-rendering:pixelated"' if image.pixelated else ""
        place = f'x="{x:.1f}" y="{sheet.y:g}" width="{size:.1f}" height="{high:.1f}"'
        sheet.parts.append(f'<image {place}{look} href="{image.source}"/>')
        lines = list(_caption(image.caption, size))
        for line, text in enumerate(lines):
            below = sheet.y + high + 12 * (line + 1)
            sheet.parts.append(f'<text x="{x:.1f}" y="{below:.1f}" class="caption">{escape(text)}</text>')
        lowest = max(lowest, sheet.y + high + 12 * len(lines))
    sheet.y = lowest + 10


def _caption(text: str, width: float) -> Iterator[str]:
    yield from textwrap.wrap(text, max(8, int(width / 5.2)))[:4]


@functools.cache
def _colours() -> str:
    """The page's colours by name, light and dark, and its fonts."""
    text = re.sub(r"/\*.*?\*/", "", _SHEET.read_text(encoding="utf-8"), flags=re.DOTALL)
    roots = re.findall(r":root\s*\{[^}]*\}", text)
    light, dark = ((re.sub(r"\s+", " ", root)) for root in roots[:2])
    words = "text{font:12px var(--sans);fill:var(--ink)}.caption{font-size:10px;fill:var(--muted)}"
    return escape(f"{light}@media (prefers-color-scheme:dark){{{dark}}}{words}", quote=False)
