"""What a summary may go on with: no repeated n-gram, no more words than wanted, an end at last, but never nothing."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.errors import wrong
from shoal.summarize.tokenizer import END, PAD, START, Tokenizer


@dataclass(frozen=True, kw_only=True)
class WritingRules:
    """How summaries are written.

    Args:
        num_beams: summaries of a document that are followed at once; 1 takes the likeliest token each time.
        max_words: the most words of a summary; 0 for as many as the model's length allows.
        length_penalty: the sum of log-probabilities is divided by length ** length_penalty: 0 is neutral, more than 0
            favours longer summaries, less shorter ones; 1 compares by the mean, without which beams end too early.
        no_repeat_ngram: no so many tokens in a row occur twice in a summary; 0 switches it off.
        temperature: 0 takes the likeliest; above, tokens are drawn, the wilder the higher.
        top_k: draws among so many of the likeliest; 0 for all.
        top_p: draws among the likeliest that make up this share.
        seed: of the draws.

    Raises:
        InputError: if a number is out of range.
    """

    num_beams: int = 4
    max_words: int = 0
    length_penalty: float = 1.0
    no_repeat_ngram: int = 3
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("num_beams", 1), ("max_words", 0), ("no_repeat_ngram", 0), ("top_k", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise wrong(name, expected=f"a whole number >= {least}", got=value)
        if not -10 <= self.length_penalty <= 10:
            raise wrong("length_penalty", expected="a number from -10 to 10, 0 being neutral", got=self.length_penalty)
        if not 0 <= self.temperature <= 100:
            raise wrong("temperature", expected="a number from 0 (the likeliest) to 100", got=self.temperature)
        if not 0 < self.top_p <= 1:
            raise wrong("top_p", expected="a share above 0, at most 1", got=self.top_p)
        if self.temperature and self.num_beams > 1:
            fix = "take num_beams=1 to draw, or temperature=0 for beams"
            raise wrong("num_beams", expected="1 where tokens are drawn", got=self.num_beams, fix=fix)


class Filter:
    """Takes the probability of what must not come next.

    Args:
        rules: of the writing.
        starts: [vocabulary], whether a token begins a word, see `word_starts`.
    """

    def __init__(self, rules: WritingRules, starts: Bool[Tensor, "vocabulary"]):
        self.rules, self.starts = rules, starts

    def __call__(
        self, log_p: Float[Tensor, "rows vocabulary"], written: Int[Tensor, "rows length"], last: bool
    ) -> Float[Tensor, "rows vocabulary"]:
        """Log-probabilities with −∞ where a token must not come; at least one is left in every row.

        Args:
            log_p: of the next token; changed in place.
            written: so far, from the start.
            last: whether there is room for one more token only, which then is the end.
        """
        log_p[:, [PAD, START]] = -torch.inf
        if written.shape[1] == 1:
            log_p[:, END] = -torch.inf  # an empty summary is none
        if self.rules.no_repeat_ngram:
            forbid_repeats(log_p, written, self.rules.no_repeat_ngram)
        if self.rules.max_words:
            full = self.starts[written].sum(1) >= self.rules.max_words  # (rows,)
            log_p.masked_fill_(full[:, None] & self.starts, -torch.inf)
        if last:
            others = torch.ones_like(self.starts)
            others[END] = False
            log_p.masked_fill_(others, -torch.inf)
        return log_p


def forbid_repeats(
    log_p: Float[Tensor, "rows vocabulary"], written: Int[Tensor, "rows length"], n: int
) -> Float[Tensor, "rows vocabulary"]:
    """Take the probability of tokens that would complete n tokens in a row a second time.

    Args:
        log_p: changed in place. The end is never taken: it has not been written yet.
        written: so far, from the start.
        n: length of what must not repeat.
    """
    if written.shape[1] < n:
        return log_p
    windows = written.unfold(1, n, 1)  # (rows, places, n)
    latest = written[:, written.shape[1] - n + 1 :]  # (rows, n − 1)
    same = (windows[..., :-1] == latest[:, None]).all(-1)  # (rows, places)
    penalty = torch.zeros_like(same, dtype=log_p.dtype).masked_fill_(same, -torch.inf)
    return log_p.scatter_add_(1, windows[..., -1], penalty)


def word_starts(tokenizer: Tokenizer) -> Bool[Tensor, "vocabulary"]:
    """Whether each token begins a word: it begins with a space."""
    found = torch.zeros(len(tokenizer), dtype=torch.bool)
    for token, number in tokenizer.inner.get_vocab().items():
        found[number] = token.startswith("Ġ")
    return found
