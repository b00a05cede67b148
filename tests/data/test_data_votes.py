"""People's votes beside CIFAR-10: found where they lie, joined by the published order, and refused where damaged."""

from pathlib import Path

import numpy as np
import pytest
import torch

from shoal.data import ImageSet
from shoal.data.find import Place
from shoal.data.specs import CIFAR10, DIGITS
from shoal.data.votes import LABELS_FILE, VOTES_FILE, Votes, find_votes, read_cifar10h, read_cifar10n
from shoal.errors import ShoalError

TRUTH = np.arange(50_000) % 10


def counts() -> np.ndarray:
    """Nearly all for the label, some for the next class."""
    votes = np.zeros((10_000, 10), dtype=np.uint8)
    rows = np.arange(10_000)
    votes[rows, TRUTH[:10_000]] = 48
    votes[rows, (TRUTH[:10_000] + 1) % 10] = 2
    return votes


def lay_out(folder: Path, *, votes: bool = True, labels: bool = True) -> Place:
    (folder / "cifar-10-batches-bin").mkdir(parents=True)
    if votes:
        (folder / VOTES_FILE).parent.mkdir()
        np.save(folder / VOTES_FILE, counts())
    if labels:
        (folder / LABELS_FILE).parent.mkdir()
        worse = TRUTH.copy()
        worse[::4] = (worse[::4] + 1) % 10
        clean, worse = TRUTH.astype(np.uint8), worse.astype(np.uint8)
        np.savez(folder / LABELS_FILE, clean_label=clean, worse_label=worse, random_label1=clean)
    return Place("cifar", folder / "cifar-10-batches-bin", "here", CIFAR10)


def rows_of(index: torch.Tensor) -> ImageSet:
    return ImageSet(
        name="cifar10",
        images=torch.zeros(len(index), 3, 2, 2, dtype=torch.uint8),
        labels=index % 10,
        classes=CIFAR10.classes,
        source="made up",
        rows=index,
    )


@pytest.fixture(autouse=True)
def nothing_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SHOAL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_votes_and_labels_beside_the_images(tmp_path: Path) -> None:
    found = find_votes(lay_out(tmp_path / "data"))
    assert found.names == ("CIFAR-10H", "CIFAR-10N")
    assert set(found.labels) == {"clean", "worse", "random1"}
    some = torch.tensor([8, 3, 4001])
    entropy = found.entropy(rows_of(some))
    assert entropy is not None
    expected = -(0.96 * np.log(0.96) + 0.04 * np.log(0.04))
    torch.testing.assert_close(entropy, torch.full((3,), expected, dtype=torch.float64))
    errors = found.errors(rows_of(some))
    assert {name: wrong.tolist() for name, wrong in errors.items()} == {
        "worse": [True, False, False],
        "random1": [False] * 3,
    }


def test_each_may_be_missing(tmp_path: Path) -> None:
    assert find_votes(lay_out(tmp_path / "a", votes=False)).names == ("CIFAR-10N",)
    only = find_votes(lay_out(tmp_path / "b", labels=False))
    assert (only.names, only.errors(rows_of(torch.arange(3)))) == (("CIFAR-10H",), {})
    none = find_votes(lay_out(tmp_path / "c", votes=False, labels=False))
    assert (none.names, none.entropy(rows_of(torch.arange(3)))) == ((), None)
    assert find_votes(Place("digits", Path(), "scikit-learn", DIGITS)).names == ()


def test_the_folder_of_shoal_data_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path / "people")
    elsewhere = Place("cifar", tmp_path / "images" / "cifar-10-binary.tar.gz", "elsewhere", CIFAR10)
    assert find_votes(elsewhere).names == ()
    monkeypatch.setenv("SHOAL_DATA", str(tmp_path / "people"))
    assert find_votes(elsewhere).names == ("CIFAR-10H", "CIFAR-10N")


def test_another_order_is_refused(tmp_path: Path) -> None:
    found = find_votes(lay_out(tmp_path / "data"))
    shifted = rows_of(torch.arange(20))
    shifted = ImageSet(**{**vars(shifted), "rows": shifted.rows + 1})
    with pytest.raises(
        ShoalError, match=r"cifar10h-counts.npy: expected labels in the order .* got 0.0% of them alike"
    ):
        found.entropy(shifted)
    with pytest.raises(ShoalError, match=r"CIFAR-10_human.npz: expected labels in the order"):
        found.errors(shifted)
    nobody = rows_of(torch.empty(0, dtype=torch.long))
    assert len(Votes().errors(nobody)) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((3, 10), dtype=np.uint8), r"expected whole numbers \[10000, 10\], got uint8 \[3, 10\]"),
        (np.zeros((10_000, 10)), "got float64"),
        (np.zeros((10_000, 10), dtype=np.int64), "expected at least one vote for every image"),
        (np.array([{}], dtype=object), "expected arrays of numpy"),
    ],
)
def test_damaged_votes(tmp_path: Path, content: np.ndarray, message: str) -> None:
    np.save(tmp_path / "votes.npy", content, allow_pickle=True)
    with pytest.raises(ShoalError, match=message):
        read_cifar10h(tmp_path / "votes.npy")


def test_damaged_labels(tmp_path: Path) -> None:
    file = tmp_path / "labels.npz"
    np.savez(file, worse_label=np.zeros(50_000, dtype=np.uint8))
    with pytest.raises(ShoalError, match="expected clean_label and others, got worse_label"):
        read_cifar10n(file)
    np.savez(file, clean_label=np.full(50_000, 10))
    with pytest.raises(ShoalError, match=r"expected clean_label: classes \[50000\]"):
        read_cifar10n(file)
    whole = file.read_bytes()
    for content in (b"", b"no arrays", whole[:1000]):
        file.write_bytes(content)
        with pytest.raises(ShoalError, match="expected arrays of numpy"):
            read_cifar10n(file)


def test_the_real_ones(cifar10_root: Path) -> None:
    """Of the images as they are published: 9 % and 40 % of the labels differ, and people mostly agree."""
    from shoal.data import load

    splits = load("cifar10", root=cifar10_root.parent, validation=5_000)
    found = find_votes(Place("cifar", cifar10_root, "here", CIFAR10))
    if not found.names:
        pytest.skip("needs CIFAR-10H and CIFAR-10N beside CIFAR-10")
    errors = found.errors(splits.train)
    assert float(errors["aggre"].float().mean()) == pytest.approx(0.0901, abs=0.003)
    assert float(errors["worse"].float().mean()) == pytest.approx(0.4021, abs=0.003)
    entropy = found.entropy(splits.test)
    assert entropy is not None
    assert 0.1 < float(entropy.mean()) < 0.4
