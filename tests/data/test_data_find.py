"""Finding, loading, choosing, listing and verifying data sets by name and by path."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shoal.data import describe_all, find_best, find_spec, list_datasets, load, locate, verify
from shoal.data.specs import FASHION_MNIST, IDX_NAMES
from shoal.errors import InputError, ShoalError
from tests.data.helpers import idx_bytes, idx_contents, write_idx


@pytest.fixture(autouse=True)
def offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here may reach out: a proxy that is not there would refuse it; Debian's folder is hidden."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(Path, "is_dir", _hide(Path.is_dir, FASHION_MNIST.debian_folder))


def _hide(is_dir, hidden: Path | None):
    return lambda path, **options: path != hidden and is_dir(path, **options)


@pytest.fixture(scope="session")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four IDX files of MNIST's sizes, black."""
    contents = {
        name: idx_bytes(np.zeros(shape) if len(shape) == 3 else np.arange(shape[0]) % 10)
        for name, shape in zip(IDX_NAMES, ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)), strict=True)
    }
    return write_idx(tmp_path_factory.mktemp("full") / "mnist", contents, packed=False)


def pets(folder: Path, images: int = 6) -> Path:
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(images):
            Image.new("RGB", (5, 5), (i, 0, 0)).save(folder / name / f"{i}.png")
    return folder


class TestNames:
    @pytest.mark.parametrize(
        ("spelled", "name"), [("CIFAR-10", "cifar10"), ("Fashion_MNIST", "fashion-mnist"), ("Mnist", "mnist")]
    )
    def test_spelling_does_not_matter(self, spelled: str, name: str):
        assert find_spec(spelled).name == name

    def test_every_set_is_described_with_its_terms_and_its_source(self):
        rows = {row.name: row for row in describe_all()}
        assert tuple(rows) == list_datasets()
        assert [name for name, row in rows.items() if row.found] == ["digits"]
        assert all(row.terms and row.source for row in rows.values())
        assert rows["cifar10"].fetch == "shoal data fetch cifar10 (170 MB)"
        assert rows["cifar10"].content == "50,000 + 10,000 images 32×32×3, 10 classes"

    def test_a_set_of_which_a_part_is_missing_is_not_found(self, cache: Path):
        write_idx(cache / "mnist", idx_contents())
        next((cache / "mnist").glob("t10k-labels*")).unlink()
        row = next(row for row in describe_all() if row.name == "mnist")
        assert not row.found
        assert row.where.endswith("mnist lacks t10k-labels-idx1-ubyte")

    def test_an_unknown_name_is_refused_with_the_nearest(self):
        with pytest.raises(InputError, match="unknown data set 'cifar-11'; did you mean 'cifar10'"):
            load("cifar-11")

    def test_a_set_that_is_not_here_says_how_to_get_it(self, cache: Path):
        with pytest.raises(InputError, match=rf"cifar-10-batches-bin/ in one of {cache}.*fetch cifar10` \(170 MB\)"):
            load("cifar10")

    def test_a_path_that_is_not_there_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="no such file or folder"):
            load(tmp_path / "none")

    def test_a_folder_of_something_else_is_refused_with_its_content(self, tmp_path: Path):
        (tmp_path / "notes").mkdir()
        (tmp_path / "table.csv").write_text("1,2")
        with pytest.raises(InputError, match=r"expected CIFAR-10's binary release.* got a folder of notes, table.csv"):
            load(tmp_path)

    def test_another_file_is_refused(self, tmp_path: Path):
        (tmp_path / "x.zip").write_bytes(b"PK")
        with pytest.raises(InputError, match=r"expected a folder or cifar-10-binary.tar.gz"):
            load(tmp_path / "x.zip")


