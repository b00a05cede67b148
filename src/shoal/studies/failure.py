"""A study that did not end: what stopped it, for the report and the overview."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A study that failed; the others go on, and the report says so.

    Args:
        study: the study's name, for example "exits".
        error: what went wrong, in a line.
        command: what runs it again.
    """

    study: str
    error: str
    command: str
