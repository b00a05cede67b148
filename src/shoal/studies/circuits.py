"""The circuits study: attention heads set by hand, proved, and held against learned ones; and a transformer's heads.

    result = CircuitsStudy(CircuitsConfig(budget="quick")).run("runs/circuits")

It needs no data: every input of a rule is looked at, and the transformer's sequences are random.
"""

from dataclasses import dataclass

from shoal.circuits import Head
from shoal.circuits.rules import AnyRule
from shoal.engine import Progress, RunFolder, describe_environment
from shoal.studies.circuits_claims import all_claims
from shoal.studies.circuits_config import CircuitsConfig, resolve
from shoal.studies.circuits_findings import summary, tables
from shoal.studies.circuits_measurements import good_heads, measure
from shoal.studies.circuits_pictures import pictures
from shoal.studies.circuits_story import tell
from shoal.studies.circuits_tasks import TASKS, Task, short_tasks
from shoal.studies.circuits_transformer import LENGTH, TOKENS
from shoal.studies.measured_rows import Rows
from shoal.studies.repeating import name_run, plain_settings, repeating_command
from shoal.studies.result import Result
from shoal.studies.study import Study
from shoal.studies.threads import threads

THREADS = 1  # of torch: the products are small
ON_THE_PAGE = 3  # learned heads of each rule


@dataclass(frozen=True)
class Pair:
    """A rule with the heads that a reader may take apart.

    Attributes:
        task: with the rule.
        rule: that all follow.
        hand: the compiled head.
        learned: heads that hold on every input; at least one.
    """

    task: Task
    rule: AnyRule
    hand: Head
    learned: list[Head]


class CircuitsStudy(Study):
    """The study, ready to run.

    Args:
        config: the settings; what is 0 follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.

    Attributes:
        pairs: after the run, heads for the page: see `shoal.report.circuits`.

    Raises:
        InputError: if a setting is wrong.
    """

    name = "circuits"
    says: tuple[str, ...] = ("every input of a rule is made; no data set is needed",)

    def __init__(self, config: CircuitsConfig, notes: dict[str, str] | None = None):
        self.config, self.notes = resolve(config), notes or {}
        self.identity = {"study": self.name, "settings": plain_settings(self.config)}
        self.run_name = name_run(self.name, self.config.budget, self.identity)
        self.pairs: tuple[Pair, ...] = ()

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        config = self.config
        with threads(THREADS):
            environment = describe_environment(seed=config.seed, device="cpu", why="heads this small gain nothing else")
            run.record_environment(environment)
            rows = Rows(run)
            measured = measure(config, rows, progress)
            self.pairs = self._pairs(rows)
        result = Result(
            study=self.name,
            title="Attention by hand and learned",
            summary=summary(measured),
            command=repeating_command(self.name, config, resolve(CircuitsConfig(budget=config.budget))),
            settings=plain_settings(config),
            environment=environment,
            data=_about(config),
            claims=all_claims(measured),
            tables=tables(config, measured),
            pictures=pictures(measured),
            seconds=rows.seconds(),
            notes=self.notes,
        )
        return tell(result)

    def _pairs(self, rows: Rows) -> tuple[Pair, ...]:
        found = ((task, good_heads(self.config, rows, task, ON_THE_PAGE)) for task in short_tasks())
        return tuple(Pair(task, task.parsed, task.by_hand(), heads) for task, heads in found if heads)


def _about(config: CircuitsConfig) -> dict[str, str | int]:
    """The inputs in words."""
    return {
        "name": "every sequence of each rule's tokens",
        "rules": ", ".join(task.name for task in TASKS),
        "inputs of a head": "one-hot contents beside one-hot places; a null key first where a rule can select nothing",
        "learned heads of each rule": config.seeds,
        "mixed task": f"random sequences of {LENGTH} places and {TOKENS} tokens; asked for are the first token, the "
        "previous token, and whether the token occurs once, at every place",
    }
