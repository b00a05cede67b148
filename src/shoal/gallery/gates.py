"""May this model follow the one that the gallery has? Measured on faces of people on whom nothing was fitted.

The people whose faces have vectors of both models are split in two. On the first half a ridge map is fitted from the
new space into the old; on the second the same pairs are compared old with old and new with old, as the new vectors are
(harmonic training makes them so) and mapped. The better way on the first half is taken, and decided on the second.

Source: Schroff et al. 2015, "FaceNet", appendix A; Hoerl & Kennard 1970, "Ridge regression".
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shoal.data.faces.drawing import draw_some
from shoal.errors import InputError, wrong
from shoal.faces.compatibility import Compatibility, compatibility
from shoal.faces.translation import Translation, fit_translation
from shoal.gallery.values import Gate

PAIRS = 3_000  # of each kind, at most
FEWEST = 20  # people with several faces, half of whom decide
AS_IT_IS, TRANSLATED = "as it is", "translated"


@dataclass(frozen=True, eq=False)
class Both:
    """The same faces by two models.

    Attributes:
        old: by the model that the gallery has, [n, dim].
        new: by the one that is to follow it, [n, new dim].
        people: whose they are, [n].
    """

    old: NDArray[np.float32]
    new: NDArray[np.float32]
    people: NDArray[np.int64]


def decide(both: Both, way: str | None = None) -> tuple[Gate, Translation | None]:
    """Find how new vectors compare with old ones, and whether they do well enough.

    Args:
        both: named faces by both models.
        way: "as it is" or "translated"; whichever is better on the first half unless given.

    Returns:
        What was measured, and the map where there is to be one.

    Raises:
        InputError: if there are too few people with several faces, or vectors of other dimensions cannot compare as
            they are.
    """
    first, second = _halves(both)
    translation = fit_translation(torch.from_numpy(first.new), torch.from_numpy(first.old))
    if way is None:
        way = _better(first, translation)
    mapped = translation if way == TRANSLATED else None
    if mapped is None and both.new.shape[1] != both.old.shape[1]:
        expected = f"vectors of {both.old.shape[1]} numbers, which compare as they are"
        raise wrong("model", expected=expected, got=both.new.shape[1], fix="let it be translated")
    measured = _measure(second, mapped)
    gain, error = measured.gain.value, measured.gain.standard_error
    gate = Gate(
        old_old=measured.old_old.accuracy,
        new_old=measured.new_old.accuracy,
        new_new=measured.new_new.accuracy,
        gain=gain,
        standard_error=error,
        pairs=measured.old_old.matched + measured.old_old.mismatched,
        way=way,
        passed=gain + error >= 0,
    )
    return gate, mapped


def _better(first: Both, translation: Translation) -> str:
    """The way that is better on the half that the map was fitted on; the map is judged by parts left out of it."""
    if first.new.shape[1] != first.old.shape[1]:
        return TRANSLATED
    fitted_on, judged_on = _halves(first, fewest=4)
    half = fit_translation(torch.from_numpy(fitted_on.new), torch.from_numpy(fitted_on.old), ridge=translation.ridge)
    as_it_is = _measure(judged_on, None).new_old.accuracy
    return AS_IT_IS if as_it_is >= _measure(judged_on, half).new_old.accuracy else TRANSLATED


def _measure(both: Both, mapped: Translation | None) -> Compatibility:
    old, new = torch.from_numpy(both.old), torch.from_numpy(both.new)
    across = new if mapped is None else mapped(new)
    pairs = draw_some(torch.from_numpy(both.people), pairs=PAIRS, seed=0)
    (new_a, new_b), (old_a, old_b) = pairs.gather(across), pairs.gather(old)
    return compatibility(new_a, new_b, old_a, old_b, pairs.same, pairs.fold, far=())


def _halves(both: Both, fewest: int = FEWEST) -> tuple[Both, Both]:
    """Two sets of people, those with several faces spread evenly."""
    people, sizes = np.unique(both.people, return_counts=True)
    several = int((sizes > 1).sum())
    if several < fewest:
        fix = "give photos of more people, or force the upgrade"
        raise InputError(
            f"held-out faces: expected {fewest} people with several faces that both models embed, got {several}; {fix}"
        )
    order = np.random.default_rng(0).permutation(len(people))
    order = order[np.argsort(sizes[order] <= 1, kind="stable")]
    chosen = np.isin(both.people, people[order[::2]])
    return _part(both, chosen), _part(both, ~chosen)


def _part(both: Both, rows: NDArray[np.bool_]) -> Both:
    return Both(both.old[rows], both.new[rows], both.people[rows])
