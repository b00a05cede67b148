"""What a summariser has to beat: the first words of a document, and its first sentence.

print(baselines(documents, references))     # lead-7, lead-10, first sentence, ... with ROUGE and intervals
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shoal.errors import unknown_name, wrong
from shoal.summarize.rouge import METRICS
from shoal.summarize.scoring import Rouge, score
from shoal.summarize.sentences import first_sentence
from shoal.summarize.tables import html_table, text_table
from shoal.summarize.texts import References, check_references, check_texts
from shoal.summarize.words import piece_ends

LEADS = (7, 10)  # words


def lead(documents: Sequence[str], words: int = 7) -> list[str]:
    r"""The first words of each text, on one line.

    Words are what stands between spaces; in scripts without spaces every character is one.

    Args:
        documents: any strings; a shorter one stays whole.
        words: how many, >= 1.

    Returns:
        As many strings.

    Raises:
        InputError: if documents is one string, holds something else than strings, or is empty; or words < 1.

    Example:
        >>> lead(["A non-blocking client for the\nworld wide web.", "Short."], words=3)
        ['A non-blocking client', 'Short.']
    """
    if isinstance(words, bool) or not isinstance(words, int) or words < 1:
        raise wrong("words", expected="a whole number >= 1", got=words)
    return [" ".join(_cut(text, words).split()) for text in check_texts("documents", documents)]


def _cut(text: str, words: int) -> str:
    ends = piece_ends(text)
    return text[: ends[words - 1]] if len(ends) > words else text


@dataclass(frozen=True)
class RougeTable:
    """Scores of several systems on the same rows, by name; `table[name]` is one system's.

    Attributes:
        systems: the scores, in the order in which they are shown.
    """

    systems: dict[str, Rouge]

    def __getitem__(self, name: str) -> Rouge:
        """One system's scores.

        Raises:
            InputError: if there is none of this name.
        """
        if name not in self.systems:
            raise unknown_name("system", name, self.systems)
        return self.systems[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.systems)

    def __len__(self) -> int:
        return len(self.systems)

    def __str__(self) -> str:
        return f"{self._title()}\n{text_table(self._cells())}"

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._cells())

    def _title(self) -> str:
        one = next(iter(self.systems.values()))
        return f"{one.n:,} rows, ROUGE F1 in 0 to 100, {100 * one.rouge1.confidence:.4g} % intervals"

    def _cells(self) -> list[tuple[str, ...]]:
        rows = [(name, *(f"{of:.1f}" for of in rouge.metrics.values())) for name, rouge in self.systems.items()]
        return [("", *METRICS), *rows]


def baselines(
    documents: Sequence[str],
    references: References,
    *,
    words: Sequence[int] | None = None,
    stem: bool = True,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> RougeTable:
    """Score what needs no training: a model that is not above all of these has learned little.

    Args:
        documents: [n], the texts to be summarised.
        references: [n], as for `score`.
        words: lengths of leads; unless given 7, 10 and as many words as the references have on average.
        stem: as for `score`.
        confidence: as for `score`.
        resamples: as for `score`.
        seed: as for `score`.

    Returns:
        "lead-7" and so on, by length, and "first sentence".

    Raises:
        InputError: as `score` and `lead`; or if words is empty.

    Example:
        >>> documents = ["A fast text editor. It has tabs.", "Plays chess."]
        >>> table = baselines(documents, ["fast editor", "chess engine"])
        >>> list(table)
        ['lead-2', 'lead-7', 'lead-10', 'first sentence']
        >>> print(f"{table['first sentence'].rouge1.value:.1f}")
        58.3
    """
    texts = check_texts("documents", documents)
    several = check_references(references, len(texts), beside="documents")
    if isinstance(words, int | str) or words == []:
        raise wrong("words", expected="a list of at least one length", got=words, fix="words=[7, 10]")
    lengths = sorted({*LEADS, _mean_words(several)} if words is None else {*words})
    systems = {f"lead-{length}": lead(texts, length) for length in lengths}
    systems["first sentence"] = first_sentence(texts)
    options = {"stem": stem, "confidence": confidence, "resamples": resamples, "seed": seed}
    return RougeTable({name: score(found, several, **options) for name, found in systems.items()})


def _mean_words(references: Sequence[Sequence[str]]) -> int:
    """Words of a reference on average, rounded, at least 1; all references of a row count."""
    lengths = [len(piece_ends(text)) for row in references for text in row]
    return max(1, round(sum(lengths) / len(lengths)))
