"""All measurements of the circuits study, in order, each row made once (see `shoal.studies.measured_rows`)."""

import time
from collections.abc import Callable
from typing import Any

from shoal.circuits import Head, Training, learn
from shoal.engine import Progress
from shoal.studies import circuits_learned, circuits_transformer
from shoal.studies.circuits_config import CircuitsConfig
from shoal.studies.circuits_heads import as_rows, from_rows
from shoal.studies.circuits_measured import (
    Checked,
    Compared,
    LearnedHead,
    Looks,
    Measured,
    Separation,
    Shown,
    TaskFound,
    TransformerFound,
)
from shoal.studies.circuits_separation import separate
from shoal.studies.circuits_tasks import TASKS, Task, short_tasks
from shoal.studies.measured_rows import Row, Rows

# names of the parts, as the report shows where the time went
LEARN, PROVE, COMPARE, LOOK = "learn heads", "prove heads", "compare heads", "describe heads"
REMOVE, DECOMPILE, SEPARATE = "take out entries", "decompile heads", "tell rules apart"
TRANSFORM = "train transformers"
APART_BY = 4  # one in so many learned heads of each rule meets all other rules, three at least


def measure(config: CircuitsConfig, rows: Rows, progress: Progress) -> Measured:
    """Measure everything that is not among the rows yet.

    Args:
        config: resolved.
        rows: of this run.
        progress: told how it goes.
    """
    progress.start("heads by hand and learned")
    tasks = []
    for number, task in enumerate(TASKS):
        progress.update(number / len(TASKS), task.name)
        tasks.append(_task(config, rows, task))
    progress.finish()
    progress.start(SEPARATE)
    separation = _separation(config, rows)
    progress.finish()
    progress.start(TRANSFORM)
    seeds = list(range(config.seed, config.seed + config.transformers))
    made = rows.once(
        TRANSFORM, {"seeds": seeds}, lambda: circuits_transformer.look_at_all(seeds, config.transformer_steps)
    )
    progress.finish()
    transformers = tuple(TransformerFound.read(row) for row in made["found"])
    return Measured(tasks=tuple(tasks), separation=separation, transformers=transformers)


def learned_heads(config: CircuitsConfig, rows: Rows, task: Task) -> list[Head]:
    """The heads of a task, trained once."""
    return from_rows(_learned(config, rows, task)["weights"], task.by_hand().layout)


def good_heads(config: CircuitsConfig, rows: Rows, task: Task, most: int) -> list[Head]:
    """The first heads that hold on every input."""
    heads = learned_heads(config, rows, task)
    proofs = _proofs(rows, task, heads)
    return [head for head, proof in zip(heads, proofs, strict=True) if proof["holds"]][:most]


def _learned(config: CircuitsConfig, rows: Rows, task: Task) -> Row:
    def train() -> Row:
        began = time.perf_counter()
        how: dict[str, Any] = {"qk_dim": task.qk_dim, "training": Training(steps=config.learning_steps)}
        shape = task.parsed, task.vocabulary, task.max_len
        heads = learn(*shape, seeds=config.seeds, first_seed=config.seed, **how)
        return {"took": time.perf_counter() - began, "weights": as_rows(heads)}

    return rows.once(LEARN, {"task": task.name}, train)


def _proofs(rows: Rows, task: Task, heads: list[Head]) -> list[Row]:
    return _each(rows, PROVE, task, heads, lambda head: circuits_learned.check(head, task))


def _each(rows: Rows, part: str, task: Task, heads: list[Head], fn: Callable[[Head], Row]) -> list[Row]:
    """A measurement of every head, as one row."""
    return rows.once(part, {"task": task.name}, lambda: {"heads": [fn(head) for head in heads]})["heads"]


def _task(config: CircuitsConfig, rows: Rows, task: Task) -> TaskFound:
    hand, learned = task.by_hand(), learned_heads(config, rows, task)
    of_hand = rows.once(
        PROVE,
        {"task": task.name, "of": "hand"},
        lambda: {"proof": circuits_learned.check(hand, task), "looks": circuits_learned.look(hand)},
    )
    proofs = _proofs(rows, task, learned)
    compared = rows.once(
        COMPARE, {"task": task.name}, lambda: circuits_learned.compare_task(task, learned, config.resamples)
    )["heads"]
    looks = _each(rows, LOOK, task, learned, circuits_learned.look)
    removed = _each(rows, REMOVE, task, learned, lambda head: circuits_learned.remove(head, task))
    named = _each(rows, DECOMPILE, task, learned, lambda head: circuits_learned.name(head, task))
    best = next((i for i, proof in enumerate(proofs) if proof["holds"]), 0)
    return TaskFound(
        name=task.name,
        rule=str(task.parsed),
        kind=task.kind,
        max_len=task.max_len,
        dims=[*hand.W_Q.shape, hand.W_V.shape[1]],
        seconds=_learned(config, rows, task)["took"],
        hand=Checked(**of_hand["proof"]),
        hand_looks=Looks(**of_hand["looks"]),
        learned=[
            _head(config.seed + i, *parts)
            for i, parts in enumerate(zip(proofs, compared, looks, removed, named, strict=True))
        ],
        shown=Shown(**circuits_learned.show(task, learned[best])),
    )


def _head(seed: int, proof: Row, compared: Row, looks: Row, removed: Row, named: Row) -> LearnedHead:
    parts: dict[str, Any] = {"proof": Checked(**proof), "compared": Compared.read(compared), "looks": Looks(**looks)}
    return LearnedHead(seed=seed, **parts, **removed, **named)


def _separation(config: CircuitsConfig, rows: Rows) -> Separation:
    tasks, most = short_tasks(), max(3, config.seeds // APART_BY)

    def told_apart() -> Row:
        return separate(tasks, [good_heads(config, rows, task, most) for task in tasks])

    row = rows.once(SEPARATE, {"of": "scores"}, told_apart)
    return Separation(**{name: value for name, value in row.items() if name != "of"})
