"""What is given away: the wheel holds the package and nothing else, its version is said once, and it runs elsewhere."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import shoal

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "shoal"
LARGEST = 3_000_000  # bytes of an archive


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, built from the sdist as an index would, and the sdist."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", target, ROOT]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, sdist


def _of_package() -> Iterator[str]:
    """Files that belong into a wheel, by their names there."""
    for path in PACKAGE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(".partial"):
            yield f"shoal/{path.relative_to(PACKAGE).as_posix()}"


def test_the_wheel_holds_the_package_and_nothing_else(archives: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(archives[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == set(_of_package())
    for needed in ("shoal/py.typed", "shoal/report/templates/page.html", "shoal/report/templates/report.css"):
        assert needed in names
    assert any(name.startswith("shoal/web/static/") for name in names)
    assert archives[0].stat().st_size < LARGEST


def test_the_wheel_says_what_it_is(archives: tuple[Path, Path]) -> None:
    wheel, _ = archives
    assert wheel.name == f"shoal-{shoal.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:
        about = f"shoal-{shoal.__version__}.dist-info"
        metadata = opened.read(f"{about}/METADATA").decode()
        assert opened.read(f"{about}/entry_points.txt").decode().split() == [
            "[console_scripts]",
            "shoal",
            "=",
            "shoal.cli:main",
        ]
        assert f"{about}/licenses/LICENSE" in opened.namelist()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    for extra in ("export", "fast"):
        assert f"Provides-Extra: {extra}" in metadata


def test_the_sdist_holds_what_a_reader_needs_and_no_data(archives: tuple[Path, Path]) -> None:
    _, sdist = archives
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    for needed in (
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CITATION.cff",
        "Makefile",
        "constraints.txt",
        "tests/conftest.py",
    ):
        assert needed in names
    private = (".data/", ".venv/", ".git/", "runs/", "dist/", "build/")
    assert [name for name in names if name.startswith(private) or "__pycache__" in name] == []
    assert sdist.stat().st_size < LARGEST


def test_the_version_is_the_same_everywhere() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    heading = re.search(r"^## (\S+) \((\d{4}-\d{2}-\d{2})\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading, "the newest heading of CHANGELOG.md names a version and a date"
    assert heading[1] == shoal.__version__
    assert f"\nversion: {heading[1]}\n" in citation
    assert f"\ndate-released: {heading[2]}\n" in citation
    assert "\nlicense: Apache-2.0\n" in citation


def test_what_is_imported_is_what_is_required() -> None:
    """Every package that the library imports at the top of a module is one that pip installs with it."""
    from tests.test_layers import MODULES, imported

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    distributions = {re.split(r"[<>=\[ ]", line)[0].lower().replace("-", "_") for line in project["dependencies"]}
    named = {"PIL": "pillow", "sklearn": "scikit_learn", "vl_convert": "vl_convert_python"}
    named |= {"multipart": "python_multipart"}
    named |= {"markupsafe": "jinja2", "starlette": "fastapi"}  # parts of what is required, which they cannot be without
    found = {name.split(".")[0] for file in MODULES.values() for name in imported(file, at_import=True)}
    others = found - sys.stdlib_module_names - {"shoal"}
    assert {named.get(name, name).lower() for name in others} <= distributions


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_wheel_in_an_empty_environment_runs_the_demo(archives: tuple[Path, Path], tmp_path: Path) -> None:
    """Installed as a user would, with nothing of this repository in reach: minutes, and most of a gigabyte."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pinned = ["-c", ROOT / "constraints.txt"]
    subprocess.run([*pip, *pinned, "torch==2.13.0"], check=True)
    subprocess.run([*pip, *pinned, archives[0]], check=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SHOAL_", "PYTHON"))}
    clean |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    work = tmp_path / "work"
    work.mkdir()
    command = [home / "bin" / "shoal", "demo", "--offline", "--minutes", "0.02"]
    found = subprocess.run(command, cwd=work, env=clean, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "report: runs/demo/report.html"
    assert (work / "runs" / "demo" / "report.html").stat().st_size > 100_000
