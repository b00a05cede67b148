"""Made-up results of one study before and after a change, and of another study; nothing here was measured."""

from dataclasses import replace
from typing import Any

from shoal.report.compare import Run
from shoal.studies.result import Claim, Result, Table
from shoal.studies.story import Headline


def claim(name: str, effect: float, low: float, high: float, **changes: Any) -> Claim:
    """A claim that is true above 0, unless changed."""
    usual: dict[str, Any] = {"sentence": f"The <{name}> holds.", "measured": f"It was {effect}.", "bound": 0.0}
    usual |= {"direction": "above", "unit": "points"}
    return Claim(id=name, effect=effect, low=low, high=high, **usual | changes)


def before() -> Result:
    return Result(
        study="exits",
        title="Networks that <stop> early",
        summary=("Half of the arithmetic.",),
        command="shoal study exits --seed 0",
        settings={"seed": 0, "width": 16, "at": ["layer1", "layer2"], "learning_rate": 0.08},
        environment={"versions": {"torch": "2.13.0", "numpy": "2.4.6"}, "commit": "abc1234", "device": "cpu"},
        data={"name": "cifar10", "training": 45000},
        claims=(
            claim("moves", 2.0, 1.0, 3.0),
            claim("stays_about", 2.0, 0.5, 3.5),
            claim("is_the_same", 1.0, 0.5, 1.5),
            claim("is_counted", 27.0, 27.0, 27.0, unit="rows"),
            claim("is_not_settled", 0.0, 0.0, 0.0, unsettled="the network has not converged"),
            claim("has_another_unit", 1.0, 0.5, 1.5, unit="ms"),
            claim("goes", 1.0, 0.5, 1.5),
        ),
        tables=(
            Table(
                id="networks",
                title="The networks",
                columns=("network", "right, %", "MACs"),
                rows=(("plain", 93.71, 557), ("early exit", 93.58, 231), ("gone", 90.0, 100)),
            ),
            Table(id="changed", title="Another form", columns=("a",), rows=((1,),)),
        ),
        seconds={"train": 100.0, "measure": 20.0},
        headline=Headline(sentence="It stops early.", value="41 %", what="of the arithmetic"),
    )


def after() -> Result:
    first = before()
    return replace(
        first,
        command="shoal study exits --seed 1",
        settings={"seed": 1, "width": 16, "at": ["layer1", "layer3"], "learning_rate": 0.08, "new": True},
        environment={"versions": {"torch": "2.13.1", "numpy": "2.4.6"}, "commit": "abc1234", "device": "cpu"},
        claims=(
            claim("moves", -2.0, -3.0, -1.0),
            claim("stays_about", 0.5, -1.0, 2.0),
            claim("is_the_same", 1.0, 0.5, 1.5),
            claim("is_counted", 26.0, 26.0, 26.0, unit="rows"),
            claim("is_not_settled", 2.0, 1.0, 3.0),
            claim("has_another_unit", 0.001, 0.0005, 0.0015, unit="s"),
            claim("comes", 1.0, 0.5, 1.5),
        ),
        tables=(
            Table(
                id="networks",
                title="The networks",
                columns=("network", "right, %", "MACs"),
                rows=(("plain", 93.71, 557), ("early exit", 92.1, 231), ("<new>", 91.0, 120)),
            ),
            Table(id="changed", title="Another form", columns=("b",), rows=((1,),)),
        ),
        seconds={"train": 90.0, "measure": 20.0},
        headline=Headline(sentence="It stops earlier.", value="38 %", what="of the arithmetic"),
    )


def other_study() -> Result:
    return Result(
        study="attention",
        title="Attention",
        summary=("It knows its error.",),
        command="shoal study attention",
        claims=(claim("knows", 1.0, 0.5, 1.5),),
    )


def two_runs() -> list[Run]:
    return [Run(name="runs/before", result=before()), Run(name="runs/<after>", result=after())]
