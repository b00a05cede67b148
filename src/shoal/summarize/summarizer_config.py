"""How a summarizer is made and trained."""

import math
from dataclasses import dataclass

from shoal.engine import FitConfig
from shoal.errors import unknown_name, wrong
from shoal.summarize.model_config import ModelConfig

SIZES: dict[str, dict[str, int]] = {
    "tiny": {"dim": 64, "heads": 2, "encoder_layers": 2, "decoder_layers": 1},
    "small": {"dim": 128, "heads": 4, "encoder_layers": 2, "decoder_layers": 2},
    "base": {"dim": 256, "heads": 4, "encoder_layers": 3, "decoder_layers": 3},
    "large": {"dim": 512, "heads": 8, "encoder_layers": 4, "decoder_layers": 4},
}
MANY_PAIRS = 30_000  # in five minutes on a CPU hardly any is seen twice, and dropout only slows; see the lab log


@dataclass(frozen=True, kw_only=True)
class SummarizerConfig:
    """How a summarizer is made and trained.

    Args:
        minutes: time budget of the training, evaluation included; 0 goes by epochs.
        epochs: passes over the data, where `minutes` is 0; with it, the most.
        size: "tiny", "small", "base" or "large"; the one dial for width, heads and layers.
        vocabulary: entries of the tokenizer.
        max_source: tokens of a document that are read; longer ones are cut, and counted.
        max_target: tokens of a summary, at least 2.
        attention: "exact" or the name of a feature map, see `ModelConfig`.
        features: of that map.
        norm: "pre" or "post".
        copy: whether words can be copied from the document.
        dropout: see `ModelConfig`; None for 0.1 where there are fewer than 30,000 training pairs, else 0, which is too
            little for a training of many epochs.
        label_smoothing: probability spread evenly over the vocabulary.
        batch_tokens: tokens of the documents of a batch.
        optimizer: "muon-adamw" or "adamw", see `shoal.engine.optimizers.create_optimizer`.
        learning_rate: at the peak of the schedule.
        warmup: share of the training that the rate rises for.
        weight_decay, clip_norm: see `shoal.engine.FitConfig`.
        held_back: pairs of the training data that are held back from it, to tell learning by heart from a shift.
        watched: validation pairs that are looked at while training.
        patience: looks without a lower validation loss after which training stops, and returns to the best; 0 never.
        seed: of everything.
        precision, device, checkpoint_seconds: see `shoal.engine.FitConfig`.
    """

    minutes: float = 5.0
    epochs: float = 20.0
    size: str = "small"
    vocabulary: int = 8000
    max_source: int = 128
    max_target: int = 48
    attention: str = "exact"
    features: int = 64
    norm: str = "pre"
    copy: bool = True
    dropout: float | None = None
    label_smoothing: float = 0.1
    batch_tokens: int = 2048
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    held_back: int = 500
    watched: int = 1000
    patience: int = 6
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise unknown_name("size", self.size, SIZES)
        if self.max_target < 2:
            raise wrong("max_target", expected="at least 2: a token and the end", got=self.max_target)
        for name in ("batch_tokens", "watched"):
            if getattr(self, name) < 1:
                raise wrong(name, expected="a whole number >= 1", got=getattr(self, name))
        if self.held_back < 0:
            raise wrong("held_back", expected="a whole number >= 0", got=self.held_back)
        if not 0 <= self.minutes < math.inf:
            raise wrong("minutes", expected="a number >= 0", got=self.minutes)
        self.model(self.vocabulary)
        self.training()

    def model(self, vocabulary: int, pairs: int = 0) -> ModelConfig:
        """The shape of the model, once the vocabulary is known.

        Args:
            vocabulary: of the tokenizer.
            pairs: that it is trained on.
        """
        return ModelConfig(
            vocabulary=vocabulary,
            **SIZES[self.size],
            dropout=(0.1 if pairs < MANY_PAIRS else 0.0) if self.dropout is None else self.dropout,
            norm=self.norm,
            attention=self.attention,
            features=self.features,
            copy=self.copy,
            max_source=self.max_source,
            max_target=self.max_target,
            seed=self.seed,
        )

    def training(self) -> FitConfig:
        """How the fit loop trains it."""
        return FitConfig(
            epochs=self.epochs,
            minutes=self.minutes,
            max_epochs=self.epochs,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="cosine",
            warmup=self.warmup,
            label_smoothing=self.label_smoothing,
            clip_norm=self.clip_norm,
            patience=self.patience,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            checkpoint_seconds=self.checkpoint_seconds,
        )
