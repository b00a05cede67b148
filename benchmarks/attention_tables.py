"""The tables of docs/attention.md, made from the records; no number there is typed by hand."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs" / "attention.md"


def write_tables(records: Path) -> None:
    """Rewrite the blocks `<!-- table: NAME -->` … `<!-- end -->` whose record exists."""
    text = DOCS.read_text()
    for part, tables in (("speed", SPEED), ("quality", QUALITY), ("cuda", CUDA)):
        path = records / f"attention-{part}.json"
        if not path.exists():
            continue
        text = filled(text, tables, json.loads(path.read_text()))
    DOCS.write_text(text)


def filled(text: str, tables: dict[str, Callable[[dict[str, Any]], str]], record: dict[str, Any]) -> str:
    """A page with its blocks made from a record."""
    for name, make in tables.items():
        block = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = block.sub(lambda m, make=make: m[1] + make(record) + m[2], text)
    return text


def markdown(columns: list[str], rows: list[list[Any]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)]) + "\n"


def form(row: dict[str, Any]) -> str:
    """Whether a query sees all keys."""
    return "causal" if row["is_causal"] else "full"


def with_quartiles(times: dict[str, float], digits: int) -> str:
    """A median and what the middle half of the timings lies between."""
    median, low, high = (f"{times[name]:,.{digits}f}" for name in ("median", "low", "high"))
    return f"{median} [{low}, {high}]"


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
            with_quartiles(row["ms"], 1),
            f"{row['times_faster_than_sdpa']:.2f}",
            row["turns"],
        ]
        for row in record["speed"]
    ]
    return markdown(["N", "pass", "case", "ms, median [quartiles]", "times as fast as SDPA", "turns"], rows)


def decode_table(record: dict[str, Any]) -> str:
    """Microseconds a token."""
    rows = [[f"{row['context']:,}", row["case"], with_quartiles(row["us"], 0)] for row in record["decode"]]
    return markdown(["context", "case", "µs a token, median [quartiles]"], rows)


def memory_table(record: dict[str, Any]) -> str:
    """Megabytes beyond inputs and outputs."""
    rows = [
        [row["case"], row["what"], with_quartiles(row["mb_beyond"], 1), str(row["processes"])]
        for row in record["memory"]
    ]
    columns = ["case, N = 16,384", "pass", "MB beyond inputs, output and gradients, median [quartiles]", "processes"]
    return markdown(columns, rows)


def estimate_table(record: dict[str, Any]) -> str:
    """What an error estimate costs."""
    rows = [[form(row), f"{row['share_of_exact']:.1%}"] for row in record["estimate"]]
    return markdown(["estimate_error, N = 16,384", "of exact attention's time"], rows)


def quality_table(rows: list[dict[str, Any]]) -> str:
    """Errors of maps; those that are no map were neither guarded nor fitted."""
    known = lambda row, name, digits: f"{row[name]:.{digits}f}" if name in row else "–"  # noqa: E731
    cells = [
        [
            row["map"],
            "none" if row["window"] is None else row["window"],
            form(row),
            f"{row['median']:.3f}",
            f"{row['worst']:.3f}",
            known(row, "guarded_worst", 3),
            known(row, "worst_against_mean", 2),
            known(row, "fit_seconds_a_head", 1),
        ]
        for row in rows
    ]
    heads = ["map", "window", "form", "median", "worst head", "worst, guarded"]
    heads += ["guarded ÷ mean(V), worst", "fit, s a head"]
    return markdown(heads, cells)


def trained_like_table(record: dict[str, Any], spread: float) -> str:
    """Errors of maps at one spread of the logits."""
    return quality_table([row for row in record["trained_like"] if row["spread"] == spread])


def strangers_table(record: dict[str, Any]) -> str:
    """The guard on unlike inputs."""
    rows = [
        [
            row["map"],
            row["inputs"],
            form(row),
            f"{row['unguarded_worst_against_mean']:.2f}",
            f"{row['worst_against_mean']:.2f}",
        ]
        for row in record["strangers"]
    ]
    return markdown(["map", "inputs", "form", "worst head ÷ mean(V)", "with the guard"], rows)


def gpu_table(record: dict[str, Any]) -> str:
    """Milliseconds, ratios and memory on a GPU; then where it was."""
    rows = [
        [
            f"{row['n']:,}",
            row["dtype"],
            row["what"],
            row["case"],
            with_quartiles(row["ms"], 2),
            f"{row['times_faster_than_sdpa']:.2f}",
            f"{row['mb_beyond']:,.0f}",
        ]
        for row in record["speed"]
    ]
    columns = ["N", "inputs", "pass", "case", "ms, median [quartiles]", "times as fast as SDPA", "MB beyond"]
    e = record["environment"]
    return markdown(columns, rows) + f"\n{e['gpu']['name']}, torch {e['versions']['torch']}.\n"


SPEED = {
    "machine": machine,
    "speed": speed_table,
    "decode": decode_table,
    "memory": memory_table,
    "estimate": estimate_table,
}
QUALITY = {
    "real": lambda record: quality_table(record["real"]),
    "trained-like-1": lambda record: trained_like_table(record, 1.0),
    "trained-like-065": lambda record: trained_like_table(record, 0.65),
    "strangers": strangers_table,
}
CUDA = {"gpu": gpu_table}
