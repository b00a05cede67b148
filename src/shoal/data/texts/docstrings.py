"""Pairs from the documentation of installed packages: the rest of a docstring, and its first line.

    splits = load_texts("docstrings")

Works offline anywhere, in seconds; which pairs there are depends on what is installed. Sources are read, never
imported. The texts are under the licence of their package: the Python licence, and BSD of torch and NumPy.
"""

import ast
import inspect
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from shoal.data.texts.pairs import TextPairs
from shoal.data.texts.prose import is_worth_a_summary, join_paragraphs
from shoal.errors import ShoalError, wrong

PACKAGES = ("torch", "numpy")
MOST = 10_000
_LEFT_OUT = {"test", "tests", "testing", "idle_test", "idlelib", "lib2to3", "site-packages", "dist-packages", "_vendor"}
# A docstring follows the colon that ends the head of a class or function, or the comments that open a file. To look
# for that takes a tenth of the time of parsing whole files: 5 s instead of 50 s for torch.
_DOCSTRING = re.compile(
    r"(?:\A(?:[ \t]*(?:#[^\n]*)?\n)*|:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*)[ \t]*"
    r"([rRuU]?)(\"\"\"|''')(.*?)(?<!\\)\2",
    re.DOTALL,
)


def read_docstrings(packages: Sequence[str] = PACKAGES, *, most: int = MOST) -> TextPairs:
    """Read docstrings of the standard library and of installed packages, grouped by module.

    A docstring counts if its first line stands alone and at least eight words follow; examples (>>>) are dropped.

    Args:
        packages: names to import them by, read after the standard library; those not installed are passed over.
        most: stop after so many pairs.

    Returns:
        The pairs in the order of modules, document a paragraph a line. The same installation gives the same.

    Raises:
        InputError: if `most` is not positive.
        ShoalError: if no sources are installed.

    Example:
        >>> pairs = read_docstrings(packages=(), most=3)
        >>> len(pairs), len(pairs.groups)
        (3, 3)
    """
    if most < 1:
        raise wrong("most", expected="a whole number >= 1", got=most)
    found: dict[tuple[str, str], str] = {}  # a pair that comes again is not counted again
    named = []
    for name, folder in _folders(packages):
        named.append(name)
        for module, document, summary in _pairs(folder):
            found.setdefault((document, summary), module)
            if len(found) == most:
                break
        if len(found) == most:
            break
    if not found:
        raise ShoalError("docstrings: no sources of Python or its packages are installed")
    documents, summaries = zip(*found, strict=True)
    return TextPairs(
        documents=documents,
        summaries=summaries,
        groups=tuple(found.values()),
        name="docstrings",
        source=f"docstrings of {', '.join(named)}",
    )


def split_docstring(docstring: str) -> tuple[str, str] | None:
    r"""(document, summary) of a docstring, or None if it has not both.

    Example:
        >>> split_docstring("Brew coffee.\n\nThe water is heated first, then it runs through\nthe powder.\n")
        ('The water is heated first, then it runs through the powder.', 'Brew coffee.')
    """
    summary, _, rest = inspect.cleandoc(docstring).partition("\n\n")
    summary = summary.strip()
    if "\n" in summary or len(summary.split()) < 2 or not rest:
        return None
    document = join_paragraphs(line for paragraph in rest.split("\n\n") for line in _prose(paragraph))
    return (document, summary) if is_worth_a_summary(document) else None


def _prose(paragraph: str) -> list[str]:
    lines = paragraph.splitlines()
    example = next((i for i, line in enumerate(lines) if line.lstrip().startswith(">>>")), len(lines))
    return [*(line for line in lines[:example] if re.search(r"\w", line)), ""]  # no underlines of headings


def _folders(packages: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """What is installed, with its version, and the folder of its sources."""
    yield f"Python {platform.python_version()}", Path(sysconfig.get_paths()["stdlib"])
    for name in packages:
        spec = find_spec(name) if "." not in name else None
        for place in (spec.submodule_search_locations or ()) if spec else ():
            try:
                yield f"{name} {version(name)}", Path(place)
            except PackageNotFoundError:
                yield name, Path(place)


def _pairs(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(module, document, summary) of each docstring below a folder."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if any(part in _LEFT_OUT or part.startswith((".", "test_")) for part in parts):
            continue
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        for docstring in docstrings_of(source):
            if pair := split_docstring(docstring):
                yield ".".join((folder.name, *parts)), *pair


def docstrings_of(source: str) -> Iterator[str]:
    r"""Each docstring of a Python source, as it stands there, without parsing the code around it.

    Args:
        source: of a file.

    Example:
        >>> list(docstrings_of('def f(x):\n    r\'\'\'One.\'\'\'\n    return x'))
        ['One.']
    """
    for match in _DOCSTRING.finditer(source):
        prefix, quotes, inner = match.groups()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes that mean nothing
            try:
                yield ast.literal_eval(prefix + quotes + inner + quotes)
            except (ValueError, SyntaxError):
                continue
