"""Make an exercise's stub and its test from one source, so that stub, test and solution cannot drift apart.

    python docs/exercises/build.py             # writes e01_….py and test_e01_….py beside this file
    python docs/exercises/build.py my-copy     # the same into a folder of your own, to work in
    python docs/exercises/build.py --check     # says which files are not what their source makes

A source in `sources/` is a module that works: a page of text, functions, then `# <tests>`, then `# <mistakes>`.
What stands between `# <solution>` and `# </solution>` is left out of the stub. `MISTAKES` are replacements of a part of
the solution and what a test has to say about them; the tests of this repository hold the exercises to it.
"""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "sources"
OPENS, CLOSES, TESTS, MISTAKES = "# <solution>", "# </solution>", "# <tests>\n", "# <mistakes>\n"


@dataclass(frozen=True)
class Exercise:
    """One source, taken apart.

    Attributes:
        name: of the source, for example "01_gaussian_kernel".
        solved: page and functions, with the markers.
        tests: functions that begin with test_, and what they need.
        mistakes: what is replaced, by what, and what a test says then.
    """

    name: str
    solved: str
    tests: str
    mistakes: tuple[tuple[str, str, str], ...]

    @property
    def title(self) -> str:
        """The first line of the page."""
        return (ast.get_docstring(ast.parse(self.solved)) or "").splitlines()[0]

    @property
    def public(self) -> tuple[str, ...]:
        """Functions that the reader writes."""
        found = (node for node in ast.parse(self.solved).body if isinstance(node, ast.FunctionDef))
        return tuple(node.name for node in found)

    @property
    def stub(self) -> str:
        """The page and the functions without their solutions."""
        lines: list[str] = []
        inside = False
        for line in self.solved.splitlines():
            if line.strip() == OPENS:
                inside = True
                lines.append(line.replace(OPENS, 'raise NotImplementedError("this one is yours to write")'))
            elif line.strip() == CLOSES:
                inside = False
            elif not inside:
                lines.append(line)
        return "\n".join(lines).rstrip() + "\n"

    @property
    def test(self) -> str:
        """The test file, which imports the reader's functions."""
        head = f'"""Tests of exercise {self.name[:2]}: {self.title}"""\n\n'
        imports = self.solved[self.solved.index("\nimport ") :].split("\n\n\n")[0].strip().splitlines()
        own = [node for node in ast.parse(self.solved).body if isinstance(node, ast.FunctionDef | ast.Assign)]
        names = [node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node.targets[0]) for node in own]
        needed = sorted((name for name in names if _used(f"import {name}", self.tests)), key=_order)
        imports.append(f"from e{self.name} import {', '.join(needed)}")
        kept = [line for line in imports if _used(line, self.tests)]  # others are the solution's
        lines = sorted((line for line in kept if line), key=lambda line: (line.startswith("from "), line))
        gap = "\n\n\n" if self.tests.lstrip().startswith(("def ", "class ")) else "\n\n"
        return head + "\n".join(lines) + gap + self.tests.strip() + "\n"


def _order(name: str) -> tuple[bool, bool, str]:
    """As linters sort imports: constants, classes, functions."""
    return (not name.isupper(), not name[0].isupper(), name)


def _used(line: str, code: str) -> bool:
    """Whether a name that an import brings occurs in code."""
    names = line.rpartition("import ")[2].split(", ")
    found = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    return bool(found & set(names))


def read_exercises() -> list[Exercise]:
    """All exercises, in order."""
    return [_read(source) for source in sorted(SOURCES.glob("[0-9]*.py"))]


def _read(source: Path) -> Exercise:
    solved, _, rest = source.read_text().partition(TESTS)
    tests, _, mistakes = rest.partition(MISTAKES)
    (listed,) = ast.parse(mistakes).body
    assert isinstance(listed, ast.Assign)
    return Exercise(source.stem, solved.rstrip() + "\n", tests, tuple(ast.literal_eval(listed.value)))


def built(exercise: Exercise) -> dict[str, str]:
    """Names and contents of an exercise's two files."""
    return {f"e{exercise.name}.py": exercise.stub, f"test_e{exercise.name}.py": exercise.test}


def main(words: list[str]) -> int:
    """Write the files, or check them."""
    if words == ["--check"]:
        stale = [
            name
            for exercise in read_exercises()
            for name, text in built(exercise).items()
            if not (HERE / name).is_file() or (HERE / name).read_text() != text
        ]
        print("\n".join(stale) or "all files are what their sources make")
        return bool(stale)
    target = Path(words[0]) if words else HERE
    target.mkdir(parents=True, exist_ok=True)
    for exercise in read_exercises():
        for name, text in built(exercise).items():
            if words and (target / name).exists():
                print(f"{target / name} is there already and was left as it is", file=sys.stderr)
            else:
                (target / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
