"""What users of other tools reported or asked for: one test for each of their threads."""

import itertools
import math
from pathlib import Path

import pytest
import torch

from shoal.engine import Interrupted, RunFolder
from shoal.engine.checkpoint import State
from shoal.summarize import Summarizer, SummarizerConfig, WritingRules, diagnose, fit, score, simulate
from shoal.summarize.rules import Filter, forbid_repeats
from shoal.summarize.search import write
from tests.summarize.nets import VOCABULARY, create, documents
from tests.summarize.toy import TINY, pairs

NO_WORDS = torch.zeros(VOCABULARY, dtype=torch.bool)


def test_simpletransformers_38_both_losses_are_in_one_place(trained: Summarizer) -> None:
    assert all({"step", "train_loss", "validation_loss"} <= set(row) for row in trained.history.rows)


def test_llamafactory_4637_it_says_from_which_step_a_training_overfits() -> None:
    curve = next(curve for curve in map(simulate, range(50)) if curve.overfits and curve.rise > 20 * curve.noise)
    verdict = diagnose(curve.rows)
    assert verdict.kind == "overfit"
    assert f"{verdict.step:,.10g}" in str(verdict)


def test_gliner_159_it_says_when_a_training_was_too_short() -> None:
    rows = [
        {
            "step": step,
            "train_loss": 9 - step / 100,
            "validation_loss": 9 - step / 110,
            "held_back_loss": 9 - step / 105,
        }
        for step in range(0, 400, 20)
    ]
    assert diagnose(rows).kind == "underfit"


class _Stopping(RunFolder):
    """Stops after a few steps, as an interrupt does."""

    left = 7

    def save(self, part: str, step: int, state: State) -> Path:
        path = super().save(part, step, state)
        self.left -= 1
        if not self.left:
            raise Interrupted("stopped")
        return path


@pytest.mark.parametrize("epochs", [1, 2])
def test_transformers_40691_accelerate_4071_a_resumed_training_sees_the_rest_of_the_epoch(
    tmp_path: Path, epochs: int
) -> None:
    config = SummarizerConfig(**(vars(TINY) | {"epochs": epochs, "checkpoint_seconds": 0.0, "dropout": 0.1}))
    whole = fit(pairs(150), pairs(20, 400), config)
    with pytest.raises(Interrupted), _Stopping(tmp_path / "run", {"of": "test"}) as run:
        fit(pairs(150), pairs(20, 400), config, run=run)
    with RunFolder(tmp_path / "run", {"of": "test"}) as run:
        again = fit(pairs(150), pairs(20, 400), config, run=run)
    assert again.history.rows[-1]["step"] == whole.history.rows[-1]["step"]
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_transformers_16930_18208_zero_is_neutral_and_more_is_longer() -> None:
    model, source = create(2), documents()
    lengths = []
    for penalty in (-2.0, 0.0, 2.0):
        rules = WritingRules(length_penalty=penalty, no_repeat_ngram=0)
        lengths.append(sum(map(len, write(model, source, rules, Filter(rules, NO_WORDS)))))
    assert lengths[0] <= lengths[1] <= lengths[2]
    assert lengths[0] < lengths[2]


def test_fairseq_5206_a_blocked_ngram_stays_blocked_in_every_beam() -> None:
    rules = WritingRules(num_beams=4, no_repeat_ngram=2, length_penalty=3.0)
    for seed in range(4):
        model = create(seed, max_target=40)
        for summary in write(model, documents(seed=seed), rules, Filter(rules, NO_WORDS)):
            grams = list(itertools.pairwise(summary))
            assert len(set(grams)) == len(grams)


def test_opennmt_1445_a_beam_is_never_left_without_a_token() -> None:
    rules = WritingRules(num_beams=4, no_repeat_ngram=1)
    allow = Filter(rules, NO_WORDS)
    every = torch.arange(3, VOCABULARY).repeat(2, 1)  # all tokens have been written once
    written = torch.cat([torch.ones(2, 1, dtype=torch.long), every], 1)
    log_p = allow(torch.zeros(2, VOCABULARY), written, last=False)
    assert bool((log_p > -math.inf).any(1).all())
    assert bool((forbid_repeats(torch.zeros(2, VOCABULARY), written, 1)[:, 3:] == -math.inf).all())


@torch.no_grad()
def test_x_transformers_311_with_and_without_a_cache_alike() -> None:
    model, source = create(), documents()
    target = torch.randint(3, VOCABULARY, (len(source), 12))
    writing, expected = model.start(source), model(source, target).exp()
    for place in range(12):
        assert torch.allclose(model.step(writing, target[:, place]).exp(), expected[:, place], atol=1e-5)


def test_presumm_44_different_documents_get_different_summaries(trained: Summarizer) -> None:
    asked = pairs(20, 500)
    found = trained.summarize([document for document, _ in asked])
    assert len(set(found)) >= 0.7 * len({summary for _, summary in asked})


def test_pointer_generator_159_a_summary_does_not_loop(trained: Summarizer) -> None:
    strange = ["zzz " * 30, "number number number", "It was written by. It was written by. It was written by."]
    for summary in trained.summarize(strange, length_penalty=5.0):
        words = summary.split()
        triples = list(zip(words, words[1:], words[2:], strict=False))
        assert len(triples) - len(set(triples)) <= 1


def test_google_research_168_letters_are_kept_and_rougel_is_one_sequence() -> None:
    assert score(["Ähre"], ["ähre"]).rouge1.value == 100
    assert score(["naïve"], ["nave"]).rouge1.value == 0
    one, other = "a b c\nd e f", "d e f\na b c"
    assert score([one], [other]).rougeL.value == pytest.approx(50.0)  # rougeLsum would say 100
