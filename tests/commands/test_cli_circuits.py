"""The commands around circuits: rules and heads of one's own, and the page."""

import json
from pathlib import Path

import pytest

from shoal.circuits import first, last, learn
from shoal.errors import InputError
from shoal.studies.circuits_asked import compare_sides, exhibits, learn_rule, verify_rule
from shoal.studies.circuits_config import HeadConfig
from shoal.studies.circuits_heads import save_heads
from tests.commands.process import Told, in_turn

SMALL = HeadConfig(vocabulary="AB", max_len=2)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Told]]:
    """Commands in turn, in one process: exit code, stdout and stderr of each."""
    folder = tmp_path_factory.mktemp("circuits")
    small = ["--vocabulary", "AB", "--max-len", "2"]
    words = [
        ["circuits", "verify", "same & not_self", "--max-len", "3"],
        ["circuits", "verify", "first", "--vocabulary", "cat,dog", "--max-len", "2", "--json"],
        ["circuits", "learn", "first", *small, "--seeds", "3", "--output", "mine.safetensors"],
        ["circuits", "compare", "first", "mine.safetensors", "--json"],  # the file says AB
        ["circuits", "page", "first", "last", *small, "--seeds", "1", "--output", "page.html"],
    ]
    return folder, in_turn(words, folder)


def test_verify_prints_tables_and_the_proof(told: tuple[Path, list[Told]]) -> None:
    (code, lines, errors), (_, answer, _) = told[1][:2]
    assert code == 0, errors
    assert "W_Q" in lines
    assert lines.splitlines()[-1].startswith("holds on 39 inputs: every input up to 3 tokens; margin ")
    found = json.loads(answer)
    assert found["inputs"] == ["cat", "dog", "p0", "p1"]
    assert found["proof"]["holds"] is True
    assert len(found["weights"]["W_Q"]) == 4


def test_learn_compare_and_page(told: tuple[Path, list[Told]]) -> None:
    (code, lines, errors), (_, answer, _), (_, page, _) = told[1][2:]
    assert code == 0, errors
    assert "3 of 3 heads hold on all 6 inputs [44%, 100%]" in lines
    assert lines.splitlines()[-1] == "heads: mine.safetensors"
    found = json.loads(answer)
    assert [pair["heads"] for pair in found["pairs"]] == [[0, 0], [0, 1], [0, 2]]
    assert min(pair["score"] for pair in found["pairs"]) > 0.5
    assert page == "page.html\n"
    assert "last()" in (told[0] / "page.html").read_text()


def test_answers() -> None:
    assert verify_rule("unique", SMALL).lines()[-1].startswith("holds on 6 inputs")
    learned = learn_rule("same", SMALL, seeds=2, seed=7)
    assert learned.seeds == [7, 8]
    assert learned.lines()[2].split() == ["seed", "right", "on", "margin", "leak", "named"]
    assert "score" in compare_sides("first", "last", SMALL).lines()[-1]
    ((rule, hand, heads, meaning),) = exhibits(["first"], SMALL, 1)
    assert (str(rule), len(heads), meaning) == ("first()", 1, "Every place copies the first token.")
    assert hand.layout == heads[0].layout


def test_two_files_are_matched(tmp_path: Path) -> None:
    ours, theirs = str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")
    heads = [learn(rule, "AB", 2, seeds=1)[0] for rule in (first(), last())]
    save_heads(ours, [heads[0], heads[1]], "first()")
    save_heads(theirs, [heads[1], heads[0]], "first()")
    found = compare_sides(ours, theirs, SMALL)
    assert [pair["heads"] for pair in found.pairs] == [[0, 1], [1, 0]]
    assert all(pair["score"] == pytest.approx(1) for pair in found.pairs)
    save_heads(ours, learn(first(), "AB", 3, seeds=1), "first()")
    with pytest.raises(InputError, match=r"heads: expected one max_len, got 3 and 2"):
        compare_sides(ours, theirs, SMALL)
