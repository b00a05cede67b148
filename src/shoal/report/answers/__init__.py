"""The answer sheet: questions about all systems, each answered from the run, with the claim behind it.

    write_answers([Result.load("runs/exits/result.json")], "answers.html")    # or answers.md

The questions are kept in `sheet`, the answers in a module for each system. An answer explains in words and formulas;
whatever was measured is looked up in the results, and what follows is said by the verdict that a claim got there.
"""

from shoal.report.answers.answering import verdicts_of
from shoal.report.answers.page import SHEETS, answers_section, render_answers, write_answers
from shoal.report.answers.sheet import QUESTIONS

__all__ = ["QUESTIONS", "SHEETS", "answers_section", "render_answers", "verdicts_of", "write_answers"]
