"""Promises over a thousand calibration sets, on a world whose every answer is known."""

from argparse import Namespace

import pytest
from benchmarks.exits_tables import rows_table
from benchmarks.guarantee import keep_promises, rows_needed, world
from scipy.stats import binom

from tests.exits.test_exits_thresholds import made_up


def test_promises_are_kept_on_made_up_answers() -> None:
    """A small one of the next: few sets, a world that no network had to be trained for."""
    found = keep_promises(made_up(20_000, 4, 11), 0.03, 0.9, draws=30, rows=800)
    assert found["broken"]["per exit"] * 30 <= binom.ppf(0.999, 30, 0.1)
    assert found["macs"]["per exit"] < 0.95


def test_rows_that_are_needed_make_a_table_of_a_record() -> None:
    """What is not a dictionary has no place in a record: a measurement was lost so."""
    table = rows_table({"rows": rows_needed(Namespace(draws=3)) | {"environment": {}}})
    assert len(table.strip().splitlines()) == 2 + 5
    assert "exact test" in table


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_promises_of_a_trained_network() -> None:
    """At 90 % confidence one in ten may be broken; and thresholds of their own save more than a shared one."""
    data, outputs = world(minutes=2.0)
    rows = 2000 if data == "cifar10" else 1000
    found = keep_promises(outputs, 0.01 if data == "cifar10" else 0.02, 0.9, draws=1000, rows=rows)
    # a rate of exactly a tenth gives more than this in one run of a thousand
    assert found["broken"]["per exit"] * 1000 <= binom.ppf(0.999, 1000, 0.1)
    assert found["macs_difference"] < 0
