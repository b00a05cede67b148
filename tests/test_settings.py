"""Every flag of every command can be set in a file or a variable; misspelt ones are named."""

from collections.abc import Iterator

import pytest
from cyclopts import App

from shoal.cli import app
from shoal.errors import InputError
from shoal.settings import check_environment, known_settings


def _flags(command: App) -> Iterator[tuple[str, str]]:
    """Pairs of a command's name and a flag, of a command and of all below it."""
    for argument in command.assemble_argument_collection() if command.default_command else ():
        for name in argument.names:
            if name.startswith("--"):
                yield " ".join(command.name), name.removeprefix("--").replace("-", "_")
    for name in command:
        if not name.startswith("-"):
            yield from _flags(command[name])


def test_every_flag_is_a_known_setting() -> None:
    known = known_settings()
    known |= {f"{how}_{name}" for how in ("no", "empty") for name in known}  # switches off, and lists without entries
    assert [(command, flag) for command, flag in _flags(app) if flag not in known] == []
    assert {"num_beams", "compare_minutes", "harmonic_minutes", "overfit_minutes"} <= known_settings()


def test_variables_of_every_study_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_COMPARE_MINUTES", "1")  # of faces and summarize
    monkeypatch.setenv("SHOAL_NUM_BEAMS", "2")
    check_environment()
    monkeypatch.setenv("SHOAL_NUM_BEAM", "2")
    with pytest.raises(InputError, match="SHOAL_NUM_BEAMS"):
        check_environment()
