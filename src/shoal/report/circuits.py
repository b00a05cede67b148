"""A page on which attention heads are taken apart: by hand and learned beside each other, for any sequence and rule.

    write_circuits_page([Exhibit(rule, hand, learned)], "circuits.html")

The page needs nothing else: no network, no file beside it. Its arithmetic is JavaScript of its own (`attention.js`),
tested against torch in a browser; a twin can be trained in it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shoal
from shoal.circuits import Head
from shoal.circuits.layout import PADDING
from shoal.circuits.learning import Training
from shoal.circuits.rules import AnyRule, Rule
from shoal.circuits.sequences import padded
from shoal.circuits.targets import wanted_output
from shoal.errors import wrong
from shoal.files import write_text

_TEMPLATES = Path(__file__).parent / "templates" / "circuits"
_MOST_EXAMPLES = 1500  # sequences that a twin is trained on in the page


@dataclass(frozen=True)
class Exhibit:
    """A rule with the heads that follow it.

    Attributes:
        rule: that both follow.
        hand: the head that was compiled.
        learned: heads that were trained; without any, the page starts from random weights, to be trained in it.
        meaning: a sentence for the reader; empty for none.
    """

    rule: AnyRule
    hand: Head
    learned: Sequence[Head]
    meaning: str = ""


def render_circuits_page(exhibits: Sequence[Exhibit], *, start: Sequence[str] | None = None) -> str:
    """The page as one HTML document.

    Args:
        exhibits: at least one, all of one vocabulary and longest sequence.
        start: the sequence that is shown first.

    Raises:
        InputError: if there are no exhibits, or their heads see different inputs.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    data = circuits_data(exhibits, start=start)
    page = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return page.get_template("page.html").render(
        version=shoal.__version__,
        vocabulary=data["vocabulary"],
        max_len=data["max_len"],
        css=Markup(_read("page.css")),
        data=Markup(as_script_data(data)),
        script=Markup(_read("attention.js") + _read("page.js").replace('"use strict";\n', "")),
    )


def circuits_data(exhibits: Sequence[Exhibit], *, start: Sequence[str] | None = None) -> dict[str, Any]:
    """What the scripts of the page read: heads and examples of every rule, in the order of the exhibits.

    Args:
        exhibits: as `render_circuits_page`.
        start: the sequence that is shown first.

    Raises:
        InputError: as `render_circuits_page`.
    """
    if not exhibits:
        raise wrong("exhibits", expected="at least one", got="none")
    layout = exhibits[0].hand.layout
    vocabulary, max_len = layout.vocabulary, layout.max_len
    for exhibit in exhibits:
        found = exhibit.hand.layout
        if (found.vocabulary, found.max_len) != (vocabulary, max_len):
            raise wrong("exhibits", expected="one vocabulary and max_len", got=f"{found.vocabulary}, {found.max_len}")
    tokens = padded(len(vocabulary), max_len, PADDING)
    if len(tokens) > _MOST_EXAMPLES:
        raise wrong("exhibits", expected=f"at most {_MOST_EXAMPLES:,} different sequences", got=f"{len(tokens):,}")
    shown = list(start) if start is not None else [vocabulary[i % len(vocabulary)] for i in (0, 1, 1, 0)[:max_len]]
    return {
        "vocabulary": vocabulary,
        "max_len": max_len,
        "start": layout.indices(shown)[0].tolist(),
        "training": _settings(),
        "rules": [_exhibit(exhibit, tokens) for exhibit in exhibits],
    }


def as_script_data(data: dict[str, Any]) -> str:
    """JSON that can stand inside of a script element."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def write_circuits_page(exhibits: Sequence[Exhibit], path: str | Path, *, start: Sequence[str] | None = None) -> None:
    """Write `render_circuits_page(exhibits)` to a file, completely or not at all."""
    write_text(path, render_circuits_page(exhibits, start=start))


def _exhibit(exhibit: Exhibit, tokens: Any) -> dict[str, Any]:
    vocabulary = exhibit.hand.layout.vocabulary
    targets = wanted_output(exhibit.rule, tokens, vocabulary)
    examples = [
        [row[: (row != PADDING).sum()].tolist(), [_short(x) for x in wanted[: (row != PADDING).sum()].tolist()]]
        for row, wanted in zip(tokens, targets, strict=True)
    ]
    kind = (
        "mean of the selected tokens" if isinstance(exhibit.rule, Rule) else "+1 for a token that occurs once, −1 else"
    )
    return {
        "text": str(exhibit.rule),
        "meaning": exhibit.meaning or f"The output of every place: {kind}.",
        "hand": _head(exhibit.hand),
        "learned": [_head(head) for head in exhibit.learned],
        "examples": examples,
    }


def _head(head: Head) -> dict[str, Any]:
    weights = {name: weights.double().tolist() for name, weights in head.named_parameters()}
    return {"null": head.layout.null, "positions": head.layout.positions, **weights}


def _short(values: list[float]) -> list[float]:
    """Fewer digits: a third needs no more than the accuracy that it is compared with."""
    return [float(f"{value:.9g}") for value in values]


def _settings() -> dict[str, float]:
    usual = Training()
    return {
        "rate": usual.rate,
        "steps": usual.steps,
        "beta1": usual.betas[0],
        "beta2": usual.betas[1],
        "spread": usual.spread,
    }


def _read(name: str) -> str:
    """A file without its comments."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    return re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)
