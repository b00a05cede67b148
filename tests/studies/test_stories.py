"""Stories of all studies: whole, following the verdicts whichever they are, and never ahead of what was measured."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from latex2mathml.converter import convert

from shoal.studies import (
    attention_claims,
    attention_findings,
    attention_pictures,
    attention_story,
    circuits_claims,
    circuits_findings,
    circuits_pictures,
    circuits_story,
    difficulty_claims,
    difficulty_findings,
    difficulty_pictures,
    difficulty_story,
    difficulty_tables,
    exits_claims,
    exits_findings,
    exits_pictures,
    exits_story,
    exits_tables,
    faces_claims,
    faces_findings,
    faces_pictures,
    faces_story,
    faces_tables,
    summarize_claims,
    summarize_pictures,
    summarize_story,
    summarize_tables,
)
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_config import resolve as resolve_attention
from shoal.studies.circuits_config import CircuitsConfig
from shoal.studies.circuits_config import resolve as resolve_circuits
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.difficulty_config import resolve as resolve_difficulty
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.exits_config import resolve as resolve_exits
from shoal.studies.faces_config import FacesStudyConfig
from shoal.studies.faces_config import resolve as resolve_faces
from shoal.studies.repeating import plain_settings
from shoal.studies.result import Claim, Result, Verdict
from shoal.studies.summarize_config import SummarizeConfig
from shoal.studies.summarize_config import resolve as resolve_summarize
from shoal.studies.telling import Said, Told, listed, number, numbers_of
from tests.studies import (
    made_up_attention,
    made_up_circuits,
    made_up_difficulty,
    made_up_exits,
    made_up_faces,
    made_up_summarize,
)
from tests.studies.test_faces_claims import made_up_faces as faces_of_nobody

STUDIES: dict[str, ModuleType] = {
    "attention": attention_story,
    "circuits": circuits_story,
    "summarize": summarize_story,
    "difficulty": difficulty_story,
    "exits": exits_story,
    "faces": faces_story,
}
DECIDES = {  # the claim that a headline follows
    "attention": "fitted_maps_work",
    "circuits": "circuits_agree",
    "summarize": "beats_first_sentence",
    "difficulty": "settled_early",
    "exits": "keeps_the_accuracy",
    "faces": "harmonic_beats_old",
}
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive")


@cache
def attention() -> Result:
    config, m = resolve_attention(AttentionConfig(budget="quick")), made_up_attention.measured()
    parts = {"tables": attention_findings.tables(config, m), "pictures": attention_pictures.pictures(config, m)}
    summary = attention_findings.summary(config, m)
    return result("attention", config, claims=attention_claims.all_claims(m), summary=summary, **parts)


@cache
def circuits() -> Result:
    config, m = resolve_circuits(CircuitsConfig(budget="quick")), made_up_circuits.measured()
    parts = {"tables": circuits_findings.tables(config, m), "pictures": circuits_pictures.pictures(m)}
    summary = circuits_findings.summary(m)
    return result("circuits", config, claims=circuits_claims.all_claims(m), summary=summary, **parts)


@cache
def summarize() -> Result:
    m = made_up_summarize.measured()
    return result(
        "summarize",
        resolve_summarize(SummarizeConfig(budget="quick")),
        claims=summarize_claims.all_claims(m),
        tables=summarize_tables.tables(m),
        pictures=summarize_pictures.pictures(m, made_up_summarize.looked()),
        data={"name": "toy texts", "training": 300, "validation": 40, "test": 40},
    )


@cache
def difficulty() -> Result:
    m = made_up_difficulty.measured()
    return result(
        "difficulty",
        resolve_difficulty(DifficultyConfig(budget="quick")),
        summary=difficulty_findings.summary(m),
        claims=difficulty_claims.all_claims(m),
        tables=difficulty_tables.tables(m),
        pictures=difficulty_pictures.pictures(m, made_up_difficulty.images()),
        data={"name": "toy", "training": 400, "training images that probes see": 400, "test": 600},
    )


@cache
def exits(**changes: float) -> Result:
    f = made_up_exits.findings(**changes)
    return result(
        "exits",
        resolve_exits(ExitsConfig(budget="quick")),
        summary=exits_findings.summary(f),
        claims=exits_claims.all_claims(f.measured),
        tables=exits_tables.tables(f),
        pictures=exits_pictures.pictures(f),
        data={"name": "toy", "classes": made_up_exits.CLASSES, "training": 240, "validation": 240, "test": 240},
        seconds={"train the plain network": 60.0, "train the early-exit network": 61.0, "train smaller networks": 59.0},
    )


@cache
def faces() -> Result:
    m = made_up_faces.measured()
    return result(
        "faces",
        resolve_faces(FacesStudyConfig(budget="default")),
        summary=faces_findings.summary(m),
        claims=faces_claims.all_claims(m),
        tables=faces_tables.tables(m),
        pictures=faces_pictures.pictures(m, faces_of_nobody()),
        data={
            "title": "Toy faces",
            "are faces": True,
            "to train on": "80 images of 40 people",
            "to choose with": "8 images of 4 people",
            "test": "16 images of 8 people",
            "test pairs": "drawn: 500 of one person, 500 of two",
        },
        seconds={"train: network": 60.0, "train: semi-hard": 20.0, "train: harmonic 1": 10.0},
    )


def result(study: str, config: Any, **parts: Any) -> Result:
    plain = {"summary": (), "title": study, "command": f"shoal study {study}", **parts}
    return Result(study=study, settings=plain_settings(config), **plain)


MAKERS: dict[str, Callable[[], Result]] = {
    "attention": attention,
    "circuits": circuits,
    "summarize": summarize,
    "difficulty": difficulty,
    "exits": exits,
    "faces": faces,
}


@pytest.fixture(scope="module", params=list(MAKERS))
def bare(request: pytest.FixtureRequest) -> Result:
    """A study's result without its story."""
    return MAKERS[request.param]()


