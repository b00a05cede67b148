"""Keep a run's result as a record, and put its numbers where the documentation shows them.

    python benchmarks/records.py runs/exits-full-cifar10

writes benchmarks/records/exits-cifar10-full.json (without pictures of data) and rewrites the blocks of README.md and
docs between `<!-- record: exits-cifar10-full -->` and `<!-- end -->`. No number there is typed by hand.
"""

import dataclasses
import re
import sys
from pathlib import Path

from shoal.studies.result import Picture, Result

HERE = Path(__file__).parent
PAGES = (HERE.parent / "README.md", *sorted((HERE.parent / "docs").glob("*.md")))


def keep(run: Path) -> Path:
    """Write the record of a run folder and return its path."""
    result = Result.load(run / "result.json")
    drawn = tuple(picture for picture in result.pictures if not shows_data(picture))
    name = f"{result.study}-{result.data['name']}-{result.settings['budget']}"
    path = HERE / "records" / f"{name}.json"
    data = {key: value for key, value in result.data.items() if key not in ("source", "why")}  # no path of a machine
    dataclasses.replace(result, pictures=drawn, data=data, notes={}).save(path)
    show(result, name)
    return path


def shows_data(picture: Picture) -> bool:
    """Whether it holds images or texts of somebody's data, which do not belong into a record."""
    words_on_axes = any(axis.startswith("token of the") for axis in (picture.x, picture.y))
    return picture.kind in ("gallery", "passages") or words_on_axes


def show(result: Result, name: str) -> None:
    """Rewrite the blocks of this record, on pages that have one."""
    block = re.compile(rf"(<!-- record: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    for page in PAGES:
        text = page.read_text()
        if block.search(text):
            page.write_text(block.sub(lambda match: match[1] + markdown(result) + match[2], text))


def markdown(result: Result) -> str:
    """The first table and the claims as Markdown."""
    table = result.tables[0]
    machine = result.environment["machine"]
    lines = [
        "| " + " | ".join(table.columns) + " |",
        "|" + " --- |" * len(table.columns),
        *("| " + " | ".join("–" if cell is None else str(cell) for cell in row) + " |" for row in table.rows),
        "",
        f"{table.note}",
        "",
        f"`{result.command}` on {machine['cores']} cores ({machine['processor']}), torch "
        f"{result.environment['versions']['torch']}, {result.environment['precision']}: plain trained for "
        f"{result.seconds['train the plain network'] / 60:.1f} minutes, early exit for "
        f"{result.seconds['train the early-exit network'] / 60:.1f}.",
        "",
        "| claim | effect [95 % interval] | verdict |",
        "| --- | --- | --- |",
        *(
            f"| {claim.sentence} | {claim.effect:.3g} [{claim.low:.3g}, {claim.high:.3g}] {claim.unit} "
            f"| {claim.verdict} |"
            for claim in result.claims
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(keep(Path(sys.argv[1])))
