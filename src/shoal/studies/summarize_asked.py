"""What `shoal summarize` does with texts of one's own: find them, train on them, score and write."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from shoal.data.texts import (
    TextPairs,
    TextSplits,
    digest_of,
    load_texts,
    match_text_spec,
    read_documents,
    read_pairs,
    split_pairs,
)
from shoal.engine import Progress, RunFolder, choose_device, describe_environment
from shoal.errors import InputError, wrong
from shoal.studies.repeating import plain_settings
from shoal.studies.summarize_asked_config import TextsConfig, TrainingConfig, WritingConfig
from shoal.summarize import Summarizer, SummarizerConfig, WritingRules, fit
from shoal.summarize.baselines import baselines
from shoal.summarize.comparing import compare
from shoal.summarize.saving import note_scores
from shoal.summarize.scoring import Rouge, score

SHARE = 0.1  # of pairs that are taken for validation where none are given


@dataclass(frozen=True, eq=False)
class Asked:
    """Texts to train on.

    Attributes:
        train: training pairs.
        validation: pairs that the training is watched with.
        says: where they come from, a sentence each; rows that were left out among them.
    """

    train: TextPairs
    validation: TextPairs
    says: tuple[str, ...]


def find_texts(train: str, validation: Path | None, texts: TextsConfig, *, seed: int) -> Asked:
    """Training and validation pairs.

    Args:
        train: a file, a folder, or the name of a set.
        validation: a file; the set's own part, or a tenth of the training pairs, unless given.
        texts: how rows are read.
        seed: of a split.

    Raises:
        InputError: if there are none.
    """
    fields: dict[str, Any] = {"document": texts.document, "summary": texts.summary}
    path = Path(train).expanduser()
    if match_text_spec(train) is None and path.is_file():
        pairs = read_pairs(path, **fields, strict=texts.strict)
        if validation is None:
            kept, checked, _ = split_pairs(pairs, validation=SHARE, test=0, seed=seed)
            says = f"{len(kept):,} pairs of {path}; {len(checked):,} of its pairs are set apart for validation"
            return Asked(kept, checked, (says, *_left_out(path, pairs)))
        checked = read_pairs(validation, **fields, strict=texts.strict)
        says = f"{len(pairs):,} pairs of {path}, {len(checked):,} of {validation} for validation"
        return Asked(pairs, checked, (says, *_left_out(path, pairs), *_left_out(validation, checked)))
    splits: TextSplits = load_texts(train, offline=texts.offline, seed=seed, **fields)
    checked = splits.validation if validation is None else read_pairs(validation, **fields, strict=texts.strict)
    if not len(checked):
        raise wrong("validation", expected="pairs to watch the training with", got="none", fix="give --validation FILE")
    return Asked(splits.train, checked, (str(splits),))


def _left_out(path: Path, pairs: TextPairs) -> tuple[str, ...]:
    if not pairs.skipped:
        return ()
    first = "; ".join(f"line {line}: {why}" for line, why in pairs.skipped[:3])
    more = f"; and {len(pairs.skipped) - 3:,} more" if len(pairs.skipped) > 3 else ""
    return (f"left out of {path}: {len(pairs.skipped):,} rows ({first}{more})",)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training came to, in plain values."""

    model: str
    data: list[str]
    parameters: int
    steps: int
    epochs: float
    minutes: float
    losses: dict[str, float]
    verdict: str
    kind: str
    files: dict[str, str]

    def lines(self) -> Iterable[str]:
        """The same to read."""
        yield from (f"data: {text}" for text in self.data)
        yield f"trained: {self.minutes:.1f} minutes, {self.steps:,} steps, {self.epochs:.2f} epochs"
        losses = ", ".join(f"{name.removesuffix('_loss').replace('_', ' ')} {x:.3f}" for name, x in self.losses.items())
        yield f"loss: {losses} nats per token"
        yield f"verdict: {self.verdict}"
        yield f"model: {self.model}, {self.parameters:,} parameters"
        yield from (f"{what}: {file}" for what, file in self.files.items())


