"""What people say about who is who, as a table: two faces that are one person, or are not.

link,first,second
must,0,7
cannot,3,4

`first` and `second` are numbers of the column "row" of faces.csv.
"""

import csv
from pathlib import Path

from shoal.errors import wrong

COLUMNS = ("link", "first", "second")
KINDS = ("must", "cannot")
Pairs = list[tuple[int, int]]


def read_links(path: Path, faces: int) -> tuple[Pairs, Pairs]:
    r"""Read a table of links.

    Args:
        path: a CSV file with a head line that names link, first and second.
        faces: how many there are; rows are 0 … faces − 1.

    Returns:
        Pairs of rows that are one person, and pairs that are not.

    Raises:
        InputError: if there is no such file, a column is missing, or a line holds no link; names the line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "links.csv"
        ...     _ = path.write_text("link,first,second\nmust,0,2\ncannot,1,2\n")
        ...     read_links(path, faces=3)
        ([(0, 2)], [(1, 2)])
    """
    found: dict[str, Pairs] = {kind: [] for kind in KINDS}
    try:
        with path.expanduser().open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                got = f"{', '.join(rows.fieldnames or ()) or 'an empty file'}; missing {', '.join(missing)}"
                raise wrong(f"{path}, line 1", expected=f"columns {', '.join(COLUMNS)}", got=got)
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                kind = str(row["link"] or "").strip().lower()
                if kind not in KINDS:
                    raise wrong(where, expected='"must" or "cannot"', got=repr(row["link"]))
                found[kind].append((_row(row["first"], faces, where), _row(row["second"], faces, where)))
    except FileNotFoundError as error:
        raise wrong(str(path), expected="a CSV file of links", got="no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise wrong(str(path), expected="a CSV file of links", got=f"one that cannot be read ({error})") from error
    return found["must"], found["cannot"]


def _row(text: str | None, faces: int, where: str) -> int:
    text = str(text or "").strip()
    if not (text.isascii() and text.isdigit() and int(text) < faces):
        raise wrong(where, expected=f"rows of faces.csv, 0 to {faces - 1:,}", got=repr(text))
    return int(text)
