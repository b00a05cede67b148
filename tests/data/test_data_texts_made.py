"""Sets that are made of what every machine has: commit messages and docstrings."""

import ast
import inspect
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from shoal.data.texts import load_texts, read_docstrings, read_git_log
from shoal.data.texts.docstrings import docstrings_of, split_docstring
from shoal.data.texts.git_log import clean_body
from shoal.errors import InputError, ShoalError

BODY = "The cup was filled before the water was hot,\nso that nobody drank it."


def git(folder: Path, *words: str, env: dict[str, str] | None = None) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, env=clean | (env or {}))


def commit(folder: Path, message: str, author: str = "A <a@b>") -> None:
    git(folder, "commit", "--allow-empty", "--author", author, "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    commit(folder, f"Heat the water first\n\n{BODY}\n\nMore:\n- milk\n- sugar\n\nSigned-off-by: A <a@b>\nFixes: #3")
    commit(folder, "No body")
    commit(folder, "Short body\n\nNot enough.")
    commit(folder, f'Revert "Heat the water first"\n\n{BODY}')
    commit(folder, f"Bump tea from 1 to 2\n\n{BODY}")
    commit(folder, f"Stir\n\n{BODY} Indeed.", author="robot[bot] <r@b>")
    git(folder, "checkout", "-b", "side", "HEAD~3")
    commit(folder, f"Grüße\n\n{BODY} And smiled.")
    git(folder, "checkout", "main")
    git(folder, "merge", "--no-ff", "-m", f"Tea and side\n\n{BODY}", "side")
    return folder


class TestGitLog:
    def test_bodies_and_subjects(self, repository: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("GIT_DIR", "/nowhere")  # as within a hook
        pairs = read_git_log(repository)
        assert set(pairs.summaries) == {"Heat the water first", "Grüße"}
        document = pairs.documents[pairs.summaries.index("Heat the water first")]
        first = "The cup was filled before the water was hot, so that nobody drank it."
        assert document == f"{first}\nMore: - milk - sugar"
        assert str(repository) in pairs.source

    def test_by_name_and_by_path(self, repository: Path, monkeypatch: pytest.MonkeyPatch):
        for i in range(30):
            commit(repository, f"Change number {i}\n\n{i} times {BODY}")
        splits = load_texts("git-log", root=repository)
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [26, 3, 3]
        assert load_texts(splits.data).test.summaries == splits.test.summaries
        monkeypatch.chdir(repository)
        assert load_texts("Git Log").test.summaries == splits.test.summaries

    def test_what_is_no_repository_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
        with pytest.raises(InputError, match="expected a git repository, got none"):
            read_git_log(tmp_path)
        with pytest.raises(InputError, match="expected an existing folder"):
            read_git_log(tmp_path / "none")
        git(tmp_path, "init")
        with pytest.raises(ShoalError, match="does not have any commits yet"):
            read_git_log(tmp_path)
        commit(tmp_path, "No body")
        with pytest.raises(InputError, match="expected commits with a body of eight words, got none"):
            read_git_log(tmp_path)

    def test_a_machine_without_git(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ShoalError, match="git is not installed"):
            read_git_log(tmp_path)

    @pytest.mark.parametrize(
        "trailer",
        [
            "Signed-off-by: A <a@b>",
            "Co-Authored-By: B <b@c>",
            "Change-Id: I1234",
            "Link: https://example.org/1",
            "Closes #12",
            "(cherry picked from commit 0123abc)",
            "[a@b: whitespace]",
            "Differential Revision: https://example.org/D1",
        ],
    )
    def test_trailers_are_no_part_of_the_body(self, trailer: str):
        assert clean_body(f"Closes the lid: it\nis tea.\n\n{trailer}\n{trailer}\n") == "Closes the lid: it is tea."


class TestDocstrings:
    def test_the_same_are_found_as_by_parsing_whole_files(self):
        folder = Path(sysconfig.get_paths()["stdlib"])
        paths = sorted(folder.glob("*.py"))[::4]
        assert len(paths) > 20
        for path in paths:
            source = path.read_text(encoding="utf-8")
            nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            slow = [ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, nodes)]
            pairs = {pair for pair in map(split_docstring, filter(None, slow)) if pair}
            quick = {inspect.cleandoc(text) for text in docstrings_of(source)}
            assert {pair for pair in map(split_docstring, quick) if pair} == pairs, path

    @pytest.mark.parametrize(
        "docstring",
        [
            "Only one line.",
            "Two lines\nwithout a gap.\n\nThe first of them is no summary, as it seems here.",
            "Too little\n\nfollows.",
            "Examples.\n\n>>> these are no words that tell what it does, not at all",
        ],
    )
    def test_what_is_left_out(self, docstring: str):
        assert split_docstring(docstring) is None

    def test_underlines_and_examples_are_dropped(self):
        document, _ = split_docstring(
            "Brew it.\n\nNotes\n-----\nHeat the water, then wait until it boils.\n>>> brew()\n"
        ) or ("", "")
        assert document == "Notes Heat the water, then wait until it boils."

    def test_modules_are_not_split_and_the_order_is_fixed(self):
        pairs = read_docstrings((), most=400)
        assert len(pairs) == 400
        assert pairs.documents == read_docstrings(("no_such_package",), most=400).documents
        assert len(set(pairs.groups)) > 10
        assert pairs.source.startswith("docstrings of Python 3.")
        with pytest.raises(InputError, match="most: expected a whole number >= 1"):
            read_docstrings((), most=0)

    @pytest.mark.slow
    def test_all_of_them(self):
        splits = load_texts("docstrings")
        assert len(splits.train) > 5_000
        assert not {*splits.train.groups} & {*splits.validation.groups}
        assert not {*splits.train.groups} & {*splits.test.groups}
        assert "torch 2" in splits.source
