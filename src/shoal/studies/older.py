"""Results of versions that told no stories: told now, from what they hold."""

import importlib

from shoal.studies.result import Result

STORIES = {
    name: f"shoal.studies.{name}_story"
    for name in ("attention", "circuits", "difficulty", "exits", "faces", "summarize")
}


def with_story(result: Result) -> Result:
    """A result with its headline and story; as it is where it has them, or is of a study that nobody can tell.

    Args:
        result: of any version.
    """
    if result.story is not None or result.study not in STORIES:
        return result
    try:
        return importlib.import_module(STORIES[result.study]).tell(result)
    except LookupError:  # claims or tables that the story of now does not know
        return result
