"""How numbers read in the sentences of a study: one form for shares, one for MACs, one for what is nearly nothing."""


def percent(share: float, digits: int = 2) -> str:
    """A share as a percentage.

    Args:
        share: in [0, 1].
        digits: after the point.

    Example:
        >>> percent(0.9358), percent(0.5, 0)
        ('93.58 %', '50 %')
    """
    return f"{100 * share:.{digits}f} %"


def millions(count: float) -> str:
    """A count in millions, to four digits.

    Example:
        >>> millions(139_500_000), millions(194_400)
        ('139.5 M', '0.1944 M')
    """
    return f"{count / 1e6:.4g} M"


def powers(value: float) -> str:
    """A small number in powers of ten, as text that needs no superscripts.

    Example:
        >>> powers(1.53e-14), powers(0.0)
        ('1.5e-14', '0')
    """
    return f"{value:.1e}" if value else "0"


def lasting(seconds: float) -> str:
    """A training time.

    Example:
        >>> lasting(48.2), lasting(600.0)
        ('48 seconds', '10.0 minutes')
    """
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.1f} minutes"
