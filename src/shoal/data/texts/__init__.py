"""Texts with summaries: find, fetch, verify, read, split without leaks.

    from shoal.data.texts import load_texts

    splits = load_texts("debian-descriptions")     # or "aeslc", "docstrings", "git-log", a file, a folder
    splits.train.documents[0], splits.train.summaries[0]

Rooms within: `pairs` (what is returned), `splits` (components that stay together), `files`, `rows` and `folders`
(the user's own), `specs` and `stored` (named sets in files), `debian` and `fetch` (from apt), `docstrings` and
`git_log` (made of what is here), `prose` (joined lines), `load` and `describe` (all of it together).
"""

from shoal.data.texts.describe import describe_texts, verify_texts
from shoal.data.texts.docstrings import read_docstrings
from shoal.data.texts.fetch import fetch_texts
from shoal.data.texts.files import read_documents, read_pairs
from shoal.data.texts.folders import holds_texts
from shoal.data.texts.git_log import read_git_log
from shoal.data.texts.load import find_best_texts, load_texts
from shoal.data.texts.pairs import TextPairs, TextSplits, deduplicate, digest_of, distinct_rows
from shoal.data.texts.specs import TextSpec, list_text_sets, match_text_spec
from shoal.data.texts.splits import split_pairs, with_test_rows

__all__ = [
    "TextPairs",
    "TextSpec",
    "TextSplits",
    "deduplicate",
    "describe_texts",
    "digest_of",
    "distinct_rows",
    "fetch_texts",
    "find_best_texts",
    "holds_texts",
    "list_text_sets",
    "load_texts",
    "match_text_spec",
    "read_docstrings",
    "read_documents",
    "read_git_log",
    "read_pairs",
    "split_pairs",
    "verify_texts",
    "with_test_rows",
]
