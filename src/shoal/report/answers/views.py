"""What the templates print of answers: text as HTML, links to claims, tables and pictures with their anchors.

On a page of its own an answer shows its tables and pictures, each picture where it is first needed, and the claims
stand at the end. Within a report, where they stand already, answers link to them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shoal.report.anchors import slug
from shoal.report.answers.answering import Answer
from shoal.report.answers.blocks import Block, Code, Judged, Missing, Pictured, Points, Prose, Tabled, Typeset, Words
from shoal.report.answers.inline import html_of
from shoal.report.evidence import Link
from shoal.report.formulas import formula_views
from shoal.report.tables import table_view
from shoal.report.views import ClaimView, StudyView


@dataclass(frozen=True, kw_only=True)
class BlockView:
    """A block, ready for the page.

    Args:
        kind: what it is: "prose", "points", "formula", "judged", "table", "figure", "code", "missing", "words" or
            "link".
        value: what the template prints of that kind.
        reading: what the verdict of a claim means for the question.
    """

    kind: str
    value: Any
    reading: str = ""


@dataclass(frozen=True, kw_only=True)
class AnswerView:
    """A question with its answer, ready for the page."""

    anchor: str
    id: str
    short: str
    text: str
    source: Link | None
    blocks: tuple[BlockView, ...]
    claims: tuple[Link, ...]
    answered: bool


@dataclass(frozen=True, kw_only=True)
class CitedView:
    """A claim that answers rest on, with links back to them."""

    claim: ClaimView
    answers: tuple[Link, ...]


class _Page:
    """Turns blocks into views, and remembers which pictures are there already.

    Args:
        studies: as the report shows them.
        whole: whether tables and pictures are shown where they are named; they are linked to otherwise.
    """

    def __init__(self, studies: Sequence[StudyView], *, whole: bool):
        self.whole = whole
        self.studies = {study.result.study: study for study in reversed(studies)}
        self.shown: set[str] = set()
        self.tables = self.figures = 0

    def answer(self, answer: Answer) -> AnswerView:
        anchor = anchor_of(answer.question.id)
        judged = [block for block in answer.blocks if isinstance(block, Judged)]
        study = self.studies[answer.result.study] if answer.result else None
        return AnswerView(
            anchor=anchor,
            id=answer.question.id,
            short=answer.question.short,
            text=answer.question.text,
            source=_source(study) if study else None,
            blocks=tuple(self.block(block, f"{anchor}-{at}") for at, block in enumerate(answer.blocks)),
            claims=tuple(self.link(block) for block in judged),
            answered=not all(isinstance(block, Missing) for block in answer.blocks),
        )

    def block(self, block: Block, anchor: str) -> BlockView:
        match block:
            case Prose():
                return BlockView(kind="prose", value=html_of(block.text))
            case Points():
                return BlockView(kind="points", value=tuple(map(html_of, block.items)))
            case Typeset():
                return BlockView(kind="formula", value=formula_views((block.formula,), anchor)[0])
            case Judged():
                return BlockView(kind="judged", value=self.claim(block), reading=html_of(block.reading))
            case Tabled():
                return self.table(block, anchor)
            case Pictured():
                return self.picture(block)
            case Code():
                return BlockView(kind="code", value=block)
            case Missing():
                return BlockView(
                    kind="missing", value=replace(block, text=html_of(f"{block.text} {block.reason}".strip()))
                )  # pyright: ignore[reportArgumentType] - Markup is text
            case Words():
                return BlockView(kind="words", value=block)

    def claim(self, judged: Judged) -> ClaimView:
        study = self.studies[judged.study]
        return next(
            view for claim, view in zip(study.result.claims, study.claims, strict=True) if claim.id == judged.claim.id
        )

    def link(self, judged: Judged) -> Link:
        view = self.claim(judged)
        return Link(anchor=view.anchor, text=view.label, says=view.sentence, verdict=view.verdict)

    def table(self, block: Tabled, anchor: str) -> BlockView:
        study = self.studies.get(block.study)
        if not self.whole and study:
            at = [table.id for table in study.result.tables].index(block.table.id)
            view = study.tables[at]
            if len(view.columns) == len(block.table.columns) and len(view.rows) == len(block.table.rows):
                return BlockView(kind="link", value=Link(anchor=view.anchor, text=f"Table {at + 1}: {view.title}"))
        self.tables += 1
        view = table_view(block.table, f"{anchor}-table-{slug(block.table.id)}")
        return BlockView(kind="table", value=view, reading=f"Table {self.tables}." if self.whole else "")

    def picture(self, block: Pictured) -> BlockView:
        study = self.studies[block.study]
        at = [picture.id for picture in study.result.pictures].index(block.picture.id)
        view = study.figures[at]
        if self.whole and view.anchor not in self.shown:
            self.shown.add(view.anchor)
            self.figures += 1
            return BlockView(kind="figure", value=replace(view, claims=()), reading=str(self.figures))
        name = "" if self.whole else f"Figure {at + 1}: "
        return BlockView(kind="link", value=Link(anchor=view.anchor, text=f"{name}{view.picture.title}"))


def anchor_of(question: str) -> str:
    """Where the answer to a question stands.

    Example:
        >>> anchor_of("4a-iv")
        'answer-4a-iv'
    """
    return f"answer-{question}"


def answer_views(answers: Sequence[Answer], studies: Sequence[StudyView], *, whole: bool) -> tuple[AnswerView, ...]:
    """Prepare answers for a page.

    Args:
        answers: in the order of the sheet.
        studies: of the same results.
        whole: whether the page shows tables and pictures itself; a report has them already.
    """
    page = _Page(studies, whole=whole)
    return tuple(map(page.answer, answers))


def cited_views(answers: Sequence[AnswerView], studies: Sequence[StudyView]) -> tuple[CitedView, ...]:
    """The claims that answers rest on, in the order of the studies, each with links back to the answers."""
    return tuple(_cited(answers, studies))


def _cited(answers: Sequence[AnswerView], studies: Sequence[StudyView]) -> Iterator[CitedView]:
    for study in studies:
        for claim in study.claims:
            citing = [answer for answer in answers if claim.anchor in {link.anchor for link in answer.claims}]
            links = tuple(Link(anchor=answer.anchor, text=answer.id, says=answer.short) for answer in citing)
            if links:
                yield CitedView(claim=replace(claim, evidence=()), answers=links)


def _source(study: StudyView) -> Link:
    """Which run an answer is from."""
    name = study.result.data.get("name")
    return Link(anchor=study.anchor, text=study.result.title, says=str(name) if name else "")
