"""The attention study: how far linear attention is from exact attention, what it costs, and whether it knows.

    result = AttentionStudy(AttentionConfig(budget="quick")).run("runs/attention")

It needs no data: queries, keys and values are made up, once like those of trained networks and once isotropic.
"""

from shoal.engine import Progress, RunFolder, describe_environment
from shoal.studies.attention_claims import all_claims
from shoal.studies.attention_config import AttentionConfig, resolve
from shoal.studies.attention_findings import summary, tables
from shoal.studies.attention_inputs import BASIS_OFF, DECAY, KEY_OFFSET, QUERY_OFFSET, SPREAD
from shoal.studies.attention_measurements import measure
from shoal.studies.attention_pictures import pictures
from shoal.studies.attention_story import tell
from shoal.studies.measured_rows import Rows
from shoal.studies.repeating import name_run, plain_settings, repeating_command
from shoal.studies.result import Result
from shoal.studies.study import Study
from shoal.studies.threads import threads

THREADS = 1  # of torch: many small products stall at thread barriers where other programs are busy


class AttentionStudy(Study):
    """The study, ready to run.

    Args:
        config: the settings; what is 0 or empty follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.

    Raises:
        InputError: if a setting is wrong.
    """

    name = "attention"
    says: tuple[str, ...] = ("queries, keys and values are made up; no data set is needed",)

    def __init__(self, config: AttentionConfig, notes: dict[str, str] | None = None):
        self.config, self.notes = resolve(config), notes or {}
        self.identity = {"study": self.name, "settings": plain_settings(self.config)}
        self.run_name = name_run(self.name, self.config.budget, self.identity)

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        config = self.config
        with threads(THREADS):
            environment = describe_environment(seed=config.seed, device="cpu", why="what is timed is the CPU")
            run.record_environment(environment)
            rows = Rows(run)
            measured = measure(config, rows, progress)
        result = Result(
            study=self.name,
            title="Attention that knows its own error",
            summary=summary(config, measured),
            command=repeating_command(self.name, config, resolve(AttentionConfig(budget=config.budget))),
            settings=plain_settings(config),
            environment=environment,
            data=_about(config),
            claims=all_claims(measured),
            tables=tables(config, measured),
            pictures=pictures(config, measured),
            seconds=rows.seconds(),
            notes=self.notes,
        )
        return tell(result)


def _about(config: AttentionConfig) -> dict[str, str | int]:
    """The inputs in words."""
    return {
        "name": "made-up queries, keys and values",
        "trained-like": f"standard deviations follow i^{DECAY} along a random basis (the keys' {BASIS_OFF:.0%} off the "
        f"queries'), total variance {config.dim}; means N(0, {QUERY_OFFSET}²) for queries and N(0, {KEY_OFFSET:g}) for "
        f"keys; scaled so that the logits of a row have the standard deviation {SPREAD:g} on average; values N(0, 1)",
        "isotropic": "queries and keys N(0, 1) after a LayerNorm, values N(0, 1)",
        "heads": config.heads,
        "tokens for the errors": config.length,
        "tokens for calibration": config.calibration,
    }
