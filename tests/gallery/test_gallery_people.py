"""Naming, merging, splitting and taking it back; what people know is kept to."""

import pytest

from shoal.errors import InputError
from shoal.gallery import Gallery
from tests.gallery.made_up import EYE, Place, directions, fill, picture


def whose(gallery: Gallery) -> dict[int, str | None]:
    return {face.id: face.person for face in gallery.faces()}


def test_every_change_can_be_taken_back_in_turn(place: Place):
    with place.open() as gallery:
        ids = fill(gallery, directions(3, 3))
        nameless = gallery.enrol(None, directions(1, 2, seed=4)[0])
        states = [whose(gallery)]
        changes = [
            lambda: gallery.assign(nameless, "newcomer"),
            lambda: gallery.merge(["person 001"], into="person 000"),
            lambda: gallery.split("person 000", ids["person 001"], "person 009"),
            lambda: gallery.rename("person 002", "Zoe"),
            lambda: gallery.split("Zoe", ids["person 002"][:1]),
            lambda: gallery.assign(ids["person 000"], None),
        ]
        for change in changes:
            change()
            states.append(whose(gallery))
        assert len({str(state) for state in states}) == len(states)
        for before in reversed(states[:-1]):
            assert gallery.undo() is not None
            assert whose(gallery) == before
            assert {person.name for person in gallery.people()} == set(before.values()) - {None}
        assert gallery.undo() is None


