"""Measured numbers in the sentences of README and docs, each from a record.

    <!-- n: exits-speed speed.rows[batch=1].speed_up.shoal .2f -->1.83<!-- /n -->

    python -m benchmarks.page_numbers    # write them all, after a record has changed

The path goes through names, numbers of rows ([0], [-1]) and rows with values ([n=4096&case=torch~SDPA]; ~ is a space);
the last word is a format of Python's, or nothing for a text as it is. A test holds every number on the pages to this.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "benchmarks" / "records"
NUMBER = re.compile(r"(<!-- n: ([\w.-]+) (\S+?)(?: (\S+))? -->)(.*?)(<!-- /n -->)", re.DOTALL)
STEP = re.compile(r"\[([^\]]+)\]|([^.\[\]]+)")


@cache
def record(name: str) -> Any:
    """A record by the name of its file."""
    return json.loads((RECORDS / f"{name}.json").read_text())


def look_up(found: Any, path: str) -> Any:
    """What stands in a record at a path.

    Args:
        found: the record.
        path: as `speed.rows[batch=1].speed_up.shoal`, or `tables[id=networks].rows[0=plain][1]`.

    Raises:
        ValueError: if not exactly one row has the values.

    Example:
        >>> look_up({"rows": [{"batch": 1, "ms": 2.5}]}, "rows[batch=1].ms")
        2.5
    """
    for index, name in STEP.findall(path):
        if name:
            found = found[name.replace("~", " ")]
        elif "=" in index:
            wanted = [part.partition("=")[::2] for part in index.replace("~", " ").split("&")]
            (found,) = (row for row in found if all(_told(row, key) == value for key, value in wanted))
        else:
            found = found[int(index)]
    return found


def _told(row: Any, key: str) -> str:
    return str(row[int(key)] if isinstance(row, list) else row.get(key))


def written(name: str, path: str, form: str | None) -> str:
    """A number as a page writes it."""
    found = look_up(record(name), path)
    return format(found, form) if form else str(found)


def filled(text: str) -> str:
    """A page with its numbers from the records."""
    return NUMBER.sub(lambda m: m[1] + written(m[2], m[3], m[4]) + m[6], text)


def pages() -> Iterator[Path]:
    """README and all pages of the documentation."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def main() -> None:
    """Rewrite every page whose numbers differ."""
    for page in pages():
        text = page.read_text()
        if (now := filled(text)) != text:
            page.write_text(now)
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
