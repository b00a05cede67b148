"""Every block of code on README and docs: Python runs here, commands are understood here and run in the slow tier."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from benchmarks.pages import blocks_of, run_page, with_outputs

from tests.docs.pages import BLOCKS, PAGES, ROOT, commands_of, pages_with, quicker
from tests.docs.stages import STAGES, Stage

# What cannot run anywhere, by page, with a part of the reason that the page gives.
NOT_RUN = [
    ("README.md", "installs"),
    ("README.md", "serves until"),
    ("docs/gallery.md", "serves until"),
    ("docs/how-to/exits.md", "needs timm"),
    ("docs/how-to/gallery.md", "needs a server"),
    ("docs/learning.md", "tests fail until"),
    ("docs/tutorial.md", "installs"),
]
SHOWN = {"", "text", "console", "toml"}  # no code that runs, or parsed here
DIRECTIVES = {
    "{exercises}",
    "{toctree}",
    "{eval-rst}",
    "{literalinclude}",
    "{commands}",
}  # the site's build checks them
# Pages that train; their Python, which may go on with what their commands made, runs together with the commands.
SLOW_PAGES = {
    "docs/tutorial.md",
    "docs/tutorial-gallery.md",
    "docs/how-to/difficulty.md",
    "docs/how-to/faces.md",
    "docs/how-to/summarize.md",
}


@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, marks=pytest.mark.slow if page == "docs/faces.md" else ()
        )  # builds all of the paper's networks
        for page in pages_with("python")
        if page not in SLOW_PAGES
    ],
)
def test_the_python_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage, printed = STAGES[page], []
    names = stage.names()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchmarks.pages.run_python", _keeping(printed))
    run_page(page, tmp_path, stage.prepare, languages=("python",), names=names)
    found = printed[-1][0] if printed else names
    stage.check(found, "".join(text for _, text in printed))


def _keeping(printed: list):
    """`run_python` that remembers the namespace and what was printed."""
    from benchmarks.pages import run_python

    def run(block, code, names):
        printed.append((names, run_python(block, code, names)))
        return printed[-1][1]

    return run


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
@pytest.mark.parametrize("page", pages_with("sh"))
def test_the_commands_of_a_page_run(page: str, tmp_path: Path) -> None:
    stage = STAGES.get(page, Stage())
    languages = ("sh", "python") if page.startswith(("docs/how-to", "docs/tutorial")) else ("sh",)
    prepare = lambda code: stage.prepare(quicker(code))  # noqa: E731
    outputs = run_page(page, tmp_path, prepare, languages=languages, slow=True, names=stage.names())
    shown = {block.output for block in blocks_of(page) if block.output and block.language in languages}
    assert set(outputs) == shown
    assert all(text.strip() for text in outputs.values())


def test_commands_are_understood() -> None:
    from shoal.cli import app

    found = 0
    for block in BLOCKS:
        for line in commands_of(block.code) if block.language == "sh" else ():
            for part in re.split(r"\s*\|\s*", line):
                words = shlex.split(part, comments=True)
                if words and words[0].removeprefix(".venv/bin/") == "shoal":
                    words = words[1 : words.index(">") if ">" in words else None]
                    command, _bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
                    assert callable(command), (block.place, line)
                    found += 1
    assert found > 30


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_block_that_nobody_looks_at(page: str) -> None:
    for block in blocks_of(page):
        if block.language == "toml":
            tomllib.loads(block.code)
        elif block.language == "python":
            compile(block.code, block.place, "exec")
        assert block.language in {"python", "sh", *SHOWN, *DIRECTIVES}, block.place


def test_what_does_not_run_says_why() -> None:
    found = [(block.page, block.why) for block in BLOCKS if block.mark == "not run"]
    assert len(found) == len(NOT_RUN), found
    for (page, why), (expected, part) in zip(found, NOT_RUN, strict=True):
        assert page == expected
        assert part in why


def test_pages_show_what_was_printed() -> None:
    import json

    record = json.loads((ROOT / "benchmarks" / "records" / "pages.json").read_text())
    for page in PAGES:
        text = (ROOT / page).read_text()
        wanted = {block.output for block in blocks_of(page) if block.output}
        outputs = record[page]["outputs"] if wanted else {}
        assert wanted <= set(outputs), page
        assert with_outputs(text, outputs) == text, page


def test_a_block_that_fails_names_its_line(tmp_path: Path) -> None:
    from benchmarks.pages import run_shell

    (block,) = blocks_of("a page", "text\n\n<!-- slow: three -->\n```sh\nfalse\n```\n\n<!-- output: lines -->\n")
    assert (block.line, block.mark, block.why, block.output) == (4, "slow", "three", "lines")
    with pytest.raises(RuntimeError, match="a page:4: exit code 1"):
        run_shell(block, block.code, tmp_path, {"PATH": "/usr/bin:/bin"})
