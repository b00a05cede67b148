"""Arrows point down: who may import whom, read off the source, and what an import brings along."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# From the ground up. A part may import what stands below it, never what stands beside it, except as EXCEPTIONS say.
FLOORS = (
    {"shoal", "errors"},
    {"files"},
    {"measure", "data", "nets", "engine"},
    {"attention", "circuits", "summarize", "difficulty", "exits", "faces", "gallery"},
    {"studies"},
    {"settings"},
    {"report"},
    {"web"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
EXCEPTIONS = {
    ("engine", "measure"): "the loop counts and times what it does",
    ("summarize", "attention"): "its attention may be linear",
    ("gallery", "faces"): "it keeps what their networks embed",
}
NEVER = {"torchvision", "timm"}  # models that users bring: on a CPU-only torch their wheels fail at import

# What `import shoal` and `shoal --help` do without, and what importing a system does without.
HEAVY = {"torch", "numpy", "scipy", "sklearn", "altair", "PIL", "tokenizers", "jinja2", "numba", "fastapi", "uvicorn"}
FOR_PICTURES_AND_PAGES = {"altair", "vl_convert", "jinja2", "fastapi", "uvicorn", "cyclopts", "rich"}

# A file above 400 lines needs a reason here.
LONG_FILES = {
    "tests/exits/test_exits_export.py": "every way to leave, of every policy, in both formats: one table of cases",
    "tests/difficulty/test_difficulty_depth.py": "the definitions of depth, each beside its slow reference",
    "tests/attention/test_attention_operator.py": "one operator, all its arguments, all against one reference",
    "tests/commands/test_cli_exits.py": "one story: fit, calibrate, sweep, export, each on what the last one left",
    "tests/difficulty/test_difficulty_nearest.py": "one function and the ways in which rounding could fool it",
    "tests/studies/test_stories.py": "six stories, told under every verdict by the same rules",
    "tests/circuits/test_circuits_agreement.py": "one score and all that it must not depend on",
}


def _modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found: dict[str, Path] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = _modules()


def _part(module: str) -> str:
    """The part of the house that a module of the package is in: shoal.exits.saving is in exits."""
    return module.split(".")[1] if "." in module else module


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), filename=str(file))


@cache
def imported(file: Path, *, at_import: bool = False) -> tuple[str, ...]:
    """Full names that a file imports; `at_import` leaves out what only functions and type checkers do."""
    return tuple(_names(file, at_import))


def _names(file: Path, at_import: bool) -> Iterator[str]:
    for node in _run_at_import(_tree(file)) if at_import else ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute, line {node.lineno} is not"
            assert node.module
            for name in node.names:  # a module, or a name in one
                inner = f"{node.module}.{name.name}"
                yield inner if inner in MODULES else node.module


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _run_at_import(child)


def _floor(part: str) -> int:
    for height, parts in enumerate(FLOORS):
        if part in parts:
            return height
    raise AssertionError(f"{part} stands on no floor: say in FLOORS what it may import")


def _allowed(part: str, other: str) -> bool:
    return part == other or (part, other) in EXCEPTIONS or _floor(other) < _floor(part)


def test_arrows_only_point_down() -> None:
    wrong = [
        f"{module} imports {name}: {_part(module)} must not know {_part(name)}"
        for module, file in MODULES.items()
        for name in imported(file)
        if name.split(".")[0] == "shoal" and not _allowed(_part(module), _part(name))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_rule_would_be_noticed() -> None:
    assert not _allowed("exits", "difficulty")
    assert not _allowed("attention", "summarize")
    assert not _allowed("measure", "engine")
    assert not _allowed("studies", "report")
    assert _allowed("summarize", "attention")
    with pytest.raises(AssertionError, match="stands on no floor"):
        _allowed("cellar", "measure")


def test_every_floor_and_exception_is_in_use() -> None:
    parts = {_part(module) for module in MODULES}
    assert set().union(*FLOORS) <= parts
    used = {(_part(module), _part(name)) for module, file in MODULES.items() for name in imported(file)}
    assert {pair for pair in EXCEPTIONS if pair[0] in parts} <= used


def test_no_module_imports_vision_models() -> None:
    for module, file in MODULES.items():
        assert not NEVER & {name.split(".")[0] for name in imported(file)}, module


def _reached(start: str) -> tuple[set[str], set[str]]:
    """Modules of the package, and names of other packages, that run when a module is imported."""
    own: set[str] = set()
    others: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module not in MODULES:
            others.add(module.split(".")[0])
        elif module not in own:
            own.add(module)
            waiting += [module.rpartition(".")[0]] * ("." in module)
            waiting += imported(MODULES[module], at_import=True)
    return own, others


@pytest.mark.parametrize("system", sorted(FLOORS[3] & {_part(module) for module in MODULES}))
def test_a_system_brings_along_itself_and_the_ground_floor(system: str) -> None:
    own, others = _reached(f"shoal.{system}")
    beside = {other for pair in EXCEPTIONS for other in pair[1:] if pair[0] == system}
    assert {_part(module) for module in own} & FLOORS[3] <= {system} | beside
    assert "torch" in others
    assert not others & FOR_PICTURES_AND_PAGES


@pytest.mark.parametrize("code", ["import shoal", "from shoal.cli import main\nmain(['--help'])"])
def test_nothing_heavy_isimported(code: str) -> None:
    listing = "import atexit, sys\natexit.register(lambda: print(*sys.modules, sep=chr(10), file=sys.stderr))\n"
    ran = subprocess.run([sys.executable, "-c", listing + code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = {line.split(".")[0] for line in ran.stderr.splitlines()}
    assert "shoal" in loaded
    assert not loaded & HEAVY


def test_files_are_short_or_say_why_they_are_not() -> None:
    root = SOURCE.parent
    files = [file for folder in ("src", "tests", "benchmarks", "docs") for file in (root / folder).rglob("*.py")]
    sizes = {file.relative_to(root).as_posix(): len(file.read_text().splitlines()) for file in files}
    long = {name for name, lines in sizes.items() if lines > 400}
    assert long - set(LONG_FILES) == set(), "split it, or give a reason in LONG_FILES"
    assert set(LONG_FILES) - long == set(), "no longer long: take it out of LONG_FILES"


def test_every_module_says_what_it_is() -> None:
    silent = [module for module, file in MODULES.items() if not ast.get_docstring(_tree(file))]
    assert silent == []
