"""How well distances tell one person from another: LFW's accuracy, the paper's VAL at FAR, and all thresholds.

    result = verification(embeddings[pairs.a], embeddings[pairs.b], pairs.same, fold=pairs.fold)
    print(result)
    result.accuracy, result.standard_error, result.roc.auc, result.at(1e-3).val

Pairs come in parts ("folds"). What is measured on a part uses a threshold that the other parts chose:

    accuracy     share of right decisions at the threshold that is right most often on the other parts
    VAL at FAR   share of matched pairs that are accepted, |TA| / |P_same|, at the highest threshold that
                 accepts at most the share FAR of the other parts' mismatched pairs, |FA| / |P_diff|

and of the parts' values the mean is reported, with its standard error: standard deviation (n − 1) over √folds.

Source: Huang et al. 2007, "Labeled Faces in the Wild"; Schroff et al. 2015, "FaceNet", section 4.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from shoal.data.faces.pairs import FOLDS, folds_in_order
from shoal.errors import wrong
from shoal.faces.pair_distances import check_pairs, check_tensor, pair_distances
from shoal.faces.roc import allowed, most_accurate_threshold, roc, threshold_for_far
from shoal.faces.verification_result import ValAtFar, Verification
from shoal.measure import standard_error

FARS = (1e-3, 1e-2, 1e-1)  # the paper's, and two that small sets can measure


def verification(
    a: Float[Tensor, "a_pairs a_dim"],
    b: Float[Tensor, "b_pairs b_dim"],
    same: Bool[Tensor, "pairs"],
    *,
    folds: int = FOLDS,
    fold: Int[Tensor, "folded"] | None = None,
    far: Sequence[float] = FARS,
) -> Verification:
    """Measure how well embeddings tell whether two images show one person.

    Args:
        a: embeddings of the first image of each pair, of length 1 as the networks give them.
        b: embeddings of the second ones.
        same: which pairs are matched.
        folds: parts, at least 2, made in the order of the pairs (see `folds_in_order`), where `fold` does not
            say.
        fold: the part of each pair; those of `FacePairs`.
        far: false-accept rates to measure VAL at, each in (0, 1).

    Returns:
        The measurements.

    Raises:
        InputError: if lengths differ, an embedding is not finite or zero, a part has only one kind of pair,
            there are fewer than two parts, or a rate is out of range.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> people = torch.nn.functional.normalize(torch.randn(200, 8, generator=generator), dim=1)
        >>> print(verification(people, people.roll(1, 0).where(torch.arange(200)[:, None] % 2 == 0, people),
        ...                    torch.arange(200) % 2 == 1, far=(0.1,)))
        accuracy 100.00 ± 0.00 % over 10 folds; AUC 1.0000; VAL 100.0 ± 0.0 % at FAR 0.1
    """
    return verify_distances(pair_distances(a, b), same, folds=folds, fold=fold, far=far)


def verify_distances(
    distances: Float[Tensor, "a_pairs"],
    same: Bool[Tensor, "b_pairs"],
    *,
    folds: int = FOLDS,
    fold: Int[Tensor, "folded"] | None = None,
    far: Sequence[float] = FARS,
) -> Verification:
    """`verification` of distances of any kind, as long as the smaller ones mean one person.

    Args:
        distances: of each pair, at least 0.
        same: as there.
        folds: as there.
        fold: as there.
        far: as there.

    Raises:
        InputError: as there.
    """
    distances, same = check_pairs(distances, same)
    fold = _check_folds(_made(same, folds) if fold is None else fold, same)
    _check_far(far)
    parts = [fold == part for part in fold.unique()]
    chosen = [most_accurate_threshold(distances[~part], same[~part]) for part in parts]
    right = torch.stack(
        [
            ((distances[part] <= threshold) == same[part]).double().mean()
            for part, threshold in zip(parts, chosen, strict=True)
        ]
    )
    return Verification(
        accuracy=float(right.mean()),
        standard_error=standard_error(right),
        fold_accuracy=tuple(right.tolist()),
        thresholds=tuple(chosen),
        val=tuple(_val_at_far(distances, same, parts, float(rate)) for rate in far),
        roc=roc(distances, same),
        matched=int(same.sum()),
        mismatched=int((~same).sum()),
    )


def _val_at_far(
    distances: Float64[Tensor, "p"],
    same: Bool[Tensor, "p"],
    parts: list[Tensor],
    far: float,
) -> ValAtFar:
    thresholds, val, measured, resolved = [], [], [], True
    for part in parts:
        impostors = distances[~part & ~same].sort().values
        threshold = threshold_for_far(impostors, far)
        resolved &= allowed(len(impostors), far) > 0
        thresholds.append(threshold)
        val.append((distances[part & same] <= threshold).double().mean())
        measured.append((distances[part & ~same] <= threshold).double().mean())
    rates, measured_rates = torch.stack(val), torch.stack(measured)
    return ValAtFar(
        far=far,
        val=float(rates.mean()),
        standard_error=standard_error(rates),
        far_measured=float(measured_rates.mean()),
        far_standard_error=standard_error(measured_rates),
        thresholds=tuple(thresholds),
        resolved=resolved,
    )


def _made(same: Bool[Tensor, "p"], folds: int) -> Int[Tensor, "p"]:
    rarer = min(int(same.sum()), int((~same).sum()))
    if folds > rarer:
        expected = f"at most {rarer:,}, as many as there are pairs of the rarer kind"
        raise wrong("folds", expected=expected, got=folds)
    return folds_in_order(same, folds)


def _check_folds(fold: Tensor, same: Tensor) -> Int[Tensor, "p"]:
    check_tensor(fold, "fold")
    fold = fold.detach().cpu()
    if fold.shape != same.shape or fold.is_floating_point():
        got = f"{fold.dtype} {list(fold.shape)}"
        raise wrong("fold", expected=f"whole numbers [{len(same)}], one per pair", got=got)
    numbers = fold.unique().tolist()
    if len(numbers) < 2:
        raise wrong("fold", expected="at least 2 different parts", got=len(numbers))
    for number in numbers:
        matched, pairs = int(same[fold == number].sum()), int((fold == number).sum())
        if matched in (0, pairs):
            got = f"{matched:,} matched and {pairs - matched:,} mismatched"
            fix = "give more pairs, or ask for fewer folds"
            raise wrong(f"fold {number}", expected="matched and mismatched pairs", got=got, fix=fix)
    return fold


def _check_far(far: Sequence[float]) -> None:
    for rate in far:
        if not 0 < rate < 1:
            raise wrong("far", expected="rates in (0, 1)", got=rate, fix="give 0.1 % as 0.001")