class TestPlaces:
    def test_sets_are_found_in_the_usual_places_in_order(
        self, fake_cifar: Path, full_size: Path, cache: Path, tmp_path: Path, monkeypatch
    ):
        cache.mkdir(parents=True)
        (cache / "mnist").symlink_to(full_size)
        assert locate("mnist").where == "the cache"
        (tmp_path / "mine" / "MNIST").mkdir(parents=True)
        (tmp_path / "mine" / "MNIST" / "raw").symlink_to(full_size)
        monkeypatch.setenv("SHOAL_DATA", str(tmp_path / "mine"))
        assert locate("mnist").where == "SHOAL_DATA"
        assert locate("mnist", root=cache).path == cache / "mnist"
        monkeypatch.setenv("SHOAL_DATA", str(fake_cifar))  # the folder of the set itself
        assert locate("cifar10").path == fake_cifar

    def test_the_archive_will_do(self, fake_cifar_archive: Path, tmp_path: Path, monkeypatch):
        (tmp_path / "cifar-10-binary.tar.gz").symlink_to(fake_cifar_archive)
        monkeypatch.setenv("SHOAL_DATA", str(tmp_path))
        splits = load("cifar10", train_rows=100, validation=0, root=tmp_path)
        assert str(splits).startswith("cifar10: 100 + 0 + 10,000 images 32×32×3")

    def test_sets_that_look_alike_are_told_apart_by_content(self, tmp_path: Path, monkeypatch):
        write_idx(tmp_path / "fashion-mnist", idx_contents())
        # Known labels in a folder of another set's name: the content decides.
        digest = FASHION_MNIST.files[3].checksum.digest
        monkeypatch.setattr("shoal.data.idx.content_digest", lambda path, algorithm: digest)
        assert locate("fashion-mnist", root=tmp_path).path == tmp_path / "fashion-mnist"
        (tmp_path / "fashion-mnist").rename(tmp_path / "mnist")
        with pytest.raises(InputError, match="data set mnist: expected"):
            locate("mnist", root=tmp_path)
        assert locate(tmp_path / "mnist").spec is FASHION_MNIST

    def test_only_the_python_release_is_refused_by_name(self, tmp_path: Path):
        (tmp_path / "cifar-10-batches-py").mkdir()
        for what, root in (("cifar10", tmp_path), (tmp_path, None), (tmp_path / "cifar-10-batches-py", None)):
            with pytest.raises(InputError, match="expected CIFAR-10's binary release, cifar-10-binary"):
                load(what, root=root)

    @pytest.mark.parametrize("how", ["SHOAL_DATA", "root"])
    def test_a_data_folder_that_is_not_there_is_refused(self, tmp_path: Path, monkeypatch, how: str):
        gone = tmp_path / "gone"
        if how == "SHOAL_DATA":
            monkeypatch.setenv("SHOAL_DATA", str(gone))
        with pytest.raises(InputError, match=r"expected an existing folder, got .*gone"):
            load("mnist", root=gone if how == "root" else None)


class TestLoad:
    def test_a_folder_of_images(self, tmp_path: Path):
        splits = load(pets(tmp_path / "pets"), validation=2, test=2, size=3)
        assert str(splits) == "pets: 8 + 2 + 2 images 3×3×3 in 2 classes"
        assert all(file.startswith(("cat", "dog")) for file in splits.test.files)
        assert splits.source == f"images in {tmp_path / 'pets'}"

    def test_named_sets_can_be_resized(self, full_size: Path):
        splits = load("mnist", root=full_size.parent, size=8, validation=1000)
        assert str(splits) == "mnist: 59,000 + 1,000 + 10,000 images 8×8×1 in 10 classes"
        assert splits.validation.counts == (100,) * 10

    def test_digits_are_always_there(self):
        assert load().name == load("digits").name == "digits"

    def test_the_same_seed_gives_the_same_data(self):
        first, again, other = (load("digits", seed=seed, train_rows=50) for seed in (1, 1, 2))
        assert first.train.rows.tolist() == again.train.rows.tolist() != other.train.rows.tolist()
        assert first.mean == again.mean


