"""Training learns, tells what it sees, goes on where it was stopped; what is saved is what was trained."""

import json
import os
import random
import signal
import string
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shoal.data.texts import TextPairs
from shoal.engine import Interrupted, Precision, RunFolder
from shoal.engine.checkpoint import State
from shoal.errors import InputError, ShoalError
from shoal.summarize import Summarizer, SummarizerConfig, Tokenizer, fit
from shoal.summarize.explaining import explain
from shoal.summarize.objective import row_losses
from shoal.summarize.training import hold_back
from tests.summarize.toy import TINY, pairs


def test_losses_fall_and_a_verdict_is_given(trained: Summarizer) -> None:
    rows = trained.history.rows
    assert len(rows) >= 12
    for name in ("train_loss", "validation_loss", "held_back_loss"):
        assert rows[-1][name] < 0.5 * rows[0][name], name
    assert rows[-1]["validation_accuracy"] > 0.8
    assert "distinct_loss" not in rows[-1]  # every summary occurs ten times
    assert trained.verdict is not None
    assert trained.verdict.kind != "overfit"


def test_it_writes_what_it_has_learnt(trained: Summarizer) -> None:
    asked = pairs(10, 900)
    for beams in (1, 4):
        found = trained.summarize([document for document, _ in asked], num_beams=beams)
        assert sum(a == b for a, (_, b) in zip(found, asked, strict=True)) >= 7
    assert trained.summarize(["", "  "]) == ["", ""]
    assert trained.summarize([]) == []
    for summary in trained.summarize([asked[0][0]], max_words=1):
        assert len(summary.split()) == 1


def test_losses_of_rows_are_those_of_every_row_alone(trained: Summarizer) -> None:
    few = pairs(30, 500)
    data = trained.encode([document for document, _ in few], [f"{summary} {i}" for i, (_, summary) in enumerate(few)])
    found = row_losses(trained.model, data, precision=Precision(), device=torch.device("cpu"), tokens=300)
    for row in range(30):
        source, target = torch.tensor([data.sources[row]]), torch.tensor([data.targets[row]])
        alone = trained.model.losses(source, target).nll.detach()
        assert float(found.nll[row]) == pytest.approx(float(alone.sum()), abs=1e-3)
        assert int(found.tokens[row]) == len(alone)
    few_rows = [3, 17, 29]
    by_hand = sum(float(found.nll[row]) for row in few_rows) / sum(int(found.tokens[row]) for row in few_rows)
    assert found.mean(few_rows)["loss"] == pytest.approx(by_hand)


def test_names_that_no_training_text_has_are_copied() -> None:
    def strangers(rows: int, seed: int) -> list[tuple[str, str]]:
        generator = random.Random(seed)
        names = ["".join(generator.choices(string.ascii_lowercase, k=6)) for _ in range(rows)]
        return [(f"This is a good program by {name}. It does many things.", f"by {name}") for name in names]

    train, unseen = strangers(1500, 0), strangers(20, 1)
    seen = {word for _, summary in train for word in summary.split()}
    assert not seen & {summary.split()[1] for _, summary in unseen}
    summarizer = fit(train, unseen, replace(TINY, epochs=4, learning_rate=5e-3))
    found = summarizer.summarize([document for document, _ in unseen])
    assert sum(a == b for a, (_, b) in zip(found, unseen, strict=True)) >= 15


def test_a_summarizer_comes_back_as_it_was_saved(trained: Summarizer, tmp_path: Path) -> None:
    trained.save_pretrained(tmp_path / "model")
    again = Summarizer.from_pretrained(tmp_path / "model")
    asked = [document for document, _ in pairs(5, 700)]
    assert again.summarize(asked) == trained.summarize(asked)
    assert again.history.rows == trained.history.rows
    assert again.verdict == trained.verdict
    assert again.about == json.loads(json.dumps(trained.about))
    card = (tmp_path / "model" / "README.md").read_text()
    assert "380 pairs of train" in card
    assert "Limits" in card
    assert str(trained.verdict) in card


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "training.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
def test_a_damaged_model_is_told_of(trained: Summarizer, tmp_path: Path, name: str, damage: str) -> None:
    folder = trained.save_pretrained(tmp_path / "model")
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if damage != "missing":
        (folder / name).write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"")
    with pytest.raises(ShoalError, match=name.replace(".", r"\.")) as caught:
        Summarizer.from_pretrained(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ShoalError, match=r"got a folder without config\.json"):
        Summarizer.from_pretrained(tmp_path)
    with pytest.raises(ShoalError, match="got no folder of this name"):
        Summarizer.from_pretrained(tmp_path / "nothing")
    (tmp_path / "config.json").write_text('{"kind": "something else"}')
    with pytest.raises(ShoalError, match="expected a shoal summarizer"):
        Summarizer.from_pretrained(tmp_path)


