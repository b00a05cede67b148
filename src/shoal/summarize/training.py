"""Training a summarizer, and watching whether it learns or learns by heart.

Beside the validation loss every look measures the loss of pairs that were held back from the training data: all of
them, and those among them that share no document and no summary with what is trained on. Learning by heart shows in
the first; that the validation data are of other groups shows in how far it lies above both.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from shoal.data.texts import TextPairs, distinct_rows, read_pairs
from shoal.engine import History, Precision, Progress, RunFolder, Silent, seed_everything, stream
from shoal.engine import fit as fit_model
from shoal.errors import wrong
from shoal.summarize.diagnosis import LEAST_ROWS, diagnose
from shoal.summarize.model import SummaryModel
from shoal.summarize.objective import likelihood, row_losses
from shoal.summarize.summarizer import Summarizer
from shoal.summarize.summarizer_config import SummarizerConfig
from shoal.summarize.token_batches import TokenBatches
from shoal.summarize.tokenizer import Tokenizer
from shoal.summarize.verdict import Verdict

Texts = TextPairs | Sequence[tuple[str, str]] | str | Path
LARGEST_HELD_BACK = 0.1  # share of the training data
TOKENIZER_TEXTS = 100_000  # that the tokenizer is learned from


def fit(
    train: Texts,
    validation: Texts,
    config: SummarizerConfig | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    run: RunFolder | None = None,
    part: str = "summarizer",
    progress: Progress | None = None,
) -> Summarizer:
    """Train a summarizer.

    Args:
        train: pairs (document, summary): `TextPairs`, a list of pairs, or a JSONL or CSV file of them.
        validation: of the same kinds; what the verdict is about.
        config: how.
        tokenizer: of an earlier training, in place of one that is learned from the training texts.
        run: folder for checkpoints and metrics; a run that was stopped goes on where it was.
        part: name of this training within the run.
        progress: told how it goes.

    Returns:
        The trained summarizer, with its history and verdict.

    Raises:
        InputError: if there are no pairs, or a setting is out of range.
        ShoalError: if training diverges, or a file cannot be written.
    """
    config, progress = config or SummarizerConfig(), progress or Silent()
    pairs, checked = as_pairs(train, "train"), as_pairs(validation, "validation")
    kept, held_back = hold_back(pairs, config.held_back, config.seed)
    seed_everything(config.seed)
    tokenizer = tokenizer or Tokenizer.train(_texts(kept), config.vocabulary)
    summarizer = Summarizer(SummaryModel(config.model(len(tokenizer), len(kept))), tokenizer)
    encoded = summarizer.encode(kept.documents, kept.summaries)
    if encoded.cut:
        progress.say(f"{encoded.cut:,} of {len(kept):,} documents are longer than {config.max_source} tokens and cut")
    watch = _Watch(summarizer, checked, held_back, kept, config)
    history = fit_model(
        summarizer.model,
        TokenBatches(encoded, tokens=config.batch_tokens, seed=config.seed),
        config=config.training(),
        objective=likelihood(config.label_smoothing),
        validate=watch,
        run=run,
        part=part,
        progress=progress,
    )
    summarizer.history, summarizer.verdict = history, verdict_on(history)
    if summarizer.verdict:
        progress.say(str(summarizer.verdict))
    summarizer.about = {
        "training": {"name": pairs.name, "pairs": len(kept), "documents cut": encoded.cut},
        "held back": len(held_back),
        "validation": {"name": checked.name, "pairs": len(checked)},
        "settings": asdict(config),
        "precision": history.precision,
        "seconds": round(history.seconds, 1),
    }
    return summarizer


def as_pairs(texts: Texts, what: str) -> TextPairs:
    """Pairs of whatever was given.

    Raises:
        InputError: if it is something else, or empty.
    """
    if isinstance(texts, str | Path):
        texts = read_pairs(texts)
    if not isinstance(texts, TextPairs):
        rows: list[tuple[str, str]] = list(texts)
        for number, row in enumerate(rows):
            if not (isinstance(row, tuple | list) and len(row) == 2 and all(isinstance(part, str) for part in row)):
                raise wrong(
                    f"{what}, row {number}", expected="a pair of strings (document, summary)", got=repr(row)[:60]
                )
        texts = TextPairs(documents=tuple(row[0] for row in rows), summaries=tuple(row[1] for row in rows), name=what)
    if not len(texts):
        raise wrong(what, expected="at least one pair of document and summary", got="none")
    return texts


def hold_back(pairs: TextPairs, rows: int, seed: int) -> tuple[TextPairs, TextPairs]:
    """Training pairs, and those held back from them, at random; at most a tenth.

    Args:
        pairs: all.
        rows: to hold back.
        seed: of the choice.
    """
    rows = min(rows, int(LARGEST_HELD_BACK * len(pairs)))
    order = torch.randperm(len(pairs), generator=stream(seed, "held back")).tolist()
    return pairs.take(sorted(order[rows:])), pairs.take(sorted(order[:rows]))


def verdict_on(history: History) -> Verdict | None:
    """The verdict, where there are enough rows for one."""
    return diagnose(history.rows) if len(history.rows) >= LEAST_ROWS else None


class _Watch:
    """What every look measures."""

    def __init__(
        self,
        summarizer: Summarizer,
        validation: TextPairs,
        held_back: TextPairs,
        train: TextPairs,
        config: SummarizerConfig,
    ):
        order = torch.randperm(len(validation), generator=stream(config.seed, "watched")).tolist()
        some = validation.take(order[: config.watched])
        self.validation = summarizer.encode(some.documents, some.summaries)
        self.held_back = summarizer.encode(held_back.documents, held_back.summaries)
        self.distinct = distinct_rows(held_back, against=train)

    def __call__(self, model: Any, precision: Precision, device: torch.device) -> dict[str, float]:
        found = row_losses(model, self.validation, precision=precision, device=device).mean()
        if not len(self.held_back):
            return found
        held_back = row_losses(model, self.held_back, precision=precision, device=device)
        found["held_back_loss"] = held_back.mean()["loss"]
        if self.distinct:
            found["distinct_loss"] = held_back.mean(self.distinct)["loss"]
        return found


def _texts(pairs: TextPairs) -> list[str]:
    return [*pairs.documents[:TOKENIZER_TEXTS], *pairs.summaries[:TOKENIZER_TEXTS]]
