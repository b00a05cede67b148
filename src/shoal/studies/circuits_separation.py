"""How well scores tell rules apart: every rule's hand-made head against the learned heads of every rule."""

from collections.abc import Sequence

from shoal.circuits import Head
from shoal.circuits.agreement import agreement_score
from shoal.studies.circuits_tasks import Task
from shoal.studies.measured_rows import Row


def separate(tasks: Sequence[Task], learned: Sequence[Sequence[Head]]) -> Row:
    """Scores between rules, as `Separation` holds them.

    Args:
        tasks: of one vocabulary and longest sequence.
        learned: heads that hold, by task.
    """
    hands = [task.by_hand() for task in tasks]
    scores = [[[agreement_score(hand, head) for head in heads] for heads in learned] for hand in hands]
    mean = lambda values: sum(values) / len(values) if values else 0.0  # noqa: E731
    rules = range(len(tasks))
    return {
        "rules": [task.name for task in tasks],
        "scores": [[mean(found) for found in row] for row in scores],
        "own": [scores[at][at] for at in rules],
        "other": [
            [max(scores[other][at][i] for other in rules if other != at) for i in range(len(learned[at]))]
            for at in rules
        ],
    }
