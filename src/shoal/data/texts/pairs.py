"""Documents with summaries in memory: `TextPairs`, one table of rows, and `TextSplits`, three that go together.

splits = load_texts("debian-descriptions")
splits.train.documents[0], splits.train.summaries[0]
few = deduplicate(splits.train).take(range(1_000))
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html import escape

from shoal.errors import wrong

_OPENING_WORDS = 8


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class TextPairs:
    """Documents, a summary of each, and where they come from.

    Attributes:
        documents: what is to be summarized; none is empty.
        summaries: one of each document; none is empty.
        name: of the data set or the file.
        source: a phrase for people: where it was found.
        references: every summary of a row that counts as right, the row's own first; only that one if not given.
        groups: what a row belongs to, for example a source package; rows of one group are never split apart. ""
            belongs to nothing. Empty where there are no groups.
        skipped: (line number, why) of each row of the file that was left out.

    Raises:
        InputError: if the parts differ in length, or a document or summary is empty.

    Example:
        >>> two = TextPairs(documents=("A long text.", "Another."), summaries=("a text", "other"), name="toy")
        >>> len(two), two.references[1], two.take([1]).documents
        (2, ('other',), ('Another.',))
        >>> two
        TextPairs('toy', 2 rows)
    """

    documents: tuple[str, ...]
    summaries: tuple[str, ...]
    name: str
    source: str = ""
    references: tuple[tuple[str, ...], ...] = field(default=None)  # pyright: ignore[reportAssignmentType]
    groups: tuple[str, ...] = ()
    skipped: tuple[tuple[int, str], ...] = ()

    def __post_init__(self):
        if len(self.documents) != len(self.summaries):
            raise wrong(
                "summaries", expected=f"one for each of {len(self.documents)} documents", got=len(self.summaries)
            )
        for what, texts in (("documents", self.documents), ("summaries", self.summaries)):
            empty = next((i for i, text in enumerate(texts) if not text.strip()), None)
            if empty is not None:
                raise wrong(what, expected="no empty text", got=f"an empty one in row {empty}")
        if self.references is None:
            object.__setattr__(self, "references", tuple((summary,) for summary in self.summaries))
        if len(self.references) != len(self.documents) or not all(self.references):
            raise wrong("references", expected=f"at least one for each of {len(self)} rows", got=len(self.references))
        if self.groups and len(self.groups) != len(self.documents):
            raise wrong("groups", expected=f"one for each of {len(self)} rows, or none", got=len(self.groups))

    def __len__(self) -> int:
        return len(self.documents)

    def __repr__(self) -> str:
        return f"TextPairs({self.name!r}, {len(self):,} rows)"

    def take(self, rows: Iterable[int]) -> "TextPairs":
        """The rows of these numbers, in that order.

        Args:
            rows: each in [0, n).

        Raises:
            InputError: if there is no such row.
        """
        rows = [int(row) for row in rows]
        if bad := [row for row in rows if not 0 <= row < len(self)]:
            raise wrong("rows", expected=f"0 to {len(self) - 1}", got=bad[0])
        return replace(
            self,
            documents=tuple(self.documents[row] for row in rows),
            summaries=tuple(self.summaries[row] for row in rows),
            references=tuple(self.references[row] for row in rows),
            groups=tuple(self.groups[row] for row in rows) if self.groups else (),
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class TextSplits:
    """Training, validation and test rows of one data set.

    Attributes:
        name: the data set's name.
        source: a sentence for people: what it is and where it was found.
        train: rows to learn from.
        validation: rows to choose with.
        test: rows to report on; no choice may look at them. Has length 0 where the set has none.
        terms: licence or terms in a few words; empty for the user's own.
        why: why this set was chosen, see `find_best_texts`.
        better: how to get a better one; empty if this is as good as it gets.
        data: the name or path that leads to the same data again.
    """

    name: str
    source: str
    train: TextPairs
    validation: TextPairs
    test: TextPairs
    terms: str = ""
    why: str = ""
    better: str = ""
    data: str = ""

    @property
    def held_out(self) -> TextPairs:
        """The rows to report on: test rows, or the validation rows where the set has no test rows."""
        return self.test if len(self.test) else self.validation

    def __str__(self) -> str:
        rows = " + ".join(f"{len(part):,}" for part in (self.train, self.validation, self.test))
        return f"{self.name}: {rows} pairs of document and summary"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{title}</td><td>{len(part):,}</td></tr>"
            for title, part in (("train", self.train), ("validation", self.validation), ("test", self.test))
        )
        return f"<p>{escape(str(self))}</p><table>{cells}</table><p>{escape(self.source)}</p>"


def normalise(text: str) -> str:
    r"""What two texts have in common that differ in case, spaces, Unicode spelling or a full stop at the end only.

    Args:
        text: any.

    Example:
        >>> normalise("  Fix the\nBuild. ") == normalise("fix the build")
        True
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return plain.rstrip(".!… ") or plain


def opening(document: str) -> str:
    r"""The normalised first paragraph: the first line, and the next ones while there are fewer than eight words.

    Args:
        document: a paragraph a line, as the sets of this room have them; in other texts a line will do as well.

    Example:
        >>> opening("Hello,\nthis is what I wanted to tell you today.\nBye")
        'hello, this is what i wanted to tell you today'
    """
    words: list[str] = []
    for line in re.split(r"[\r\n]+", document):
        words += line.split()
        if len(words) >= _OPENING_WORDS:
            break
    return normalise(" ".join(words))


def deduplicate(pairs: TextPairs, *, against: TextPairs | None = None) -> TextPairs:
    """Drop every row whose document or summary occurred before; case, spaces and a full stop do not matter.

    Args:
        pairs: the rows.
        against: rows that count as having occurred before, for example those held out.

    Returns:
        The rows that are left, in the order that they had.

    Example:
        >>> pairs = TextPairs(documents=("One.", "one", "Two", "Three"), summaries=("a", "b", "A", "c"), name="toy")
        >>> deduplicate(pairs).documents
        ('One.', 'Three')
    """
    return pairs.take(distinct_rows(pairs, against=against))


def distinct_rows(pairs: TextPairs, *, against: TextPairs | None = None) -> list[int]:
    """The numbers of the rows that `deduplicate` keeps."""
    documents = {normalise(text) for text in against.documents} if against else set()
    summaries = {normalise(text) for text in against.summaries} if against else set()
    kept = []
    for row, (document, summary) in enumerate(zip(pairs.documents, pairs.summaries, strict=True)):
        document, summary = normalise(document), normalise(summary)
        if document not in documents and summary not in summaries:
            kept.append(row)
        documents.add(document)
        summaries.add(summary)
    return kept


def digest_of(*parts: TextPairs) -> str:
    """What tells these texts from others, order included: 16 hexadecimal digits.

    Example:
        >>> one = TextPairs(documents=("a b",), summaries=("b",), name="toy")
        >>> digest_of(one) == digest_of(one), digest_of(one) == digest_of(one, one)
        (True, False)
    """
    digest = hashlib.sha256()
    for pairs in parts:
        for text in (*pairs.documents, *pairs.summaries):
            digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]