def told(bare: Result) -> Result:
    return STUDIES[bare.study].tell(bare)


def words_of(found: Result) -> str:
    """All paragraphs of a story."""
    story = found.story
    assert story is not None
    return "\n".join((*story.asked, *story.done, *story.means, *story.changes))


def forced(claim: Claim, verdict: Verdict, unsettled: str = "") -> Claim:
    """The same claim with an effect and an interval that lead to a verdict."""
    side = 1 if claim.direction == "above" else -1
    low, effect, high = {
        "supported": (claim.bound + 2 * side,) * 3,
        "contradicted": (claim.bound - 2 * side,) * 3,
        "inconclusive": (claim.bound - 1, claim.bound + 0.5, claim.bound + 1),
    }[verdict]
    found = replace(claim, low=low, effect=effect, high=high, unsettled=unsettled)
    assert found.verdict == ("inconclusive" if unsettled else verdict)
    return found


def with_verdicts(bare: Result, verdict: Verdict, *only: str, unsettled: str = "") -> Result:
    claims = (forced(c, verdict, unsettled) if not only or c.id in only else c for c in bare.claims)
    return replace(bare, claims=tuple(claims))


def sentence(bare: Result, claim: Claim, verdict: Verdict) -> str:
    said: Said = STUDIES[bare.study].WORDS[claim.id]
    text = said.whether if verdict == "inconclusive" else getattr(said, verdict)
    return text.format_map(numbers_of(claim))


def test_a_story_is_whole(bare: Result) -> None:
    found = told(bare)
    story, headline = found.story, found.headline
    assert story is not None
    assert headline is not None
    for part in (story.asked, story.done, story.means, story.changes):
        assert 1 <= len(part) <= 3
        assert all(len(text) > 60 and text[0].isupper() and text.endswith((".", "?")) for text in part)
    assert not any(mark in words_of(found) for mark in ("{", "}", "None", "nan", "  "))
    assert headline.sentence.endswith(".")
    assert len(headline.sentence) < 150
    assert headline.picture in {picture.id for picture in found.pictures}
    assert any(digit in headline.value for digit in "0123456789")
    assert story.formulas
    for formula in story.formulas:
        assert convert(formula.latex).startswith("<math")
        assert "$" not in formula.latex
        assert formula.says.endswith(".")


def test_every_claim_has_words_and_evidence(bare: Result) -> None:
    """Claims that only some runs have are among the made-up ones, all of them."""
    found = told(bare)
    assert set(STUDIES[bare.study].WORDS) == {claim.id for claim in found.claims}
    assert set(found.evidence) == {claim.id for claim in found.claims}
    assert all(found.evidence.values())


