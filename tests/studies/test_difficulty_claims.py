"""Every claim of the difficulty study, with made-up measurements that lead to each of the three verdicts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from shoal.report.pictures import draw
from shoal.studies import difficulty_claims as claims
from shoal.studies.difficulty_findings import summary
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Examples, Measured
from shoal.studies.difficulty_measurements import row_before
from shoal.studies.difficulty_numbers import effect_size, group_difference, mean_of
from shoal.studies.difficulty_pictures import pictures
from shoal.studies.difficulty_tables import tables
from shoal.studies.ranks import correlation_difference, rank_correlation
from shoal.studies.result import Claim
from tests.studies.made_up_difficulty import N, altered, examples, images, measured, noise, shuffled, training


def verdict(claim: Callable[[Measured], Claim], **changes: Any) -> str:
    return claim(measured(**changes)).verdict


def test_everything_supported() -> None:
    found = claims.all_claims(measured())
    assert {claim.id: claim.verdict for claim in found if claim.verdict != "supported"} == {}
    assert len({claim.id for claim in found}) == len({claim.sentence for claim in found}) == len(found) == 17
    for claim in found:
        assert any(digit in claim.measured for digit in "0123456789")


def test_claims_about_people_only_where_people_were_asked() -> None:
    ids = {claim.id for claim in claims.all_claims(measured(people=[], human_errors={}))}
    assert len(ids) == 14
    assert not ids & {"people_disagree", "errors_of_any_lie_deeper", "errors_of_most_lie_deeper"}


def test_nothing_is_decided_before_convergence() -> None:
    young = measured(trainings=(training(gained=3), training()))
    found = claims.all_claims(young)
    assert {claim.verdict for claim in found} == {"inconclusive"}
    assert all(claim.unsettled.startswith("not converged: the network still gained 0.3 points") for claim in found)
    other = measured(trainings=(training(), training("second network", gained=3)))
    waiting = {claim.id for claim in claims.all_claims(other) if claim.verdict == "inconclusive"}
    deepened = {f"{name}_deepens" for name in INTERVENTIONS}
    assert waiting == {"seeds_agree", "early_is_about_underfitting", *deepened}


@pytest.mark.parametrize(("gained", "of", "converged"), [(0, 1000, True), (1, 1000, True), (2, 1000, False)])
def test_convergence(gained: int, of: int, converged: bool) -> None:
    """Less than 0.2 points, not 0.2."""
    found = training(gained=gained, of=of)
    assert found.converged == converged
    assert found.gain is not None
    assert found.gain.value == pytest.approx(gained / of)
    assert found.gain.low < found.gain.value < found.gain.high
    lost = replace(found, before=found.now, now=found.before)
    assert lost.converged


def test_a_short_training_has_not_converged() -> None:
    blind = replace(training(), before=[])
    brief = replace(training(), rows=[{**row, "epoch": 4.9 * row["progress"]} for row in training().rows])
    enough = replace(training(), rows=[{**row, "epoch": 5 * row["progress"]} for row in training().rows])
    assert (blind.converged, brief.converged, enough.converged) == (False, False, True)
    assert blind.unsettled == "not converged: 10.0 epochs of the network are too few to tell"
    assert brief.unsettled == "not converged: 4.9 epochs of the network are too few to tell"
    assert row_before([{"progress": 1.0}]) is None
    assert row_before([{"progress": 0.4}, {"progress": 1.0}]) is None  # nothing is known of the last fifth alone
    assert row_before([{"progress": p / 10} for p in range(1, 11)]) == 7


def test_settled_early() -> None:
    deep = examples(depth=[d + 2 for d in examples().depth])
    assert verdict(claims.settled_early, test=deep) == "contradicted"
    half = examples(depth=[i % 6 for i in range(N)])
    assert verdict(claims.settled_early, test=half) == "inconclusive"


CORRELATED = {
    "accuracy_falls": "predicted",
    "confidence_falls": "confidence",
    "margin_falls": "margin",
    "hard_is_low_in_contrast": "contrast",
    "hard_is_atypical": "typicality",
    "hard_is_near_a_boundary": "boundary",
    "people_disagree": "people",
}


@pytest.mark.parametrize(("name", "column"), CORRELATED.items())
def test_what_goes_with_depth(name: str, column: str) -> None:
    claim, base = getattr(claims, name), measured()

    def turned(how: Callable[[list[float]], list[float]]) -> Measured:
        if column == "people":
            return replace(base, people=how(base.people))
        if column in base.properties:
            return replace(base, properties=base.properties | {column: how(base.properties[column])})
        return replace(base, test=with_column(base.test, column, how))

    assert claim(base).verdict == "supported"
    assert claim(turned(lambda values: values[::-1])).verdict == "contradicted"
    assert claim(turned(lambda values: [*values[::2], *values[::-2]])).verdict == "inconclusive"  # there and back


def with_column(part: Examples, column: str, how: Callable[[list[Any]], list[Any]]) -> Examples:
    if column != "predicted":
        return replace(part, **{column: how(getattr(part, column))})
    right = how(part.right.tolist())
    return replace(part, predicted=[y if ok else (y + 1) % 4 for y, ok in zip(part.labels, right, strict=True)])


def test_ranks_without_differences_decide_nothing() -> None:
    flat = examples(depth=[2] * N)
    for claim in (claims.accuracy_falls, claims.margin_falls, claims.seeds_agree, claims.early_is_about_underfitting):
        found = claim(measured(test=flat))
        assert (found.verdict, found.effect) == ("inconclusive", 0.0)
        assert found.unsettled == "all images have the same depth"
    for wrong in (0, 1, 9):
        good = [(y + 1) % 4 if row < wrong else y for row, y in enumerate(examples().labels)]
        found = claims.accuracy_falls(measured(test=examples(predicted=good)))
        assert (found.verdict, found.unsettled) == ("inconclusive", f"only {wrong} answers are wrong")


def test_seeds() -> None:
    other = examples(depth=shuffled(examples().depth))
    assert verdict(claims.seeds_agree, second=other) == "contradicted"
    between = examples(
        depth=[d if i % 10 < 5 else e for i, (d, e) in enumerate(zip(examples().depth, other.depth, strict=True))]
    )
    assert verdict(claims.seeds_agree, second=between) == "inconclusive"


def test_early_in_training() -> None:
    base = measured()
    assert verdict(claims.early_is_about_underfitting, early=base.second, second=base.early) == "contradicted"
    alike = examples(depth=(torch.tensor(base.test.depth) + (noise("alike") > 1).long()).tolist())
    assert verdict(claims.early_is_about_underfitting, early=alike) == "inconclusive"
    assert verdict(claims.early_is_about_underfitting, early=base.second) == "contradicted"  # the same is not less


def test_alterations() -> None:
    assert {claims.alteration_deepens(measured(), a).verdict for a in altered(1)} == {"supported"}
    assert {claims.alteration_deepens(measured(), a).verdict for a in altered(-1)} == {"contradicted"}
    both_ways = replace(altered()[0], depth=[d + (-1) ** i for i, d in enumerate(examples().depth[:100])])
    found = claims.alteration_deepens(measured(), both_ways)
    assert (found.verdict, found.effect) == ("inconclusive", 0.5)
    assert found.low < 0 < 0.9 < found.high
    torn = replace(altered(1)[0], second_depth=altered(-1)[0].second_depth)  # what the other network contradicts
    assert claims.alteration_deepens(measured(), torn).verdict == "inconclusive"
    assert "noise" in found.id
    assert "50.0 % are right" in found.measured


def test_classes() -> None:
    mixed = examples(labels=shuffled(examples().labels))
    assert verdict(claims.classes_differ, test=mixed) == "inconclusive"
    alike = examples(depth=[(i // 4) % 5 for i in range(N)], labels=[i % 4 for i in range(N)])
    found = claims.classes_differ(measured(test=alike))  # closer than chance would have them
    assert found.verdict == "contradicted"
    one = claims.classes_differ(measured(test=examples(labels=[3] * N)))
    assert (one.verdict, one.effect) == ("inconclusive", 0.0)


def test_people_who_mislabel() -> None:
    base = measured()
    turned = {"worse": base.human_errors["worse"][::-1]}
    assert claims.mislabelled_lie_deeper(measured(human_errors=turned), "worse").verdict == "contradicted"
    mixed = {"worse": shuffled(base.human_errors["worse"])}
    assert claims.mislabelled_lie_deeper(measured(human_errors=mixed), "worse").verdict == "inconclusive"
    for share in (0, 1):
        same = measured(human_errors={"worse": [share] * len(base.train)})
        assert claims.mislabelled_lie_deeper(same, "worse").unsettled == "one of the two groups is too small"


def test_numbers() -> None:
    x = torch.arange(50).double()
    assert rank_correlation(x, -x).value == -1.0
    assert (rank_correlation(x[:1], x[:1]).low, rank_correlation(x[:1], x[:1]).high) == (-1.0, 1.0)
    assert correlation_difference(x, x, -x).value == 2.0
    assert mean_of(x[:1]).high > 1e5
    assert group_difference(x, x >= 25).value == 25.0
    assert effect_size(x, x + 14.43).value == pytest.approx(1.0, abs=0.01)
    assert effect_size(torch.ones(9).double(), torch.ones(9).double()).value == 0.0


def test_rank_correlation_is_scipys() -> None:
    from scipy.stats import spearmanr

    generator = torch.Generator().manual_seed(0)
    for ties in (3, 20, 1000):
        one, other = torch.randint(ties, (2, 200), generator=generator)
        other = other + one
        assert rank_correlation(one, other).value == pytest.approx(spearmanr(one, other)[0])


def test_sentences_and_tables() -> None:
    m = measured()
    assert len(summary(m)) == 6
    found = {table.id: table for table in tables(m)}
    assert set(found) == {
        "layers",
        "scores",
        "properties",
        "interventions",
        "classes",
        "agreement",
        "convergence",
        "people",
    }
    settled = [row[4] for row in found["layers"].rows]
    assert sum(float(str(share).split()[0]) for share in settled) == pytest.approx(100, abs=0.5)
    assert found["classes"].rows[0][0] == "cat"
    assert found["convergence"].rows[0][-1] == "yes"
    assert [row[0] for row in found["people"].rows] == ["aggre", "worse"]
    assert {row[0] for row in found["properties"].rows} >= {"disagreement of people", "contrast"}
    young = measured(trainings=(training(gained=30), training()), people=[], human_errors={})
    assert "has not converged" in summary(young)[0]
    assert "people" not in {table.id for table in tables(young)}


def test_pictures() -> None:
    m = measured()
    found = {picture.id: picture for picture in pictures(m, images())}
    assert set(found) == {
        "by_depth",
        "depths_test",
        "depths_training",
        "probes",
        "classes",
        "interventions",
        "examples",
        "altered",
        "seeds",
        "training",
    }
    assert all(picture.rows for picture in found.values())
    assert sum(row["y"] for row in found["depths_test"].rows) == pytest.approx(100)
    assert found["classes"].rows[0]["y"] == "cat"  # settled first
    assert {row["x"] for row in found["by_depth"].rows} == {"input", "layer1", "layer2", "layer3", "layer4"}
    groups = [row["group"].split(":")[0] for row in found["examples"].rows]
    assert {group: groups.count(group) for group in groups} == {
        "easiest": 12,
        "hardest": 12,
        "overthought": 12,
        "likely mislabelled": 12,
    }
    hardest = [row["caption"] for row in found["examples"].rows if row["group"].startswith("hardest")]
    assert all("layer4" in caption for caption in hardest)
    assert len(found["altered"].rows) == 5 * 6
    for picture in found.values():
        draw(picture, picture.id)
