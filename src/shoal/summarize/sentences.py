"""Where the first sentence of a text ends: rules on punctuation and lines, without a download.

first_sentence(["Reads e.g. FLAC 1.4 files. See https://xiph.org for more."])   # ["Reads e.g. FLAC 1.4 files."]
"""

import re
from collections.abc import Sequence

from shoal.summarize.texts import check_texts

WIDEST = 100  # characters; a text with longer lines was not wrapped by an editor

# Where a sentence may end: a mark with a space or the end behind it (so never within 3.14 or https://a.org/b),
# a mark of a script that sets no space, and the end of a line.
_END = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s|\Z)|[。！？｡]+[」』”’）]*|[।॥؟۔]+|(?=\n)""")
_LIST = re.compile(r"\s*[-*•·]\s")
_INITIALS = re.compile(r"[A-Z](\.[A-Z])*")
_LETTER = re.compile(r"\W*\w")


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NEVER = _words("e.g eg i.e ie vs cf viz al mr mrs ms dr prof st mt gen rev hon ca approx resp incl")
_BEFORE_NUMBERS = _words("no nos nr fig figs vol pp p sec ch eq art")
_MONTHS = _words("jan feb mar apr jun jul aug sep sept oct nov dec")
_BEFORE_SMALL = _words("etc inc ltd co corp jr sr dept est a.m p.m") | _MONTHS
_BEGINNERS = _words("the this these that it its they you your we he she i a an in on at if for and but also")


def first_sentence(documents: Sequence[str]) -> list[str]:
    """The first sentence of each text, on one line; the whole text where no end is found.

    No end is seen behind "e.g." and other abbreviations, initials ("J. R. Smith", "U.S.") and the number of a
    list's item ("1. "), nor within decimals and addresses. A line's end counts before an empty line or a list,
    behind a colon, and where the next word would have fitted: lines wrapped by an editor are joined.

    Args:
        documents: any strings; an empty one stays empty.

    Returns:
        As many strings.

    Raises:
        InputError: if documents is one string, holds something else than strings, or is empty.

    Example:
        >>> first_sentence(["Dr. J. Smith reads e.g. FLAC 1.4. It is fast.", "Ends nowhere", "東京です。次。"])
        ['Dr. J. Smith reads e.g. FLAC 1.4.', 'Ends nowhere', '東京です。']
    """
    return [" ".join(_first(text.strip()).split()) for text in check_texts("documents", documents)]


def _first(text: str) -> str:
    width = max(len(line.rstrip()) for line in text.split("\n"))
    for match in _END.finditer(text):
        before, mark, after = text[: match.start()], match.group(), text[match.end() :]
        ends = _is_end(before, mark, after.lstrip()) if mark else _is_break(before, after, width)
        if ends:
            return text[: match.end()]
    return text


def _is_break(before: str, after: str, width: int) -> bool:
    """Whether the line's end ends the sentence, and is not due to a width to which the text was wrapped."""
    line, following = before.rsplit("\n", 1)[-1].rstrip(), after[1:]
    if line.endswith(":") or not following.split("\n", 1)[0].strip() or _LIST.match(following):
        return True
    return width > WIDEST or len(line) + 1 + len(following.split()[0]) <= width


def _is_end(before: str, mark: str, after: str) -> bool:
    """Whether the mark ends the sentence."""
    if not after:
        return True
    if not any(char.isalpha() for char in before) or _LETTER.fullmatch(before):
        return False  # nothing was said yet, or this is the number or letter of a list's item
    if mark == ".":
        return not _is_abbreviation(before.split(), after)
    may_go_on = mark[0] in "!…" or mark.startswith("..") or mark[-1] in "\"'”’»)]"
    return not (may_go_on and after[0].islower())


def _is_abbreviation(before: list[str], after: str) -> bool:
    """Whether the full stop behind the last word belongs to it."""
    word = before[-1].lstrip("([{\"'“‘«")
    small = word.lower()
    if _INITIALS.fullmatch(word):  # but X and R and C are things, too: "for use under X. You may ..."
        thing = len(word) == 1 and before[-2:-1] in (["in"], ["under"], ["GNU"])
        return not thing and after.split()[0].lower() not in _BEGINNERS
    return (
        small in _NEVER
        or (small in _BEFORE_NUMBERS and after[0].isdigit())
        or (small in _BEFORE_SMALL and not after[0].isupper())
    )