def test_evidence_that_a_run_lacks_is_not_named(bare: Result) -> None:
    """As where a budget leaves a part out; the result itself refuses ids that are not there."""
    found = told(replace(bare, pictures=bare.pictures[:1]))
    there = {part.id for part in (*found.tables, *found.pictures)}
    assert all(set(parts) <= there for parts in found.evidence.values())
    assert found.headline is not None
    assert found.headline.picture in ("", bare.pictures[0].id)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_sentence_follows_its_verdict(bare: Result, verdict: Verdict) -> None:
    made = with_verdicts(bare, verdict)
    means = " ".join((told(made).story or pytest.fail("no story")).means)
    for claim in made.claims:
        assert sentence(made, claim, verdict) in means
        for other in VERDICTS[:2]:
            assert (sentence(made, claim, other) in means) == (other == verdict)
    assert ("Too close to call" in means) == (verdict == "inconclusive")


def test_one_verdict_changes_one_sentence(bare: Result) -> None:
    for claim in with_verdicts(bare, "supported").claims:
        made = with_verdicts(with_verdicts(bare, "supported"), "contradicted", claim.id)
        means = " ".join((told(made).story or pytest.fail("no story")).means)
        for other in made.claims:
            assert sentence(made, other, "contradicted" if other.id == claim.id else "supported") in means


def test_nothing_is_claimed_where_nothing_is_settled(bare: Result) -> None:
    made = with_verdicts(bare, "supported", unsettled="not enough was measured")
    found = told(made)
    means = " ".join((found.story or pytest.fail("no story")).means)
    assert "Nothing is decided in this run (not enough was measured)" in means
    for claim in made.claims:
        assert not any(sentence(made, claim, verdict) in means for verdict in VERDICTS[:2])
        assert sentence(made, claim, "inconclusive") in means
    assert found.headline != told(with_verdicts(bare, "supported")).headline


def test_the_headline_follows_its_claim(bare: Result) -> None:
    base = with_verdicts(bare, "supported")
    made = [told(with_verdicts(base, verdict, DECIDES[bare.study])) for verdict in VERDICTS]
    assert len({(one.headline or pytest.fail("no headline")).sentence for one in made}) == 3


def follows(found: Result, study: str) -> tuple[str, ...]:
    """The headline's number, from claims or tables by another way."""
    claims = {claim.id: claim for claim in found.claims}
    told_of = Told(found, STUDIES[study].WORDS)
    if study == "circuits":
        held = [str(row[7]).split(" of ") for row in next(t for t in found.tables if t.id == "proofs").rows]
        return tuple(str(sum(int(pair[at]) for pair in held)) for at in (0, 1))
    if study == "summarize":
        model, first = (
            float(told_of.cell("scores", row, "ROUGE-L") or 0) for row in ("model, 4 beams", "first sentence")
        )
        return (f"{model - first:+.1f}",)
    if study == "faces":
        last = [row for row in next(t for t in found.tables if t.id == "generations").rows if "harmonic" in str(row[1])]
        return (f"{float(last[-2][2] or 0):.1f}",)
    shares = {"attention": "fitted_maps_work", "difficulty": "settled_early", "exits": "halves_the_macs"}
    return (f"{100 * claims[shares[study]].effect:.0f}",)


def test_the_headlines_number_is_measured(bare: Result) -> None:
    found = told(bare)
    assert found.headline is not None
    for part in follows(found, bare.study):
        assert part in found.headline.value


def test_a_story_survives_its_file(bare: Result, tmp_path: Path) -> None:
    found = told(bare)
    found.save(tmp_path / "result.json")
    again = Result.load(tmp_path / "result.json")
    assert (again.story, again.headline, again.evidence) == (found.story, found.headline, found.evidence)


def test_results_of_earlier_versions_have_no_story_and_still_load(bare: Result, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    told(bare).save(file)
    value = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in value.items() if k not in ("story", "headline", "evidence")}))
    again = Result.load(file)
    assert (again.story, again.headline, again.evidence) == (None, None, {})
    assert [claim.id for claim in again.claims] == [claim.id for claim in bare.claims]


def test_measurements_that_turn_turn_the_story() -> None:
    """From measurements to the sentence, not only from claims."""
    base = attention()
    good = made_up_attention.measured()
    poor = [replace(row, errors=[8 * e for e in row.errors]) if row.map == "landmark" else row for row in good.errors]
    turned = attention_claims.fitted_maps_work(replace(good, errors=tuple(poor)))
    claims = tuple(turned if claim.id == turned.id else claim for claim in base.claims)
    one, other = told(base), told(replace(base, claims=claims))
    assert one.headline is not None
    assert other.headline is not None
    assert "works with features that are fitted" in one.headline.sentence
    assert "stays far from exact attention" in other.headline.sentence
    assert (one.headline.value, other.headline.value) == ("10 %", "82 %")


