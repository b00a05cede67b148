"""The tables of docs/gallery.md, made from the record; no number there is typed by hand.

python -m benchmarks.gallery_tables
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.attention_tables import filled, markdown, with_quartiles

DOCS = Path(__file__).parents[1] / "docs" / "gallery.md"
RECORD = Path(__file__).parent / "records" / "gallery.json"

Record = dict[str, Any]


def write_tables() -> None:
    """Rewrite the blocks of the page for which the record has a part."""
    if RECORD.exists():
        record = json.loads(RECORD.read_text())
        there = {block: table for block, (part, table) in TABLES.items() if part in record}
        DOCS.write_text(filled(DOCS.read_text(), there, record))


def machine(found: Record) -> str:
    """Where it was measured."""
    environment = found["environment"]
    versions = environment["versions"]
    return f"{environment['machine']['cores']} cores, {environment['machine']['processor']}, torch {versions['torch']}"


def search_table(record: Record) -> str:
    """Time of a query, time to open, and memory."""
    found = record["search"]
    rows = [
        [
            f"{row['faces']:,}",
            with_quartiles(row["shoal"]["cpu"], 1),
            with_quartiles(row["numpy"]["cpu"], 1),
            with_quartiles(row["shoal"]["clock"], 1),
            f"{row['first_answer_s']:.1f}",
            f"{row['resident_mb']:,.0f} ({row['peak_mb']:,.0f})",
            f"{row['megabytes']:,.0f}",
        ]
        for row in found["rows"]
    ]
    columns = [
        "faces",
        "ms of the processor a query",
        "a plain scan in numpy",
        "ms on the clock",
        "s to open and answer first",
        "MB in memory (peak)",
        "MB of the file",
    ]
    queries = found["rows"][0]["queries"]
    note = (
        f"Medians [quartiles] of {queries} queries for {found['k']} people, all threads together; {found['dim']} "
        f"numbers a face, answers first compared with brute force in float64. {machine(found)}."
    )
    return f"{markdown(columns, rows)}\n{note}\n"


def pgvector_table(record: Record) -> str:
    """What the server itself takes."""
    found = record["search"]["pgvector"]
    if found is None:
        return ""
    rows = [
        [name, with_quartiles(found[way]["clock"], 1), f"{found[way]['recall']:.1%}", built]
        for way, name, built in (("scan", "its scan", "–"), ("index", "its HNSW index", f"{found['index_s']:.0f}"))
    ]
    columns = ["pgvector", "ms on the clock", f"of the nearest {found['nearest']} faces", "s to build"]
    return f"{markdown(columns, rows)}\n{found['faces']:,} faces on the same machine.\n"


def upgrade_lines(record: Record) -> str:
    """An upgrade in a sentence."""
    found = record["upgrade"]
    return (
        f"A gallery of {found['faces']:,} faces was upgraded in {found['seconds']:.1f} s, and taken back in "
        f"{1e3 * found['rollback_seconds']:.0f} ms. {found['added']:,} vectors were added to measure on; SHA-256 over "
        f"the {found['kept']:,} that were there was the same before and after (`{found['sha256_after'][:16]}…`). "
        f"{found['right_before']:.1%} of new faces were recognised before, {found['right_after']:.1%} by the new "
        f"model.\n"
    )


def clients_table(record: Record) -> str:
    """Throughput and waiting of many at once."""
    found = record["clients"]
    rows = [
        [
            row["database"],
            *(
                cell
                for kind in ("enrol", "query")
                for cell in (
                    f"{row[kind]['a_second']:,.0f}",
                    f"{row[kind]['p50_ms']:.1f}",
                    f"{row[kind]['p99_ms']:.0f}",
                )
            ),
            row["lost"],
            sum(row["errors"].values()),
        ]
        for row in found["rows"]
    ]
    columns = [
        "database",
        "enrolments a second",
        "ms, half",
        "ms, 99 %",
        "queries a second",
        "ms, half",
        "ms, 99 %",
        "lost",
        "errors",
    ]
    note = (
        f"{found['clients']} processes for {found['rows'][0]['seconds']:.0f} s, {found['faces_before']:,} faces "
        f"before; each enrols two faces of somebody new and asks for them. {machine(found)}."
    )
    return f"{markdown(columns, rows)}\n{note}\n"


def forget_lines(record: Record) -> str:
    """Forgetting in a sentence."""
    found = record["forget"]
    few, many = found["few"], found["many"]
    return (
        f"In a gallery of {found['faces']:,} faces ({found['megabytes']:.0f} MB) somebody with {few['faces']} faces is "
        f"gone in {with_quartiles(few['seconds'], 2)} s, somebody with {many['faces']:,} in {many['seconds']:.1f} s, "
        f"the search of all files for what was theirs included; {found['traces']} traces were found.\n"
    )


TABLES = {
    "search": ("search", search_table),
    "pgvector": ("search", pgvector_table),
    "upgraded": ("upgrade", upgrade_lines),
    "clients": ("clients", clients_table),
    "forgotten": ("forget", forget_lines),
}


if __name__ == "__main__":
    write_tables()
