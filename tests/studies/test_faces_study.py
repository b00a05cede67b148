"""The study of faces as a run: drawn faces, trained for a moment, stopped and gone on with; its parts by themselves."""

import itertools
import json
import os
import shlex
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from shoal.cli import app
from shoal.data.faces import FaceSet
from shoal.data.faces.folders import list_faces
from shoal.engine import Interrupted, RunFolder, Silent
from shoal.errors import InputError
from shoal.faces.embedding import embed
from shoal.faces.thresholds import threshold_at
from shoal.faces.verification import verification
from shoal.report import render
from shoal.studies.faces import NOT_FACES, TITLE, FacesStudy
from shoal.studies.faces_alterations import ALTERATIONS, blur, brighten, coarsen, compress, shift
from shoal.studies.faces_config import BUDGETS, FacesStudyConfig, resolve
from shoal.studies.faces_costs import count_layers
from shoal.studies.faces_data import read_faces, some_people
from shoal.studies.faces_kept import load_kept_faces
from shoal.studies.faces_looking import directions
from shoal.studies.faces_measurements_groups import choose_grouped, clustered
from shoal.studies.faces_measurements_networks import parts_of_people
from shoal.studies.faces_measurements_triplets import count_sets
from shoal.studies.faces_pairs import PairFaces
from shoal.studies.faces_reading import draw_within
from shoal.studies.faces_training import Trainings, jobs
from shoal.studies.result import Result

DIGITS = FacesStudyConfig(data="digits", budget="quick", epochs=1, image_size=16, precision="fp32")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> FacesStudyConfig:
    """Fourteen people with five images each: a pattern of their own, and noise."""
    generator = torch.Generator().manual_seed(0)
    folder = tmp_path_factory.mktemp("people")
    for person in range(14):
        pattern = torch.rand(3, 4, 4, generator=generator).repeat_interleave(4, 1).repeat_interleave(4, 2)
        (folder / f"person {person:02}").mkdir()
        for number in range(5):
            pixels = pattern + 0.1 * torch.randn(3, 16, 16, generator=generator)
            array = (255 * pixels).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
            Image.fromarray(array).save(folder / f"person {person:02}" / f"{number}.png")
    return FacesStudyConfig(
        data=str(folder),
        budget="default",
        epochs=4,
        image_size=16,
        embedding_dim=16,
        dims=(8, 32),
        shares=(0.5, 0.75),
        clustered=40,
        precision="fp32",
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny: FacesStudyConfig) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("faces")
    return folder, FacesStudy(tiny, {"who": "a student"}).run(folder)


def same(one: Result, other: Result) -> None:
    """All but times: those of trainings are in two tables and on the axis of some pictures."""
    assert one.claims == other.claims
    timed = ("verification", "paper")
    assert [t for t in one.tables if t.id not in timed] == [t for t in other.tables if t.id not in timed]
    for a, b in zip(one.pictures, other.pictures, strict=True):
        assert [{**row, "x": 0} for row in a.rows] == [{**row, "x": 0} for row in b.rows]


def test_a_run_has_all_of_a_result(run: tuple[Path, Result]) -> None:
    folder, result = run
    assert {path.name for path in folder.iterdir()} >= {"config.toml", "environment.json", "metrics.jsonl", "networks"}
    assert Result.load(folder / "result.json").claims == result.claims
    assert result.story is not None
    assert set(result.evidence) == {claim.id for claim in result.claims}
    assert (result.study, result.title) == ("faces", TITLE)
    assert (len(result.claims), len(result.tables), len(result.pictures)) == (20, 13, 13)
    assert (result.data["are faces"], result.data["to train on"]) == (True, "40 images of 8 people")
    assert next(claim for claim in result.claims if claim.id == "tables_are_reproduced").verdict == "supported"
    trained = {"network", "semi-hard", "hardest", "random", "classification", "8 numbers", "old 1"}
    trained |= {"50 % of the people", "harmonic 1"}
    assert {f"train: {name}" for name in trained} <= set(result.seconds)
    page = render([result])
    assert "a student" in page
    assert "person 0" in page  # in the gallery


def test_what_is_kept_gives_the_threshold_again(run: tuple[Path, Result]) -> None:
    folder, _ = run
    kept = load_kept_faces(folder)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    promised = next(row["values"] for row in rows if row.get("key") == {"of": "a threshold"})
    with pytest.raises(InputError) as refused:  # so few people promise nothing
        threshold_at(promised["far"], kept.distances)
    assert str(refused.value) == promised["refused"]
    assert len(kept.people) == len(kept.images) == 4 * len(set(kept.people))
    assert embed(kept.network, kept.images).shape == (len(kept.people), 16)