def test_networks_that_have_not_converged_are_said_to() -> None:
    base = difficulty()
    young = made_up_difficulty.measured(
        trainings=(made_up_difficulty.training(gained=3), made_up_difficulty.training("second network"))
    )
    found = told(replace(base, claims=difficulty_claims.all_claims(young)))
    assert found.story is not None
    assert found.headline is not None
    assert "had not converged" in found.headline.sentence
    assert found.story.means[0].startswith("Nothing is decided in this run (not converged: the network still gained")
    assert "Most images are settled early" not in words_of(found)


def test_networks_that_guess_are_said_to() -> None:
    taught, guessing = told(exits()), told(exits(taught=0.0))
    assert "hardly better than guessing" in words_of(guessing)
    assert "hardly better than guessing" not in words_of(taught)
    assert guessing.headline is not None
    assert "neither has learned enough" in guessing.headline.sentence
    assert "gained no more over the last fifth" in words_of(taught)


def test_summarizers_that_hardly_trained_are_said_to() -> None:
    base, few = summarize(), made_up_summarize.history()
    short = made_up_summarize.measured(history=replace(few, rows=few.rows[:3]), verdict=None)
    claims = {claim.id: claim for claim in summarize_claims.both_losses_fall(short)}
    young = told(replace(base, claims=tuple(claims.get(claim.id, claim) for claim in base.claims)))
    assert "too short to be judged" in words_of(young)
    assert "(too few looks at the losses): whether the training loss fell" in words_of(young)
    assert "too short to be judged" not in words_of(told(base))


@pytest.mark.parametrize("make", [exits, difficulty])
def test_digits_are_called_easy(make: Callable[[], Result]) -> None:
    base = make()
    assert "Digits are easy" not in words_of(told(base))
    digits = replace(base, data=base.data | {"name": "digits", "better": "colour photographs"})
    assert "Digits are easy" in words_of(told(digits))
    assert "Data that would tell more: colour photographs." in words_of(told(digits))


def test_digits_in_place_of_faces_and_faces_that_taught_nothing() -> None:
    base = faces()
    digits = told(replace(base, data=base.data | {"are faces": False}))
    assert digits.headline is not None
    assert digits.headline.sentence.startswith("On digits in place of faces: a new network")
    assert "digits and not faces" in words_of(digits)
    same = made_up_faces.measured(checked=made_up_faces.measured().checked | {"untrained": made_up_faces.checked(0.88)})
    untaught = told(replace(base, tables=faces_tables.tables(same)))
    assert "not surely better on the test pairs than before its training" in words_of(untaught)
    assert untaught.headline is not None
    assert "hardly learned" in untaught.headline.sentence
    assert "hardly learned" not in (told(base).headline or pytest.fail("no headline")).sentence


def test_two_generations_lead_to_the_gallery() -> None:
    """The command that is named is one, and the page that is named is there and tells of it."""
    from pathlib import Path

    from shoal.cli import app

    story = told(faces()).story
    assert story is not None
    text = story.changes[-1]
    command = text.split("`")[1]
    parsed, bound, _ = app.parse_args(command.split()[1:], exit_on_error=False, print_error=False)
    assert parsed.__name__ == "upgrade"
    assert bound.arguments["model"] == Path("NEW.safetensors")
    page = Path(__file__).parents[2] / text.split("`")[3]
    assert "nobody is embedded again" in page.read_text()


def test_a_run_without_some_claims_tells_of_the_others() -> None:
    """The quick study of faces compares no sizes of embeddings or of training sets."""
    left = {"larger_embeddings_gain_little", "more_data_help", "returns_diminish", "triplets_beat_classification"}
    base = faces()
    found = told(replace(base, claims=tuple(claim for claim in base.claims if claim.id not in left)))
    assert not left & set(found.evidence)
    assert "Longer embeddings" not in words_of(found)


def test_numbers_of_sentences() -> None:
    assert [number(x) for x in (0, 0.5, -12.345, 123456.0)] == ["0", "0.5", "−12.3", "123,456"]
    assert listed(["a", "b"]) == "a and b"
    claim = Claim(id="c", sentence="", measured="", effect=-0.2, low=-0.3, high=-0.1, bound=0, direction="below")
    found = numbers_of(claim)
    assert (found["effect"], found["size"], found["percent"], found["strength"]) == ("−0.2", "0.2", "−20 %", "weak")
