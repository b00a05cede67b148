"""What distances mean in this very gallery: thresholds for a false-accept rate, and probabilities.

Nothing is taken over from elsewhere: both come from the gallery's own named faces, anew for every pair of models, the
query's and the stored vector's.

    threshold           for claims: of pairs of faces of different people, one pair for every two people, so that nobody
                        with many photos decides. Pairs still share people, so that the interval is somewhat too narrow.
    search threshold    for searches: of the distance from a face to the nearest face of anybody else, as if its own
                        person were not there. Among many people somebody is always near: a threshold for claims would
                        take most strangers for somebody.
    probability         that the nearest person is the right one. Each face is asked about twice, with its person there
                        (the nearest may be right, or somebody else) and as if not (it is wrong): a logistic curve of
                        the distance, for a face that is as likely to be known as not.

`shoal.faces.threshold_at` gives both thresholds with their intervals, or refuses where faces are too few.

Source: Platt 1999, "Probabilistic outputs for support vector machines" (the curve).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shoal.errors import InputError
from shoal.faces.thresholds import Threshold, threshold_at
from shoal.gallery.logistic import fit_logistic
from shoal.gallery.memory import NOBODY, Snapshot
from shoal.gallery.models import bring_down, meeting
from shoal.gallery.values import Calibration

MOST_PAIRS = 300_000  # of people, drawn where there are more
MOST_TRIALS = 4_000  # faces that are asked about,
MOST_COMPARED = 400_000_000  # fewer where each is compared with many
FEWEST_ASKED = 400  # but at least so many
AT_ONCE = 2_000_000  # distances in memory
FEWEST_PEOPLE, FEWEST_TRIALS = 5, 20  # for a probability


@dataclass(frozen=True, eq=False)
class Named:
    """Named faces with vectors of the query's model and of the stored one's, in the space where they meet.

    Attributes:
        asked: as queries, [n, dim].
        stored: as stored vectors, [n, dim].
        people: whose, [n].
    """

    asked: NDArray[np.float32]
    stored: NDArray[np.float32]
    people: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.people)


def named_faces(snapshot: Snapshot, query: int, stored: int) -> Named:
    """The named faces that have a vector of both models."""
    space = meeting(snapshot.versions, query, stored)
    a, b = snapshot.banks[query], snapshot.banks[stored]
    rows_a, rows_b = _common(a.places, b.places)
    named = snapshot.people[a.places[rows_a]] != NOBODY
    rows_a, rows_b = rows_a[named], rows_b[named]
    return Named(
        bring_down(snapshot.versions, a.vectors[rows_a], query, space),
        bring_down(snapshot.versions, b.vectors[rows_b], stored, space),
        snapshot.people[a.places[rows_a]],
    )


def calibrate(named: Named, far: float, *, confidence: float = 0.95) -> Calibration:
    """Learn a threshold and a probability.

    Args:
        named: faces.
        far: false-accept rate that is asked for, in (0, 0.5].
        confidence: of the interval.

    Returns:
        Both, or why not.
    """
    rng = np.random.default_rng(0)
    own, other = _trials(named, rng)
    threshold, note = _threshold(far, _strangers(named, rng), "pairs of people in the gallery", confidence)
    search, search_note = _threshold(
        far, torch.from_numpy(other[np.isfinite(other)]), "named faces in the gallery", confidence
    )
    curve = _curve(own, other, people=len(np.unique(named.people)))
    expected = f"{FEWEST_TRIALS} faces of people with several, and {FEWEST_PEOPLE} people"
    curve_note = "" if curve else f"no probabilities: expected at least {expected}, nearer to their own than to others"
    slope, offset = curve or (None, None)
    notes = [text for text in (note, search_note, curve_note) if text]
    return Calibration(threshold, search, slope, offset, "; ".join(notes))


def _threshold(far: float, distances: torch.Tensor, what: str, confidence: float) -> tuple[Threshold | None, str]:
    try:
        return threshold_at(far, distances, confidence=confidence), ""
    except InputError as error:
        said = str(error).replace("pairs of different people", what).replace("impostor_distances", what)
        return None, f"no threshold: {said}"


def probability(calibration: Calibration, distance: float) -> float:
    """That a face at this distance is this person's; NaN where nothing is known.

    Example:
        >>> probability(Calibration(None, None, -10.0, 10.0), 1.0)
        0.5
    """
    if calibration.slope is None or calibration.offset is None:
        return float("nan")
    x = np.clip(calibration.offset + calibration.slope * distance, -500, 500)
    return float(1 / (1 + np.exp(-x)))


def _common(a: NDArray[np.int64], b: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of both that stand for the same face."""
    if a is b or np.array_equal(a, b):
        every = np.arange(len(a))
        return every, every
    _, rows_a, rows_b = np.intersect1d(a, b, return_indices=True)
    return rows_a, rows_b


