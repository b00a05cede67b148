"""Made-up measurements of the circuits study, in which every claim is supported."""

from dataclasses import replace
from typing import Any

from shoal.circuits import Measure
from shoal.studies.circuits_measured import (
    ROLES,
    Checked,
    Compared,
    LearnedHead,
    Looks,
    Measured,
    Separation,
    Shown,
    TaskFound,
    TransformerFound,
    TransformerHead,
)
from shoal.studies.circuits_tasks import TASKS
from shoal.studies.circuits_transformer import HEADS, LAYERS

SEEDS = 40
BY_CHANCE = [0.25] * 4 + [0.7, 0.2, 0.2]


def proof(**changes: Any) -> Checked:
    """One that holds."""
    found = Checked(holds=True, inputs=120, exhaustive=True, accuracy=1.0, margin=0.9, leak=0.01, counterexample="")
    return replace(found, **changes)


def around(value: float) -> Measure:
    """A measure with an interval, and chance around 0."""
    return Measure(value, value - 0.02, value + 0.02, 0.0, -0.4, 0.4)


def learned(seed: int = 0, *, raw: float | None = 0.1, temperature: float = 5.0, **changes: Any) -> LearnedHead:
    """One that holds and agrees; a little unlike others by its seed."""
    near = 0.97 + 0.001 * (seed % 3)
    found = LearnedHead(
        seed=seed,
        proof=proof(),
        looks=Looks(shares=[0.02, 0.03, 0.05, 0.9], entropy=0.1, stripe=0.9, band=0.8, by_chance=BY_CHANCE),
        compared=Compared(
            score=around(near),
            qk=around(near),
            contributions=around(near),
            attention=around(near),
            jensen_shannon=around(0.01),
            ov=around(near),
            raw=raw if raw is None else around(raw * (-1) ** seed),
            temperature=around(temperature + 0.1 * (seed % 3)),
        ),
        harmless=True,
        farthest=0.01,
        removed=0.1,
        named="first()",
        right=True,
    )
    return replace(found, **changes)


def task(name: str, heads: list[LearnedHead] | None = None) -> TaskFound:
    """One of the study's, with so many heads."""
    known = next(task for task in TASKS if task.name == name)
    square = [[0.5, 0.5], [1.0, 0.0]]
    return TaskFound(
        name=name,
        rule=name,
        kind=known.kind,
        max_len=4,
        dims=[7, 1, 3],
        seconds=1.0,
        hand=proof(leak=1e-22),
        hand_looks=Looks(shares=[0.0, 0.0, 0.0, 1.0], entropy=0.0, stripe=1.0, band=1.0, by_chance=BY_CHANCE),
        learned=heads or [learned(seed) for seed in range(SEEDS)],
        shown=Shown(
            queries=["A0", "B1"],
            keys=["A0", "B1"],
            hand=square,
            learned=square,
            inputs=["A0", "B1"],
            qk_hand=square,
            qk_learned=square,
            steps=[
                {"sequence": sequence, "hand": {"Q": [[1.0], [-2.0]]}, "learned": {"Q": [[0.0, 3.0], [1.0, 1.0]]}}
                for sequence in ("AB", "BA")
            ],
        ),
    )


def transformer(
    seed: int = 0, *, roles: tuple[float, ...] = (0.9, 0.9, 0.8), drop: float = 0.3, **changes: Any
) -> TransformerFound:
    """Half of the heads can be spared, one looks at each role."""
    count = LAYERS * HEADS
    heads = [
        TransformerHead(
            layer=at // HEADS,
            head=at % HEADS,
            roles=[share + 0.01 * seed if at == place else 0.1 for place, share in enumerate(roles)],
            entropy=0.5,
            stripe=0.3,
            band=0.3,
            drop=0.0 if at < count // 2 else drop,
        )
        for at in range(count)
    ]
    even = [replace(head, roles=[0.12] * len(ROLES), drop=0.0) for head in heads]
    likeness = lambda share: [[1.0 if i == j else share for i in range(count)] for j in range(count)]  # noqa: E731
    found = TransformerFound(
        seed=seed,
        accuracy=[1.0, 1.0, 0.99],
        heads=heads,
        untrained=even,
        likeness=likeness(0.4 + 0.01 * seed),
        untrained_likeness=likeness(0.9),
        maps=[[[0.5, 0.5], [0.5, 0.5]]] * count,
    )
    return replace(found, **changes)


def measured(**changes: Any) -> Measured:
    """All of it; name what is to be otherwise."""
    names = [known.name for known in TASKS]
    count = len(names)
    found = Measured(
        tasks=tuple(task(name) for name in names),
        separation=Separation(
            rules=names,
            scores=[[0.97 if i == j else 0.1 for i in range(count)] for j in range(count)],
            own=[[0.97, 0.96, 0.98] for _ in names],
            other=[[0.1, 0.2, 0.15] for _ in names],
        ),
        transformers=tuple(transformer(seed) for seed in range(3)),
    )
    return replace(found, **changes)


def with_task(name: str, heads: list[LearnedHead]) -> Measured:
    """One rule's heads otherwise."""
    base = measured()
    return replace(base, tasks=tuple(task(name, heads) if each.name == name else each for each in base.tasks))
