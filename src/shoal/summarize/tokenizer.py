"""Byte-level byte-pair encoding, by the `tokenizers` library: every text can be written in it, nothing is unknown.

A text begins like any other word, with a space, so that a word has the same tokens at the beginning of a summary as
in the middle of the document that it is copied from.

Source: Sennrich et al. 2016 (arXiv 1508.07909); bytes after Radford et al. 2019, "Language models are unsupervised
multitask learners", section 2.2.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from shoal.errors import ShoalError, wrong
from shoal.files import write_text

PAD, START, END = 0, 1, 2
SPECIAL = ("<pad>", "<s>", "</s>")
FEWEST = len(SPECIAL) + 256  # special tokens and bytes


class Tokenizer:
    """Texts to numbers and back.

    Args:
        inner: of the `tokenizers` library, as `train` makes it.

    Example:
        >>> tokenizer = Tokenizer.train(["a small text, and another small text"], vocabulary=270)
        >>> tokenizer.decode(tokenizer.encode(["small texts </s> Ä"])[0])
        'small texts </s> Ä'
    """

    def __init__(self, inner: tokenizers.Tokenizer):
        inner.encode_special_tokens = True  # "</s>" in somebody's text is five characters, not the end
        self.inner = inner

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int = 8000) -> "Tokenizer":
        """Learn which bytes go together.

        Args:
            texts: to learn from.
            vocabulary: entries, at least the 3 special ones and 256 bytes; fewer come out where texts are few.

        Raises:
            InputError: if the vocabulary is too small.
        """
        if vocabulary < FEWEST:
            raise wrong("vocabulary", expected=f"at least {FEWEST}: special tokens and bytes", got=vocabulary)
        inner = tokenizers.Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner)

    def __len__(self) -> int:
        return self.inner.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of each text, without start and end."""
        found = self.inner.encode_batch_fast(list(texts), add_special_tokens=False)  # fast: no places in the text
        return [text.ids for text in found]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text; special tokens are left out, and bytes that are no text become U+FFFD."""
        return self.inner.decode(list(numbers), skip_special_tokens=True).strip()

    def pieces(self, numbers: Sequence[int]) -> list[str]:
        """The text of each token, for pictures."""
        return [self.inner.decode([number], skip_special_tokens=False) for number in numbers]

    def save(self, path: str | Path) -> None:
        """Write tokenizer.json, complete or not at all."""
        write_text(path, self.inner.to_str(pretty=False))

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Read what `save` wrote.

        Raises:
            ShoalError: if it is not there or no tokenizer.
            InputError: if it is one without this house's special tokens.
        """
        path = Path(path)
        try:
            inner = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:
            reason = " ".join(str(error).split())[:120]
            raise ShoalError(f"{path}: expected a tokenizer, got: {reason}; save the model again") from None
        if [inner.token_to_id(token) for token in SPECIAL] != [PAD, START, END]:
            raise wrong(str(path), expected=f"a tokenizer whose first tokens are {', '.join(SPECIAL)}", got="another")
        return cls(inner)
