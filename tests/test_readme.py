"""The README's tree is the tree, its links lead somewhere, and its promises are short. Its code runs in tests/docs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_exits_take_five_lines() -> None:
    code, *_ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) == 5


def test_the_tree_is_there() -> None:
    (tree,) = re.findall(r"```\n(src/shoal/.*?)```", README, re.DOTALL)
    inside = re.findall(r"^  ([\w.]+/?) ", tree, re.MULTILINE)
    assert len(inside) >= 8
    for name in inside:
        assert (ROOT / "src" / "shoal" / name).exists(), name
    rooms = {path.name for path in (ROOT / "src" / "shoal").iterdir() if (path / "__init__.py").exists()}
    assert rooms == {name.rstrip("/") for name in inside if name.endswith("/")}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_commands_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    pages = [README, *(page.read_text() for page in [ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])]
    found = [match for page in pages for match in re.finditer(r"`make (\w+)|^make (\w+) +#", page, re.MULTILINE)]
    named = {match[1] or match[2] for match in found}
    assert named >= {"demo", "test", "docs"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
