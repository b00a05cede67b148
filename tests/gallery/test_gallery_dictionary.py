"""The gallery against a dictionary: whatever is done in whatever order, both know the same."""

import tempfile
from pathlib import Path

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shoal.errors import InputError
from shoal.gallery import Gallery
from tests.gallery.made_up import directions

NAMES = st.sampled_from(["Ann", "Bob", "Cem", "Dora"])
ROWS = directions(12, 3, seed=21).reshape(-1, 24)  # 36 faces, of nobody in particular
SOME = st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=4, unique=True)


class GalleryMachine(RuleBasedStateMachine):
    """What a gallery does, beside a dictionary from faces to owners that does the same in the obvious way."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "faces.db"
        self.gallery = Gallery.open(self.path)
        self.owner: dict[int, str | None] = {}  # by row
        self.number: dict[int, int] = {}  # of a row's face
        self.history: list[dict[int, str | None]] = []

    def teardown(self) -> None:
        if hasattr(self, "gallery"):
            self.gallery.close()
            self.folder.cleanup()

    @rule(name=st.one_of(st.none(), NAMES), rows=SOME)
    def enrol(self, name: str | None, rows: list[int]) -> None:
        others = [row for row in rows if name is not None and self.owner.get(row) not in (None, name)]
        try:
            numbers = self.gallery.enrol(name, ROWS[rows])
        except InputError:
            assert others
            return
        assert not others
        for row, number in zip(rows, numbers, strict=True):
            assert self.number.setdefault(row, number) == number
            if self.owner.get(row) is None:
                self.owner[row] = name

    @precondition(lambda self: self.owner)
    @rule(data=st.data(), name=st.one_of(st.none(), NAMES))
    def assign(self, data: st.DataObject, name: str | None) -> None:
        rows = data.draw(st.lists(st.sampled_from(sorted(self.owner)), min_size=1, max_size=3, unique=True))
        self.history.append({row: self.owner[row] for row in rows})
        self.gallery.assign([self.number[row] for row in rows], name)
        self.owner |= dict.fromkeys(rows, name)

    @rule(a=NAMES, b=NAMES)
    def merge(self, a: str, b: str) -> None:
        known = set(self.owner.values())
        try:
            self.gallery.merge([a], into=b)
        except InputError:
            assert a == b or a not in known or b not in known
            return
        self.history.append({row: owner for row, owner in self.owner.items() if owner == a})
        self.owner = {row: b if owner == a else owner for row, owner in self.owner.items()}

    @rule()
    def undo(self) -> None:
        done = self.gallery.undo()
        assert (done is not None) == bool(self.history)
        if self.history:
            self.owner |= self.history.pop()

    @rule(name=NAMES)
    def forget(self, name: str) -> None:
        hers = [row for row, owner in self.owner.items() if owner == name]
        try:
            erasure = self.gallery.forget(name)
        except InputError:
            assert not hers
            return
        assert erasure.faces == len(hers)
        assert erasure.found == 0
        for row in hers:
            del self.owner[row], self.number[row]
        while self.gallery.undo() is not None:  # what is left of history cannot be told from outside: take it all back
            pass
        self.history = []
        self._read_owners()

    @rule()
    def close_and_open(self) -> None:
        self.gallery.close()
        self.gallery = Gallery.open(self.path)

    @rule(row=st.integers(0, len(ROWS) - 1))
    def identify(self, row: int) -> None:
        found = self.gallery.identify(ROWS[row], k=1)
        named = [r for r, owner in self.owner.items() if owner is not None]
        if not named:
            assert found == []
            return
        distances = torch.stack([(ROWS[row].double() - ROWS[r].double()).square().sum() for r in named])
        nearest = self.owner[named[int(distances.argmin())]]
        assert found[0].person == nearest
        assert abs(found[0].distance - float(distances.min())) < 1e-6

    @invariant()
    def both_know_the_same(self) -> None:
        if not hasattr(self, "gallery"):
            return
        there = {face.id: face.person for face in self.gallery.faces()}
        assert there == {self.number[row]: owner for row, owner in self.owner.items()}
        people = {person.name: person.faces for person in self.gallery.people()}
        owners = [owner for owner in self.owner.values() if owner is not None]
        assert people == {name: owners.count(name) for name in set(owners)}
        assert len(self.gallery) == len(self.owner)

    def _read_owners(self) -> None:
        there = {face.id: face.person for face in self.gallery.faces()}
        assert set(there) == set(self.number.values())
        self.owner = {row: there[number] for row, number in self.number.items()}


GalleryMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_the_gallery_is_a_dictionary = GalleryMachine.TestCase
