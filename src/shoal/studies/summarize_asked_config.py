"""Settings of `shoal summarize` for texts of one's own; imports nothing heavy, for the command line."""

from dataclasses import dataclass, fields
from typing import Any, Literal

Size = Literal["tiny", "small", "base", "large"]


@dataclass(frozen=True, kw_only=True)
class TextsConfig:
    """How rows are read.

    Args:
        document: the field of the document.
        summary: the field of the summary.
        strict: stop at the first row that cannot be used, in place of leaving it out.
        offline: never fetch texts.
    """

    document: str = "document"
    summary: str = "summary"
    strict: bool = False
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a summarizer is trained; what is not given is as in `shoal.summarize.SummarizerConfig`.

    Args:
        minutes: training time, looks at the validation pairs included; 5 unless given.
        epochs: train for so many epochs instead, whatever the time.
        size: of the model, the one dial for width, heads and layers.
        vocabulary: entries of the tokenizer.
        max_source: tokens of a document that are read.
        max_target: tokens of a summary.
        attention: exact, or the name of a feature map for linear attention.
        features: of that map.
        patience: looks without a lower validation loss after which to stop and go back to the best; 0 never.
        learning_rate: at the peak of the schedule.
        batch_tokens: tokens of the documents of a batch.
        dropout: on every sublayer.
        held_back: pairs of the training data that are held back, to tell learning by heart from a shift.
        precision: auto (measured), fp32 or bf16.
        device: auto, cpu or cuda.
        seed: of everything.
    """

    minutes: float | None = None
    epochs: float | None = None
    size: Size | None = None
    vocabulary: int | None = None
    max_source: int | None = None
    max_target: int | None = None
    attention: str | None = None
    features: int | None = None
    patience: int | None = None
    learning_rate: float | None = None
    batch_tokens: int | None = None
    dropout: float | None = None
    held_back: int | None = None
    precision: str | None = None
    device: str | None = None
    seed: int = 0

    def given(self) -> dict[str, Any]:
        """What was given; epochs mean that time does not matter."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        found = {name: value for name, value in found.items() if value is not None}
        return {"minutes": 0.0} | found if "epochs" in found and "minutes" not in found else found


@dataclass(frozen=True, kw_only=True)
class WritingConfig:
    """How summaries are written.

    Args:
        num_beams: summaries that are followed at once; 1 takes the likeliest token each time.
        max_words: the most words; 0 for as many as the model writes.
        length_penalty: 0 is neutral, more favours longer summaries.
        no_repeat_ngram: no so many tokens in a row come twice; 0 switches it off.
        temperature: 0 takes the likeliest; above, tokens are drawn, and num_beams is 1.
        top_k: draws among so many of the likeliest; 0 for all.
        top_p: draws among the likeliest that make up this share.
        seed: of the draws.
    """

    num_beams: int | None = None
    max_words: int = 0
    length_penalty: float = 1.0
    no_repeat_ngram: int = 3
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def options(self) -> dict[str, Any]:
        """For `shoal.summarize.WritingRules`; draws follow one summary, anything else four unless told otherwise."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.num_beams is None:
            found.pop("num_beams")
            return found | ({"num_beams": 1} if self.temperature else {})
        return found