class TestBest:
    def test_what_is_asked_for_is_taken_or_refused(self, tmp_path: Path):
        assert find_best(pets(tmp_path / "pets")).splits.name == "pets"
        with pytest.raises(InputError, match="data set mnist: expected"):
            find_best("mnist")

    @pytest.mark.parametrize("inside", [True, False])
    def test_the_users_folder_comes_first(self, fake_cifar: Path, cache: Path, monkeypatch, inside: bool):
        monkeypatch.setenv("SHOAL_DATA", str(fake_cifar if inside else fake_cifar.parent))
        choice = find_best(train_rows=10, validation=0)
        assert choice.splits.name == "cifar10"
        assert choice.why == "CIFAR-10, found by SHOAL_DATA"
        assert choice.better == ""

    def test_the_users_folder_may_be_the_name_of_a_set(self, monkeypatch):
        monkeypatch.setenv("SHOAL_DATA", "Digits")
        choice = find_best()
        assert (choice.splits.name, choice.data) == ("digits", "digits")
        assert choice.why == "scikit-learn's digits, found by SHOAL_DATA"
        monkeypatch.setenv("SHOAL_DATA", "mnist")
        assert "SHOAL_DATA: expected data that are here, got mnist" in find_best(offline=True).why

    def test_what_names_the_data_again(self, tmp_path: Path, fake_cifar: Path, monkeypatch):
        folder = pets(tmp_path / "pets")
        assert find_best(folder).data == str(folder)
        monkeypatch.setenv("SHOAL_DATA", str(folder))
        assert find_best().data == str(folder)
        monkeypatch.setenv("SHOAL_DATA", str(fake_cifar.parent))
        assert find_best(train_rows=10, validation=0).data == "cifar10"

    def test_a_size_for_folders_leaves_named_sets_alone(self, tmp_path: Path):
        assert find_best(pets(tmp_path / "pets"), folder_size=10).splits.shape[1:] == (10, 10)
        assert find_best("digits", folder_size=10).splits.shape == (1, 8, 8)
        assert find_best("digits", size=12, folder_size=10).splits.shape == (1, 12, 12)

    def test_the_users_own_images(self, tmp_path: Path, monkeypatch):
        monkeypatch.setenv("SHOAL_DATA", str(pets(tmp_path / "pets")))
        assert find_best().why == f"your images in {tmp_path / 'pets'}, found by SHOAL_DATA"

    def test_the_cache_comes_next(self, full_size: Path, cache: Path):
        cache.mkdir(parents=True)
        (cache / "mnist").symlink_to(full_size)
        choice = find_best(train_rows=100)
        assert choice.why == "MNIST, found in the cache"
        assert "shoal data fetch cifar10" in choice.better

    def test_digits_come_last_and_say_what_was_tried(self, cache: Path):
        choice = find_best()
        assert choice.splits.name == "digits"
        assert "fashion-mnist" in choice.why
        assert "cannot be reached" in choice.why
        assert "shoal data fetch fashion-mnist" in choice.better

    def test_offline_forbids_the_fetch(self, cache: Path):
        assert find_best(offline=True).why == "scikit-learn's digits, since nothing else is here"
        assert not cache.exists()

    def test_a_broken_set_in_the_cache_is_passed_over_and_named(self, cache: Path):
        write_idx(cache / "mnist", idx_contents())
        why = find_best(offline=True).why
        assert why.startswith("scikit-learn's digits")
        assert "as MNIST: expected 60000 × 28 × 28, got 12 × 5 × 5" in why

    def test_an_empty_data_folder_is_passed_over_and_named(self, tmp_path: Path, monkeypatch):
        monkeypatch.setenv("SHOAL_DATA", str(tmp_path))
        assert str(tmp_path) in find_best(offline=True).why
        with pytest.raises(InputError, match="expected CIFAR-10's binary release, IDX files"):
            find_best(root=tmp_path, offline=True)


class TestVerify:
    def test_wrong_sums_and_missing_files_have_their_rows(self, fake_cifar: Path, tmp_path: Path):
        folder = tmp_path / "cifar-10-batches-bin"
        folder.mkdir()
        for path in sorted(fake_cifar.iterdir())[:4]:
            (folder / path.name).symlink_to(path)
        rows = {Path(row.file).name: row for row in verify("cifar10", root=tmp_path)}
        assert rows["batches.meta.txt"].ok
        assert not rows["data_batch_1.bin"].ok
        assert rows["data_batch_1.bin"].expected == "sha1 aadd24acce27caa71bf4b10992e9e7b2d74c2540"
        assert rows["data_batch_1.bin"].got.startswith("sha1 ")
        assert rows["test_batch.bin"].got == "no such file"
        assert len(rows) == 7

    def test_the_archive_is_one_row(self, fake_cifar_archive: Path):
        (row,) = verify(fake_cifar_archive)
        assert (row.ok, row.expected) == (False, "md5 c32a1d4ab5d03f1284b67883e8d87530")

    def test_idx_files_are_verified_by_what_they_hold(self, full_size: Path, tmp_path: Path, monkeypatch):
        rows = verify("mnist", root=full_size.parent)
        assert [row.ok for row in rows] == [False] * 4
        assert all(row.got.endswith("of the content") for row in rows)
        packed = tmp_path / "mnist"
        packed.mkdir()
        for path in full_size.iterdir():
            (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        assert [row.got for row in verify("mnist", root=tmp_path)] == [row.got for row in rows]
        damaged = packed / "t10k-labels-idx1-ubyte.gz"
        damaged.write_bytes(damaged.read_bytes()[:-9])
        assert verify("mnist", root=tmp_path)[3].got.startswith("expected a whole gzip file")

    def test_any_idx_folder_can_be_verified(self, tmp_path: Path):
        write_idx(tmp_path / "letters", idx_contents())
        assert [row.ok for row in verify(tmp_path / "letters")] == [True] * 4
        (tmp_path / "letters" / "train-images-idx3-ubyte.gz").write_bytes(b"\0\0")
        assert [row.ok for row in verify(tmp_path / "letters")] == [False, True, True, True]

    def test_images_are_decoded(self, tmp_path: Path):
        folder = pets(tmp_path / "pets")
        (folder / "dog" / "3.png").write_bytes((folder / "dog" / "3.png").read_bytes()[:-20])
        wrong = [row for row in verify(folder) if not row.ok]
        assert [Path(row.file).name for row in wrong] == ["3.png"]
        assert "corrupt" in wrong[0].got

    def test_the_real_release_is_right(self, cifar10_root: Path):
        assert [row.ok for row in verify(cifar10_root)] == [True] * 7

    def test_what_is_not_there_cannot_be_verified(self):
        with pytest.raises(ShoalError, match="shoal data fetch mnist"):
            verify("mnist")
