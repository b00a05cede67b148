"""Tests of exercise 12: Early exit, row by row."""

import torch
from e12_early_exit import Function, early_exit
from torch import Tensor


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