def test_another_vocabulary_is_refused(trained: Summarizer) -> None:
    with pytest.raises(InputError, match="tokenizer: expected a vocabulary of the model's"):
        Summarizer(trained.model, Tokenizer.train(["a text"], vocabulary=260))


def test_it_goes_on_in_the_middle_of_an_epoch_with_the_same_bits(tmp_path: Path) -> None:
    config = SummarizerConfig(**{**vars(TINY), "epochs": 2, "dropout": 0.1, "checkpoint_seconds": 0.0})
    whole = fit(pairs(200), pairs(20, 400), config)

    with pytest.raises(Interrupted), _Stopping(tmp_path / "run", {"study": "test"}) as folder:
        fit(pairs(200), pairs(20, 400), config, run=folder)
    with RunFolder(tmp_path / "run", {"study": "test"}) as folder:
        again = fit(pairs(200), pairs(20, 400), config, run=folder)
    for (name, a), b in zip(whole.model.state_dict().items(), again.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    shown = [{key: row[key] for key in row if key != "seconds"} for row in whole.history.rows]
    assert shown == [{key: row[key] for key in row if key != "seconds"} for row in again.history.rows]


class _Stopping(RunFolder):
    """A run folder that asks to stop after a few checkpoints, as a second process would with a signal."""

    left = 5

    def save(self, part: str, step: int, state: State) -> Path:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().save(part, step, state)


def test_pairs_that_are_held_back_are_not_trained_on() -> None:
    every = TextPairs(
        documents=tuple(f"document {row // 2}" for row in range(100)),
        summaries=tuple(f"summary {row}" for row in range(100)),
        name="test",
    )
    kept, held_back = hold_back(every, 30, seed=0)
    assert (len(kept), len(held_back)) == (90, 10)  # at most a tenth
    assert set(kept.summaries) | set(held_back.summaries) == set(every.summaries)


def test_a_tokenizer_is_the_same_again_and_knows_every_text(tmp_path: Path) -> None:
    texts = [text for pair in pairs(300) for text in pair]
    one, other = (Tokenizer.train(texts, 400) for _ in range(2))
    assert one.inner.to_str() == other.inner.to_str()
    one.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    for text in ("<pad> <s> </s>", "naïve Ähre 漢字 🐟", "\ttabs  and\nlines"):
        numbers = loaded.encode([text])[0]
        assert numbers == one.encode([text])[0]
        assert min(numbers) > 2
        assert loaded.decode(numbers) == text.strip()


@torch.no_grad()
def test_an_explanation_is_what_the_model_does(trained: Summarizer) -> None:
    document, summary = pairs(1, 700)[0]
    found = explain(trained, document)
    assert "".join(found.document).strip() == document
    assert "".join(found.summary[:-1]).strip() == summary
    layers = trained.model.config
    size, length = len(found.document), len(found.summary)
    assert found.reading.shape == (layers.encoder_layers, layers.heads, size, size)
    assert found.looking.shape == (layers.decoder_layers, layers.heads, length, size)
    for weights in (found.reading, found.looking, found.copied_from):
        assert weights is not None
        assert torch.allclose(weights.sum(-1), torch.ones(weights.shape[:-1]), atol=1e-5)
    assert found.copied is not None
    assert 0 <= float(found.copied.min()) <= float(found.copied.max()) <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "smal"}, "small"),
        ({"max_target": 1}, "max_target: expected at least 2"),
        ({"minutes": -1.0}, "minutes: expected a number >= 0"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"attention": "oprf"}, "needs no calibration"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SummarizerConfig(**changes)  # pyright: ignore[reportArgumentType]


def test_wrong_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="train: expected at least one pair"):
        fit([], pairs(5), TINY)


def test_dropout_follows_the_number_of_pairs_unless_it_is_given() -> None:
    plain, given = SummarizerConfig(), SummarizerConfig(dropout=0.3)
    assert [plain.model(8000, pairs).dropout for pairs in (0, 29_999, 30_000)] == [0.1, 0.1, 0.0]
    assert given.model(8000, 30_000).dropout == 0.3


def test_a_tokenizer_that_is_there_takes_the_place_of_learning_it_again() -> None:
    config = replace(TINY, epochs=1.0)
    learned = fit(pairs(100), pairs(20, 100), config)
    again = fit(pairs(100), pairs(20, 100), config, tokenizer=learned.tokenizer)
    losses = [[row["validation_loss"] for row in one.history.rows] for one in (learned, again)]
    assert losses[0] == losses[1]
    assert again.tokenizer is learned.tokenizer
