"""The tables of docs/difficulty.md, made from the records; no number there is typed by hand.

python -m benchmarks.difficulty_tables
"""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.attention_tables import filled, markdown

DOCS = Path(__file__).parents[1] / "docs" / "difficulty.md"
RECORDS = Path(__file__).parent / "records"
ALSO = (
    "shoal without a history",
    "mean vote",
    "votes, last layer",
    "confidence in training",
    "prediction depth",
)  # one training, too

Record = dict[str, Any]


def write_tables() -> None:
    """Rewrite the blocks of the page for which there are records."""
    for name, tables in (("label-errors", LABELS), ("knn", KNN)):
        path = RECORDS / f"{name}.json"
        if path.exists():
            record = json.loads(path.read_text())
            there = {block: table for block, (part, table) in tables.items() if part in record}
            DOCS.write_text(filled(DOCS.read_text(), there, record))


def labels_table(record: Record) -> str:
    """Average precision by data, kind and rate: means over seeds, with the standard error of the difference."""
    rows = []
    for (data, kind, rate), cell in _cells(record["rows"]):
        best = _best(cell)
        own, theirs = ([row["precision"][name] for row in cell] for name in ("shoal", best))
        apart = [a - b for a, b in zip(own, theirs, strict=True)]
        error = f" ± {statistics.stdev(apart) / len(apart) ** 0.5:.4f}" if len(apart) > 1 else ""
        seconds = (statistics.median(row["seconds"][name] for row in cell) for name in ("shoal", "cleanlab"))
        rows.append(
            [
                data,
                kind,
                f"{rate:.0%}",
                len(cell),
                f"{statistics.mean(own):.4f}",
                f"{statistics.mean(theirs):.4f} ({best.removeprefix('cleanlab ')})",
                f"{statistics.mean(apart):+.4f}{error}",
                " : ".join(f"{s:.0f}" for s in seconds),
            ]
        )
    columns = [
        "data",
        "labels",
        "wrong",
        "seeds",
        "shoal",
        "cleanlab, best of its scores",
        "difference ± SE",
        "seconds",
    ]
    return markdown(columns, rows)


def others_table(record: Record) -> str:
    """What else one training offers: means over all cells and seeds, by data."""
    rows = []
    for data in dict.fromkeys(row["data"] for row in record["rows"]):
        of_data = [row["precision"] for row in record["rows"] if row["data"] == data]
        rows.append([data, *(f"{statistics.mean(p[name] for p in of_data):.4f}" for name in ("shoal", *ALSO))])
    return markdown(["data", "shoal", *ALSO], rows)


def peers_table(record: Record) -> str:
    """Recall and seconds of every method."""
    found = record["peers"]["rows"]
    rows = [
        [
            row["method"],
            row["dimensions"],
            f"{row['recall']:.5f}",
            "{median:.2f} [{low:.2f}, {high:.2f}]".format(**row["seconds"]),
        ]
        for row in found
    ]
    table = markdown(["method", "dimensions", "recall of 30", "seconds, median [least, most]"], rows)
    return f"{found[0]['queries']:,} queries among {found[0]['references']:,} references.\n\n{table}"


def whole_lines(record: Record) -> str:
    """What all of CIFAR-10 takes."""
    found = record["whole"]
    widths = ", ".join(map(str, found["probes"].values()))
    return (
        f"{found['training_images']:,} training images among each other and {found['test_images']:,} test images among "
        f"them, at {len(found['probes'])} probes of {widths} numbers: {found['seconds_neighbours']:.0f} s, "
        f"{found['peak_memory_gb']:.1f} GB at most. Extracting the features took {found['seconds_features']:.0f} s. "
        f"Of the rows that were compared with brute force, {found['checked_rows_that_differ']} differ.\n"
    )


def machine(record: Record) -> str:
    """Where it was measured."""
    e = record["peers"]["environment"]
    about = e["machine"]
    return f"{about['processor']} ({about['instructions']}), {e['threads']} threads, torch {e['versions']['torch']}.\n"


LABELS = {"labels": ("rows", labels_table), "others": ("rows", others_table)}
KNN = {"machine": ("peers", machine), "peers": ("peers", peers_table), "whole": ("whole", whole_lines)}


def _cells(rows: list[Record]) -> Iterator[tuple[tuple[str, str, float], list[Record]]]:
    found: dict[tuple[str, str, float], list[Record]] = {}
    for row in rows:
        found.setdefault((row["data"], row["kind"], row["rate"]), []).append(row)
    yield from found.items()


def _best(cell: list[Record]) -> str:
    """The score of cleanlab that is best in a cell, on average."""
    names = [name for name in cell[0]["precision"] if name.startswith("cleanlab")]
    return max(names, key=lambda name: statistics.mean(row["precision"][name] for row in cell))


if __name__ == "__main__":
    write_tables()
