"""What a gallery gives back: small frozen values that say in words what they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shoal.faces.thresholds import Threshold

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Match:
    """A person that a face may show.

    Attributes:
        person: by name.
        distance: squared and Euclidean, in [0, 4], to the nearest of this person's faces.
        probability: that the face shows this person, if it shows somebody of the gallery as often as not; NaN where
            the gallery has too few faces to tell (see `shoal.gallery.calibration`).
        accepted: whether the distance is within the threshold for the rate that was asked for: of strangers who are
            taken for this person, where a claim is verified; of strangers who are taken for anybody, where it is asked
            whom a face shows. Where faces are too few for a threshold, whether the probability is above one half; None
            where there is none either.
        face: the number of the nearest face.
    """

    person: str
    distance: float
    probability: float
    accepted: bool | None
    face: int

    def __str__(self) -> str:
        told = "" if self.probability != self.probability else f", {100 * self.probability:.0f} %"
        verdict = {True: "accepted", False: "not accepted", None: "no threshold known"}[self.accepted]
        return f"{self.person} at {self.distance:.3f}{told} ({verdict})"


class Matches(list[Match]):
    """The people that a face may show, the most probable first.

    Attributes:
        note: why probabilities or thresholds are missing, where they are.
    """

    def __init__(self, matches: Sequence[Match] = (), note: str = ""):
        super().__init__(matches)
        self.note = note

    @property
    def unknown(self) -> bool | None:
        """Whether the face shows nobody who is known; None where no threshold is known that could tell."""
        if not self:
            return True
        return None if self[0].accepted is None else not any(match.accepted for match in self)

    @property
    def person(self) -> str | None:
        """The first who is accepted, or None."""
        return next((match.person for match in self if match.accepted), None)

    def __str__(self) -> str:
        if not self:
            return UNKNOWN
        head = [UNKNOWN] if self.unknown else []
        return "; ".join([*head, *map(str, self)])


@dataclass(frozen=True)
class Person:
    """Somebody in the gallery.

    Attributes:
        id: never given to another.
        name: unique in the gallery.
        faces: how many.
        first: the number of the first of them; None where there is none.
    """

    id: int
    name: str
    faces: int
    first: int | None = None


@dataclass(frozen=True)
class Face:
    """A face in the gallery.

    Attributes:
        id: never given to another.
        photo: number of the photo that it is on.
        person: by name; None where nobody has said.
        name: of the photo, as it was given; may be empty.
        box: left, top, right, bottom in pixels; None for the whole photo.
        models: the names of the models whose vectors it has.
    """

    id: int
    photo: int
    person: str | None
    name: str
    box: tuple[float, float, float, float] | None
    models: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Unnamed faces that seem to be one person.

    Attributes:
        faces: their numbers.
        nearest: the named person that they are nearest to, if there is any.
    """

    faces: tuple[int, ...]
    nearest: Match | None = None


@dataclass(frozen=True)
class Gate:
    """What an upgrade was decided on: the same held-out pairs, by both models.

    Attributes:
        old_old: accuracy of old with old, in [0, 1].
        new_old: of new with old, which is what the gallery will live on.
        new_new: of new with new.
        gain: new_old − old_old.
        standard_error: of the gain.
        pairs: how many.
        way: "as it is" where the new vectors compare with the old ones, "translated" by a ridge map.
        passed: whether recognition does not get worse by more than the gain's standard error.
    """

    old_old: float
    new_old: float
    new_new: float
    gain: float
    standard_error: float
    pairs: int
    way: str
    passed: bool

    def __str__(self) -> str:
        said = "passed" if self.passed else "refused"
        return (
            f"{said}: new to old {100 * self.new_old:.2f} %, old to old {100 * self.old_old:.2f} %, "
            f"a gain of {100 * self.gain:+.2f} ± {100 * self.standard_error:.2f} points "
            f"on {self.pairs:,} held-out pairs ({self.way})"
        )


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade did.

    Attributes:
        model: the new one's name.
        gate: what it was decided on; None where it was forced with nothing to measure on.
        kept: vectors that stayed as they are.
        added: vectors of the new model that were added for faces that had one of the old.
    """

    model: str
    gate: Gate | None
    kept: int
    added: int


@dataclass(frozen=True)
class Erasure:
    """What was deleted of a person, and whether the files still hold any of it.

    Attributes:
        faces: rows that were deleted.
        vectors: the same.
        photos: the same; a photo with others on it stays, without its picture, its name and its thumbnail.
        complete: whether everything was done so that the bytes are gone.
        found: how many of the deleted byte strings a scan of all files found afterwards; None where files are out of
            reach, which is so for PostgreSQL.
        says: the same in a sentence, and what is left to do.
    """

    faces: int
    vectors: int
    photos: int
    complete: bool
    found: int | None
    says: str

    def __str__(self) -> str:
        proof = "files cannot be seen from here" if self.found is None else f"{self.found} traces found in the files"
        return f"{self.faces} faces, {self.vectors} vectors, {self.photos} photos deleted; {proof}; {self.says}"


@dataclass(frozen=True)
class Entry:
    """A line of the audit log; it names nobody whom the gallery is about, only numbers.

    Attributes:
        seq: from 1, without gaps.
        time: UTC.
        who: whoever used the gallery.
        what: for example "enrol".
        detail: numbers of faces, people and models.
        hash: seals this line and all before it.
    """

    seq: int
    time: str
    who: str
    what: str
    detail: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class AuditLog:
    """Who did what when.

    Attributes:
        entries: in order.
        faults: what does not fit together: changed, missing or reordered lines; empty if the log is intact.
    """

    entries: tuple[Entry, ...]
    faults: tuple[str, ...] = field(default=())

    @property
    def intact(self) -> bool:
        """Whether every line is as it was written, and none is missing between them."""
        return not self.faults

    @property
    def head(self) -> str:
        """The seal of the last line: whoever writes it down elsewhere can tell later whether the end was cut off."""
        return self.entries[-1].hash if self.entries else ""

    def __str__(self) -> str:
        return f"{len(self.entries):,} entries, " + ("intact" if self.intact else f"NOT intact: {self.faults[0]}")


@dataclass(frozen=True)
class Calibration:
    """How distances between vectors of two models are to be read.

    Attributes:
        threshold: for claims: of two faces of different people, the share that was asked for is accepted; None where it
            was refused.
        search_threshold: for searches: of faces of strangers, this share is taken for somebody; None where it was
            refused. It is stricter, the more so the more people there are.
        slope: of the probability, at most 0; None where there are too few faces.
        offset: the probability is 1 / (1 + exp(−(offset + slope · distance))).
        note: why something is missing.
    """

    threshold: Threshold | None
    search_threshold: Threshold | None
    slope: float | None
    offset: float | None
    note: str = ""