def test_two_faces_of_one_photo_cannot_be_merged_into_one_person(file: Place):
    with file.open(model=EYE) as gallery:
        a, b = gallery.enrol(None, picture(1), boxes=[[(0, 0, 20, 40), (20, 0, 40, 40)]])
        gallery.assign([a], "Ann")
        gallery.assign([b], "Bob")
        with pytest.raises(InputError, match="of one photo"):
            gallery.merge(["Bob"], into="Ann")
        with pytest.raises(InputError, match="two people"):
            gallery.link(a, b, same=True)
        assert whose(gallery) == {a: "Ann", b: "Bob"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: g.merge(["nobody"], into="person 000"), "somebody in the gallery"),
        (lambda g: g.merge([], into="person 000"), "somebody beside"),
        (lambda g: g.rename("person 000", "person 001"), "one that nobody has"),
        (lambda g: g.split("person 000", [4], "x"), "faces of 'person 000'"),
        (lambda g: g.split("person 000", [1, 2], "x"), "rename the person"),
        (lambda g: g.assign([99], "x"), "no face 99"),
        (lambda g: g.assign([], "x"), "at least one"),
        (lambda g: g.link(1, 1, same=True), "two faces"),
        (lambda g: g.link(1, 2, same=False), "named otherwise"),
        (lambda g: g.thumbnail(99), "one in the gallery"),
        (lambda g: g.forget("nobody"), "somebody in the gallery"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(file: Place, change, said):
    with file.open() as gallery:
        fill(gallery, directions(3, 2))
        before, told = whose(gallery), len(gallery.audit().entries)
        with pytest.raises(InputError, match=said):
            change(gallery)
        assert whose(gallery) == before
        assert len(gallery.audit().entries) == told
        assert gallery.undo() is None


def test_unnamed_faces_are_grouped_and_links_are_kept_to(place: Place):
    faces = directions(5, 4)
    with place.open() as gallery:
        for rows in faces[:3]:
            gallery.enrol(None, rows)
        gallery.enrol("known", faces[3])
        groups = gallery.cluster(threshold=0.8)
        assert [sorted(group.faces) for group in groups] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
        assert all(group.nearest is not None and group.nearest.person == "known" for group in groups)
        gallery.link(1, 2, same=False)
        gallery.link(3, 5, same=True)
        together = {face: i for i, group in enumerate(gallery.cluster(threshold=0.8)) for face in group.faces}
        assert together[1] != together[2]
        assert together[3] == together[5]
        with pytest.raises(InputError, match="not linked as one person"):
            gallery.link(3, 5, same=False) if gallery.unlink(8, 9) else gallery.link(1, 2, same=True) or _clash(gallery)
        assert gallery.unlink(3, 5)
        assert not gallery.unlink(3, 5)


def _clash(gallery: Gallery) -> None:
    """1 and 2 are one person now, and 2 and 3; so 1 and 3 are."""
    gallery.link(2, 3, same=True)
    gallery.link(1, 3, same=False)


def test_links_that_contradict_each_other_through_others_are_refused(file: Place):
    with file.open() as gallery:
        gallery.enrol(None, directions(4, 1)[:, 0])
        gallery.link(1, 2, same=True)
        gallery.link(3, 4, same=True)
        gallery.link(2, 3, same=False)
        with pytest.raises(InputError, match="told apart"):
            gallery.link(1, 4, same=True)
        gallery.unlink(2, 3)
        gallery.link(1, 4, same=True)
        with pytest.raises(InputError, match="linked as one person"):
            gallery.link(2, 3, same=False)


def test_faces_of_one_photo_are_in_different_groups(file: Place):
    with file.open(model=EYE) as gallery:
        box = (0, 0, 40, 40)
        gallery.enrol(None, picture(1), boxes=[[box, (0, 0, 40, 39)]])  # nearly the same face twice
        assert [len(group.faces) for group in gallery.cluster(threshold=4.0)] == [1, 1]


def test_a_name_stays_when_a_group_gets_one(file: Place):
    faces = directions(2, 4)
    with file.open() as gallery:
        gallery.enrol(None, faces[0])
        gallery.assign(gallery.cluster(threshold=0.8)[0].faces, "Ann")
        assert [(person.name, person.faces) for person in gallery.people()] == [("Ann", 4)]
        assert gallery.cluster() == []


def test_a_link_that_follows_from_others_stays_when_it_is_contradicted_itself(file: Place):
    """1 and 2 are one person, directly and through 3: taking the direct link for its opposite would contradict 3."""
    with file.open() as gallery:
        gallery.enrol(None, directions(3, 1)[:, 0])
        for a, b in ((1, 2), (1, 3), (2, 3)):
            gallery.link(a, b, same=True)
        with pytest.raises(InputError, match="if only through others"):
            gallery.link(1, 2, same=False)
        assert [len(group.faces) for group in gallery.cluster(threshold=0.1)] == [3]


def test_linked_faces_are_not_given_to_two_people(file: Place):
    with file.open() as gallery:
        a, b, c = gallery.enrol(None, directions(3, 1)[:, 0])
        gallery.link(a, b, same=True)
        gallery.assign([a], "Ann")
        with pytest.raises(InputError, match="linked as one person, with two"):
            gallery.assign([b, c], "Bob")
        gallery.assign([b], "Ann")
        with pytest.raises(InputError, match="linked as one person, with two"):
            gallery.split("Ann", [b], "Bob")
        assert whose(gallery) == {a: "Ann", b: "Ann", c: None}


def test_what_was_told_apart_since_does_not_come_together_by_undoing(file: Place):
    with file.open() as gallery:
        ids = fill(gallery, directions(1, 2))["person 000"]
        gallery.split("person 000", ids[1:], "twin")
        gallery.link(*ids, same=False)
        with pytest.raises(InputError, match="told apart"):
            gallery.undo()
        assert whose(gallery) == {ids[0]: "person 000", ids[1]: "twin"}
        gallery.unlink(*ids)
        assert gallery.undo() == "split"
        assert whose(gallery) == dict.fromkeys(ids, "person 000")


def test_a_name_that_somebody_else_has_by_now_is_not_taken_back(file: Place):
    with file.open() as gallery:
        fill(gallery, directions(1, 2))
        gallery.rename("person 000", "Ann")
        gallery.enrol("person 000", directions(1, 1, seed=5)[0])
        with pytest.raises(InputError, match="somebody else has by now"):
            gallery.undo()
        gallery.rename("person 000", "Bob")
        assert gallery.undo() == "rename"  # of Bob
        gallery.forget("person 000")
        assert gallery.undo() == "rename"
        assert [person.name for person in gallery.people()] == ["person 000"]


@pytest.mark.parametrize("name", ["Zoë", "Ω 山田 太郎", "\u202bאבי\u202c", "👩‍👧", "O'Neil; DROP TABLE people", "50 %"])
def test_names_of_all_scripts_are_kept(place: Place, name: str):
    faces = directions(1, 2, seed=3)[0]
    with place.open() as gallery:
        gallery.enrol(f"  {name} ", faces)
        assert [person.name for person in gallery.people()] == [name]
        assert gallery.identify(faces[0])[0].person == name
        gallery.rename(name, "x")
        assert gallery.undo() == "rename"
        assert gallery.forget(name).faces == 2
        assert gallery.people() == []


def test_a_name_is_one_however_its_letters_are_composed(file: Place):
    faces = directions(1, 2)[0]
    with file.open() as gallery:
        gallery.enrol("Zoe\u0308", faces[:1])
        gallery.enrol("Zoë", faces[1:])
        assert [(person.name, person.faces) for person in gallery.people()] == [("Zoë", 2)]
