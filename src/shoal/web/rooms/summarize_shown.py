"""What the room of summaries shows: a summary, how much of each word is copied, and which words it looked at.

For each word of the summary the words of the text are shaded in nine steps, by their share of the attention.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from shoal.report.charts import ramp_step
from shoal.summarize import Summarizer, WritingRules
from shoal.web.house import House
from shoal.web.live import cells_svg
from shoal.web.rooms.loaded import Loaded
from shoal.web.rooms.summarize_looked import Looked, Word, examples_of, load_summarizer, look
from shoal.web.runs import Run

FAINT = 0.02  # share of the attention that is not shown


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A summarizer, and texts to try it on.

    Attributes:
        summarizer: of a run.
        examples: (text, summary by people) of the test part.
        name: of the texts that it was trained on.
    """

    summarizer: Summarizer
    examples: list[tuple[str, str]]
    name: str

    @classmethod
    def load(cls, folder: Path) -> "Desk":
        """Of a run folder."""
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        name = str(result["data"].get("name", "texts"))
        return cls(summarizer=load_summarizer(folder), examples=examples_of(result), name=name)


DESK = Loaded(Desk.load)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A word of the summary as the page shows it.

    Attributes:
        word: the word, and what was measured.
        shades: "place:step" of the words of the text that it looked at, for the script.
        strip: the same as a drawing, the text from left to right.
        strongest: the words that it looked at most, with their shares.
    """

    word: Word
    shades: str
    strip: Markup
    strongest: list[tuple[str, float]]


def desk_of(house: House, run: Run) -> Desk:
    """What a run holds."""
    house.wait_until_warm()
    return DESK.of(run)


def shown(house: House, desk: Desk, text: str, rules: WritingRules, chosen: int) -> dict[str, Any]:
    """A summary and how it came to be.

    Args:
        house: whose lock is held while torch computes.
        desk: of a run.
        text: to be summarized.
        rules: of writing.
        chosen: the word of the summary for which the text is shaded.
    """
    with house.computing:
        looked = look(desk.summarizer, text, rules)
    rows = [_row(looked, word) for word in looked.words]
    chosen = min(max(chosen, 0), len(rows) - 1)
    people = next((summary for example, summary in desk.examples if example == text.strip()), "")
    return {"looked": looked, "rows": rows, "chosen": chosen, "steps": _steps(looked.words[chosen]), "people": people}


def _row(looked: Looked, word: Word) -> Row:
    steps = _steps(word)
    order = sorted(range(len(word.looks)), key=lambda place: -word.looks[place])[:2]
    strip = cells_svg([word.looks], max(word.looks), f"looks at {looked.document[word.strongest]} most")
    return Row(
        word=word,
        shades=",".join(f"{place}:{step}" for place, step in enumerate(steps) if step),
        strip=Markup(str(strip).replace("<svg ", '<svg preserveAspectRatio="none" ', 1)),
        strongest=[(looked.document[place], word.looks[place]) for place in order if word.looks[place] >= FAINT],
    )


def _steps(word: Word) -> list[int]:
    """Steps of colour, 1 to 9, for the words of the text; 0 where it hardly looked."""
    top = max(word.looks)
    return [ramp_step((share / top) ** 0.5) if share >= FAINT * top else 0 for share in word.looks]
