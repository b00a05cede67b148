"""The rules of the circuits study: the exercise's three as it states them, and more of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shoal.circuits import Head, compile_rule, parse_rule
from shoal.circuits.rules import AnyRule

Kind = Literal["content", "position", "content and position"]
SHORT = 4  # tokens: the longest sequence of most rules, and of all heads that are compared with each other


@dataclass(frozen=True, kw_only=True)
class Task:
    """A rule with the dimensions of its heads.

    Attributes:
        name: short, for tables.
        rule: as it is written.
        kind: what it selects by.
        max_len: longest sequence.
        qk_dim: of queries and keys; as few as the rule needs where it is None.
        vocabulary: letters.
        sequence: that pictures show.
        meaning: a sentence for the page.
    """

    name: str
    rule: str
    kind: Kind
    max_len: int = SHORT
    qk_dim: int | None = None
    vocabulary: str = "ABC"
    sequence: str = "ABBA"
    meaning: str = ""

    @property
    def parsed(self) -> AnyRule:
        """The rule."""
        return parse_rule(self.rule)

    def by_hand(self) -> Head:
        """The compiled head."""
        return compile_rule(self.parsed, self.vocabulary, self.max_len, qk_dim=self.qk_dim)


TASKS = (
    Task(
        name="same",
        rule="same",
        kind="content",
        max_len=6,
        qk_dim=3,
        sequence="ABCCAB",
        meaning="Every place takes the mean of the tokens like its own: it copies itself.",
    ),
    Task(name="first", rule="first", kind="position", qk_dim=1, meaning="Every place copies the first token."),
    Task(
        name="unique",
        rule="unique",
        kind="content and position",
        qk_dim=8,
        sequence="ABCA",
        meaning="+1 where the place's token occurs once, −1 where it repeats; ∅ stands for the CLS token.",
    ),
    Task(name="last", rule="last", kind="position", meaning="Every place copies the last token, at any length."),
    Task(
        name="previous",
        rule="previous",
        kind="position",
        meaning="Every place copies the token before it; the first has nothing to copy, its output is zero.",
    ),
    Task(
        name="same & not_self",
        rule="same & not_self",
        kind="content and position",
        meaning="Every place takes the mean of the other places that hold its token; zero where there are none.",
    ),
    Task(
        name="~first",
        rule="~first",
        kind="position",
        meaning="Every place takes the mean of all tokens but the first.",
    ),
    Task(
        name="token('A') & ~first",
        rule="token('A') & ~first",
        kind="content and position",
        meaning="Every place takes the As after the first place; zero where there are none.",
    ),
)


def short_tasks(tasks: Sequence[Task] = TASKS) -> tuple[Task, ...]:
    """The tasks with sequences of up to `SHORT` tokens, so that all heads see the same inputs."""
    return tuple(
        task
        if task.max_len == SHORT
        else replace(task, name=f"{task.name}, {SHORT} tokens", max_len=SHORT, sequence=task.sequence[:SHORT])
        for task in tasks
    )
