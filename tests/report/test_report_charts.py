"""Ranges of axes."""

from hypothesis import given
from hypothesis import strategies as st

from shoal.report.charts import domain


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_percent_ends_at_a_hundred(values: list[float]):
    low, high = domain(values, log=False, most=100.0)
    assert low <= min(values) <= max(values) <= high
    assert high <= 100 or max(values) == 0


@given(st.lists(st.floats(101, 500), min_size=2, max_size=5))
def test_what_lies_beyond_is_still_shown(values: list[float]):
    assert domain(values, log=False, most=100.0)[1] == max(values)
