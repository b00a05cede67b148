"""Pictures of results as parts of a page: drawn by the report's code, once, as SVG.

    view(result_picture, "exits-frontier")        # and in the template: {{ figure(view) }}

Drawing a chart takes tenths of a second: for what follows a slider there is `live.py`.
"""

import functools
import json
from dataclasses import asdict, dataclass

from shoal.report.pictures import Drawing, draw
from shoal.studies.result import Picture

_KEPT = 64  # drawings


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """A picture, drawn: what the macro `figure` of `parts.html` shows."""

    anchor: str
    picture: Picture
    drawing: Drawing


def view(picture: Picture, prefix: str) -> PictureView:
    """Draw a picture for a page; the same one is drawn once.

    Args:
        picture: of a result, or made up.
        prefix: for ids, unique within the page.
    """
    return PictureView(anchor=prefix, picture=picture, drawing=_drawn(json.dumps(asdict(picture)), prefix))


@functools.lru_cache(maxsize=_KEPT)
def _drawn(picture: str, prefix: str) -> Drawing:
    value = json.loads(picture)
    return draw(Picture(**{**value, "rows": tuple(value["rows"])}), prefix)
