"""Where the settings of the commands come from: defaults < shoal.toml or --config FILE < SHOAL_… variables < flags.

A key or variable that no command knows is an error with the nearest name: a misspelt one would be ignored silently.
"""

import dataclasses
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Env

from shoal.errors import unknown_name, wrong

_OWN_VARIABLES = {"SHOAL_DATA"}  # names a folder of data sets, for every command


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Notebook:
    """What a lab notebook keeps besides; it goes into the report.

    Args:
        who: who made the run.
        with_whom: who else took part.
        resources: what was used besides: books, pages, advice.
        time_spent: in your own words; the computing time is measured.
        idea: which idea you found the most interesting, and why; for the answer sheet.
    """

    who: str = ""
    with_whom: str = ""
    resources: str = ""
    time_spent: str = ""
    idea: str = ""


class Environment(Env):
    """Settings from variables; SHOAL_DATA is no flag: `shoal.data` looks there when no flag names data."""

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Fill in what variables say."""
        others = ArgumentCollection(argument for argument in arguments if "--data" not in argument.names)
        super().__call__(app, commands, others)


def config_files(words: list[str]) -> tuple[list[str], list[Path]]:
    """Take `--config FILE` out of the words; without it, ./shoal.toml counts where it exists."""
    if "--config" not in words:
        here = Path("shoal.toml")
        return words, [_checked(here)] if here.exists() else []
    place = words.index("--config")
    if place + 1 >= len(words) or not Path(words[place + 1]).is_file():
        got = words[place + 1] if place + 1 < len(words) else "nothing"
        raise wrong("--config", expected="a TOML file", got=got)
    return words[:place] + words[place + 2 :], [_checked(Path(words[place + 1]))]


def _checked(file: Path) -> Path:
    """Refuse a settings file that is no TOML or holds a key that no command knows."""
    try:
        settings = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise wrong(f"settings file {file}", expected="TOML", got=error) from None
    for key in settings:
        if key.replace("-", "_") not in known_settings():
            raise unknown_name(f"setting in {file}", key, known_settings())
    return file


def known_settings() -> set[str]:
    """Names of all settings of all commands, as in a file, with "_" for "-"."""
    # here, as few runs have any to check, and making these classes takes longer than the rest of `shoal --help`
    from shoal.studies.attention_config import AttentionConfig, ErrorConfig
    from shoal.studies.circuits_config import CircuitsConfig, HeadConfig
    from shoal.studies.difficulty_asked_config import ScoringConfig
    from shoal.studies.difficulty_config import DifficultyConfig
    from shoal.studies.exits_asked_config import CalibratingConfig, FittingConfig, SweepingConfig
    from shoal.studies.exits_config import ExitsConfig
    from shoal.studies.faces_asked_config import (
        ClusteringConfig,
        EmbeddingConfig,
        FaceTrainingConfig,
        FaceVerifyingConfig,
    )
    from shoal.studies.faces_config import FacesStudyConfig
    from shoal.studies.summarize_asked_config import TextsConfig, TrainingConfig, WritingConfig
    from shoal.studies.summarize_config import SummarizeConfig

    studies = (AttentionConfig, CircuitsConfig, DifficultyConfig, ExitsConfig, FacesStudyConfig, SummarizeConfig)
    asked = (CalibratingConfig, ErrorConfig, FittingConfig, HeadConfig, ScoringConfig, SweepingConfig)
    faces = (ClusteringConfig, EmbeddingConfig, FaceTrainingConfig, FaceVerifyingConfig)
    texts = (TextsConfig, TrainingConfig, WritingConfig)
    classes = (*studies, *asked, *faces, *texts, Notebook)
    # of commands that have no class of settings
    own = {
        "run",
        "json",
        "output",
        "answers",
        "people",
        "texts",
        "thresholds",
        "validation",
        "port",
        "host",
        "runs",
        "open",
        *("person", "photos", "into", "way", "force", "head", "keep_photos", "keys", "name"),  # of a gallery
    }
    return {field.name for each in classes for field in dataclasses.fields(each)} | own


def check_environment() -> None:
    """A misspelt variable would be ignored silently; name it instead."""
    told = [variable for variable in os.environ if variable.startswith("SHOAL_") and variable not in _OWN_VARIABLES]
    if not told:
        return
    known = {f"SHOAL_{name.upper()}" for name in known_settings()} | _OWN_VARIABLES
    for variable in told:
        if variable not in known:
            raise unknown_name("environment variable", variable, known)
