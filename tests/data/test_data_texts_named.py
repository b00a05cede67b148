"""Named sets of texts: found, verified, fetched through apt (a made-up one here), and the best at hand."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shoal.data.texts import (
    TextPairs,
    describe_texts,
    fetch,
    fetch_texts,
    find_best_texts,
    list_text_sets,
    load,
    load_texts,
    read_docstrings,
    stored,
    verify_texts,
)
from shoal.data.texts.debian import read_lists
from shoal.data.texts.specs import DEBIAN
from shoal.errors import InputError, ShoalError
from tests.data.test_data_texts_files import rows_of, write_jsonl

PARTS = {"train": 40, "validation": 6, "test": 5}


def small_set(folder: Path) -> Path:
    """A set like Debian's, only small, with the manifest that a fetch writes."""
    start = 0
    for part, rows in PARTS.items():
        write_jsonl(folder / f"{part}.jsonl", rows_of(rows, start))
        start += rows
    stored.write_manifest(DEBIAN, folder, PARTS)
    return folder


def packages(n: int) -> tuple[str, str]:
    """Packages and Translation-en of n packages, two of each source."""
    lists, translations = [], []
    for i in range(n):
        long = f" The package number {i} does what\n no other of the packages does.\n .\n"
        long += f" It has:\n  * a part {i}\n  * another"
        text = f"does the thing {i}\n{long}\n"
        digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        lists.append(
            f"Package: p{i:03}\nSource: s{i // 2} (1.0)\nSection: misc\nDescription: does the thing {i}\n"
            f"Description-md5: {digest}\n"
        )
        translations.append(f"Package: p{i:03}\nDescription-md5: {digest}\nDescription-en: {text}")
    return "\n".join(lists), "\n".join(translations)


