"""The gallery: people and their faces in a database, for years and over changes of the model.

    with Gallery.open("faces.db", model="faces.safetensors") as gallery:
        gallery.enrol("Ann", ["ann1.jpg", "ann2.jpg"])
        print(gallery.identify("somebody.jpg"))          # Ann at 0.412, 97 % (accepted)
        gallery.upgrade("better.safetensors")            # nobody is embedded again
        print(gallery.forget("Ann"))                     # and nothing is left of her

Everything that is written is written in one transaction: after a power cut it is there, or it never was.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shoal.data.faces.regions import Box
from shoal.errors import wrong
from shoal.gallery import forgetting, grouping, people, upgrading
from shoal.gallery.audit import read_log
from shoal.gallery.core import Core, check_boxes, read_faces
from shoal.gallery.database import number, open_database
from shoal.gallery.embedder import Embedder, unit_rows
from shoal.gallery.enrolling import embed_photos, known, settled, with_pictures
from shoal.gallery.models import Version, active, find_version, read_versions
from shoal.gallery.opening import choose, dim_of, login, vectors_only
from shoal.gallery.sources import find_photos, is_embeddings, read_photos
from shoal.gallery.values import AuditLog, Calibration, Erasure, Face, Group, Match, Matches, Person, Upgrade

FAR = 0.01  # false-accept rate of answers unless another is asked for
GROUPING = 1.0  # squared distance up to which unnamed faces are joined where no threshold is known


class Gallery(Core):
    """People and faces in a database. Make one with `Gallery.open`; used from any number of threads."""

    @classmethod
    def open(cls, where: str | Path, model: Any = None, *, who: str = "") -> Self:
        """Open a gallery; one is made where there is none.

        Args:
            where: path of a file, or "postgresql://user@host/database".
            model: file of a saved face network, a `FaceNetwork`, or an `Embedder`. The file that the gallery remembers
                unless given; embeddings alone need none.
            who: stands in the audit log; the user's login unless given.

        Returns:
            The gallery; close it, or use it as a context.

        Raises:
            InputError: if it is no gallery, was written by a newer Shoal, or the model is not the gallery's (upgrade
                to it instead).
            ShoalError: if it cannot be reached, read or written, or the model's file is gone or damaged.

        Example:
            >>> import tempfile, torch
            >>> faces = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(0)))
            >>> with tempfile.TemporaryDirectory() as folder, Gallery.open(f"{folder}/faces.db") as gallery:
            ...     gallery.enrol("Ann", faces[:2])
            ...     len(gallery), gallery.identify(faces[0])[0].person
            [1, 2]
            (2, 'Ann')
        """
        database = open_database(str(where))
        try:
            embedder = None if model is None else choose(database, model)  # else from its file, when it is needed
            return cls(database, embedder, who or login())
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Give the database back; may be called twice."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        with self._database.read() as rows:
            return number(rows, "SELECT COUNT(*) FROM faces")

    @property
    def location(self) -> str:
        """Where the gallery lies, without a password."""
        return self._database.location

    def enrol(
        self,
        person: str | None,
        faces: Any,
        *,
        boxes: Sequence[Sequence[Box | None]] | None = None,
        keep_photos: bool = False,
    ) -> list[int]:
        """Bring faces into the gallery; what is there already stays as it is.

        Args:
            person: whose they are; None if nobody knows.
            faces: photos (paths, bytes of files, Pillow images, uint8 pixels), one or several, or embeddings [n, dim].
            boxes: for each photo its faces as (left, top, right, bottom); the whole photo is one face unless given.
            keep_photos: keep the photos themselves, so that a later model can embed them again.

        Returns:
            The number of each face. Each photo is written in one transaction; embeddings all in one.

        Raises:
            InputError: if a photo cannot be read, a face is somebody else's, or two faces on one photo would be one
                person's. Photos before the one that is refused are in.
            ShoalError: if the gallery cannot be written.
        """
        name = None if person is None else people.check_name(person)
        if is_embeddings(faces):
            return self._enrol_vectors(name, faces)
        photos = read_photos(faces)
        on_them = check_boxes(boxes, len(photos))
        embedder = self._need_embedder()
        model = self._model(embedder)
        there = known(self._database, model.id, [photo.digest for photo in photos])
        found: list[int] = []
        for wanted, photo in zip(embed_photos(embedder, photos, on_them, there), photos, strict=True):
            done = settled(wanted, there, name, keep=keep_photos)
            if done is None:
                pictured = with_pictures(wanted, photo, keep=keep_photos)
                with self._writing() as rows:
                    done = self._put(rows, model.id, pictured, name)
            found += done
        return found

    def identify(self, face: Any, k: int = 5, *, box: Box | None = None, far: float = FAR) -> Matches:
        """Whom does a face show?

        Args:
            face: a photo or an embedding.
            k: people at most.
            box: of the face on the photo.
            far: false-accept rate of the threshold that decides, in (0, 0.5].

        Returns:
            The k most probable people, and whether it shows nobody who is known (`Matches.unknown`).

        Raises:
            InputError: if the face cannot be read or embedded.
        """
        if k < 1:
            raise wrong("k", expected="at least 1", got=k)
        vector, snapshot, query = self._query(face, box)
        return self._matcher.identify(snapshot, query, vector, k, far) if query is not None else Matches()

    def verify(self, person: str, face: Any, *, box: Box | None = None, far: float = FAR) -> Match:
        """Does a face show this person?

        Args:
            person: by name.
            face: a photo or an embedding.
            box: of the face on the photo.
            far: false-accept rate, in (0, 0.5].

        Returns:
            The distance, the probability, and whether the claim is accepted.

        Raises:
            InputError: if nobody has this name, the face cannot be read, or the gallery has too few people for a
                threshold at this rate.
        """
        vector, snapshot, query = self._query(face, box)
        with self._database.read() as rows:
            number_of = people.person_named(rows, person)
        if query is None:
            raise wrong("gallery", expected="faces", got="none")
        return self._matcher.verify(snapshot, query, vector, number_of, far)

    def calibration(self, far: float = FAR) -> Calibration:
        """The threshold and the probabilities of the model that the gallery has now, as its own faces teach them.

        Args:
            far: false-accept rate, in (0, 0.5].
        """
        snapshot = self._memory.snapshot()
        version = active(snapshot.versions)
        if version is None:
            raise wrong("gallery", expected="faces", got="none")
        return self._matcher.calibration(snapshot, version.id, version.id, far)

    def cluster(self, threshold: float | None = None, *, linkage: str = "average", far: float = FAR) -> list[Group]:
        """Group the faces that nobody has named.

        Two faces of one photo are never in one group, linked ones always, those told apart never.

        Args:
            threshold: squared distance; that of `far` unless given, or 1.0 where too few people are named to know it.
            linkage: see `shoal.faces.cluster`.
            far: false-accept rate of the threshold.

        Returns:
            Groups, the largest first, with the named person that each is nearest to.
        """
        snapshot = self._memory.snapshot()
        version = active(snapshot.versions)
        if version is None:
            return []
        if threshold is None:
            learned = self._matcher.calibration(snapshot, version.id, version.id, far).threshold
            threshold = GROUPING if learned is None else learned.value
        with self._database.read() as rows:
            links = grouping.read_links(rows)
        found = grouping.group_unnamed(snapshot, links, version.id, threshold, linkage)
        return [Group(faces, self._matcher.nearest_named(snapshot, version.id, faces, far)) for faces in found]

    def assign(self, faces: Sequence[int], person: str | None) -> None:
        """Say whose faces these are (a new name makes a new person), or None: nobody knows. Can be undone."""
        with self._writing() as rows:
            people.assign(rows, self._who, faces, person)

    def merge(self, names: Sequence[str], into: str) -> None:
        """Several people turn out to be one. Can be undone."""
        with self._writing() as rows:
            people.merge(rows, self._who, names, into)

    def split(self, person: str, faces: Sequence[int], new: str | None = None) -> None:
        """Some of a person's faces are somebody else's, or nobody knows whose. Can be undone."""
        with self._writing() as rows:
            people.split(rows, self._who, person, faces, new)

    def rename(self, person: str, name: str) -> None:
        """Give somebody another name. Can be undone."""
        with self._writing() as rows:
            people.rename(rows, self._who, person, name)

    def undo(self) -> str | None:
        """Take back the newest change of whose faces are whose; gives what it was, None where there is none."""
        with self._writing() as rows:
            return people.undo(rows, self._who)

    def link(self, a: int, b: int, *, same: bool) -> None:
        """Say that two faces are one person's, or that they are not; grouping keeps to it."""
        with self._writing() as rows:
            grouping.link(rows, self._who, a, b, same=same)

    def unlink(self, a: int, b: int) -> bool:
        """Take back what was said of two faces; gives whether anything had been."""
        with self._writing() as rows:
            return grouping.unlink(rows, self._who, a, b)

    def upgrade(
        self,
        model: Any,
        *,
        photos: Sequence[str | Path] = (),
        embeddings: Mapping[int, Any] | None = None,
        way: str | None = None,
        force: bool = False,
    ) -> Upgrade:
        """Have a new model follow the one that the gallery has; no vector is written again.

        Its vectors have to compare with the old ones as they are (harmonic training) or through a ridge map. Which, and
        whether recognition does not get worse, is measured on faces of people on whom nothing was fitted; their new
        vectors are added. Kept photos are used, and those that are given. A model from which the gallery was rolled
        back is taken again as it was.

        Args:
            model: as for `open`.
            photos: files that were enrolled, to measure on; others are looked at and passed over.
            embeddings: or ready: vectors of the new model by the numbers of faces.
            way: "as it is" or "translated"; measured unless given.
            force: go on although recognition gets worse, or nothing can be measured.

        Returns:
            What was measured and done.

        Raises:
            UpgradeRefusedError: if recognition would get worse; nothing is changed.
            InputError: if there are too few faces to measure on.
        """
        snapshot = self._memory.snapshot()
        old = active(snapshot.versions)
        if old is None:
            raise wrong("gallery", expected="faces", got="none", fix="open it with the new model instead")
        embedder = Embedder.of(model) if model is not None else vectors_only(dim_of(embeddings), snapshot.versions)
        if (had := find_version(snapshot.versions, embedder.digest)) is not None:
            with self._writing() as rows:
                done = upgrading.take_again(rows, self._who, had)
            self._embedder = embedder
            return done
        new = {int(f): unit_rows(v, embedder.dim, f"face {f}")[0] for f, v in (embeddings or {}).items()}
        if not new:
            measured = upgrading.faces_to_measure(snapshot)
            new = upgrading.embed_again(self._database, embedder, measured, find_photos(photos))
        planned = upgrading.plan(snapshot, old, new, way=way, force=force)
        with self._writing() as rows:
            done = upgrading.carry_out(rows, self._database, self._who, embedder, planned)
        self._embedder = embedder
        return done

    def rollback(self) -> str:
        """Return to the model before the newest; faces that were enrolled since stay, and still match.

        Returns:
            The name of the model that the gallery has now. Its file has to be where it was for photos to be embedded.

        Raises:
            InputError: if the gallery was never upgraded.
        """
        with self._writing() as rows:
            name = upgrading.go_back(rows, self._who)
        self._embedder = None  # the old one comes from its file when a photo is to be embedded
        return name

    def reembed(self, limit: int = 1000, progress: Callable[[float], None] | None = None) -> int:
        """Embed faces whose photos are kept by the model of now, some at a time; their old vectors stay for rollback.

        Args:
            limit: faces at most.
            progress: told the share that is done.

        Returns:
            How many were embedded; 0 when none is left.
        """
        embedder = self._need_embedder()
        model = self._model(embedder)
        with self._database.read() as rows:
            left = rows.all(
                "SELECT f.id FROM faces f JOIN photos p ON p.id = f.photo WHERE p.image IS NOT NULL AND NOT EXISTS "
                "(SELECT 1 FROM vectors v WHERE v.face = f.id AND v.model = ?) ORDER BY f.id LIMIT ?",
                model.id,
                limit,
            )
        faces = [int(row[0]) for row in left]
        for begin in range(0, len(faces), upgrading.AT_ONCE):
            part = faces[begin : begin + upgrading.AT_ONCE]
            new = upgrading.embed_again(self._database, embedder, part)
            with self._writing() as rows:
                self._add_vectors(rows, model.id, new)
            if progress is not None:
                progress((begin + len(part)) / len(faces))
        return len(faces)

    def forget(self, person: str) -> Erasure:
        """Delete somebody, so that nothing of them is left in any file of the database.

        Args:
            person: by name.

        Returns:
            What was deleted, and what a scan of the files found afterwards. In PostgreSQL the tables are rewritten, but
            what the server's log and freed blocks hold cannot be seen, and is said.

        Raises:
            InputError: if nobody has this name.
        """
        with self._writing() as rows:
            deleted = forgetting.delete_person(rows, self._database, self._who, people.check_name(person))
        self._matcher.forget()
        return forgetting.clean_up(self._database, deleted)

    def audit(self, head: str = "") -> AuditLog:
        """Who did what when, and whether any line of it was changed or is missing.

        Args:
            head: `AuditLog.head` of an earlier time, kept elsewhere; if it is not there any more, the end was cut off.
        """
        with self._database.read() as rows:
            return read_log(rows, head)

    def people(self) -> list[Person]:
        """Everybody who has a name, by name."""
        with self._database.read() as rows:
            return people.read_people(rows)

    def faces(
        self, person: str | None = None, *, unnamed: bool = False, after: int = 0, limit: int | None = None
    ) -> list[Face]:
        """Faces by number: all, a person's, or those that nobody has named; so many at most, beyond a number."""
        with self._database.read() as rows:
            number_of = None if person is None else people.person_named(rows, person)
            return read_faces(rows, number_of, unnamed=unnamed, after=after, limit=limit)

    def thumbnail(self, face: int) -> bytes | None:
        """A small JPEG of the photo that a face is on; None where there is none."""
        with self._database.read() as rows:
            found = rows.all(
                "SELECT p.thumbnail FROM photos p JOIN faces f ON f.photo = p.id WHERE f.id = ?", int(face)
            )
        if not found:
            raise wrong("face", expected="one in the gallery", got=face)
        return None if found[0][0] is None else bytes(found[0][0])

    def models(self) -> list[Version]:
        """The models that the gallery has had, oldest first."""
        with self._database.read() as rows:
            return list(read_versions(rows).values())

    def check(self) -> list[str]:
        """What is wrong with the database or its audit log; nothing if all is well."""
        return [*self._database.check(), *self.audit().faults]
