"""The real sets, where they are: as many rows as published, and no test synopsis in the training rows."""

from pathlib import Path

import pytest

from shoal.data.texts import TextSplits, deduplicate, find_best_texts, load_texts, verify_texts


def load_real(name: str, data_root: Path) -> TextSplits:
    if not (data_root / name).is_dir():
        pytest.skip(f"needs {name}: {data_root / name} is missing")
    return load_texts(name, root=data_root)


@pytest.fixture(scope="module")
def debian(data_root: Path) -> TextSplits:
    return load_real("debian-descriptions", data_root)


@pytest.fixture(scope="module")
def aeslc(data_root: Path) -> TextSplits:
    return load_real("aeslc", data_root)


def test_debian(debian: TextSplits):
    assert [len(part) for part in (debian.train, debian.validation, debian.test)] == [54_537, 2_000, 2_000]
    for held_out in (debian.validation, debian.test):
        assert not {*debian.train.summaries} & {*held_out.summaries}
        assert not {*debian.train.groups} & {*held_out.groups}
    words = sum(len(document.split()) for document in debian.train.documents) / len(debian.train)
    assert 55 < words < 56.5


def test_debian_without_duplicates(debian: TextSplits):
    fewer = deduplicate(debian.train)
    assert 50_000 < len(fewer) < len(debian.train)
    assert len(deduplicate(fewer)) == len(fewer)


def test_aeslc(aeslc: TextSplits):
    """Nothing is dropped: these are the numbers that its authors publish."""
    assert [len(part) for part in (aeslc.train, aeslc.validation, aeslc.test)] == [14_436, 1_960, 0]
    assert {len(references) for references in aeslc.train.references} == {1}
    assert {len(references) for references in aeslc.validation.references} == {4}
    assert aeslc.held_out is aeslc.validation
    assert "CC BY-NC-SA 4.0" in aeslc.terms
    assert not {*deduplicate(aeslc.train, against=aeslc.validation).summaries} & {*aeslc.validation.summaries}


@pytest.mark.parametrize("name", ["debian-descriptions", "aeslc"])
def test_checksums(name: str, data_root: Path):
    load_real(name, data_root)
    assert all(check.ok for check in verify_texts(name, root=data_root))


def test_the_best(debian: TextSplits, data_root: Path):
    assert find_best_texts(root=data_root, offline=True).name == "debian-descriptions"
