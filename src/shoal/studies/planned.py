"""How long a study will train, as far as its settings say: what its networks are given, measuring not counted.

    planned_seconds(ExitsConfig(budget="quick"))        # three networks of 0.4 minutes each: 72 seconds

Small data may end a training sooner, and measuring comes on top; where settings count passes over the data (`epochs`),
or a study trains no network by the clock, nothing is planned.
"""

from functools import singledispatch

from shoal.studies import difficulty_config, exits_config, faces_config, summarize_config
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.faces_config import FacesStudyConfig
from shoal.studies.summarize_config import SummarizeConfig


def planned_seconds(config: object) -> float | None:
    """Seconds of training that a study's settings ask for; None where they name no time.

    Args:
        config: of any study; what is 0 follows the budget.

    Raises:
        InputError: if a setting is out of range.

    Example:
        >>> planned_seconds(ExitsConfig(minutes=2, smaller=(8, 6))), planned_seconds(ExitsConfig(epochs=3))
        (480.0, None)
    """
    return 60.0 * _minutes(config) or None


@singledispatch
def _minutes(config: object) -> float:  # noqa: ARG001 - attention and circuits train by steps
    return 0.0


@_minutes.register
def _(config: ExitsConfig) -> float:
    """A plain network, one with exits, and smaller ones."""
    config = exits_config.resolve(config)
    return config.minutes * (2 + len(config.smaller))


@_minutes.register
def _(config: DifficultyConfig) -> float:
    """A network, and a second one of another seed."""
    return 2 * difficulty_config.resolve(config).minutes


@_minutes.register
def _(config: SummarizeConfig) -> float:
    """The summarizer, one with exact and one with linear attention, and one that is made to overfit."""
    config = summarize_config.resolve(config)
    return config.minutes + 2 * config.compare_minutes + config.overfit_minutes


@_minutes.register
def _(config: FacesStudyConfig) -> float:
    """All networks, and those that are made compatible."""
    from shoal.studies.faces_training import jobs

    config = faces_config.resolve(config)
    if config.epochs:
        return 0.0
    return sum(job.minutes for job in jobs(config)) + config.seeds * config.harmonic_minutes
