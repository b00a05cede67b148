"""What a feature map returns: features in factors, so that no norm of a query or key can overflow them.

    phi = value · exp(log + row)

`log` holds one number per feature (maps that are exponentials), `row` one per row (a common factor); what is missing
is left out. The operator adds and compares logs before it ever takes an exponential.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.errors import wrong


@dataclass(frozen=True)
class Features:
    """Features of queries or keys. The tensors belong to whoever asked for them: the operator works in place on them.

    Attributes:
        value: bounded factor, any sign; None stands for ones.
        log: logarithm of a factor per feature; None stands for zeros.
        row: logarithm of a factor per row; None stands for zeros.

    Example:
        >>> Features(log=torch.tensor([[0.0, 1.0]])).linear()
        tensor([[1.0000, 2.7183]])
    """

    value: Float[Tensor, "*rows features"] | None = None
    log: Float[Tensor, "*rows features"] | None = None
    row: Float[Tensor, "*rows 1"] | None = None

    def __post_init__(self) -> None:
        if self.value is None and self.log is None:
            raise wrong("Features", expected="value or log", got="neither")

    @property
    def exponent(self) -> Tensor | None:
        """The sum of log and row, (…, features), or (…, 1) where there is no log; None where there is neither."""
        if self.log is None or self.row is None:
            return self.row if self.log is None else self.log
        return self.log + self.row

    def linear(self) -> Float[Tensor, "*rows features"]:
        """The features themselves; may overflow, which is what the factors are there to avoid."""
        return scaled(self.value, self.exponent)

    def flat(self) -> "Features":
        """(B, H, n, ·) as (P, n, ·), P = B · H."""
        return Features(*(x if x is None else x.flatten(0, 1) for x in (self.value, self.log, self.row)))


def scaled(value: Tensor | None, exponent: Tensor | None) -> Tensor:
    """Value · exp(exponent), with what is missing left out."""
    if exponent is None:
        assert value is not None
        return value
    return exponent.exp() if value is None else value * exponent.exp()


def scaled_(value: Tensor | None, exponent: Tensor | None) -> Tensor:
    """The same, in the memory of `exponent` where there is no value and nothing is recorded for a gradient."""
    if value is None and exponent is not None and not exponent.requires_grad:
        return exponent.exp_()
    return scaled(value, exponent)


def plus_(exponent: Tensor, other: Tensor, sign: int = 1) -> Tensor:
    """Exponent ± other, in the memory of `exponent` where nothing is recorded for a gradient.

    `other` is broadcast to the shape of `exponent`, never the other way round.
    """
    if exponent.requires_grad or other.requires_grad:
        return torch.add(exponent, other, alpha=sign)
    return exponent.add_(other, alpha=sign)
