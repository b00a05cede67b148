"""Hard-wrapped text with its lines joined: a paragraph a line, as the sets of this room have their documents."""

import re
from collections.abc import Iterable

MIN_WORDS = 8  # of a document; a shorter one has nothing to be summarized


def join_paragraphs(lines: Iterable[str], *, end: str = "") -> str:
    """Join the lines of each paragraph; items of a list follow in the same line, with their bullets.

    Args:
        lines: hard-wrapped, without line ends.
        end: what a line between two paragraphs holds.

    Returns:
        The paragraphs, one a line; spaces within a line stay as they are.

    Example:
        >>> print(join_paragraphs(["It brews", "coffee:", " * black", " * white", "", "And tea."]))
        It brews coffee: * black * white
        And tea.
    """
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        line = line.strip()
        if line == end:
            paragraphs.append([])
        elif line:
            paragraphs[-1].append(line)
    return "\n".join(" ".join(paragraph) for paragraph in paragraphs if paragraph)


def is_worth_a_summary(document: str) -> bool:
    """Whether a document has eight words, of letters, at least.

    Example:
        >>> is_worth_a_summary("Too short"), is_worth_a_summary("1 2 3 4 5 6 7 8 9"), is_worth_a_summary("ab " * 8)
        (False, False, True)
    """
    return sum(bool(re.search(r"[^\W\d_]", word)) for word in document.split()) >= MIN_WORDS