@pytest.fixture
def fake_apt(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An apt-get that copies made-up lists to where its settings say; the folder of the lists."""
    lists, folder = tmp_path / "archive", tmp_path / "bin"
    lists.mkdir()
    folder.mkdir()
    script = folder / "apt-get"
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/asked\n'
        'to=$(sed -n \'s/^Dir::State::Lists "\\(.*\\)";/\\1/p\' "$4")\n'
        f"ls {lists}/* > /dev/null 2>&1 || {{ echo 'W: no network' >&2; exit 0; }}\n"
        f'cp {lists}/* "$to"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(fetch, "_LEAST", 50)
    monkeypatch.setattr(fetch, "_HELD_OUT", 10)
    yield lists
    assert not list(cache.glob(".apt-*"))


def fill(lists: Path, n: int) -> None:
    for name, content in zip(("a_Packages", "a_Translation-en"), packages(n), strict=True):
        (lists / name).write_text(content)


class TestApt:
    def test_a_fetched_set(self, fake_apt: Path, cache: Path):
        fill(fake_apt, 120)
        told = []
        folder = fetch_texts(progress=lambda *words: told.append(words))
        assert folder == cache / "debian-descriptions"
        assert told
        splits = load_texts("debian-descriptions")
        parts = (splits.train, splits.validation, splits.test)
        assert [len(part) for part in parts] == [100, 10, 10]
        for i, part in enumerate(parts):
            for other in parts[i + 1 :]:
                assert not {*part.groups} & {*other.groups}
        row = splits.train.documents[0]
        number = splits.train.summaries[0].removeprefix("does the thing ")
        start = f"The package number {number} does what no other of the packages does."
        assert row == f"{start}\nIt has: * a part {number} * another"
        assert all(check.ok for check in verify_texts("debian-descriptions"))
        assert json.loads((folder / "train.jsonl").read_text().splitlines()[0])["section"] == "misc"

    def test_what_is_here_is_not_fetched_again(self, fake_apt: Path, tmp_path: Path):
        fill(fake_apt, 60)
        assert len(load_texts("debian-descriptions", offline=False).train) == 40
        load_texts("debian-descriptions", offline=False)
        fetch_texts()
        assert len((tmp_path / "asked").read_text().splitlines()) == 1

    def test_a_broken_set_is_made_again(self, fake_apt: Path, cache: Path):
        fill(fake_apt, 60)
        folder = fetch_texts()
        whole = (folder / "train.jsonl").read_bytes()
        (folder / "train.jsonl").write_bytes(whole[:2_000])
        with pytest.raises(ShoalError, match=r"train.jsonl, line .*the file is broken, delete it and get it again"):
            load_texts("debian-descriptions")
        assert (fetch_texts() / "train.jsonl").read_bytes() == whole
        assert [path.name for path in cache.iterdir()] == ["debian-descriptions"]

    def test_no_network(self, fake_apt: Path, cache: Path):
        with pytest.raises(ShoalError, match=r"brought no package lists \(W: no network\); is the network there"):
            fetch_texts()
        assert not list(cache.iterdir())

    def test_a_list_that_did_not_come(self, fake_apt: Path, cache: Path):
        fill(fake_apt, 20)
        with pytest.raises(ShoalError, match="brought 20 package descriptions, expected at least 50"):
            fetch_texts()
        assert not list(cache.iterdir())

    def test_a_machine_without_apt(self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ShoalError, match="come through apt-get, which is not here"):
            load_texts("debian-descriptions", offline=False)

    @pytest.mark.parametrize("name", ["aeslc", "docstrings", "git-log"])
    def test_other_sets_are_not_fetched(self, name: str):
        with pytest.raises(InputError, match=f"{name} cannot be fetched: "):
            fetch_texts(name)

    def test_packages_that_have_nothing_to_say_are_left_out(self, tmp_path: Path):
        fill(tmp_path, 4)
        content = (tmp_path / "a_Packages").read_text()
        extra = "\nPackage: x\nDescription: dummy\n Too short.\n\nPackage: y\nDescription-md5: unknown\n\nnonsense\n"
        twice = "\n" + content.replace("Package: p000", "Package: z000").partition("\n\n")[0] + "\n"
        (tmp_path / "a_Packages").write_text(content + extra + twice)
        assert [row.package for row in read_lists(tmp_path)] == ["p000", "p001", "p002", "p003"]

    @pytest.mark.slow
    def test_the_real_one(self, cache: Path):
        if not shutil.which("apt-get"):
            pytest.skip("needs apt-get: not a Debian or Ubuntu machine")
        try:
            fetch_texts()
        except ShoalError as error:
            if "no package lists" not in str(error):
                raise
            pytest.skip(f"needs Debian's archive: {error}")
        splits = load_texts("debian-descriptions")
        assert (len(splits.validation), len(splits.test)) == (2_000, 2_000)
        assert len(splits.train) > 20_000
        assert not {*splits.train.summaries} & {*splits.test.summaries}
        assert not {*splits.train.groups} & {*splits.test.groups}


class TestPlaces:
    def test_names(self, cache: Path):
        assert list_text_sets() == ("debian-descriptions", "aeslc", "docstrings", "git-log")
        with pytest.raises(InputError, match="unknown text set 'aesl'; did you mean 'aeslc'"):
            load_texts("aesl")
        with pytest.raises(InputError, match=rf"expected aeslc/ in one of {cache}, got none; get it from its authors"):
            load_texts("AESLC")
        with pytest.raises(InputError, match="got none; get it with shoal data fetch debian-descriptions"):
            load_texts("debian-descriptions")

    def test_a_set_in_the_usual_places(self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        small_set(cache / "debian-descriptions")
        assert "from the cache" in load_texts("debian-descriptions").source
        mine = small_set(tmp_path / "mine" / "debian-descriptions")
        for folder in (tmp_path / "mine", mine):
            monkeypatch.setenv("SHOAL_DATA", str(folder))
            splits = load_texts("debian-descriptions")
            assert f"from SHOAL_DATA ({mine})" in splits.source
        assert "the cache" not in load_texts("debian-descriptions", root=cache).source
        splits = load_texts(mine)
        assert (splits.name, len(splits.test)) == ("debian-descriptions", 5)

    def test_a_set_of_which_a_file_is_missing(self, cache: Path):
        folder = small_set(cache / "debian-descriptions")
        (folder / "test.jsonl").unlink()
        assert not describe_texts()[0].found
        with pytest.raises(InputError, match=r"got one without test\.jsonl; get it with shoal data fetch debian"):
            load_texts("debian-descriptions")

    @pytest.mark.parametrize("with_manifest", [True, False])
    def test_a_set_that_is_cut_off_between_rows(self, cache: Path, with_manifest: bool):
        folder = small_set(cache / "debian-descriptions")
        lines = (folder / "test.jsonl").read_bytes().splitlines(keepends=True)
        (folder / "test.jsonl").write_bytes(b"".join(lines[:-1]))
        wanted = "5 rows, got 4"
        if not with_manifest:
            (folder / "manifest.json").unlink()
            wanted = "54,537 rows, got 40"
        with pytest.raises(ShoalError, match=f"expected {wanted}; it may be cut off; get it again"):
            load_texts("debian-descriptions")
        assert [check.ok for check in verify_texts("debian-descriptions")] == [with_manifest, with_manifest, False]

    def test_a_manifest_that_cannot_be_read(self, cache: Path):
        folder = small_set(cache / "debian-descriptions")
        for content in ("{", "{}", '{"files": {}}'):
            (folder / "manifest.json").write_text(content)
            with pytest.raises(ShoalError, match=r"manifest.json: cannot be read; delete the folder"):
                load_texts("debian-descriptions")

    def test_what_is_there_is_described(self, cache: Path):
        rows = {row.name: row for row in describe_texts()}
        assert tuple(rows) == list_text_sets()
        assert [name for name, row in rows.items() if row.found] == ["docstrings", "git-log"]
        assert all(row.terms and row.source and row.content for row in rows.values())
        folder = small_set(cache / "debian-descriptions")
        assert describe_texts()[0].where == str(folder)

    def test_files_of_ones_own_are_verified_row_by_row(self, tmp_path: Path):
        write_jsonl(tmp_path / "train.jsonl", rows_of(3))
        write_jsonl(tmp_path / "test.jsonl", [{"document": "x"}])
        assert [check.ok for check in verify_texts(tmp_path)] == [True, False]
        assert "line 1" in verify_texts(tmp_path / "test.jsonl")[0].got


class TestBest:
    @pytest.fixture(autouse=True)
    def _few_docstrings(self, cache: Path, monkeypatch: pytest.MonkeyPatch):
        def few() -> TextPairs:
            return replace(read_docstrings((), most=300), source="few docstrings")

        monkeypatch.setattr(load, "read_docstrings", few)

    def test_what_is_asked_for(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "a.jsonl", rows_of(50))
        splits = find_best_texts(path)
        assert (splits.why, splits.data) == (f"{path}, as asked for", str(path))
        with pytest.raises(InputError, match="unknown text set"):
            find_best_texts("nothing")

    def test_in_order(self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        splits = find_best_texts(offline=True)
        assert splits.name == "docstrings"
        assert splits.why == "docstrings of what is installed, since nothing else is here"
        assert "shoal data fetch debian-descriptions" in splits.better
        assert load_texts().name == "docstrings"
        small_set(cache / "debian-descriptions")
        splits = find_best_texts(offline=True)
        assert splits.why == "Debian's package descriptions, found in the cache"
        assert splits.better == ""
        assert load_texts(splits.data).test.summaries == splits.test.summaries
        write_jsonl(tmp_path / "mine" / "train.jsonl", rows_of(50))
        monkeypatch.setenv("SHOAL_DATA", str(tmp_path / "mine"))
        assert find_best_texts().why == "mine, found by SHOAL_DATA"

    def test_it_is_fetched_unless_forbidden(self, fake_apt: Path):
        fill(fake_apt, 60)
        assert find_best_texts(offline=True).name == "docstrings"
        assert find_best_texts().why == "Debian's package descriptions, fetched now"

    def test_what_fails_is_passed_over_and_told(self, fake_apt: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
        why = find_best_texts().why
        assert "since nothing else is here (apt-get brought no package lists" in why
        monkeypatch.setenv("SHOAL_DATA", "/nowhere")
        assert "(SHOAL_DATA: expected an existing folder" in find_best_texts(offline=True).why
        with pytest.raises(InputError, match="data root: expected an existing folder"):
            find_best_texts(root="/nowhere")
