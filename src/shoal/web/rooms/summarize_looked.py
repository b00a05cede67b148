"""A summary with what the summarizer looked at for each of its words: attention to the text, and copying out of it.

    looked = look(summarizer, text, WritingRules(num_beams=4))
    looked.summary, looked.words[0].copied, looked.words[0].looks

What the model knows are tokens, pieces of words. Attention that goes to the pieces of one word is added up; of a word
of the summary that has several pieces, the mean is taken. Every row still sums to 1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.summarize import Summarizer, WritingRules, explain
from shoal.summarize.rules import word_starts
from shoal.summarize.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of a summary.

    Attributes:
        text: as written.
        copied: probability that it is copied rather than written; None of a model that does not copy.
        looks: share of the attention for each word of the document; the last layer, the mean of its heads.
        source: place of the word of the document that it would be copied from; None of a model that does not copy.
    """

    text: str
    copied: float | None
    looks: tuple[float, ...]
    source: int | None

    @property
    def strongest(self) -> int:
        """Place of the word of the document that it looked at most."""
        return max(range(len(self.looks)), key=lambda place: self.looks[place])


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A summary, and what was looked at.

    Attributes:
        summary: as text.
        words: of the summary.
        document: words of the text, as far as it was read.
        unread: what came after.
    """

    summary: str
    words: tuple[Word, ...]
    document: tuple[str, ...]
    unread: str


def load_summarizer(folder: Path) -> Summarizer:
    """Of a run folder.

    Raises:
        ShoalError: if it is not there, or damaged.
    """
    return Summarizer.from_pretrained(folder / "model")


def look(summarizer: Summarizer, text: str, rules: WritingRules) -> Looked:
    """Summarize a text, and look at how.

    Args:
        summarizer: on the CPU.
        text: anything but nothing.
        rules: of writing.

    Raises:
        InputError: if there is no text.
    """
    summary = summarizer.write([text], rules, device="cpu")[0]
    found = explain(summarizer, text, summary)
    encoded = summarizer.encode([text], [summary])
    source, target = encoded.sources[0], encoded.targets[0][1:-1]  # without start and end
    tokenizer = summarizer.tokenizer
    theirs, ours = _groups(tokenizer, source), _groups(tokenizer, target)
    length = len(target)
    looks = _merged(found.looking[-1].mean(0)[:length], ours, theirs)  # (words, document words)
    copied = None if found.copied is None else _means(found.copied[:length, None], ours)[:, 0]
    places = None if found.copied_from is None else _merged(found.copied_from[:length], ours, theirs).argmax(1)
    whole = tokenizer.encode([text])[0]
    return Looked(
        summary=summary,
        words=tuple(
            Word(
                text=name,
                copied=None if copied is None else float(copied[row]),
                looks=tuple(looks[row].tolist()),
                source=None if places is None else int(places[row]),
            )
            for row, name in enumerate(_names(tokenizer, target, ours))
        ),
        document=tuple(_names(tokenizer, source, theirs)),
        unread=tokenizer.decode(whole[len(source) :]),
    )


def examples_of(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Texts of the test part that a run shows, each with the summary that people wrote; texts are cut there.

    Args:
        result: of the run, as plain JSON.
    """
    shown = next((picture["rows"] for picture in result["pictures"] if picture["id"] == "examples"), [])
    return [(row["text"].removesuffix(" …"), dict(row["said"]).get("by people", "")) for row in shown]


def _groups(tokenizer: Tokenizer, numbers: list[int]) -> Tensor:
    """Number of the word that each token belongs to, counted from 0."""
    begins = word_starts(tokenizer)[torch.tensor(numbers, dtype=torch.long)].long()
    begins[:1] = 1  # whatever comes first begins a word
    return begins.cumsum(0) - 1


def _names(tokenizer: Tokenizer, numbers: list[int], groups: Tensor) -> list[str]:
    """The text of each word."""
    found: list[list[int]] = [[] for _ in range(int(groups.max()) + 1 if len(groups) else 0)]
    for number, group in zip(numbers, groups.tolist(), strict=True):
        found[group].append(number)
    return [tokenizer.decode(word) for word in found]


def _means(values: Float[Tensor, "tokens n"], groups: Tensor) -> Float[Tensor, "words n"]:
    """Means over the tokens of a word."""
    words = int(groups.max()) + 1
    sums = torch.zeros(words, values.shape[1]).index_add_(0, groups, values.float())
    return sums / torch.bincount(groups, minlength=words)[:, None]


def _merged(values: Float[Tensor, "tokens seq"], ours: Tensor, theirs: Tensor) -> Float[Tensor, "words document"]:
    """Sums over the tokens of a word of the document, means over those of a word of the summary."""
    sums = torch.zeros(len(values), int(theirs.max()) + 1).index_add_(1, theirs, values.float())
    return _means(sums, ours)
