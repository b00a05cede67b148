"""From results to answers: each question of the sheet with what this run says to it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shoal.report.answers.blocks import Block, Judged, Missing
from shoal.report.answers.found import Found
from shoal.report.answers.sheet import QUESTIONS, Question
from shoal.studies.failure import Failure
from shoal.studies.result import Result


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question with its answer.

    Args:
        question: of the sheet.
        blocks: the answer, in order; never empty.
        result: that it was taken from; None where the study did not run, or where all results answer together.
    """

    question: Question
    blocks: tuple[Block, ...]
    result: Result | None


def answer_all(results: Sequence[Result], failures: Sequence[Failure] = ()) -> tuple[Answer, ...]:
    """Answer every question of the sheet.

    Args:
        results: of several runs of one study the first one answers.
        failures: studies that failed.

    Example:
        >>> first = answer_all([])[0]
        >>> first.question.id, first.blocks[0].command
        ('1a-i', 'shoal study attention')
    """
    by_study = {result.study: result for result in reversed(results)}
    failed = {failure.study: failure for failure in failures}
    found = []
    for question in QUESTIONS:
        result = by_study.get(question.study)
        blocks = tuple(_joined(_blocks(question, result, failed.get(question.study), results)))
        found.append(Answer(question=question, blocks=blocks, result=result))
    return tuple(found)


def verdicts_of(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Questions with the claims that their answers rest on, as plain data.

    Example:
        >>> verdicts_of([])[0]["id"], verdicts_of([])[0]["claims"]
        ('1a-i', {})
    """
    return [
        {
            "id": answer.question.id,
            "question": answer.question.text,
            "study": answer.question.study,
            "claims": {block.claim.id: block.claim.verdict for block in answer.blocks if isinstance(block, Judged)},
        }
        for answer in answer_all(results)
    ]


def _joined(blocks: Iterator[Block]) -> Iterator[Block]:
    """What is missing one after the other for the same reason, said once."""
    for lacking, some in itertools.groupby(blocks, lambda block: isinstance(block, Missing) and block.reason):
        group = list(some)
        if lacking and len(group) > 1:
            told = " ".join(block.text for block in group if isinstance(block, Missing))
            yield replace(group[0], text=told)  # pyright: ignore[reportCallIssue] - all are Missing
        else:
            yield from group


def _blocks(
    question: Question, result: Result | None, failure: Failure | None, results: Sequence[Result]
) -> Iterator[Block]:
    if question.from_all:
        yield from question.from_all(results)
    elif result and question.answer:
        yield from question.answer(Found(result))
    elif failure:
        yield Missing(text=f"The study of {question.study} failed: {failure.error}", command=failure.command)
    else:
        text = f"The study of {question.study} is not among these runs, so that there is no answer yet."
        yield Missing(text=text, command=f"shoal study {question.study}")
