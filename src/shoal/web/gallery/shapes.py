"""What goes into the API and comes out of it; its documentation is made of these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_FACES = 10_000  # in one request

Edge = Annotated[float, Field(ge=-1e6, le=1e6)]
Box = tuple[Edge, Edge, Edge, Edge]
Id = Annotated[int, Field(ge=1, lt=2**63, description="number of a face")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_FACES)]
Name = Annotated[str, Field(min_length=1, max_length=200, description="of a person, unique in the gallery")]
Far = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False, description="false-accept rate: 0.01 is 1 %")]
Most = Annotated[int, Field(ge=1, le=1000, description="entries at most")]
Linkage = Literal["average", "complete", "single"]


class Asked(BaseModel):
    """What a request holds; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class EnrolForm(Asked):
    """Photos, and what is known of them."""

    person: Name | None = Field(None, description="whose the faces are; nobody's unless given")
    boxes: list[list[Box]] | None = Field(
        None,
        description="for each photo its faces as [left, top, right, bottom] in pixels of the upright photo, as JSON; "
        "the whole photo is one face unless given",
    )
    keep_photos: bool = Field(False, description="keep the photos, so that a later model can embed them again")


class IdentifyForm(Asked):
    """A photo of somebody."""

    k: int = Field(5, ge=1, le=100, description="people at most")
    far: Far = 0.01
    box: Box | None = Field(None, description="of the face, as JSON; the whole photo unless given")


class VerifyForm(Asked):
    """A photo of somebody, and who it is said to be."""

    person: Name
    far: Far = 0.01
    box: Box | None = Field(None, description="of the face, as JSON; the whole photo unless given")


class Rename(Asked):
    """Another name."""

    person: Name
    name: Name


class Merge(Asked):
    """Several people who are one."""

    people: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    into: Name


class Split(Asked):
    """Faces of a person who are somebody else's."""

    person: Name
    faces: Ids
    new: Name | None = Field(None, description="whose they are; nobody's unless given")


class Forget(Asked):
    """Somebody of whom nothing is to be left."""

    person: Name


class Assign(Asked):
    """Whose faces these are."""

    faces: Ids
    person: Name | None = Field(None, description="a new name makes a new person; nobody's unless given")


class Link(Asked):
    """What is known of two faces."""

    a: Id
    b: Id
    same: bool = Field(description="one person's, or not")


class Unlink(Asked):
    """Two faces of which nothing is known any more."""

    a: Id
    b: Id


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok"]
    version: str


class Limits(BaseModel):
    """What a request with photos may hold."""

    most_bytes: int = Field(description="of a photo's file")
    most_pixels: int
    photos: int = Field(description="in one request")


class About(BaseModel):
    """The gallery as a whole."""

    faces: int
    people: int
    model: str | None = Field(description="the one that embeds now; none in an empty gallery of none")
    embeds: bool = Field(description="whether photos can be embedded")
    limits: Limits


class PersonShown(BaseModel):
    """Somebody in the gallery."""

    id: int
    name: str
    faces: int
    first: int | None = Field(description="the number of the first of the faces")


class FaceShown(BaseModel):
    """A face in the gallery."""

    id: int
    photo: int
    person: str | None
    box: Box | None
    models: list[str] = Field(description="whose vectors it has")


class PhotoEnrolled(BaseModel):
    """What came of a photo: the numbers of its faces, or why it was refused."""

    faces: list[int]
    refused: str | None


class Enrolled(BaseModel):
    """What came of the photos of a request, in order."""

    photos: list[PhotoEnrolled]


class MatchShown(BaseModel):
    """A person that a face may show."""

    person: str
    distance: float = Field(description="squared, 0 to 4, to the nearest of the person's faces")
    probability: float | None = Field(description="none where the gallery has too few faces to tell")
    accepted: bool | None = Field(description="within the threshold of the rate; none where no threshold is known")
    face: int = Field(description="the nearest")


class Identified(BaseModel):
    """Whom a face shows."""

    person: str | None = Field(description="the first who is accepted")
    unknown: bool | None = Field(description="whether it is nobody who is known; none where no threshold could tell")
    matches: list[MatchShown]
    note: str = Field(description="why probabilities or thresholds are missing, where they are")


class GroupShown(BaseModel):
    """Unnamed faces that seem to be one person."""

    faces: list[int]
    nearest: MatchShown | None


class Done(BaseModel):
    """A change was made; `POST /undo` takes it back."""

    done: bool


class Undone(BaseModel):
    """What was taken back."""

    undone: str | None = Field(description="none where there was nothing")


class Erased(BaseModel):
    """What was deleted, and whether the files still hold any of it."""

    faces: int
    vectors: int
    photos: int
    complete: bool
    found: int | None = Field(description="traces that a scan of the files found; none where files are out of reach")
    says: str


class EntryShown(BaseModel):
    """A line of the audit log: numbers, nobody's name but that of who did it."""

    seq: int
    time: str
    who: str
    what: str
    detail: dict[str, Any]
    hash: str


class Audit(BaseModel):
    """Who did what when, the newest last."""

    entries: list[EntryShown]
    count: int = Field(description="of all entries")
    intact: bool
    faults: list[str]
    head: str = Field(
        description="seal of the last entry; written down elsewhere, it shows later that none was cut off"
    )
