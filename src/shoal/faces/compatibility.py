"""Do embeddings of two generations compare? Old with old, new with new, and new with old, on the same pairs.

    report = compatibility(new[pairs.a], new[pairs.b], old[pairs.a], old[pairs.b], pairs.same, pairs.fold)
    print(report)

v1 is the old network, v2 the new one. A gallery that was embedded by v1 and is asked by v2 works as well as v2/v1
says. Where that is above v1/v1 it has gained from the new network, and nobody has to be embedded again. Differences
are taken part by part, so that what makes a part's pairs hard for both cancels.

Source: Schroff et al. 2015, "FaceNet", appendix A and figure 8 (arXiv 1503.03832), where v2/v2 > v2/v1 > v1/v1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.data.faces.pairs import FOLDS, folds_in_order
from shoal.errors import wrong
from shoal.faces.verification import FARS, verification
from shoal.faces.verification_result import Verification
from shoal.measure import standard_error


@dataclass(frozen=True)
class Difference:
    """Of two accuracies on the same pairs.

    Attributes:
        value: mean over the parts, in [-1, 1].
        standard_error: of that.
    """

    value: float
    standard_error: float

    @classmethod
    def between(cls, first: Verification, second: Verification) -> "Difference":
        """First less second, part by part."""
        parts = torch.tensor(first.fold_accuracy) - torch.tensor(second.fold_accuracy)
        return cls(float(parts.mean()), standard_error(parts))

    def __str__(self) -> str:
        return f"{100 * self.value:+.2f} ± {100 * self.standard_error:.2f}"


@dataclass(frozen=True, eq=False)
class Compatibility:
    """Verification within and across two generations of embeddings.

    Attributes:
        old_old: v1/v1, the gallery as it was.
        new_new: v2/v2, what a new gallery would give.
        new_old: v2/v1, each pair both ways round: either image embedded by v2, the other one by v1.
        gain: of v2/v1 over v1/v1.
        left: of v2/v2 over v2/v1, what embedding everybody again would add.
    """

    old_old: Verification
    new_new: Verification
    new_old: Verification
    gain: Difference
    left: Difference

    def __str__(self) -> str:
        named = {"v1/v1": self.old_old, "v2/v2": self.new_new, "v2/v1": self.new_old}
        accuracies = (f"{name} {100 * x.accuracy:.2f} ± {100 * x.standard_error:.2f} %" for name, x in named.items())
        return f"{', '.join(accuracies)}; v2/v1 − v1/v1 {self.gain}, v2/v2 − v2/v1 {self.left} points"


def compatibility(
    new_a: Float[Tensor, "pairs dim"],
    new_b: Float[Tensor, "pairs dim"],
    old_a: Float[Tensor, "old_pairs old_dim"],
    old_b: Float[Tensor, "old_pairs old_dim"],
    same: Bool[Tensor, "same_pairs"],
    fold: Int[Tensor, "folds"] | None = None,
    *,
    far: Sequence[float] = FARS,
) -> Compatibility:
    """Measure how well embeddings of a new network compare with those of an old one.

    Args:
        new_a: of the first image of each pair by the new network; where it was not trained to be compatible, its
            embeddings translated (`shoal.faces.fit_translation`).
        new_b: of the second images.
        old_a: of the first images by the old network.
        old_b: of the second images.
        same: which pairs are matched.
        fold: the part of each pair; ten parts in order unless given.
        far: see `verification`.

    Raises:
        InputError: if shapes differ, and as `verification`.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> draw = lambda: torch.nn.functional.normalize(torch.randn(100, 8, generator=generator))
        >>> people, others, same = draw(), draw(), torch.arange(100) % 2 == 0
        >>> second = torch.where(same[:, None], people, others)
        >>> print(compatibility(people, second, people, second, same, far=()))
        v1/v1 100.00 ± 0.00 %, v2/v2 100.00 ± 0.00 %, v2/v1 100.00 ± 0.00 %; v2/v1 − v1/v1 +0.00 ± 0.00, ...
    """
    if new_a.shape != old_a.shape or new_b.shape != old_b.shape:
        expected, got = f"{list(new_a.shape)} like the new ones", list(old_a.shape)
        fix = "only embeddings of one dimension compare; translate the new ones first"
        raise wrong("old embeddings", expected=expected, got=got, fix=fix)
    fold = folds_in_order(same, FOLDS) if fold is None else fold
    old_old = verification(old_a, old_b, same, fold=fold, far=far)
    new_new = verification(new_a, new_b, same, fold=fold, far=far)
    across_a, across_b = torch.cat((new_a, old_a.to(new_a))), torch.cat((old_b.to(new_b), new_b))  # (2p, d)
    new_old = verification(across_a, across_b, same.repeat(2), fold=fold.repeat(2), far=far)
    return Compatibility(
        old_old=old_old,
        new_new=new_new,
        new_old=new_old,
        gain=Difference.between(new_old, old_old),
        left=Difference.between(new_new, new_old),
    )
