"""Where faces are on photos: a CSV file of boxes, as any detector can be made to write it.

    file,left,top,right,bottom
    ann/holiday.jpg,310,80,450,220
    party.jpg,12,40,90,130
    party.jpg,200,44,280,131

Pixels of the upright photo; a photo may have several lines. Other columns are passed over.
"""

import csv
import math
from pathlib import Path

from shoal.data.faces.regions import Box
from shoal.errors import wrong

EDGES = ("left", "top", "right", "bottom")


def read_boxes(path: str | Path) -> dict[str, tuple[Box, ...]]:
    r"""Read boxes of faces, by the file that they are on.

    Args:
        path: a CSV file with a head line that names file, left, top, right and bottom.

    Returns:
        Boxes of each file, in the order of the lines; files are spelled with "/".

    Raises:
        InputError: if there is no such file, a column is missing, or a line holds no box; names the line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "boxes.csv"
        ...     _ = path.write_text("file,left,top,right,bottom\na.jpg,1,2,30,40\na.jpg,50,2,80,40\n")
        ...     read_boxes(path)
        {'a.jpg': ((1.0, 2.0, 30.0, 40.0), (50.0, 2.0, 80.0, 40.0))}
    """
    path = Path(path).expanduser()
    boxes: dict[str, tuple[Box, ...]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in ("file", *EDGES) if name not in (rows.fieldnames or ())]:
                got = ", ".join(rows.fieldnames or ()) or "an empty file"
                raise wrong(
                    f"{path}, line 1",
                    expected=f"columns file, {', '.join(EDGES)}",
                    got=f"{got}; missing {', '.join(missing)}",
                )
            for row in rows:
                name = str(row["file"] or "").strip().replace("\\", "/").removeprefix("./")
                boxes[name] = (*boxes.get(name, ()), _box(row, f"{path}, line {rows.line_num}"))
    except FileNotFoundError as error:
        raise wrong(str(path), expected="a CSV file of boxes", got="no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        got = f"one that cannot be read ({error})"
        raise wrong(str(path), expected="a CSV file of boxes", got=got) from error
    return boxes


def _box(row: dict[str, str], where: str) -> Box:
    try:
        left, top, right, bottom = (float(row[edge]) for edge in EDGES)
    except (TypeError, ValueError) as error:
        raise wrong(where, expected="four numbers of pixels", got=[row[edge] for edge in EDGES]) from error
    if not all(map(math.isfinite, (left, top, right, bottom))) or left >= right or top >= bottom:
        raise wrong(where, expected="left < right and top < bottom", got=(left, top, right, bottom))
    return left, top, right, bottom
