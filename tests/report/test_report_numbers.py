import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.report.numbers import aligned, column, duration, number, plain, spread

FINITE = st.floats(-1e300, 1e300)


def read(text: str) -> float:
    """A written number, read back by the rules of school."""
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, exponent = text.replace("−", "-").replace(",", "").partition("×10")
    return float(mantissa) * 10.0 ** int(exponent.translate(superscripts) or "0")


@given(FINITE, st.integers(2, 6))
def test_a_written_number_is_the_number_to_its_digits(value: float, digits: int):
    # Each way of writing keeps at least `digits` significant digits; the last one is rounded by at most half.
    assert read(number(value, digits)) == pytest.approx(value, rel=0.51 * 10 ** (1 - digits), abs=1e-307)


@given(st.integers())
def test_whole_numbers_keep_every_digit(value: int):
    assert int(number(value).replace(",", "").replace("−", "-")) == value


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_nothing_is_a_dash_everywhere(nothing: float | None):
    assert number(nothing) == duration(nothing) == plain(nothing) == column([nothing])[0] == "–"


def test_no_zero_carries_a_minus():
    assert number(-0.0) == "0"
    assert column([-0.00001, 0.5])[0] != "−0.00"
    assert spread(-0.0001, -0.21, 0.3)[0] == "0.00"


@given(st.lists(st.floats(0.01, 1e9) | st.none(), min_size=1, max_size=8))
def test_a_column_of_like_numbers_has_like_decimals(values: list[float | None]):
    texts = [text for text, value in zip(column(values), values, strict=True) if value is not None]
    wanted = [value for value in values if value is not None]
    assert [read(text) for text in texts] == pytest.approx(wanted, rel=0.06)  # two digits are always left
    if wanted and max(wanted) < 10 * min(wanted):
        assert len({len(text.partition(".")[2]) for text in texts}) == 1


def test_a_small_number_in_a_column_is_not_written_as_zero():
    assert column([94.2, 3.1e-9, 0.0]) == ["94.2", "3.1×10⁻⁹", "0.0"]


def test_aligned_numbers_have_no_more_digits_than_asked_for():
    assert aligned([0.937, 0.00004, 0.0], 1) == ["0.9", "0.0", "0"]


@given(FINITE, st.floats(1e-6, 1e6))
def test_an_interval_shows_two_digits_of_its_width(middle: float, width: float):
    effect, low, high = spread(middle, middle - width / 2, middle + width / 2)
    if abs(middle) < 1e6:
        assert read(high) - read(low) == pytest.approx(width, rel=0.11, abs=1e-12)
        assert read(low) <= read(effect) <= read(high)


def test_an_interval_may_have_no_end():
    assert spread(2.5, -math.inf, math.inf) == ("2.5", "−∞", "∞")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (59.99, "1 min 00 s"),
        (3599.9, "1 h 00 min"),
        (119.6, "2 min 00 s"),
        (9.96, "10 s"),
        (90061, "25 h 01 min"),
    ],
)
def test_durations_carry_over(seconds: float, text: str):
    assert duration(seconds) == text