def train(
    asked: Asked, config: TrainingConfig, output: Path, words: Sequence[str], progress: Progress
) -> tuple[Summarizer, dict[str, Any]]:
    """Train, going on where a run in the same folder stopped, and save.

    Args:
        asked: texts.
        config: how.
        output: folder of the model; checkpoints lie in its folder `training`.
        words: of the command, for the card.
        progress: told how it goes.

    Returns:
        The summarizer, and what the page says of machine and time.
    """
    settings = SummarizerConfig(**config.given())
    device, why = choose_device(settings.device)
    environment = describe_environment(seed=settings.seed, device=str(device), why=why)
    data = {"pairs": len(asked.train), "sha256": digest_of(asked.train, asked.validation)}
    identity = {"command": "summarize fit", "settings": plain_settings(settings), "data": data}
    began = time.monotonic()
    with RunFolder(output / "training", identity) as run:
        run.record_environment(environment)
        summarizer = fit(asked.train, asked.validation, settings, run=run, progress=progress)
    summarizer.about |= {"command": " ".join(words), "data": list(asked.says)}
    summarizer.save_pretrained(output)
    return summarizer, {"environment": environment, "seconds": time.monotonic() - began}


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Scores of a model on pairs, beside what needs no training."""

    model: str
    data: str
    rows: int
    truncated: int
    rouge: dict[str, dict[str, tuple[float, float, float]]]
    ahead: dict[str, tuple[float, float, float]]

    def lines(self) -> Iterable[str]:
        """The same to read."""
        cut = f"; {self.truncated:,} documents are longer than the model reads, and cut" if self.truncated else ""
        yield f"{self.rows:,} rows of {self.data}{cut}. ROUGE F1 in 0 to 100, 95 % intervals."
        wide = max(map(len, self.rouge))
        for name, of in self.rouge.items():
            cells = "  ".join(f"{metric} {x:4.1f} [{low:.1f}, {high:.1f}]" for metric, (x, low, high) in of.items())
            yield f"{name:{wide}}  {cells}"
        parts = (f"{metric} {x:+.1f} [{low:+.1f}, {high:+.1f}]" for metric, (x, low, high) in self.ahead.items())
        yield f"model less first sentence, row by row: {', '.join(parts)}"


def score_saved(
    folder: Path, data: str, texts: TextsConfig, writing: WritingConfig, progress: Progress
) -> tuple[Scored, list[str]]:
    """Write summaries of pairs, score them, and note the scores on the model's card.

    Args:
        folder: of the model.
        data: a file, or the name of a set, of which the test part is taken.
        texts: how rows are read.
        writing: how summaries are written.
        progress: told how it goes.

    Returns:
        Scores and summaries.
    """
    summarizer = Summarizer.from_pretrained(folder)
    rules = WritingRules(**writing.options())
    pairs, name = _pairs_of(data, texts)
    progress.say(f"summarizing {len(pairs):,} documents")
    written = summarizer.write(pairs.documents, rules)
    ours = score(written, pairs.references)
    others = baselines(pairs.documents, pairs.references)
    beams = f"{rules.num_beams} beams" if rules.num_beams > 1 else "greedy" if not rules.temperature else "draws"
    table = {f"model, {beams}": ours, **{one: others[one] for one in others}}
    ahead = compare(ours, others["first sentence"])
    said = ", ".join(f"{metric} {of.value:.1f} [{of.low:.1f}, {of.high:.1f}]" for metric, of in ours.metrics.items())
    note_scores(folder, f"{name}, {beams}", f"{said} ({len(pairs):,} rows)")
    found = Scored(
        model=str(folder),
        data=name,
        rows=len(pairs),
        truncated=summarizer.encode(pairs.documents).cut,
        rouge={one: _numbers(rouge) for one, rouge in table.items()},
        ahead={metric: (of.value, of.low, of.high) for metric, of in ahead.metrics.items()},
    )
    return found, written


def _numbers(rouge: Rouge) -> dict[str, tuple[float, float, float]]:
    return {metric: (of.value, of.low, of.high) for metric, of in rouge.metrics.items()}


def _pairs_of(data: str, texts: TextsConfig) -> tuple[TextPairs, str]:
    fields: dict[str, Any] = {"document": texts.document, "summary": texts.summary}
    if match_text_spec(data) is None and Path(data).expanduser().is_file():
        return read_pairs(data, **fields, strict=texts.strict), data
    splits = load_texts(data, offline=texts.offline, **fields)
    part = splits.test if len(splits.test) else splits.validation
    return part, f"{splits.name} ({'test' if len(splits.test) else 'validation'})"


def read_all(files: Sequence[Path], stdin: IO[bytes], document: str) -> tuple[list[str], list[str]]:
    """Documents of files, or of stdin where there are none, and where each is from.

    Raises:
        InputError: if one is empty or no text.
    """
    if not files:
        if stdin.isatty():
            raise InputError("expected documents, got a terminal: give files, or pipe a text in")
        found = list(read_documents(stdin, document=document))
        return found, [f"stdin:{row}" if len(found) > 1 else "stdin" for row in range(1, len(found) + 1)]
    texts, places = [], []
    for file in files:
        found = list(read_documents(file, document=document))
        texts += found
        places += [f"{file}:{row}" if len(found) > 1 else str(file) for row in range(1, len(found) + 1)]
    return texts, places
