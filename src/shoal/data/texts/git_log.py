"""Pairs from the history of a repository: what a commit says in its body, and the subject above it.

    splits = load_texts("git-log")                         # of the current folder
    splits = load_texts("git-log", root="~/src/linux")

Needs git, works offline anywhere. The messages belong to their authors.
"""

import os
import re
import subprocess
from pathlib import Path

from shoal.data.texts.pairs import TextPairs
from shoal.data.texts.prose import is_worth_a_summary, join_paragraphs
from shoal.errors import ShoalError, wrong

MOST_COMMITS = 200_000
_SECONDS = 300
_FIELD = "\x1f"
_TRAILER = re.compile(
    r"(?:[a-z]+-)+(?:by|id|to|from|revid)\s*:|(?:cc|fixes|closes|resolves|refs?|see-also|link|bug|issue|pr)\s*[:#]"
    r"|(?:fixes|closes|resolves|refs?)\s+#\d+|piperorigin-revid:|differential revision:|reviewers:|subscribers:"
    r"|pull request resolved:|\(cherry picked from commit [0-9a-f]+\)$|\[[^\]]*@[^\]]*\]$",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"(?:revert|reapply|bump)\b|(?:fixup|squash|amend)!|merge (?:branch|pull request|remote|tag)\b|release v?\d",
    re.IGNORECASE,
)


def read_git_log(repository: str | Path = ".", *, most_commits: int = MOST_COMMITS) -> TextPairs:
    r"""Read body and subject of the commits that lead to HEAD, newest first.

    Left out are merges, reverts, version bumps, commits of bots, and those whose body has less than eight words
    once its trailers (Signed-off-by and the like) are gone.

    Args:
        repository: a folder within it.
        most_commits: how far to go back.

    Returns:
        The pairs, document a paragraph a line.

    Raises:
        InputError: if it is no repository, or has no commit with a body.
        ShoalError: if git is missing or fails.

    Example:
        >>> print(clean_body("Since the cup is hot,\nwe wait.\n\nSigned-off-by: A <a@b>\n"))
        Since the cup is hot, we wait.
    """
    folder = Path(repository).expanduser()
    if not folder.is_dir():
        raise wrong(f"repository {folder}", expected="an existing folder", got="none")
    pairs = list(filter(None, map(_pair, _log(folder, most_commits).split("\0"))))
    if not pairs:
        raise wrong(f"git log of {folder}", expected="commits with a body of eight words", got="none")
    documents, summaries = zip(*pairs, strict=True)
    return TextPairs(
        documents=documents, summaries=summaries, name="git-log", source=f"commit messages of {folder.resolve()}"
    )


def clean_body(body: str) -> str:
    """A commit's body without the trailers at its end, a paragraph a line.

    Args:
        body: as git prints it.
    """
    lines = body.rstrip().splitlines()
    while lines and (not lines[-1].strip() or _TRAILER.match(lines[-1].strip())):
        lines.pop()
    return join_paragraphs(lines)


def _pair(commit: str) -> tuple[str, str] | None:
    """(document, summary) of a commit, or None if it is left out."""
    author, _, message = commit.lstrip("\n").partition(_FIELD)
    subject, _, body = message.partition(_FIELD)
    subject, document = subject.strip(), clean_body(body)
    if "[bot]" in author or "\ufffd" in message or _NOISE.match(subject) or not subject:
        return None
    return (document, subject) if is_worth_a_summary(document) else None


def _log(folder: Path, most_commits: int) -> str:
    command = ["git", "-C", str(folder), "-c", "i18n.logOutputEncoding=UTF-8", "log", "-z", "--no-merges"]
    command += ["--no-show-signature", "--no-color", f"--max-count={most_commits}", "--format=%an%x1f%s%x1f%b"]
    # A hook's GIT_DIR would lead to another repository than the folder that was asked for.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["LC_ALL"] = "C"  # what git says is looked at below
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=_SECONDS, check=False)
    except FileNotFoundError as error:
        raise ShoalError("git-log: git is not installed; install it, or take other texts") from error
    except subprocess.TimeoutExpired as error:
        raise ShoalError(f"git-log: git did not finish in {_SECONDS} s") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        if "not a git repository" in said[0]:
            raise wrong(f"git log of {folder}", expected="a git repository", got="none", fix="name another folder")
        raise ShoalError(f"git log of {folder}: {said[0]}")
    return done.stdout.decode(errors="replace")
