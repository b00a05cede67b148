"""What is known about each named set of texts: its files, their checksums, how to get it, its terms.

A fact about a set is written down here only. The registry has four names, two of files and two that are made
of what every machine has.
"""

import re
from dataclasses import dataclass

from shoal.data.specs import Checksum, DataFile


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """One file of a set of texts.

    Attributes:
        part: "train", "validation" or "test".
        file: name, size and checksum, as published.
        rows: how many pairs it holds.
    """

    part: str
    file: DataFile
    rows: int


@dataclass(frozen=True, kw_only=True)
class TextSpec:
    """A named set of texts.

    Attributes:
        name: how Shoal calls it.
        title: how people call it.
        content: what it has, in a few words.
        terms: licence or terms in a few words.
        source: whom to cite.
        get: how to get it; empty where there is nothing to get.
        folder: the sub-folder that it has in the cache and in a data folder; empty where it has no files.
        files: what must lie in the folder.
        group: the field of what may not be split apart.
        better: why another set would tell more; empty if none would.
    """

    name: str
    title: str
    content: str
    terms: str
    source: str
    get: str = ""
    folder: str = ""
    files: tuple[TextFile, ...] = ()
    group: str = ""
    better: str = ""


def _file(part: str, name: str, rows: int, size: int, sha256: str) -> TextFile:
    checksum = Checksum(algorithm="sha256", digest=sha256)
    return TextFile(part=part, rows=rows, file=DataFile(name=name, size=size, checksum=checksum))


DEBIAN = TextSpec(
    name="debian-descriptions",
    title="Debian's package descriptions",
    content="54,537 + 2,000 + 2,000 long descriptions with their one-line synopsis",
    terms="each package's own",
    source="Debian bookworm (Packages and Translation-en of its archive)",
    get="shoal data fetch debian-descriptions (16 MB, by apt-get)",
    folder="debian-descriptions",
    files=(
        _file(
            "train",
            "train.jsonl",
            54_537,
            28_575_692,
            "870b51ca50cb7950a54eef4a453b8c79cba3bd5d8edb69c1c42995145234ba4f",
        ),
        _file(
            "validation",
            "validation.jsonl",
            2_000,
            1_037_874,
            "8a973dabeae9d2e6b5036d1ea54d5225d110fd99ee1957e9e921039e3e3b53ab",
        ),
        _file(
            "test",
            "test.jsonl",
            2_000,
            1_042_975,
            "faa56184f1d4e4647f13a9abf27a218767e53df742456d863f25159fa73dd159",
        ),
    ),
    group="source",
)

_TO_DEBIAN = f"`shoal data fetch {DEBIAN.name}` brings some 58,000 pairs on a Debian or Ubuntu machine (16 MB)"

# The authors publish 14,436 / 1,960 / 1,906 e-mails. Nothing is dropped of the first two; the third is not here.
AESLC = TextSpec(
    name="aeslc",
    title="AESLC",
    content="14,436 + 1,960 e-mails with their subject; three more subjects by people for each of the latter",
    terms="CC BY-NC-SA 4.0; never redistribute",
    source="Zhang & Tetreault 2019, This Email Could Save Your Life (arXiv 1906.03497)",
    get="from its authors, https://github.com/ryanzhumich/AESLC; put train.jsonl and dev.jsonl into SHOAL_DATA/aeslc",
    folder="aeslc",
    files=(
        _file(
            "train",
            "train.jsonl",
            14_436,
            13_121_908,
            "aad2aa5662d070eee7338d927b6b43bf551556c076990ee3700e86e55a3b17c6",
        ),
        _file(
            "validation",
            "dev.jsonl",
            1_960,
            2_031_862,
            "4054eee0f8c2f1290d0aacb84b5320a78f4bbfd8edbc1bd03018e00bdd3c6f3c",
        ),
    ),
)

DOCSTRINGS = TextSpec(
    name="docstrings",
    title="Docstrings of installed packages",
    content="some 7,700 docstrings of Python, torch and NumPy with their first line",
    terms="the Python licence; BSD of torch and NumPy",
    source="what is installed here",
    better=_TO_DEBIAN,
)

GIT_LOG = TextSpec(
    name="git-log",
    title="Commit messages",
    content="bodies of the commits of a repository with their subject",
    terms="their authors' own",
    source="the repository in the current folder",
    better=_TO_DEBIAN,
)

TEXT_SPECS = {spec.name: spec for spec in (DEBIAN, AESLC, DOCSTRINGS, GIT_LOG)}


def list_text_sets() -> tuple[str, ...]:
    """The names that `load_texts` knows.

    Example:
        >>> list_text_sets()
        ('debian-descriptions', 'aeslc', 'docstrings', 'git-log')
    """
    return tuple(TEXT_SPECS)


def match_text_spec(name: str) -> TextSpec | None:
    """The set of this name, or None; case, spaces, dashes and underscores do not matter.

    Args:
        name: for example "AESLC" or "Git_Log".

    Example:
        >>> match_text_spec("Git log").name
        'git-log'
    """
    plain = re.sub(r"[\s_-]", "", name.lower())
    return next((spec for spec in TEXT_SPECS.values() if spec.name.replace("-", "") == plain), None)
