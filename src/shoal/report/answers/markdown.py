"""The answer sheet as Markdown: formulas between dollar signs, tables with pipes, pictures as SVG files beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from shoal.files import write_text
from shoal.report.answers.answering import answer_all
from shoal.report.answers.blocks import Block, Code, Judged, Missing, Pictured, Points, Prose, Tabled, Typeset, Words
from shoal.report.answers.inline import plain_text
from shoal.report.answers.page import by_parts
from shoal.report.answers.standing import standing_svg
from shoal.report.answers.views import AnswerView, BlockView, answer_views, cited_views
from shoal.report.tables import TableView
from shoal.report.views import FigureView, study_views
from shoal.studies.failure import Failure
from shoal.studies.result import Result

_OPENING = (
    "# Questions and answers",
    "Each answer takes its numbers from the runs that this sheet was made of and follows the verdicts of their claims. "
    "A claim links to its full statement at the end.",
)


def write_markdown(results: Sequence[Result], path: Path, failures: Sequence[Failure] = ()) -> None:
    """Write the answer sheet and its pictures; the sheet comes last, so that it never names what is not there.

    Args:
        results: see `shoal.report.answers.render_answers`.
        path: of the sheet; pictures go into the folder NAME_pictures beside it.
        failures: studies that failed.

    Raises:
        ShoalError: if a file cannot be written.
    """
    text, pictures = render_markdown(results, f"{path.stem}_pictures", failures)
    for name, svg in pictures.items():
        write_text(path.parent / name, svg)
    write_text(path, text)


def render_markdown(
    results: Sequence[Result], folder: str, failures: Sequence[Failure] = ()
) -> tuple[str, dict[str, str]]:
    """Write the answer sheet as Markdown.

    Args:
        results: see `shoal.report.answers.render_answers`.
        folder: name of the folder for pictures, as the text is to link to it.
        failures: studies that failed.

    Returns:
        The text, and the pictures by the address that the text has for them.
    """
    studies = study_views(results)
    answers = answer_all(results, failures)
    views = answer_views(answers, studies, whole=True)
    blocks = {answer.question.id: answer.blocks for answer in answers}
    parts: list[str] = [*_OPENING]
    pictures: dict[str, str] = {}
    parts.append("\n".join(f"- [{plain_text(f'{view.id}. {view.short}')}](#{view.anchor})" for view in views))
    for title, own in by_parts(views):
        parts.append(f"## {title}")
        for view in own:
            parts += _heading(view)
            for block, shown in zip(blocks[view.id], view.blocks, strict=True):
                parts += _written(block, shown, folder, pictures)
            if view.source:
                on = f", on {plain_text(view.source.says)}" if view.source.says else ""
                parts.append(f"From the study “{plain_text(view.source.text)}”{on}.")
    cited = cited_views(views, studies)
    parts += ["## The claims behind the answers"] if cited else []
    for one in cited:
        claim = one.claim
        back = ", ".join(f"[{link.text}](#{link.anchor})" for link in one.answers)
        unsettled = f" Cannot be decided: {plain_text(claim.unsettled)}." if claim.unsettled else ""
        parts.append(
            f'<a id="{claim.anchor}"></a>**{claim.verdict}**: '
            f"{plain_text(claim.sentence)} {plain_text(claim.measured)} "
            f"**{plain_text(claim.effect)}** (95 % interval {plain_text(claim.interval)}; needs "
            f"{plain_text(claim.needs)}).{unsettled} Asked about in {back}."
        )
    return "\n\n".join(parts) + "\n", pictures


def _heading(view: AnswerView) -> list[str]:
    title = plain_text(f"{view.id}. {view.short}")
    return [f'<a id="{view.anchor}"></a>', f"### {title}", f"*{plain_text(view.text)}*"]


def _written(block: Block, view: BlockView, folder: str, pictures: dict[str, str]) -> Iterator[str]:
    match block:
        case Prose():
            yield block.text
        case Points():
            yield "\n".join(f"- {item}" for item in block.items)
        case Typeset():
            yield f"$$\n{block.formula.latex}\n$$"
        case Judged():
            claim = view.value
            yield (
                f"> [**{claim.verdict}**](#{claim.anchor}): {plain_text(claim.sentence)} {plain_text(claim.measured)} "
                f"**{plain_text(claim.effect)}** [{plain_text(claim.interval)}]"
            )
            yield block.reading
        case Tabled():
            yield from _table(view.value)
        case Pictured() if view.kind == "link":
            yield f"See [{plain_text(view.value.text)}](#{view.value.anchor})."
        case Pictured():
            yield from _figure(view.value, view.reading, folder, pictures)
        case Code():
            yield f"`{block.name}`"
            yield f"```python\n{block.source}\n```"
        case Missing():
            command = f"`{block.command}`" if block.command else ""
            yield " ".join(filter(None, (block.text, block.reason, command)))
        case Words():
            lines = plain_text(block.text).splitlines() or [""]
            yield "\n".join(f"> {line}" for line in (f"**{plain_text(block.by)}**", "", *lines))


def _table(view: TableView) -> Iterator[str]:
    yield f'<a id="{view.anchor}"></a>**{plain_text(view.title)}**'
    heads = " | ".join(plain_text(cell.text) for cell in view.columns)
    rule = " | ".join("---:" if cell.numeric else "---" for cell in view.columns)
    rows = (" | ".join(_cell(cell.text) for cell in row) for row in view.rows)
    yield "\n".join(f"| {line} |" for line in (heads, rule, *rows))
    if view.note:
        yield plain_text(view.note)


def _cell(text: str) -> str:
    return " ".join(plain_text(text).split())


def _figure(view: FigureView, ordinal: str, folder: str, pictures: dict[str, str]) -> Iterator[str]:
    title = f"Figure {ordinal}. {plain_text(view.picture.title)}"
    yield f'<a id="{view.anchor}"></a>**{title}**'
    if svg := standing_svg(view.drawing):
        address = f"{folder}/{view.anchor}.svg"
        pictures[address] = svg
        yield f"![{_cell(f'{view.picture.title}. {view.drawing.description}')}]({address})"
    elif view.drawing.passages:
        for passage in view.drawing.passages:
            yield f"> {_cell(passage.text)}"
            yield "\n".join(f"- {_cell(who)}: {_cell(what)}" for who, what in passage.said)
    else:
        yield plain_text(view.drawing.description)
    if view.picture.note:
        yield plain_text(view.picture.note)
