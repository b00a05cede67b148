"""Numbers as a reader wants them: as many digits as they carry, thousands apart, and a dash for nothing.

`number` writes one number, `column` writes the numbers of a table's column with the same decimals, `spread` writes
an effect and the ends of its interval with the digits that the interval's width supports, and `quantity` adds a
unit. `plain` writes any setting, `duration` a time.

Example:
    >>> number(555422720), number(0.000012), number(None), quantity(number(1.932), "×")
    ('555,422,720', '1.2×10⁻⁵', '–', '1.93×')
"""

import math
from collections.abc import Iterable, Mapping, Sequence

NOTHING = "–"
MINUS = "−"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALL, _LARGE = 1e-4, 1e12  # beyond these, powers of ten read better


def number(value: float | int | str | None, digits: int = 3) -> str:
    """Write one number with `digits` significant digits; whole digits are never rounded away.

    Args:
        value: the number; text is kept as it is, and what is missing (None, NaN) becomes a dash.
        digits: significant digits, at least 1; whole numbers given as int keep all of theirs.

    Returns:
        Text such as "0.936", "1,234", "−0.31", "1.2×10⁻⁷", "∞" or "–".

    Example:
        >>> [number(x) for x in (93.61, 1234.5, 2, -0.5, 3e-7, float("nan"), float("inf"), True)]
        ['93.6', '1,234', '2', '−0.5', '3×10⁻⁷', '–', '∞', 'yes']
    """
    if value is None or isinstance(value, str):
        return NOTHING if value is None else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _signed(f"{value:,}")
    if not math.isfinite(value):
        return _not_finite(value)
    if value == 0:
        return "0"
    if not _SMALL <= abs(value) < _LARGE:
        return _scientific(value, digits)
    return _stripped(_fixed(value, max(0, digits - 1 - _magnitude(value))))


def column(values: Sequence[float | int | str | None], digits: int = 4) -> list[str]:
    """Write the cells of a column so that the numbers line up: all with the same decimals.

    A number that would lose its digits so (0.000012 beside 94.2) is written by itself, as `number` writes it.

    Args:
        values: the cells; text stays text.
        digits: significant digits of the largest number.

    Returns:
        One text per cell.

    Example:
        >>> column([93.1, 94.25, None]), column([1, 25000]), column([94.2, 0.000012])
        (['93.10', '94.25', '–'], ['1', '25,000'], ['94.2', '1.2×10⁻⁵'])
    """
    floats = [value for value in values if isinstance(value, float) and math.isfinite(value) and value]
    shown = [value for value in floats if _SMALL <= abs(value) < _LARGE]
    if not shown:
        return [number(value, digits - 1) for value in values]
    most = max(0, digits - 1 - max(map(_magnitude, shown)))
    own = {value for value in floats if value not in shown or _digits_left(value, most) < 2}
    decimals = max((_decimals_used(value, most) for value in floats if value not in own), default=0)
    return [_cell(value, decimals, value in own) for value in values]


def aligned(values: Sequence[float | int], digits: int) -> list[str]:
    """Write numbers with the same decimals, by the largest of them; zero is "0".

    Args:
        values: finite numbers.
        digits: significant digits of the largest.

    Example:
        >>> aligned([0.937, 0.00004, 0], 2), aligned([12, 3], 3)
        (['0.94', '0.00', '0'], ['12', '3'])
    """
    largest = max((abs(value) for value in values if value), default=1)
    if all(isinstance(value, int) for value in values) or not _SMALL <= largest < _LARGE:
        return [number(value, digits) for value in values]
    decimals = max(0, digits - 1 - _magnitude(largest))
    return [_fixed(value, decimals) if value else "0" for value in values]


def spread(effect: float, low: float, high: float) -> tuple[str, str, str]:
    """Write an effect and its interval's ends with two digits of the interval's width, and no more.

    Args:
        effect: the measured effect.
        low: lower end; may be -inf.
        high: upper end; may be inf.

    Returns:
        The three as text.

    Example:
        >>> spread(-0.3112, -0.6217, -0.0189), spread(1.93, 1.93, 1.93)
        (('−0.31', '−0.62', '−0.02'), ('1.93', '1.93', '1.93'))
    """
    width = high - low
    if not math.isfinite(width) or width <= 0:
        return number(effect, 4), number(low, 4), number(high, 4)
    largest = max(abs(low), abs(high))
    digits = max(1, _magnitude(largest) - _magnitude(width) + 2)
    if not _SMALL <= largest < _LARGE:
        return number(effect, digits), number(low, digits), number(high, digits)
    most = max(0, 1 - _magnitude(width))
    decimals = max(_decimals_used(value, most) for value in (effect, low, high))
    return _fixed(effect, decimals), _fixed(low, decimals), _fixed(high, decimals)


def quantity(text: str, unit: str) -> str:
    r"""Put a unit behind a number: close for "×" and "°", after a space that does not break for all others.

    Example:
        >>> quantity("1.9", "×"), quantity("93.6", "%"), quantity("2", "")
        ('1.9×', '93.6\xa0%', '2')
    """
    if not unit or text == NOTHING:
        return text
    return text + unit if unit in {"×", "°"} else f"{text}\N{NO-BREAK SPACE}{unit}"


def duration(seconds: float | None) -> str:
    """Write a time as people say it.

    Example:
        >>> [duration(s) for s in (0.0042, 3.25, 75, 7500, None)]
        ['4.2 ms', '3.2 s', '1 min 15 s', '2 h 05 min', '–']
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 1:
        return f"{number(1000 * seconds, 2)} ms" if seconds else "0 s"
    if seconds < 59.95:
        return f"{number(float(seconds), 2 if seconds < 10 else 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def plain(value: object) -> str:
    """Write a setting of any plain type: lists with commas, mappings as "name value", nothing as a dash.

    Example:
        >>> plain([1, 2.5, None]), plain({"lr": 0.1, "steps": 1000}), plain(True), plain("adam")
        ('1, 2.5, –', 'lr 0.1 · steps 1,000', 'yes', 'adam')
    """
    if value is None or isinstance(value, int | float):
        return number(value, 4)
    if isinstance(value, Mapping):
        return " · ".join(f"{key} {plain(item)}" for key, item in value.items()) or NOTHING
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return ", ".join(map(plain, value)) or NOTHING
    return str(value)


def _not_finite(value: float) -> str:
    return NOTHING if math.isnan(value) else "∞" if value > 0 else f"{MINUS}∞"


def _magnitude(value: float) -> int:
    """Exponent of ten of a number that is neither 0 nor infinite."""
    return math.floor(math.log10(abs(value)))


def _signed(text: str) -> str:
    """A real minus sign, and none before a zero."""
    return text.replace("-", MINUS if text.strip("-0.,") else "")


def _fixed(value: float, decimals: int) -> str:
    return _signed(f"{value:,.{decimals}f}") if math.isfinite(value) else _not_finite(value)


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{max(0, digits - 1)}e}".split("e")
    return f"{_signed(_stripped(mantissa))}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def _digits_left(value: float, decimals: int) -> int:
    """Significant digits of `value` that `decimals` decimals show."""
    return _magnitude(value) + decimals + 1


def _decimals_used(value: float, most: int) -> int:
    """Decimals that `value` needs, up to `most`: 93.5 needs one."""
    return len(_stripped(f"{value:.{most}f}").partition(".")[2])


def _cell(value: float | int | str | None, decimals: int, alone: bool) -> str:
    if alone or not isinstance(value, float):
        return number(value)
    return _fixed(value, decimals)