def _strangers(named: Named, rng: np.random.Generator) -> torch.Tensor:
    """Squared distances of one pair of faces for every two people, in a random order of asking."""
    people = np.unique(named.people)
    count = len(people)
    if count < 2:
        return torch.empty(0)
    possible = count * (count - 1) // 2
    if possible <= MOST_PAIRS:
        first, second = np.triu_indices(count, 1)
    else:
        first = rng.integers(0, count, MOST_PAIRS)
        second = (first + rng.integers(1, count, MOST_PAIRS)) % count
    turned = rng.random(len(first)) < 0.5
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    order = np.argsort(named.people, kind="stable")
    starts = np.searchsorted(named.people[order], people)
    sizes = np.diff(np.append(starts, len(order)))

    def drawn(who: NDArray[np.int64]) -> NDArray[np.int64]:
        return order[starts[who] + rng.integers(0, sizes[who])]

    a, b = named.asked[drawn(first)], named.stored[drawn(second)]  # (p, dim)
    return torch.from_numpy(np.maximum(2 - 2 * np.einsum("pd,pd->p", a, b, dtype=np.float64), 0))


def _curve(own: NDArray[np.float64], other: NDArray[np.float64], people: int) -> tuple[float, float] | None:
    """Slope and offset of the probability."""
    both = np.isfinite(own) & np.isfinite(other)
    own, other = own[both], other[both]
    if len(own) < FEWEST_TRIALS or people < FEWEST_PEOPLE:
        return None
    distances = np.concatenate((np.minimum(own, other), other))  # its person there, and not
    right = np.concatenate((own < other, np.zeros(len(other), bool)))
    if not right.any():
        return None
    slope, offset = fit_logistic(distances, right)
    return (slope, offset) if slope < 0 else None  # distances that say nothing


def _trials(named: Named, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances to the nearest other face of the same person, and to the nearest of a stranger; infinite without."""
    count = len(named)
    wanted = min(MOST_TRIALS, max(FEWEST_ASKED, MOST_COMPARED // max(1, count)))
    asked = rng.permutation(count)[:wanted]
    people, whose = np.unique(named.people, return_inverse=True)
    order = np.argsort(whose, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(whose, minlength=len(people)))[:-1])  # by person
    own = np.full(len(asked), -np.inf, np.float32)
    other = own.copy()
    done = 0
    for part in np.array_split(asked, max(1, len(asked) * count // AT_ONCE)):
        likeness = named.asked[part] @ named.stored.T  # (t, n)
        for at, row in enumerate(part):
            same = rows_of[whose[row]]
            own[done + at] = likeness[at, same[same != row]].max(initial=-np.inf)
            likeness[at, same] = -np.inf
        other[done : done + len(part)] = likeness.max(1, initial=-np.inf)
        done += len(part)
    return _distances(own), _distances(other)


def _distances(likeness: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.maximum(2 - 2 * likeness.astype(np.float64), 0)
