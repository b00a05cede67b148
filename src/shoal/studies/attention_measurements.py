"""All measurements of the attention study, in order, each row made once (see `shoal.studies.measured_rows`)."""

from dataclasses import asdict
from typing import Any

from shoal.engine import Progress
from shoal.studies import attention_costs, attention_kernel
from shoal.studies.attention_choices import TARGETS, choose
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_errors import Inputs, Task, baseline, floor, measure_task, tasks
from shoal.studies.attention_inputs import KINDS, Kind
from shoal.studies.attention_matrices import matrices
from shoal.studies.attention_measured import Choice, KernelErrors, MapError, Measured, Reference, Times, Tried
from shoal.studies.measured_rows import Row, Rows

# names of the parts, as the report shows where the time went
MATHEMATICS, ERRORS, COSTS, CHOICES = "check the mathematics", "measure errors", "measure costs", "choose feature maps"


def measure(config: AttentionConfig, rows: Rows, progress: Progress) -> Measured:
    """Measure everything that is not among the rows yet.

    Args:
        config: resolved.
        rows: of this run.
        progress: told how it goes.
    """
    inputs = {kind: Inputs(config, kind) for kind in KINDS}
    progress.start(COSTS)  # first: the machine is as quiet as it will be
    times = {
        name: Times(**_renamed(rows.once(COSTS, {"of": name}, lambda fn=fn: fn(config))))
        for name, fn in (
            ("by_length", attention_costs.by_length),
            ("by_features", attention_costs.by_features),
            ("decoding", attention_costs.decoding),
        )
    }
    progress.finish()
    progress.start(MATHEMATICS)
    identity = rows.once(MATHEMATICS, {"of": "identity"}, lambda: attention_kernel.identity(config))
    recurrence = rows.once(MATHEMATICS, {"of": "recurrence"}, lambda: attention_kernel.recurrence(config))
    kernel = tuple(
        _kernel(config, rows, name, orthogonal)
        for orthogonal in (False, True)
        for name in attention_kernel.KERNEL_MAPS
        if not orthogonal or name == "positive"
    )
    progress.finish()
    progress.start(ERRORS)
    todo = [task for kind in KINDS for task in tasks(config, kind)]
    errors = []
    for number, task in enumerate(todo):
        progress.update(number / len(todo), f"{task.map} with {task.features} features on {task.kind} inputs")
        errors.append(_error(rows, inputs[task.kind], task))
    references = {kind: _reference(config, rows, inputs[kind]) for kind in KINDS}
    images = rows.once(ERRORS, {"of": "matrices"}, lambda: matrices(inputs["aniso"]))["images"]
    progress.finish()
    progress.start(CHOICES)
    choices = tuple(_choice(config, rows, kind, target) for kind in KINDS for target in TARGETS)
    progress.finish()
    return Measured(
        deviation=identity["deviation"],
        pairs=identity["pairs"],
        largest_logit=identity["largest_logit"],
        recurrence=recurrence["deviation"],
        kernel=kernel,
        errors=tuple(errors),
        references=references,
        choices=choices,
        images=tuple(images),
        **times,
    )


def _renamed(row: Row) -> dict[str, Any]:
    """A row of times with the name that all of them share for what they go along."""
    names = {"lengths": "places", "counts": "places", "contexts": "places"}
    return {names.get(key, key): value for key, value in row.items() if key != "of"}


def _kernel(config: AttentionConfig, rows: Rows, name: str, orthogonal: bool) -> KernelErrors:
    key = {"map": name, "orthogonal": orthogonal}
    estimates = attention_kernel.kernel_estimates
    return KernelErrors(**rows.once(MATHEMATICS, key, lambda: estimates(config, name, orthogonal=orthogonal)))


def _error(rows: Rows, inputs: Inputs, task: Task) -> MapError:
    return MapError(**rows.once(ERRORS, asdict(task), lambda: measure_task(inputs, task)))


def _reference(config: AttentionConfig, rows: Rows, inputs: Inputs) -> Reference:
    most = max(config.features)
    ranks = [rank for rank in (*config.features, 2 * most, 4 * most) if rank < config.length]
    mean = rows.once(ERRORS, {"of": "mean(V)", "kind": inputs.kind}, lambda: baseline(inputs))
    best = rows.once(ERRORS, {"of": "floor", "kind": inputs.kind}, lambda: floor(inputs, ranks))
    return Reference(mean_value=mean["errors"], ranks=best["ranks"], floor=best["errors"])


def _choice(config: AttentionConfig, rows: Rows, kind: Kind, target: float) -> Choice:
    row = rows.once(CHOICES, {"kind": kind, "target": target}, lambda: choose(config, kind, target))
    return Choice(**{**row, "tried": [Tried(**tried) for tried in row["tried"]]})
