"""Tests of exercise 11: Prediction depth."""

import torch
from e11_prediction_depth import earliest_correct, prediction_depth


def test_the_cases_of_the_definition() -> None:
    said = torch.tensor([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0]])
    expected = [0, 1, 2, 3, 3]
    found = prediction_depth(said, torch.ones(5, dtype=torch.long)).tolist()
    why = ["all agree", "all but the first", "agreement that was lost again", "the last one disagrees", "nobody agrees"]
    for case, depth, wanted in zip(why, found, expected, strict=True):
        assert depth == wanted, f"{case}: expected depth {wanted}, got {depth}"


def test_it_is_what_the_definition_says_for_all_patterns() -> None:
    said = torch.cartesian_prod(*[torch.arange(2)] * 6)
    found = prediction_depth(said, torch.ones(64, dtype=torch.long)).tolist()
    for row, depth in zip(said.tolist(), found, strict=True):
        slow = next((d for d in range(7) if all(x == 1 for x in row[d:])), 6)
        assert depth == slow, f"probes say {row}, the network 1: expected depth {slow}, got {depth}"


def test_the_earliest_that_is_right_and_sure() -> None:
    votes = torch.tensor([[[0.4, 0.3, 0.3], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0]]])
    for label, least, wanted in ((0, 0.5, 1), (0, 0.3, 0), (1, 0.5, 2), (2, 0.1, 3)):
        found = earliest_correct(votes, torch.tensor([label]), least).tolist()
        assert found == [wanted], (
            f"label {label} with {least:.0%} of the votes: expected probe {wanted}, got {found[0]}"
        )
