"""`Summarizer`: a trained model with its tokenizer, that writes summaries, and is saved in a folder.

summarizer = Summarizer.from_pretrained("runs/mine/model")
summarizer.summarize(["a long text …"])
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from shoal.engine import History, Precision, choose_device, precision_named
from shoal.errors import wrong
from shoal.measure import count_parameters
from shoal.summarize.model import SummaryModel
from shoal.summarize.rules import Filter, WritingRules, word_starts
from shoal.summarize.search import write
from shoal.summarize.token_batches import Encoded, encode_pairs, in_order_of_length
from shoal.summarize.tokenizer import Tokenizer

if TYPE_CHECKING:
    from shoal.summarize.verdict import Verdict

TOKENS = 8192  # of the documents that are summarized at once, beams apart


@dataclass(eq=False, repr=False)
class Summarizer:
    """A model and its tokenizer.

    Attributes:
        model: in evaluation mode.
        tokenizer: that it was trained with.
        history: of its training: rows of step, epoch, train_loss, held_back_loss, validation_loss and more.
        verdict: on the training, where there were enough rows for one.
        about: what it was trained on and how, for its card.
    """

    model: SummaryModel
    tokenizer: Tokenizer
    history: History = field(default_factory=History)
    verdict: "Verdict | None" = None
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.tokenizer) != self.model.config.vocabulary:
            expected = f"a vocabulary of the model's {self.model.config.vocabulary:,} entries"
            raise wrong("tokenizer", expected=expected, got=f"{len(self.tokenizer):,}", fix="load both from one folder")
        self.model.eval()

    def __repr__(self) -> str:
        config = self.model.config
        return (
            f"Summarizer({count_parameters(self.model):,} parameters, vocabulary {config.vocabulary:,}, "
            f"reads {config.max_source} tokens, {config.attention} attention)"
        )

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    def summarize(
        self,
        texts: Sequence[str],
        *,
        num_beams: int = 4,
        max_words: int = 0,
        length_penalty: float = 1.0,
        no_repeat_ngram: int = 3,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        device: str = "auto",
        precision: str = "fp32",
    ) -> list[str]:
        """Summaries of some texts.

        Args:
            texts: any number; what is longer than the model reads is cut, see `cut`.
            num_beams: summaries that are followed at once; 1 takes the likeliest token each time.
            max_words: the most words; 0 for as many as the model's length allows.
            length_penalty: 0 is neutral, more favours longer summaries: scores are sums of log-probabilities divided by
                length ** length_penalty.
            no_repeat_ngram: no so many tokens in a row come twice; 0 switches it off.
            temperature: 0 takes the likeliest; above, tokens are drawn.
            top_k: draws among so many of the likeliest; 0 for all.
            top_p: draws among the likeliest that make up this share.
            seed: of the draws.
            device: "auto", "cpu" or "cuda".
            precision: "fp32" or "bf16".

        Returns:
            One a text, in their order. An empty text has an empty summary.

        Raises:
            InputError: if texts are not strings, or a number is out of range.
        """
        rules = WritingRules(
            num_beams=num_beams,
            max_words=max_words,
            length_penalty=length_penalty,
            no_repeat_ngram=no_repeat_ngram,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
        )
        return self.write(texts, rules, device=device, precision=precision_named(precision))

    def write(
        self, texts: Sequence[str], rules: WritingRules, *, device: str = "auto", precision: Precision | None = None
    ) -> list[str]:
        """The same with rules that are ready."""
        encoded = self.encode(texts)
        some = [row for row, text in enumerate(texts) if text.strip()]
        place, _ = choose_device(device)
        model = self.model.to(place).eval()
        forbid = Filter(rules, word_starts(self.tokenizer).to(place))
        found = [""] * len(texts)
        for rows, source, _ in in_order_of_length(encoded.take(some), max(1, TOKENS // rules.num_beams)):
            with (precision or Precision()).autocast(place):
                numbers = write(model, source.to(place), rules, forbid)
            for row, summary in zip(rows, numbers, strict=True):
                found[some[row]] = self.tokenizer.decode(summary)
        return found

    def encode(self, texts: Sequence[str], summaries: Sequence[str] | None = None) -> Encoded:
        """Texts, and summaries where there are any, as the model takes them.

        Raises:
            InputError: if something is no string, or the numbers differ.
        """
        summaries = [""] * len(texts) if summaries is None else summaries
        if isinstance(texts, str) or isinstance(summaries, str):
            raise wrong("texts", expected="a list of strings", got="one string", fix="put it into brackets")
        if len(texts) != len(summaries):
            raise wrong("summaries", expected=f"one for each of {len(texts)} texts", got=len(summaries))
        for row, text in enumerate([*texts, *summaries]):
            if not isinstance(text, str):
                raise wrong(f"text {row % len(texts)}", expected="a string", got=type(text).__name__)
        config, tokenizer = self.model.config, self.tokenizer
        return encode_pairs(tokenizer.encode(texts), tokenizer.encode(summaries), config.max_source, config.max_target)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write config.json, model.safetensors, tokenizer.json, training.json and README.md, the model's card.

        Args:
            folder: made if it is missing; what it held of an earlier model is replaced.

        Raises:
            ShoalError: if it cannot be written.
        """
        from shoal.summarize.saving import save

        return save(self, folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Summarizer":
        """Read what `save_pretrained` wrote.

        Raises:
            ShoalError: if a file is missing, truncated, or does not belong to the others.
        """
        from shoal.summarize.saving import load

        return load(folder)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.embedding.weight.device
