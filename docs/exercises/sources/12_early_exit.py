"""Early exit, row by row.

A network is cut into stages with a small classifier, a head, behind each. A row leaves at the first head whose largest
probability reaches its threshold; the last head takes whoever is left. The decision is made for each row by itself: a
mean over the batch would let easy rows carry hard ones out, and make an answer depend on its neighbours in the batch.
Rows that have left must not be computed any further, or nothing is saved. A test counts the rows of every stage.

Questions: what speed-up do you expect at batch 1, and at batch 128? A batch can be left as a whole only when its
hardest row may leave: how likely is that for 32 rows if each leaves with probability 0.9?

Hints
- Keep the numbers of the rows that are still there, and index with them.
- A threshold above 1 means that nobody leaves.
- Stop when nobody is left: a stage may not like an empty batch.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def early_exit(
    stages: Sequence[Function], heads: Sequence[Function], x: Tensor, thresholds: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Answer every row at the first head that is sure enough.

    Args:
        stages: parts of the network, one after the other.
        heads: logits [b, classes] from the output of each stage.
        x: inputs [b, ...].
        thresholds: of the largest probability, one for each head but the last.

    Returns:
        logits [b, classes] and the number of the head that gave them [b].
    """
    # <solution>
    rows, logits = torch.arange(len(x)), None
    where = torch.full((len(x),), len(stages) - 1)
    for number, (stage, head) in enumerate(zip(stages, heads, strict=True)):
        x = stage(x)
        found = head(x)
        logits = found.new_zeros(len(where), found.shape[1]) if logits is None else logits
        last = number == len(stages) - 1
        leaves = torch.ones(len(x), dtype=torch.bool) if last else found.softmax(1).amax(1) >= thresholds[number]
        logits[rows[leaves]], where[rows[leaves]] = found[leaves], number
        x, rows = x[~leaves], rows[~leaves]
        if not len(rows):
            break
    return logits, where
    # </solution>


# <tests>
class _Counting:
    """A stage that counts the rows that it computes."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, x: Tensor) -> Tensor:
        assert len(x), "a stage was called with an empty batch: stop when nobody is left"
        self.rows += len(x)
        return x + 1


def _network() -> tuple[list[_Counting], list[Function]]:
    """Three stages that add one to a row's number; the farther that is from 0, the surer are the heads."""
    return [_Counting() for _ in range(3)], [lambda x: torch.cat([x, torch.zeros_like(x)], 1)] * 3


X = torch.tensor([[5.0], [-1.0], [1.5], [-2.0], [1.2]])


def test_rows_leave_where_they_are_sure() -> None:
    stages, heads = _network()
    logits, where = early_exit(stages, heads, X, [0.95, 0.95])
    assert where.tolist() == [0, 2, 1, 2, 1], f"expected exits [0, 2, 1, 2, 1], got {where.tolist()}"
    for row, number in enumerate(where.tolist()):
        expected = torch.tensor([float(X[row]) + number + 1, 0.0])
        assert torch.allclose(logits[row], expected), f"row {row} left at {number} but has the logits of another head"


def test_rows_that_left_cost_nothing_more() -> None:
    stages, heads = _network()
    early_exit(stages, heads, X, [0.95, 0.95])
    rows = [stage.rows for stage in stages]
    assert rows == [5, 4, 2], f"stages should compute 5, 4 and 2 rows, got {rows}: are rows that left still there?"


def test_an_answer_does_not_depend_on_the_batch() -> None:
    together, where = early_exit(*_network(), X, [0.95, 0.95])
    for row in range(len(X)):
        alone, at = early_exit(*_network(), X[row : row + 1], [0.95, 0.95])
        assert int(at) == int(where[row]), f"row {row} leaves elsewhere when it is alone: is the decision a batch's?"
        assert torch.equal(alone[0], together[row]), f"row {row} has another answer when it is alone"


def test_nobody_and_everybody() -> None:
    stages, heads = _network()
    _, where = early_exit(stages, heads, X, [1.1, 1.1])
    assert where.tolist() == [2] * 5, "a threshold above 1 should let nobody leave"
    stages, heads = _network()
    _, where = early_exit(stages, heads, X, [0.0, 0.0])
    assert where.tolist() == [0] * 5, "a threshold of 0 should let everybody leave at the first head"
    assert [stage.rows for stage in stages] == [5, 0, 0], "nobody was left, so later stages should not run"


# <mistakes>
MISTAKES = [
    ("found.softmax(1).amax(1) >= thresholds[number]",
     "(found.softmax(1).amax(1).mean() >= thresholds[number]).expand(len(x))", "expected exits"),
    ("logits[rows[leaves]], where[rows[leaves]] = found[leaves], number",
     "logits[: int(leaves.sum())], where[rows[leaves]] = found[leaves], number", "logits of another head"),
    ("        if not len(rows):\n            break\n", "", "nobody is left"),
]  # fmt: skip
