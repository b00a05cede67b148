"""From distances to answers: the people that are nearest, how probable they are, and whether they are accepted.

Distances between different models are not on one scale. Each pair of models has its own curve and threshold
(`shoal.gallery.calibration`), and people are put in the order of their probabilities where every curve is known.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.errors import wrong
from shoal.faces.thresholds import Threshold
from shoal.gallery.calibration import calibrate, named_faces, probability
from shoal.gallery.memory import Snapshot
from shoal.gallery.searching import Near, Side, distances_to, nearest_people, sides
from shoal.gallery.values import Calibration, Match, Matches

CHANGED = 0.05  # share of named faces that may come or go until a calibration is made anew


@dataclass(frozen=True)
class _Learned:
    """A calibration, and the gallery that it was learned in."""

    calibration: Calibration
    named: int
    erasures: int

    def holds(self, named: int, erasures: int) -> bool:
        """Whether the gallery is still about the same."""
        return erasures == self.erasures and abs(named - self.named) <= CHANGED * self.named


class Matcher:
    """Answers from snapshots; keeps what it has prepared until the gallery has changed."""

    def __init__(self) -> None:
        self._lock, self._learning = threading.Lock(), threading.Lock()
        self._learned: dict[tuple[int, int, float], _Learned] = {}
        self._sides: tuple[Snapshot, dict[int, list[Side]]] | None = None

    def identify(self, snapshot: Snapshot, query: int, vector: NDArray[np.float32], k: int, far: float) -> Matches:
        """The k people that a vector of a model is most probably of."""
        near = nearest_people(snapshot, self.prepared(snapshot, query), query, vector, k)
        known = {
            side.model: self.calibration(snapshot, query, side.model, far) for side in self.prepared(snapshot, query)
        }
        matches = [_match(snapshot, one, known[one.model], known[one.model].search_threshold) for one in near]
        sure = all(calibration.slope is not None for calibration in known.values())
        if len(known) > 1 and sure:
            matches.sort(key=lambda match: -match.probability)
        best: dict[str, Match] = {}
        for match in matches:
            best.setdefault(match.person, match)
        notes = dict.fromkeys(calibration.note for calibration in known.values() if calibration.note)
        return Matches(list(best.values())[:k], "; ".join(notes))

    def verify(self, snapshot: Snapshot, query: int, vector: NDArray[np.float32], person: int, far: float) -> Match:
        """How near a vector is to one person.

        Raises:
            InputError: if the person has no vector, or no threshold is known for this rate.
        """
        near = distances_to(snapshot, self.prepared(snapshot, query), query, vector, person)
        if not near:
            raise wrong("person", expected="somebody with faces", got=snapshot.names.get(person, person))
        known = {one.model: self.calibration(snapshot, query, one.model, far) for one in near}
        decided = [
            _match(snapshot, one, known[one.model], known[one.model].threshold)
            for one in near
            if known[one.model].threshold is not None
        ]
        if not decided:
            note = known[near[0].model].note
            raise wrong("gallery", expected=f"enough people for a false-accept rate of {far:g}", got=note)
        return max(decided, key=lambda match: (bool(match.accepted), -match.distance))

    def nearest_named(self, snapshot: Snapshot, query: int, faces: Sequence[int], far: float) -> Match | None:
        """The named person whom a group of faces is nearest to, by the first of its faces that has a vector."""
        places = np.searchsorted(snapshot.faces, np.array(faces[:8]))
        found = [
            self.identify(snapshot, side.model, side.vectors[row], 1, far)
            for side in self.prepared(snapshot, query)
            if side.space == side.model
            for row in np.flatnonzero(np.isin(side.places, places))
        ]
        return min((matches[0] for matches in found if matches), key=lambda match: match.distance, default=None)

    def calibration(self, snapshot: Snapshot, query: int, stored: int, far: float) -> Calibration:
        """What distances between vectors of two models mean, learned anew when the gallery has changed enough.

        While one thread learns, others go on with what was learned before, unless somebody has been forgotten since.
        """
        if not 0 < far <= 0.5:
            raise wrong("far", expected="a share in (0, 0.5]", got=far, fix="give 0.1 % as 0.001")
        named, key = snapshot.named, (query, stored, far)
        learned = self._learned.get(key)
        if learned is not None and learned.holds(named, snapshot.erasures):
            return learned.calibration
        will_do = learned if learned is not None and learned.erasures == snapshot.erasures else None
        if not self._learning.acquire(blocking=will_do is None) and will_do is not None:
            return will_do.calibration
        try:
            learned = self._learned.get(key)
            if learned is None or not learned.holds(named, snapshot.erasures):
                calibration = calibrate(named_faces(snapshot, query, stored), far)
                learned = self._learned[key] = _Learned(calibration, named, snapshot.erasures)
            return learned.calibration
        finally:
            self._learning.release()

    def prepared(self, snapshot: Snapshot, query: int) -> list[Side]:
        """What queries of a model are compared with."""
        with self._lock:
            if self._sides is None or self._sides[0] is not snapshot:
                self._sides = (snapshot, {})
            by_query = self._sides[1]
            if query not in by_query:
                by_query[query] = sides(snapshot, query)
            return by_query[query]

    def forget(self) -> None:
        """Keep nothing that was learned from somebody who has been forgotten."""
        with self._lock:
            self._learned, self._sides = {}, None


def _match(snapshot: Snapshot, near: Near, calibration: Calibration, threshold: Threshold | None) -> Match:
    how_probable = probability(calibration, near.distance)
    accepted = None if math.isnan(how_probable) else how_probable > 0.5
    if threshold is not None:
        accepted = near.distance <= threshold.value
    return Match(snapshot.names[near.person], near.distance, how_probable, accepted, near.face)
