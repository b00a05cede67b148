"""`shoal attention`: linear attention on queries, keys and values of your own."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shoal.commands.output import show, showing_progress
from shoal.studies.attention_config import ErrorConfig

attention = App(name="attention", help="Linear attention on your own queries, keys and values.")


@attention.command
def error(
    file: Path,
    /,
    config: Annotated[ErrorConfig, Parameter(name="*")] = ErrorConfig(),  # noqa: B008 - frozen
    *,
    json: bool = False,
) -> None:
    """Find out which feature map reaches an error on your own q, k and v, or that exact attention is needed.

    Args:
        file: a safetensors file with tensors q, k and v: [batch, heads, seq, dim], [heads, seq, dim] or [seq, dim].
        config: what is asked.
        json: print as JSON.
    """
    from shoal.studies.attention_file import judge

    with showing_progress() as progress:
        found = judge(file, config, lambda candidate: progress.say(f"trying {candidate}"))
    show(found, found.lines(), json=json)
