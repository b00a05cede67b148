"""Every claim of the study of faces, with made-up measurements that lead to each verdict; tables, pictures, words."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from benchmarks.records import shows_data

from shoal.data.faces import FacePairs, FaceSet
from shoal.report import render
from shoal.studies.faces_checked import Checked, percent_interval, points
from shoal.studies.faces_claims import all_claims
from shoal.studies.faces_data import StudyFaces
from shoal.studies.faces_findings import summary
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_pictures import pictures
from shoal.studies.faces_tables import tables
from shoal.studies.result import Result
from tests.studies.made_up_faces import altered, batch, checked, clustered, generations, measured, training

IDS = (
    "semi_hard_learns",
    "hardest_collapse",
    "random_stalls",
    "triplets_beat_classification",
    "triplets_are_too_many",
    "most_are_satisfied",
    "informative_fall",
    "larger_embeddings_gain_little",
    "more_data_help",
    "returns_diminish",
    "jpeg_costs_little",
    "resolution_matters",
    "threshold_keeps",
    "generations_do_not_compare",
    "harmonic_beats_old",
    "harmonic_beats_ridge",
    "harmonic_keeps_new",
    "identities_cluster",
    "changed_faces_cluster",
    "tables_are_reproduced",
)


def verdicts(m: Measured) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in all_claims(m)}


def with_checked(**changes: Checked) -> dict[str, Any]:
    names = {name.replace("_", "-"): one for name, one in changes.items()}
    return {"checked": measured().checked | names}


def test_all_are_supported_by_what_the_field_says() -> None:
    found = verdicts(measured())
    assert tuple(found) == IDS
    assert set(found.values()) == {"supported"}


def of_generations(**changes: Checked) -> dict[str, Any]:
    return {"generations": tuple(replace(generations(i), **changes) for i in range(2))}


CONTRARY: dict[str, dict[str, Any]] = {
    "semi_hard_learns": with_checked(hardest=checked(0.8)),
    "hardest_collapse": {"apart": measured().apart | {"hardest": [0.5, 0.6, 0.5, 0.7, 0.5]}},
    "random_stalls": with_checked(random=checked(0.8)),
    "triplets_beat_classification": with_checked(classification=checked(0.8)),
    "triplets_are_too_many": {"set_sizes": tuple(replace(s, triplets=s.triplets / 1e4) for s in measured().set_sizes)},
    "most_are_satisfied": {"batches": (replace(batch(), after=[0.8, 0.81, 0.82]),)},
    "informative_fall": {"batches": (replace(batch(), before=[0.01, 0.02, 0.03]),)},
    "larger_embeddings_gain_little": {"checked": measured().checked | {"512 numbers": checked(0.9)}},
    "more_data_help": {"checked": measured().checked | {"25 % of the people": checked(0.9)}},
    "returns_diminish": {"checked": measured().checked | {"50 % of the people": checked(0.66)}},
    "jpeg_costs_little": {"jpeg": {50: checked(0.8)}},
    "resolution_matters": {"sides": {16: checked(0.88)}},
    "threshold_keeps": {"promised": replace(measured().promised, accepted=[0.02, 0.021, 0.019])},
    "generations_do_not_compare": of_generations(plain=checked(0.8)),
    "harmonic_beats_old": of_generations(harmonic=checked(0.7)),
    "harmonic_beats_ridge": of_generations(ridge=checked(0.9)),
    "harmonic_keeps_new": of_generations(harmonic_new=checked(0.8)),
    "identities_cluster": {"control": clustered(0.8)},
    "changed_faces_cluster": {"altered": {"flip": altered(), "blur": altered(0.3)}},
    "tables_are_reproduced": {"layers": (*measured().layers[1:], replace(measured().layers[0], same=False))},
}


@pytest.mark.parametrize("name", list(CONTRARY))
def test_each_is_contradicted_by_the_contrary(name: str) -> None:
    found = verdicts(measured(**CONTRARY[name]))
    assert found[name] == "contradicted"


def test_clusters_that_are_worse_than_none_contradict() -> None:
    assert verdicts(measured(clustered=clustered(0.2)))["identities_cluster"] == "contradicted"


def test_how_many_steps_all_triplets_would_take() -> None:
    """9.6 billion triplets, 300,000 in a batch, 120 steps in a training."""
    found = {claim.id: claim for claim in all_claims(measured())}["triplets_are_too_many"]
    assert found.effect == pytest.approx(9.6e9 / 300_000 / 120)
    assert found.low < found.effect < found.high


def one_group() -> dict[str, Any]:
    alone = replace(clustered(0.7), f=[0.7], trivial=[0.3])
    return {"clustered": alone, "altered": {"flip": replace(altered(), clustered=alone)}}


def _early(**changes: Any) -> dict[str, Any]:
    """A training of five passes."""
    trainings = measured().trainings | {"network": training(looks=5)}
    return {"trainings": trainings, "batches": (replace(batch(), **changes),)}


def test_what_is_so_early_is_so_late() -> None:
    assert verdicts(measured(**_early()))["most_are_satisfied"] == "supported"


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("semi_hard_learns", with_checked(semi_hard=checked(0.6), hardest=checked(0.5)), "in so short a training"),
        ("random_stalls", with_checked(semi_hard=checked(0.6), random=checked(0.5)), "in so short a training"),
        ("triplets_beat_classification", with_checked(semi_hard=checked(0.6), classification=checked(0.6)), "so short"),
        ("most_are_satisfied", _early(after=[0.6, 0.5, 0.7]), "not late yet"),
        ("threshold_keeps", {"promised": replace(measured().promised, accepted=[])}, "too few test people"),
        ("threshold_keeps", {"promised": replace(measured().promised, refused="too few", value=0.0)}, "too few pairs"),
        ("identities_cluster", one_group(), "too few people"),
        ("changed_faces_cluster", one_group(), "too few people"),
        ("larger_embeddings_gain_little", {"dims": [(32, "32 numbers"), (128, "semi-hard")]}, "no larger size"),
    ],
)
def test_what_cannot_be_decided_says_why(name: str, changes: dict[str, Any], why: str) -> None:
    found = {claim.id: claim for claim in all_claims(measured(**changes))}[name]
    assert found.verdict == "inconclusive"
    assert why in found.unsettled


def test_a_small_run_claims_nothing_that_it_did_not_measure() -> None:
    left = {name: one for name, one in measured().checked.items() if name != "classification"}
    found = verdicts(measured(checked=left, dims=[], shares=[]))
    gone = {"triplets_beat_classification", "larger_embeddings_gain_little", "more_data_help", "returns_diminish"}
    assert set(IDS) - set(found) == gone


def test_a_collapse_is_told() -> None:
    found = {claim.id: claim for claim in all_claims(measured())}["hardest_collapse"]
    assert "0.011 with the hardest negatives, 1.500 with semi-hard ones" in found.measured
    assert "stopped after 120 steps, as collapsed" in found.measured
    other = measured(trainings=measured().trainings | {"hardest": training()})
    assert "stopped" not in {claim.id: claim for claim in all_claims(other)}["hardest_collapse"].measured
    assert "Training with hardest negatives collapsed." in " ".join(summary(measured()))


def test_differences_are_paired_by_part() -> None:
    """What makes a part hard for both cancels: the interval is that of what they do not share."""
    assert points(checked(0.8), checked(0.7)).value == pytest.approx(10)
    wide, narrow = percent_interval([checked(0.8)]), points(checked(0.8, 0.001), checked(0.7, -0.001))
    assert narrow.high - narrow.low < 0.3 * (wide.high - wide.low)
    two = points([checked(0.8), checked(0.6)], [checked(0.7), checked(0.6)])
    assert two.value == pytest.approx(5)


def made_up_faces() -> StudyFaces:
    images = torch.randint(256, (6, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    some = FaceSet(
        name="toy",
        images=images,
        labels=torch.tensor([0, 0, 1, 1, 2, 2]),
        people=("Ann_Lee", "Bob", "Cy"),
        names=tuple(map(str, range(6))),
        source="drawn",
    )
    pairs = FacePairs(
        a=torch.tensor([0, 0]),
        b=torch.tensor([1, 2]),
        same=torch.tensor([True, False]),
        fold=torch.tensor([0, 1]),
    )
    return StudyFaces(train=some, validation=some, watched=(some, pairs), test=some, pairs=pairs, about={})


@pytest.mark.parametrize("are_faces", [True, False])
def test_everything_is_drawn(are_faces: bool) -> None:
    m = measured(are_faces=are_faces)
    result = Result(
        study="faces",
        title="Faces",
        summary=summary(m),
        command="shoal study faces",
        claims=all_claims(m),
        tables=tables(m),
        pictures=pictures(m, made_up_faces()),
    )
    page = render([result])
    assert "Ann Lee" in page
    assert "98.87" in page
    assert ("digits, not faces" in page) != are_faces
    for parts in (result.tables, result.pictures):
        assert len({part.id for part in parts}) == len(parts) == 13
    (gallery,) = [picture for picture in result.pictures if picture.kind == "gallery"]
    assert [row["caption"] for row in gallery.rows] == ["✓", "✓", "✓"]


def test_names_and_photos_of_people_are_in_no_record() -> None:
    """They are in galleries, and records leave these out."""
    m, faces = measured(), made_up_faces()
    others = [part for part in pictures(m, faces) if not shows_data(part)]
    assert len(others) == len(pictures(m, faces)) - 1
    assert "Ann" not in repr((summary(m), all_claims(m), tables(m), others))
