"""CIFAR-10's binary release, IDX files and digits: read right, or refused in one line."""

import gzip
import shutil
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shoal.data.cifar import read_cifar10
from shoal.data.digits import read_digits
from shoal.data.idx import read_idx, read_idx_folder
from shoal.data.specs import CIFAR10, FASHION_MNIST
from shoal.errors import InputError, ShoalError
from tests.data.helpers import MARKED_ROWS, cifar_row, idx_bytes, idx_contents, write_idx


def links(source: Path, target: Path) -> Path:
    """A copy of a folder that costs nothing; a test that changes a file replaces its link."""
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).symlink_to(path)
    return target


class TestCifar:
    @pytest.mark.parametrize("form", ["fake_cifar", "fake_cifar_archive"])
    def test_rows_lie_where_the_format_says(self, form: str, request: pytest.FixtureRequest):
        data = read_cifar10(request.getfixturevalue(form))
        assert data.test is not None
        assert (len(data.train), len(data.test)) == (50_000, 10_000)
        for file in range(6):
            part, start = (data.train, 10_000 * file) if file < 5 else (data.test, 0)
            for row in MARKED_ROWS:
                expected = np.frombuffer(cifar_row(file, row), dtype=np.uint8)
                assert int(part.labels[start + row]) == expected[0]
                assert torch.equal(part.images[start + row].flatten(), torch.from_numpy(expected[1:].copy()))

    @pytest.mark.parametrize("length", [0, 100, 30_729_999, 30_730_001])
    def test_another_length_is_refused(self, fake_cifar: Path, tmp_path: Path, length: int):
        folder = links(fake_cifar, tmp_path / "c")
        (folder / "data_batch_3.bin").unlink()
        with (folder / "data_batch_3.bin").open("wb") as file:
            file.truncate(length)
        with pytest.raises(ShoalError, match=rf"data_batch_3.bin: expected 30,730,000 bytes, got {length:,} bytes"):
            read_cifar10(folder)

    def test_a_missing_file_is_named(self, fake_cifar: Path, tmp_path: Path):
        folder = links(fake_cifar, tmp_path / "c")
        (folder / "test_batch.bin").unlink()
        with pytest.raises(ShoalError, match=r"test_batch.bin: .* no such file; fetch it again"):
            read_cifar10(folder)

    def test_a_label_that_cannot_be_is_corruption(self, fake_cifar: Path, tmp_path: Path):
        folder = links(fake_cifar, tmp_path / "c")
        (folder / "data_batch_1.bin").unlink()
        shutil.copyfile(fake_cifar / "data_batch_1.bin", folder / "data_batch_1.bin")
        with (folder / "data_batch_1.bin").open("r+b") as file:
            file.seek(3073 * 77)
            file.write(b"\x0a")
        with pytest.raises(ShoalError, match=r"data_batch_1.bin: a label above 9"):
            read_cifar10(folder)

    def test_other_classes_are_refused(self, fake_cifar: Path, tmp_path: Path):
        folder = links(fake_cifar, tmp_path / "c")
        (folder / "batches.meta.txt").unlink()
        (folder / "batches.meta.txt").write_text("apple\nfish\n")
        with pytest.raises(InputError, match=r"expected airplane .* got apple fish"):
            read_cifar10(folder)

    def test_the_python_release_is_refused_unopened(self, tmp_path: Path):
        folder = tmp_path / "cifar-10-batches-py"
        folder.mkdir()
        (folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
        archive = tmp_path / "renamed.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(folder, arcname=folder.name)
        (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
        for path in (folder, tmp_path / "cifar-10-python.tar.gz", archive):
            with pytest.raises(InputError, match=r"binary release, cifar-10-binary.tar.gz .* pickles"):
                read_cifar10(path)

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
    def test_a_truncated_archive_is_refused(self, fake_cifar_archive: Path, tmp_path: Path, share: float):
        content = fake_cifar_archive.read_bytes()
        path = tmp_path / "cifar-10-binary.tar.gz"
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ShoalError, match=r"cifar-10-binary.tar.gz: expected .*fetch it again"):
            read_cifar10(path)

    def test_no_archive_at_all_is_refused(self, tmp_path: Path):
        path = tmp_path / "cifar-10-binary.tar.gz"
        path.write_bytes(b"<html>not found</html>")
        with pytest.raises(ShoalError, match=r"expected a whole .tar.gz"):
            read_cifar10(path)

    def test_the_real_release_has_its_known_first_labels_and_constants(self, cifar10_root: Path):
        data = read_cifar10(cifar10_root)
        assert data.test is not None
        first = [CIFAR10.classes[int(label)] for label in (data.train.labels[0], data.test.labels[0])]
        assert first == ["frog", "cat"]
        assert data.train.counts == (5000,) * 10
        # The constants that the field uses, for example Jordan 2024's code.
        splits = data.split(validation=0)
        assert [round(m, 4) for m in splits.mean] == [0.4914, 0.4822, 0.4465]
        assert [round(s, 4) for s in splits.std] == [0.2470, 0.2435, 0.2616]


class TestIdx:
    @given(
        shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
        packed=st.booleans(),
        data=st.data(),
    )
    def test_what_was_written_is_read(self, tmp_path_factory, shape, packed, data):
        values = data.draw(st.binary(min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        array = np.frombuffer(values, dtype=np.uint8).reshape(shape)
        path = tmp_path_factory.mktemp("idx") / "file"
        path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
        assert np.array_equal(read_idx(path, dims=len(shape)).numpy(), array)

    @pytest.mark.parametrize("packed", [True, False])
    def test_a_folder_is_two_sets_of_rows(self, tmp_path: Path, packed: bool):
        contents = idx_contents()
        data = read_idx_folder(write_idx(tmp_path / "letters", contents, packed=packed))
        assert data.test is not None
        assert (data.train.name, data.train.classes) == ("letters", ("0", "1", "2"))
        assert data.train.shape == data.test.shape == (1, 5, 5)
        assert data.test.labels.tolist() == [0, 1, 2, 0, 1, 2]
        assert data.train.images.numpy().tobytes() == contents["train-images-idx3-ubyte"][16:]

    def test_names_with_a_dot_are_found(self, tmp_path: Path):
        write_idx(tmp_path, {k.replace("-idx", ".idx"): v for k, v in idx_contents().items()}, packed=False)
        assert len(read_idx_folder(tmp_path).train) == 12

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"", "magic number"),
            (b"\0\0\x08", "magic number"),
            (struct.pack(">III", 0x0802, 2, 2) + b"abcd", "0x00000803 and 3 dimensions, got 00000802"),
            (struct.pack(">IIII", 0x0D03, 1, 2, 2) + b"abcd", "got 00000d03"),
            (struct.pack(">IIII", 0x0803, 1, 2, 2) + b"abc", "expected 4 bytes of data, got 3"),
            (struct.pack(">IIII", 0x0803, 1, 2, 2) + b"abcde", "expected 4 bytes of data, got more"),
            (struct.pack(">IIII", 0x0803, 0, 2, 2), "between 1 and"),
            (struct.pack(">IIII", 0x0803, 2**31, 2**31, 2**31) + b"abcd", "between 1 and"),
        ],
    )
    @pytest.mark.parametrize("packed", [True, False])
    def test_wrong_bytes_are_refused(self, tmp_path: Path, content: bytes, complaint: str, packed: bool):
        path = tmp_path / "train-images-idx3-ubyte"
        path.write_bytes(gzip.compress(content) if packed else content)
        with pytest.raises(ShoalError, match=f"train-images-idx3-ubyte: expected .*{complaint}|{complaint}"):
            read_idx(path, dims=3)

    @pytest.mark.parametrize("damage", ["cut", "flip", "checksum"])
    def test_a_damaged_gzip_is_refused(self, tmp_path: Path, damage: str):
        raw = bytearray(gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (9, 20, 20)))))
        if damage == "cut":
            del raw[-300:]
        else:
            raw[len(raw) // 2 if damage == "flip" else -6] ^= 0xFF
        (tmp_path / "x.gz").write_bytes(raw)
        with pytest.raises(ShoalError, match=r"x.gz: expected a whole gzip file"):
            read_idx(tmp_path / "x.gz", dims=3)

    def test_parts_that_do_not_fit_are_refused(self, tmp_path: Path):
        contents = idx_contents()
        contents["train-labels-idx1-ubyte"] = idx_bytes(np.zeros(11))
        with pytest.raises(ShoalError, match="expected a label an image, got 11 for 12"):
            read_idx_folder(write_idx(tmp_path, contents))

    def test_another_set_under_a_known_name_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="as Fashion-MNIST: expected 60000 × 28 × 28, got 12 × 5 × 5"):
            read_idx_folder(write_idx(tmp_path, idx_contents()), FASHION_MNIST)

    def test_a_missing_file_is_named(self, tmp_path: Path):
        contents = idx_contents()
        del contents["t10k-images-idx3-ubyte"]
        with pytest.raises(ShoalError, match=r"expected t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz"):
            read_idx_folder(write_idx(tmp_path, contents))


def test_digits_are_scikit_learn_s_in_full_range():
    from sklearn.datasets import load_digits

    images, target = load_digits(return_X_y=True)
    data = read_digits().train
    assert (int(data.images.min()), int(data.images.max())) == (0, 255)
    assert np.abs(data.images.flatten(1).numpy() - images * 255 / 16).max() <= 0.5
    assert np.array_equal(data.labels.numpy(), target)
