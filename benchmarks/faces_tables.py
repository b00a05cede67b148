"""The tables of docs/faces.md, made from records and from the networks; no number there is typed by hand.

python -m benchmarks.faces_tables
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.attention_tables import filled, markdown, with_quartiles
from benchmarks.exits_tables import study_table
from shoal.faces import compare_networks

DOCS = Path(__file__).parents[1] / "docs" / "faces.md"
RECORDS = Path(__file__).parent / "records"
FROM_STUDY = ("paper", "verification", "mining", "dims", "shares", "quality", "generations", "clusters", "altered")

Record = dict[str, Any]


def write_tables() -> None:
    """Rewrite the block of the networks, and those for which there are records."""
    text = filled(DOCS.read_text(), {"networks": lambda _: networks_table()}, {})
    for name, tables in (("faces-lfw-full", STUDY), ("faces-mining", MINING)):
        path = RECORDS / f"{name}.json"
        if path.exists():
            record = json.loads(path.read_text())
            there = {block: table for block, (part, table) in tables.items() if part in record}
            text = filled(text, there, record)
    path = RECORDS / "faces-lfw-train.json"
    if path.exists():
        text = filled(text, {"lfw": lfw_table}, json.loads(path.read_text()))
    DOCS.write_text(text)


def networks_table() -> str:
    """What the networks cost, counted now."""
    head, *body = compare_networks().cells()
    return markdown(list(head), [list(row) for row in body])


def mining_table(record: Record) -> str:
    """Milliseconds, megabytes, and how many times as long the peer takes."""
    found = record["mining"]
    rows = [
        [
            f"{row['batch']:,} × {row['images']}",
            row["case"],
            row["rule"],
            with_quartiles(row["ms"], 1),
            f"{row['peak_mb']:,.0f}" if "peak_mb" in row else "–",
            "; ".join(f"{ratio['median']:,.1f} × {other}" for other, ratio in row.get("times_as_long_as", {}).items()),
        ]
        for row in found["rows"]
    ]
    columns = ["rows × images a person", "case", "triplets", "ms, median [quartiles]", "peak MB", "times as long as"]
    environment = found["environment"]
    peers = ", ".join(f"{name} {version}" for name, version in found["peers"].items())
    setting = f"{environment['machine']['processor']}, {found['threads']} thread, {found['dim']} numbers a row"
    return f"{markdown(columns, rows)}\n{setting}, torch {environment['versions']['torch']}, {peers}.\n"


def lfw_table(record: Record) -> str:
    """How many pairs of View 1 are told rightly after so many minutes."""
    rows = [
        [
            f"{run['asked_minutes']:g}",
            f"{run['network']}, {run['image']}",
            f"{run['steps']:,}",
            f"{run['epochs']:.1f}",
            f"{100 * run['verification']['accuracy']:.1f} ± {100 * run['verification']['standard_error']:.1f}",
            f"{run['verification']['auc']:.4f}",
            str(run["threads"]),
        ]
        for run in sorted(record.values(), key=lambda run: run["asked_minutes"])
    ]
    return markdown(["minutes", "network", "steps", "epochs", "right (%)", "AUC", "threads"], rows)


STUDY = {name: ("tables", study_table(name)) for name in FROM_STUDY}
MINING = {"mining_speed": ("mining", mining_table)}


if __name__ == "__main__":
    write_tables()
