"""Whether the effects of one claim in two runs differ by more than noise.

With effects a and b and their 95 % intervals [a₋, a₊] and [b₋, b₊], the interval of the difference b − a is

    low  = (b − a) − √((b − b₋)² + (a₊ − a)²)
    high = (b − a) + √((b₊ − b)² + (a − a₋)²)

which holds where both effects are independent and about normal on either side of their value; intervals need not be
symmetric. Two runs that look at the same test images are not independent: what they share moves both alike, and the
interval is then wider than it need be, so that a difference is missed rather than invented.

Source: Zou and Donner 2008, "Construction of confidence limits about effect measures: a general approach", Statistics
in Medicine 27, 1693–1702.
"""

import math
from dataclasses import dataclass
from typing import Literal

from shoal.studies.result import Claim

Outcome = Literal["differs", "same", "cannot be told"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much a claim's effect changed from one run to another.

    Args:
        value: the later effect less the earlier one; None where they cannot be subtracted, as are the ends.
        low: lower end of its 95 % interval.
        high: upper end.
        outcome: "differs" where the interval excludes 0, "same" where both runs have the very same numbers.
        why: what stands against telling; may be empty.
    """

    value: float | None
    low: float | None
    high: float | None
    outcome: Outcome
    why: str = ""


def difference(before: Claim, after: Claim) -> Difference:
    """Subtract the effects of one claim in two runs.

    Args:
        before: the claim in the run that others are compared with.
        after: the same claim in another run.

    Example:
        >>> numbers = {"sentence": "", "measured": "", "bound": 0, "direction": "above"}
        >>> a = Claim(id="a", effect=10, low=7, high=13, **numbers)
        >>> b = Claim(id="a", effect=16, low=12, high=20, **numbers)
        >>> difference(a, b)
        Difference(value=6, low=1.0, high=11.0, outcome='differs', why='')
        >>> difference(a, a).outcome, difference(a, Claim(id="a", effect=12, low=8, high=16, **numbers)).outcome
        ('same', 'cannot be told')
    """
    if before.unit != after.unit:
        return _untold(f"the units differ: {before.unit or 'none'} and {after.unit or 'none'}")
    if why := _unmeasured(before) or _unmeasured(after):
        return _untold(f"one run has no number: {why}")
    value = after.effect - before.effect
    low = value - math.hypot(after.effect - after.low, before.high - before.effect)
    high = value + math.hypot(after.high - after.effect, before.effect - before.low)
    outcome, why = _judge(before, after, low, high)
    return Difference(value=value, low=low, high=high, outcome=outcome, why=why)


def _untold(why: str) -> Difference:
    return Difference(value=None, low=None, high=None, outcome="cannot be told", why=why)


def _judge(before: Claim, after: Claim, low: float, high: float) -> tuple[Outcome, str]:
    if (before.effect, before.low, before.high) == (after.effect, after.low, after.high):
        return "same", ""
    if before.low == before.high and after.low == after.high:
        return "cannot be told", "neither run gives an interval, so nothing says how much of it is noise"
    if low <= 0 <= high:
        return "cannot be told", "the interval of the difference holds 0"
    return "differs", ""


def _unmeasured(claim: Claim) -> str:
    """Why a claim carries no measurement: nothing was settled, and there is no interval."""
    return claim.unsettled if claim.low == claim.high else ""
