"""The tables of docs/summarize.md, made from the records; no number there is typed by hand.

python -m benchmarks.summarize_tables
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.attention_tables import filled, markdown

DOCS = Path(__file__).parents[1] / "docs" / "summarize.md"
RECORDS = Path(__file__).parent / "records"
METRICS = ("rouge1", "rouge2", "rougeL")

Record = dict[str, Any]


def write_tables() -> None:
    """Rewrite the blocks of the page for which there are records."""
    for name, tables in (("summarize-quality", {"quality": quality}), ("summarize-speed", {"speed": speed})):
        path = RECORDS / f"{name}.json"
        if path.exists():
            DOCS.write_text(filled(DOCS.read_text(), tables, json.loads(path.read_text())))


def quality(record: Record) -> str:
    """ROUGE after so many minutes, beside what needs no training."""
    rows = []
    for part in record.values():
        for name, metrics in part["rouge"].items():
            trained = name in part["seconds_to_write"]
            cells = (f"{value:.1f} [{low:.1f}, {high:.1f}]" for value, low, high in (metrics[m] for m in METRICS))
            system = f"model, {name}" if trained else name
            rows.append([part["data"], f"{part['minutes']:g}" if trained else "–", system, *cells])
    lines = [
        f"- {part['data']}, {part['minutes']:g} minutes: {part['model']}, {part['epochs']:.2f} epochs. "
        f"{part['verdict']}"
        for part in record.values()
    ]
    columns = ["texts", "minutes", "system", "ROUGE-1", "ROUGE-2", "ROUGE-L"]
    return "\n".join([markdown(columns, _once(rows)), *lines, ""])


def _once(rows: list[list[str]]) -> list[list[str]]:
    """Baselines are the same however long was trained."""
    return [row for at, row in enumerate(rows) if row not in rows[:at]]


def speed(record: Record) -> str:
    """Tokens a second beside the same model of torch.nn.Transformer."""
    of_training = record.get("training", {})
    precisions = [name for name in ("fp32", "bf16") if name in of_training]
    rows = [[f"training, {name}", *_cells(of_training[name], "torch.nn.Transformer")] for name in precisions]
    if "writing" in record:
        found = record["writing"]
        rows.append([f"{found['beams']} beams, {found['documents']} documents", *_cells(found, "straightforward")])
    columns = ["", "shoal (tokens/s)", "torch.nn.Transformer (tokens/s)", "ratio, median [least, most]"]
    return markdown(columns, rows) + _remembering(record.get("remembering", {}))


def _remembering(found: Record) -> str:
    """How many times as fast it is to keep what was computed for earlier tokens; sizes down, documents across."""
    cases = {tuple(case.split(", ")): one for case, one in found.items() if case != "environment"}
    if not cases:
        return ""
    documents = list(dict.fromkeys(rows for _, rows in cases))
    rows = [
        [size, *(_times(cases[size, many]["times"]) for many in documents)]
        for size in dict.fromkeys(size for size, _ in cases)
    ]
    columns = [
        "128 tokens: times as fast as computing all again",
        *(f"documents at once: {many}" for many in documents),
    ]
    return "\n" + markdown(columns, rows)


def _times(times: list[float]) -> str:
    times = sorted(times)
    return f"{times[len(times) // 2]:.1f} [{times[0]:.1f}, {times[-1]:.1f}]"


def _cells(found: Record, other: str) -> list[str]:
    low, high = found["spread"]
    per = found["tokens_per_second"]
    return [f"{per['shoal']:,.0f}", f"{per[other]:,.0f}", f"{found['ratio']:.2f} [{low:.2f}, {high:.2f}]"]


if __name__ == "__main__":
    write_tables()
