"""Pairs from a Debian or Ubuntu archive: each package's long description, and its synopsis.

The archive's lists have both: Packages names the source package, the section and an MD5 sum of the description;
Translation-en has the description of each sum. The rows are the same as those of the set named
"debian-descriptions" for packages whose description is the same.

    for row in read_lists(Path("/var/lib/apt/lists")): ...
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shoal.data.texts.prose import MIN_WORDS, join_paragraphs


@dataclass(frozen=True)
class Description:
    """One package: `document` is the long description, a paragraph a line, `summary` the synopsis."""

    package: str
    summary: str
    document: str
    source: str
    section: str


def read_lists(folder: Path) -> list[Description]:
    """Every package of apt's lists whose long description has eight words or more, by name.

    Args:
        folder: with apt's unpacked lists (*_Packages and *_Translation-en).

    Returns:
        One row for each package name, sorted; of packages that differ in the name only, the first.
    """
    described = {}
    for path in sorted(folder.glob("*_Translation-en")):
        for stanza in stanzas(path):
            described.setdefault(stanza.get("Description-md5", ""), stanza.get("Description-en", ""))
    packages: dict[str, Description] = {}
    for path in sorted(folder.glob("*_Packages")):
        for stanza in stanzas(path):
            if (found := describe(stanza, described)) and found.package not in packages:
                packages[found.package] = found
    distinct = {(row.document, row.summary): row for _, row in sorted(packages.items(), reverse=True)}
    return sorted(distinct.values(), key=lambda row: row.package)


def describe(stanza: dict[str, str], described: dict[str, str]) -> Description | None:
    r"""The row of one package, or None if its description is missing or too short.

    Args:
        stanza: of Packages.
        described: the description of each MD5 sum.

    Example:
        >>> stanza = {"Package": "tea", "Source": "drinks (1.0)", "Section": "kitchen", "Description-md5": "17"}
        >>> row = describe(stanza, {"17": "hot drink\n Made of leaves that lie in\n hot water for minutes."})
        >>> row.summary, row.document, row.source
        ('hot drink', 'Made of leaves that lie in hot water for minutes.', 'drinks')
    """
    text = described.get(stanza.get("Description-md5", "")) or stanza.get("Description", "")
    summary, _, long = text.partition("\n")
    document = join_paragraphs(long.splitlines(), end=".")
    name = stanza.get("Package", "")
    if not name or not summary.strip() or len(document.split()) < MIN_WORDS:
        return None
    source = (stanza.get("Source") or name).split()[0]
    return Description(name, summary.strip(), document, source, stanza.get("Section", ""))


def stanzas(path: Path) -> Iterator[dict[str, str]]:
    """The fields of each stanza of a file in Debian's control format; continued lines keep their line ends.

    Args:
        path: in UTF-8.

    Source: Debian Policy Manual 4.7, section 5.1.
    """
    stanza: dict[str, list[str]] = {}
    field: list[str] = []
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            line = line.rstrip("\n")
            if not line.strip():
                if stanza:
                    yield {name: "\n".join(lines) for name, lines in stanza.items()}
                stanza, field = {}, []
            elif line[0] in " \t":
                field.append(line)
            else:
                name, _, value = line.partition(":")
                field = stanza[name] = [value.strip()]
    if stanza:
        yield {name: "\n".join(lines) for name, lines in stanza.items()}
