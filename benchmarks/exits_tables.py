"""The tables of docs/exits.md, made from the records; no number there is typed by hand.

python -m benchmarks.exits_tables
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.attention_tables import filled, markdown

DOCS = Path(__file__).parents[1] / "docs" / "exits.md"
RECORDS = Path(__file__).parent / "records"
FROM_STUDY = ("policies", "smaller", "lowest", "savings")
WAYS = ("shoal", "earlyon", "by the mean")

Record = dict[str, Any]


def write_tables() -> None:
    """Rewrite the blocks of the page for which there are records."""
    for name, tables in (("exits-cifar10-full", STUDY), ("guarantee", GUARANTEE), ("exits-speed", SPEED)):
        path = RECORDS / f"{name}.json"
        if path.exists():
            record = json.loads(path.read_text())
            there = {block: table for block, (part, table) in tables.items() if part in record}
            DOCS.write_text(filled(DOCS.read_text(), there, record))


def study_table(name: str) -> Any:
    """A table of the study's record, with its note."""

    def make(record: Record) -> str:
        table = next((table for table in record["tables"] if table["id"] == name), None)
        if table is None:
            return ""
        rows = [["–" if cell is None else cell for cell in row] for row in table["rows"]]
        return f"{markdown(table['columns'], rows)}\n{table['note']}\n"

    return make


def break_even_lines(record: Record) -> str:
    """The claims about smaller networks."""
    wanted = ("beats_smaller_networks", "gains_where_difficulty_spreads")
    lines = [
        f"- {claim['sentence']} {claim['measured']} [{claim['low']:.2f}, {claim['high']:.2f}]"
        for claim in record["claims"]
        if claim["id"] in wanted
    ]
    return "\n".join([*lines, ""])


def rows_table(record: Record) -> str:
    """Rows that each test needs."""
    losses = record["rows"]["losses"]
    tests = list(losses[0]["rows"])
    rows = [
        [f"{row['lost']:.1%}", f"{row['won']:.1%}", *(f"{n:,}" if (n := row["rows"][t]) else "–" for t in tests)]
        for row in losses
    ]
    return markdown(["rows lost", "rows won", *(f"{test} test" for test in tests)], rows)


def points(drop: float) -> str:
    """A drop of accuracy in words."""
    return f"{100 * drop:g} point{'' if drop == 0.01 else 's'}"


def promises_table(record: Record) -> str:
    """Promises kept, and MACs, beside one shared threshold."""
    found = record["promises"]
    rows = [
        [
            f"{points(p['max_drop'])} at {p['confidence']:.0%}",
            f"{p['broken']['per exit']:.1%} [{p['interval']['per exit'][0]:.1%}, {p['interval']['per exit'][1]:.1%}]",
            f"{p['macs']['per exit']:.1%}",
            f"{p['broken']['shared']:.1%}",
            f"{p['macs']['shared']:.1%}",
        ]
        for p in found["promises"]
    ]
    columns = ["promise", "broken", "mean MACs", "one shared threshold: broken", "its mean MACs"]
    return (
        f"{markdown(columns, rows)}\nMACs as a share of the whole network's; {found['data']}, {found['world']:,} "
        f"images, {found['right']:.1%} right. The shared threshold is tested by the same test, with all rows.\n"
    )


def speed_table(record: Record) -> str:
    """Speed-ups over the network without exits."""
    found = record["speed"]
    rows = [
        [
            row["batch"],
            f"{row['macs_ratio']:.2f}",
            f"{row['promised']['at_the_rows_left']:.2f}",
            f"{row['promised']['at_full_batches']:.2f}",
            *(f"{row['speed_up'][w]:.2f} [{row['spread'][w][0]:.2f}, {row['spread'][w][1]:.2f}]" for w in WAYS),
            f"{row['speed_up']['shoal'] / row['promised']['at_the_rows_left']:.0%}",
            f"{row['speed_up']['shoal'] / row['macs_ratio']:.0%}",
            f"{row['speed_up']['shoal'] / row['speed_up']['earlyon']:.2f}",
        ]
        for row in found["rows"]
    ]
    columns = [
        "batch",
        "MACs ratio",
        "promised",
        "in proportion",
        *WAYS,
        "of the promised",
        "of the MACs ratio",
        "over earlyon",
    ]
    return f"{markdown(columns, rows)}\nTimes as fast as no exit, medians [least, most]; {found['network']}.\n"


def training_line(record: Record) -> str:
    """What exits cost while training."""
    found = record["training"]
    low, high = found["spread"]
    times = f"{found['ratio']:.2f} [{low:.2f}, {high:.2f}]"
    return f"A training step with {found['exits']} exits takes {times} times as long as one without.\n"


def exported_table(record: Record) -> str:
    """Speed-ups of exported files over the same file without exits."""
    found = record["exported"]
    rows = [
        [
            row["batch"],
            *(f"{row['speed_up'][way]:.2f}" for way in ("eager", "pt2", "onnx")),
            f"{row['speed_up']['onnx'] / row['speed_up']['eager']:.0%}",
        ]
        for row in found["rows"]
    ]
    columns = ["batch", "eager", ".pt2", ".onnx in onnxruntime", "onnxruntime over eager"]
    return f"{markdown(columns, rows)}\nTimes as fast as the same form without exits. {found['agreement']}\n"


STUDY = {name: ("tables", study_table(name)) for name in FROM_STUDY} | {"break_even": ("claims", break_even_lines)}
GUARANTEE = {"rows": ("rows", rows_table), "promises": ("promises", promises_table)}
SPEED = {
    "speed": ("speed", speed_table),
    "training": ("training", training_line),
    "exported": ("exported", exported_table),
}


if __name__ == "__main__":
    write_tables()
