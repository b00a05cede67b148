"""Studies that failed, ready for the page: the report says so, with the error and what runs them again.

Example:
    >>> failed = Failure(study="exits", error="out of memory", command="shoal study exits")
    >>> failure_views([failed], taken=["exits"])[0].anchor
    'exits-2'
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shoal.report.anchors import slug, unique
from shoal.studies.failure import Failure


@dataclass(frozen=True, kw_only=True)
class FailureView:
    """A failed study with an anchor of its own."""

    anchor: str
    failure: Failure


def failure_views(failures: Sequence[Failure], *, taken: Sequence[str]) -> tuple[FailureView, ...]:
    """Prepare failures for the page.

    Args:
        failures: in the order of the page.
        taken: anchors that the page has already.
    """
    anchors = unique([*taken, *(slug(failure.study) for failure in failures)])[len(taken) :]
    return tuple(FailureView(anchor=anchor, failure=each) for anchor, each in zip(anchors, failures, strict=True))
