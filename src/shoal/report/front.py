"""The first page: for each study one sentence, one number, one small picture, and how its claims came out.

A study that has no headline, as results of earlier versions, shows the first sentence of its summary and no number.

Example:
    >>> first_sentence("Exits save 52.2 % of e.g. MACs. They cost 0.3 points.")
    'Exits save 52.2 % of e.g. MACs.'
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.errors import unknown_name
from shoal.report.failures import FailureView
from shoal.report.small import Small, small_picture
from shoal.report.views import VERDICTS, FigureView, StudyView
from shoal.studies.result import Verdict


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the first page shows of one study.

    Args:
        anchor: of the study, which the card links to.
        name: the study's title; of a failed one its name.
        sentence: what was found, or what went wrong.
        value: the number with its unit; empty where there is none.
        what: what the number is.
        small: the small picture.
        caption: the title of the small picture.
        alt: the small picture in words.
        tally: how many claims came out how; verdicts without a claim are left out.
        failed: whether the study failed.
    """

    anchor: str
    name: str
    sentence: str
    value: str = ""
    what: str = ""
    small: Small | None = None
    caption: str = ""
    alt: str = ""
    tally: tuple[tuple[Verdict, int], ...] = ()
    failed: bool = False


def cards(studies: Sequence[StudyView], failures: Sequence[FailureView]) -> tuple[Card, ...]:
    """A card for each study, the failed ones last.

    Raises:
        InputError: if a headline names a picture that its result does not have.
    """
    failed = (
        Card(anchor=each.anchor, name=each.failure.study, sentence=each.failure.error, failed=True) for each in failures
    )
    return (*map(_card, studies), *failed)


def tally(studies: Sequence[StudyView]) -> tuple[tuple[Verdict, int], ...]:
    """How many claims of these studies came out how; verdicts without a claim are left out."""
    counts: dict[Verdict, int] = {
        verdict: sum(len(study.by_verdict[verdict]) for study in studies) for verdict in VERDICTS
    }
    return tuple((verdict, count) for verdict, count in counts.items() if count)


def first_sentence(text: str) -> str:
    """What stands before the first full stop that a new sentence follows."""
    return re.split(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-ZÀ-Þ])", text, maxsplit=1)[0]


def _card(study: StudyView) -> Card:
    result, headline = study.result, study.result.headline
    figure, small = _shown(study)
    return Card(
        anchor=study.anchor,
        name=result.title or result.study,
        sentence=headline.sentence if headline else first_sentence(" ".join(result.summary[:1])),
        value=headline.value if headline else "",
        what=headline.what if headline else "",
        small=small,
        caption=figure.picture.title if figure else "",
        alt=f"{figure.picture.title}. {figure.drawing.description}" if figure else "",
        tally=tally([study]),
    )


def _shown(study: StudyView) -> tuple[FigureView | None, Small | None]:
    """The picture that the headline names, small; without one, the first that can be seen small."""
    name = study.result.headline.picture if study.result.headline else ""
    figures = {figure.picture.id: figure for figure in study.figures}
    if name and name not in figures:
        raise unknown_name(f"picture of the headline of {study.result.study}", name, figures)
    for figure in [figures[name]] if name else study.figures:
        small = small_picture(figure.picture)
        if small:
            return figure, small
    return None, None
