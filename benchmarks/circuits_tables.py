"""The tables of docs/circuits.md, made from the record; no number there is typed by hand."""

import json
from pathlib import Path
from typing import Any

from benchmarks.attention_tables import filled, markdown

DOCS = Path(__file__).parents[1] / "docs" / "circuits.md"


def write_tables(record: Path) -> None:
    """Rewrite the blocks `<!-- table: NAME -->` … `<!-- end -->`, where there is a record."""
    if record.exists():
        DOCS.write_text(filled(DOCS.read_text(), TABLES, json.loads(record.read_text())))


def machine(record: dict[str, Any]) -> str:
    """Where the record comes from, a line."""
    e = record["environment"]
    threads = f"{e['threads']} thread{'s' * (e['threads'] != 1)}"
    return f"{e['machine']['processor']}, {threads}, torch {e['versions']['torch']}.\n"


def learning_table(record: dict[str, Any]) -> str:
    """Seconds and counts."""
    rows = [
        [
            f"`{row['rule']}`",
            row["max_len"],
            f"{row['inputs']:,}",
            "holds" if row["hand_holds"] else "fails",
            f"{row['holding']} of {row['seeds']}",
            "{median:.2f} [{low:.2f}, {high:.2f}]".format(**row["seconds"]),
        ]
        for row in record["learning"]
    ]
    seeds = record["learning"][0]["seeds"]
    columns = ["rule", "up to (tokens)", "inputs", "by hand", "learned heads that hold on every input"]
    return markdown([*columns, f"seconds for {seeds} heads, median [least, most]"], rows)


def separation_table(record: dict[str, Any]) -> str:
    """Own rule against others, by rule."""
    found = record["separation"]
    rows = []
    for at, name in enumerate(found["rules"]):
        own, other = found["own"][at], found["other"][at]
        if own:
            nearest = max((line[at], found["rules"][i]) for i, line in enumerate(found["scores"]) if i != at)
            gap = min(a - b for a, b in zip(own, other, strict=True))
            mean = lambda values: f"{sum(values) / len(values):.3f}"  # noqa: E731
            rows.append([f"`{name}`", len(own), mean(own), mean(other), f"`{nearest[1]}`", f"{gap:.3f}"])
    summary = (
        f"\n{found['apart']} of {found['heads']} learned heads agree with their own rule by at least 0.5 more than "
        f"with any other; the least is {found['gap_least']:.3f}.\n"
    )
    columns = ["learned rule", "heads", "score with its own rule", "with the nearest other", "which", "least gap"]
    return markdown(columns, rows) + summary


STRANGERS = {
    "half-trained heads": "half_trained",
    "means of two heads": "means",
    "trained on two rules at once": "of_two",
}


def naming_table(record: dict[str, Any]) -> str:
    """What decompile says."""
    found, none = record["naming"], record["strangers"]
    rows = [
        ["learned heads that hold", found["heads"], "their rule", f"{found['right']} ({found['recall']:.1%})"],
        *(
            [name, none[key]["heads"], "None", f"{none[key]['none']} ({none[key]['none'] / none[key]['heads']:.1%})"]
            for name, key in STRANGERS.items()
            if none[key]["heads"]
        ),
    ]
    least = min(row["replaced_accuracy"] for row in found["rules"])
    note = (
        f"\n{found['trained']} heads were trained on {len(found['rules'])} rules for the first row. The compiled rule "
        f"that was named, put in the head's place, is right on {least:.1%} of the inputs or more.\n"
    )
    strangers = [none[key] for key in STRANGERS.values()]
    named = sum(len(part["named"]) for part in strangers)
    follow = sum(part["following_what_was_named"] for part in strangers)
    note += f"Of the {named} heads that got a name where None was asked for, {follow} follow it on every input.\n"
    return markdown(["heads", "how many", "asked for", "answered so"], rows) + note


def speed_table(record: dict[str, Any]) -> str:
    """Milliseconds of single calls."""
    rows = [[f"`{name}`", f"{1000 * seconds:,.1f}"] for name, seconds in record["speed"].items()]
    return markdown(["call, `same & not_self` of up to 4 tokens", "ms, median"], rows)


TABLES = {
    "machine": machine,
    "learning": learning_table,
    "separation": separation_table,
    "naming": naming_table,
    "speed": speed_table,
}