def test_digits_are_called_digits() -> None:
    study = FacesStudy(DIGITS)
    assert study.title == NOT_FACES
    assert "not faces" in " ".join(study.says)
    assert study.run_name.startswith("faces-quick-digits-")


def test_the_same_run_again_measures_nothing(run: tuple[Path, Result], tiny: FacesStudyConfig) -> None:
    folder, result = run
    before = (folder / "metrics.jsonl").read_text()
    same(FacesStudy(tiny).run(folder), result)
    assert sorted((folder / "metrics.jsonl").read_text().splitlines()) == sorted(before.splitlines())


class Stop(Silent):
    """Stops the run when a part is so far: asks for it, or is killed there."""

    def __init__(self, part: str, share: float, *, kill: bool):
        self.part, self.share, self.kill = part, share, kill
        self.now, self.asked = "", False

    def start(self, title: str) -> None:
        self.now = title

    def update(self, share: float, text: str = "") -> None:
        if self.now == self.part and share >= self.share and not self.asked:
            if self.kill:
                raise MemoryError("killed")
            self.asked = True  # once: a second time stops at once
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("part", "share", "kill"),
    [
        pytest.param("network-triplets", 0.5, False, marks=pytest.mark.slow),
        pytest.param("semi-hard-triplets", 0.5, True, marks=pytest.mark.slow),
        pytest.param("harmonic_1-layer", 0.5, False, marks=pytest.mark.slow),
        pytest.param("alter faces", 0.5, True, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_goes_on(
    run: tuple[Path, Result], tiny: FacesStudyConfig, tmp_path: Path, part: str, share: float, kill: bool
) -> None:
    with pytest.raises(MemoryError if kill else Interrupted):
        FacesStudy(tiny).run(tmp_path, Stop(part, share, kill=kill))
    same(FacesStudy(tiny).run(tmp_path), run[1])


def test_a_run_that_was_killed_while_it_measured_goes_on(
    run: tuple[Path, Result], tiny: FacesStudyConfig, tmp_path: Path
) -> None:
    """A row is written when it is made: those that were not are made anew, and a network that was not kept."""
    folder = tmp_path / "run"
    shutil.copytree(run[0], folder)
    (folder / "result.json").unlink()
    (folder / "networks" / "random.safetensors").unlink()
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    made = next(number for number, line in enumerate(lines) if '"part": "cluster faces"' in line)
    (folder / "metrics.jsonl").write_text("".join(lines[:made]))
    same(FacesStudy(tiny).run(folder), run[1])


def test_other_settings_are_another_run(run: tuple[Path, Result], tiny: FacesStudyConfig) -> None:
    with pytest.raises(InputError, match="expected a run with settings"):
        FacesStudy(replace(tiny, embedding_dim=8)).run(run[0])
    names = {FacesStudy(config).run_name for config in (tiny, replace(tiny, seed=1), replace(tiny, offline=True))}
    assert len(names) == 2
    assert all(name.startswith("faces-default-people") for name in names)


def test_the_command_repeats_the_run(run: tuple[Path, Result], tiny: FacesStudyConfig) -> None:
    words = shlex.split(run[1].command)[1:]
    app.config = []
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert resolve(bound.arguments["config"]) == resolve(tiny)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 8}, "image_size: expected 0, or 16 to 1024 pixels, got 8"),
        ({"epochs": 0.0, "minutes": -1.0}, "minutes: expected a number >= 0"),
        ({"minutes": 1.0}, "training time: expected minutes or epochs, got both"),
        ({"shares": (1.5,)}, "shares: expected shares of the people above 0 and below 1"),
        ({"dims": (0,)}, "dims: expected sizes of embeddings"),
        ({"network": "compct"}, "unknown face network 'compct'; did you mean 'compact'"),
        ({"precision": "fp8"}, "precision"),
        ({"data": "lwf"}, "unknown set of faces 'lwf'"),
    ],
)
def test_wrong_settings(tiny: FacesStudyConfig, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FacesStudy(replace(tiny, **changes))


def test_budgets_are_filled_in(tiny: FacesStudyConfig) -> None:
    for name, budget in BUDGETS.items():
        config = resolve(FacesStudyConfig(budget=name))  # pyright: ignore[reportArgumentType]
        assert (config.minutes, config.seeds, config.dims) == (budget.minutes, budget.seeds, budget.dims)
    names = [job.name for job in jobs(resolve(FacesStudyConfig(budget="quick")))]
    assert names == ["network", "semi-hard", "hardest", "random", "old 1"]
    full = [job.name for job in jobs(resolve(FacesStudyConfig(budget="full")))]
    assert len(full) == len(set(full)) == 18
    by_epochs = resolve(tiny)
    assert (by_epochs.minutes, by_epochs.compare_minutes) == (0, 0)


def test_nobody_is_in_two_parts(tiny: FacesStudyConfig) -> None:
    faces = read_faces(resolve(tiny))
    people = [set(part.people) for part in (faces.train, faces.validation, faces.test)]
    assert sum(map(len, people)) == len(set.union(*people)) == 14
    assert set(faces.watched[0].people) <= people[1]
    assert faces.identity == read_faces(resolve(tiny)).identity
    assert faces.identity != read_faces(resolve(replace(tiny, seed=1))).identity


def toy(people: int = 30, most: int = 6) -> FaceSet:
    counts = torch.arange(people) % most + 1
    labels = torch.arange(people).repeat_interleave(counts)
    images = torch.randint(256, (len(labels), 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    names = tuple(map(str, range(len(labels))))
    return FaceSet(
        name="toy", images=images, labels=labels, people=tuple(map(str, range(people))), names=names, source="drawn"
    )


def test_of_a_large_folder_as_many_people_are_read_as_there_is_time_for(tiny: FacesStudyConfig) -> None:
    listing = list_faces(tiny.data)
    some = draw_within(listing, 0.03, 0)
    assert some == draw_within(listing, 0.03, 0)
    assert set(some.labels) != set(draw_within(listing, 0.03, 1).labels)
    assert len(some.labels) == 5 * len(set(some.labels)) == len(some.paths)
    assert 2 <= len(set(some.labels)) < 5  # five photos take 7.5 ms and more
    assert draw_within(listing, 1e9, 0) == listing
    assert len(set(draw_within(listing, 0.0, 0).labels)) == 2


def test_a_folder_of_which_some_people_are_read_says_so(
    tiny: FacesStudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUDGETS, "default", replace(BUDGETS["default"], reading=0.08))
    faces = read_faces(resolve(tiny))
    assert "of 14 people, drawn: a default run has no time for all" in faces.about["why"]
    assert len(faces.train.people) + len(faces.validation.people) + len(faces.test.people) < 14


def test_photos_of_whoever_are_refused_before_they_are_read(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    with pytest.raises(InputError, match="expected a folder of people's folders, got 1 images of whoever"):
        FacesStudy(FacesStudyConfig(data=str(tmp_path)))


def test_larger_shares_hold_smaller_ones() -> None:
    faces = toy()
    held = [set(some_people(faces, share, 0).people) for share in (0.1, 0.3, 0.7, 1.0)]
    assert held == sorted(held, key=len)
    assert all(one <= other for one, other in itertools.pairwise(held))
    assert [len(part) for part in held] == [2, 10, 22, 30]
    singles = {name for name in held[2] if int(name) % 6 == 0}
    assert len(singles) == 4  # of 5: in the same share as the others


def test_parts_share_no_person_and_hold_everybody() -> None:
    labels = toy().labels
    parts = parts_of_people(labels, 0)
    people = [set(labels[rows].tolist()) for rows in parts]
    assert sum(map(len, people)) == len(set.union(*people)) == 30
    assert parts_of_people(torch.arange(9) // 2, 0) == []


def test_groups_to_cluster() -> None:
    faces = toy()
    grouped = choose_grouped(faces, 1000, 0)
    assert grouped.how == "8 groups of people"
    assert grouped.people == 25  # those with two images or more
    people = [set(grouped.labels[group].tolist()) for group in grouped.groups]
    assert sum(map(len, people)) == 25
    few = choose_grouped(toy(5, 7), 1000, 0)  # with 2, 3, 4 and 5 images
    assert (few.how, few.people) == ("one group", 4)
    digits = replace(toy(3, 1), labels=torch.tensor([0, 1, 2]))
    many = digits.take(torch.arange(60) % 3)
    dealt = choose_grouped(many, 1000, 0)
    assert dealt.how == "5 groups of images, as people are few"
    assert sorted(torch.cat(dealt.groups).tolist()) == list(range(60))
    assert all(torch.bincount(dealt.labels[group]).tolist() == [4, 4, 4] for group in dealt.groups)
    assert len(choose_grouped(faces, 10, 0).rows) <= 10


def test_perfect_embeddings_make_perfect_clusters() -> None:
    grouped = choose_grouped(toy(), 1000, 0)
    perfect = torch.eye(30)[grouped.labels]
    found = clustered(perfect, grouped, 1.0)
    assert found.f == [1.0] * 8
    assert (found.purity, found.pairwise_f) == (1.0, 1.0)
    alone = clustered(torch.eye(len(grouped.rows)), grouped, 1.0)
    assert max(a - b for a, b in zip(alone.f, alone.trivial, strict=True)) <= 0


def test_pairs_are_verified_as_they_are(tiny: FacesStudyConfig) -> None:
    faces = read_faces(resolve(tiny))
    pairs = PairFaces.of(faces.test, faces.pairs)
    every = directions(faces.test.images)
    found = pairs.check(directions(pairs.images))
    a, b = faces.pairs.gather(every)
    asked = verification(a, b, faces.pairs.same, fold=faces.pairs.fold, far=())
    assert tuple(found.parts) == asked.fold_accuracy
    assert found.accuracy == pytest.approx(asked.accuracy)
    blank = directions(torch.full((1, 3, 2, 2), 7, dtype=torch.uint8))
    assert float(blank.norm()) == pytest.approx(1)


def test_triplets_of_sets_are_counted_right() -> None:
    """Against counting one by one."""
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 3])
    few, whole = count_sets(labels)
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j and labels[i] == labels[j]]
    triplets = [(i, j, n) for i, j in pairs for n in range(7) if labels[n] != labels[i]]
    assert (whole["people"], whole["images"], whole["pairs"]) == (4, 7, len(pairs))
    assert whole["triplets"] == len(triplets)
    sets = [torch.isin(labels, torch.tensor(some)) for some in itertools.combinations(range(4), 3)]
    of_sets = [[t for t in triplets if all(kept[i] for i in t)] for kept in sets]
    assert few["people"] == 3
    assert few["triplets"] == pytest.approx(sum(map(len, of_sets)) / 4)
    assert few["images"] == pytest.approx(sum(int(kept.sum()) for kept in sets) / 4)


def test_the_papers_tables() -> None:
    rows = count_layers()
    assert len(rows) == 27
    assert all(row["same"] for row in rows)


@pytest.mark.parametrize("name", ALTERATIONS)
def test_alterations_are_bytes_of_the_same_shape_and_leave_the_images_alone(name: str) -> None:
    for shape in ((4, 3, 16, 16), (300, 3, 12, 20)):
        images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        before = images.clone()
        changed = ALTERATIONS[name].alter(images)
        assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
        assert torch.equal(images, before)
        assert not torch.equal(changed, images)


def test_what_alterations_do() -> None:
    images = torch.randint(256, (2, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    moved = shift(images, 0.1)
    assert torch.equal(moved[..., 2:, 2:], images[..., :-2, :-2])
    assert torch.equal(shift(images, 0.0), images)
    assert int((brighten(images).int() - images.int()).max()) == 40
    grey = torch.full_like(images, 93)
    for same_grey in (blur(grey), coarsen(grey, 5), shift(grey)):
        assert torch.equal(same_grey, grey)
    dot = torch.zeros(1, 1, 21, 21, dtype=torch.uint8)
    dot[..., 10, 10] = 255
    spread = blur(dot, 0.05)
    assert float(spread.float().sum()) == pytest.approx(255, rel=0.05)
    assert torch.equal(spread, spread.flip(3))
    assert torch.equal(spread, spread.flip(2))
    assert torch.equal(coarsen(images, 20), images)


def test_less_is_left_of_images_that_are_compressed_more() -> None:
    smooth = coarsen(torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8), 6)
    lost = [float((compress(smooth, quality).float() - smooth.float()).abs().mean()) for quality in (10, 50, 90)]
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] < 5


@pytest.mark.slow
def test_a_collapse_is_a_result_and_is_kept(tmp_path: Path, tiny: FacesStudyConfig) -> None:
    """People who look like nobody cannot be told apart: with the hardest negatives, all become one point."""
    config = resolve(replace(tiny, embedding_dim=2, epochs=150))
    faces = read_faces(config)
    noise = torch.randint(256, faces.train.images.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    faces = replace(faces, train=replace(faces.train, images=noise))
    with RunFolder(tmp_path, {"a": 1}) as run:
        found = Trainings(config, faces, run, Silent())["hardest"]
        assert found.about["collapsed"].startswith("training has collapsed")
        assert found.about["rows"][-1]["mean_different"] < 0.05
        again = Trainings(config, faces, run, Silent())["hardest"]
    assert again.about == json.loads(json.dumps(found.about))
    assert torch.equal(again.network.embedding.weight, found.network.embedding.weight)
