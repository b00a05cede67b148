"""The tables of docs/attention.md, made from the records; no number there is typed by hand."""

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs" / "attention.md"


def write_tables(records: Path) -> None:
    """Rewrite the blocks `<!-- table: NAME -->` … `<!-- end -->` whose record exists."""
    text = DOCS.read_text()
    for part, tables in (("speed", SPEED), ("quality", QUALITY)):
        path = records / f"attention-{part}.json"
        if not path.exists():
            continue
        record = json.loads(path.read_text())
        for name, make in tables.items():
            block = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
            text = block.sub(lambda m, make=make, record=record: m[1] + make(record) + m[2], text)
    DOCS.write_text(text)


def markdown(columns: list[str], rows: list[list[Any]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)]) + "\n"


def machine(record: dict[str, Any]) -> str:
    """Where a record comes from, a line."""
    e = record["environment"]
    return (
        f"{e['machine']['processor']}, {e['threads']} threads, torch {e['versions']['torch']}, "
        f"performer-pytorch {e['peers']['performer-pytorch']}.\n"
    )


def speed_table(record: dict[str, Any]) -> str:
    """Milliseconds and ratios."""
    rows = [
        [
            f"{row['n']:,}",
            row["what"],
            row["case"],
            f"{row['ms']['median']:,.1f} [{row['ms']['low']:,.1f}, {row['ms']['high']:,.1f}]",
            f"{row['times_faster_than_sdpa']:.2f}",
            row["turns"],
        ]
        for row in record["speed"]
    ]
    return markdown(["N", "pass", "case", "ms, median [quartiles]", "times as fast as SDPA", "turns"], rows)


def decode_table(record: dict[str, Any]) -> str:
    """Microseconds a token."""
    rows = [
        [f"{r['context']:,}", r["case"], f"{r['us']['median']:,.0f} [{r['us']['low']:,.0f}, {r['us']['high']:,.0f}]"]
        for r in record["decode"]
    ]
    return markdown(["context", "case", "µs a token, median [quartiles]"], rows)


def memory_table(record: dict[str, Any]) -> str:
    """Megabytes beyond inputs and outputs."""
    rows = [[r["case"], r["what"], f"{r['mb_beyond']:.1f}"] for r in record["memory"]]
    return markdown(["case, N = 16,384", "pass", "MB beyond inputs, output and gradients"], rows)


def estimate_table(record: dict[str, Any]) -> str:
    """What an error estimate costs."""
    rows = [["causal" if r["is_causal"] else "full", f"{r['share_of_exact']:.1%}"] for r in record["estimate"]]
    return markdown(["estimate_error, N = 16,384", "of exact attention's time"], rows)


def quality_table(rows: list[dict[str, Any]]) -> str:
    """Errors of maps."""
    cells = [
        [
            row["map"],
            "none" if row["window"] is None else row["window"],
            "causal" if row["is_causal"] else "full",
            f"{row['median']:.3f}",
            f"{row['worst']:.3f}",
            f"{row['guarded_worst']:.3f}" if "guarded_worst" in row else "–",
            f"{row['worst_against_mean']:.2f}" if "worst_against_mean" in row else "–",
            f"{row['fit_seconds_a_head']:.1f}" if "fit_seconds_a_head" in row else "–",
        ]
        for row in rows
    ]
    heads = ["map", "window", "form", "median", "worst head", "worst, guarded"]
    heads += ["guarded ÷ mean(V), worst", "fit, s a head"]
    return markdown(heads, cells)


def trained_like_table(spread: float) -> Any:
    """Of one spread of the logits."""
    return lambda record: quality_table([r for r in record["trained_like"] if r["spread"] == spread])


def strangers_table(record: dict[str, Any]) -> str:
    """The guard on unlike inputs."""
    rows = [
        [
            r["map"],
            r["inputs"],
            "causal" if r["is_causal"] else "full",
            f"{r['unguarded_worst_against_mean']:.2f}",
            f"{r['worst_against_mean']:.2f}",
        ]
        for r in record["strangers"]
    ]
    return markdown(["map", "inputs", "form", "worst head ÷ mean(V)", "with the guard"], rows)


SPEED = {
    "machine": machine,
    "speed": speed_table,
    "decode": decode_table,
    "memory": memory_table,
    "estimate": estimate_table,
}
QUALITY = {
    "real": lambda record: quality_table(record["real"]),
    "trained-like-1": trained_like_table(1.0),
    "trained-like-065": trained_like_table(0.65),
    "strangers": strangers_table,
}
