"""`shoal circuits`: attention heads from rules: compiled and proved, learned, compared, and a page of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shoal.commands.output import show, showing_progress
from shoal.errors import wrong
from shoal.studies.circuits_config import HeadConfig

circuits = App(name="circuits", help="Attention heads from rules: compiled and proved, learned, compared.")


@circuits.command
def verify(
    rule: str,
    /,
    config: Annotated[HeadConfig, Parameter(name="*")] = HeadConfig(),  # noqa: B008 - frozen
    *,
    json: bool = False,
) -> None:
    """Compile a rule into one head, print its weights, and look at every input.

    Args:
        rule: as "same & not_self": token('A'), same, first, last, previous, at(2), not_self, joined by &, | and ~, or
            unique.
        config: what the head sees.
        json: print as JSON.
    """
    from shoal.studies.circuits_asked import verify_rule

    found = verify_rule(rule, config)
    show(found, found.lines(), json=json)


@circuits.command
def learn(
    rule: str,
    /,
    config: Annotated[HeadConfig, Parameter(name="*")] = HeadConfig(),  # noqa: B008 - frozen
    *,
    seeds: int = 20,
    seed: int = 0,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Train heads on a rule's outputs alone, and say how many are right on every input.

    Args:
        rule: see `shoal circuits verify`.
        config: what the heads see.
        seeds: how many heads, one initialisation each.
        seed: of the first.
        output: a .safetensors file that keeps the heads.
        json: print as JSON.
    """
    from shoal.studies.circuits_asked import learn_rule

    found = learn_rule(rule, config, seeds=seeds, seed=seed, output=output)
    show(found, found.lines(), json=json)


@circuits.command
def compare(
    one: str,
    other: str,
    /,
    config: Annotated[HeadConfig, Parameter(name="*")] = HeadConfig(),  # noqa: B008 - frozen
    *,
    json: bool = False,
) -> None:
    """Compare heads, whatever basis they are written in: rules, or files that `shoal circuits learn` wrote.

    Args:
        one: a rule or a .safetensors file.
        other: a rule or a .safetensors file; a rule is compared with every head of a file, two files are matched.
        config: what compiled heads see; where there is a file, it says that itself.
        json: print as JSON.
    """
    from shoal.studies.circuits_asked import compare_sides

    found = compare_sides(one, other, config)
    show(found, found.lines(), json=json)


@circuits.command
def page(
    rules: Sequence[str] = (),
    /,
    config: Annotated[HeadConfig, Parameter(name="*")] = HeadConfig(),  # noqa: B008 - frozen
    *,
    seeds: int = 3,
    output: Path = Path("circuits.html"),
    json: bool = False,
) -> None:
    """Write a page on which heads are taken apart: by hand and learned, for any sequence; it needs no network.

    Args:
        rules: see `shoal circuits verify`; a choice of them unless given.
        config: what the heads see.
        seeds: learned heads of each rule.
        output: the page.
        json: print as JSON.
    """
    from shoal.report.circuits import Exhibit, write_circuits_page
    from shoal.studies.circuits_asked import exhibits

    if output.suffix not in (".html", ".htm"):
        raise wrong("--output", expected="a file that ends in .html", got=output)
    with showing_progress() as progress:
        progress.say("training heads for the page")
        found = [Exhibit(*parts) for parts in exhibits(rules, config, seeds)]
    write_circuits_page(found, output)
    show({"page": str(output), "rules": [str(exhibit.rule) for exhibit in found]}, [str(output)], json=json)
