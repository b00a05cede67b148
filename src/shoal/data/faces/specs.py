"""What is known about each named set of faces: what it has, how to get it, its terms.

A fact about a set is written down here only. The registry has three names; the last is there for machines that
have no faces at hand, and says of itself that it has none.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FaceSpec:
    """A named set of faces.

    Attributes:
        name: how Shoal calls it.
        title: how people call it.
        content: what it has, in a few words.
        images: how many it has as published.
        people: how many people.
        terms: licence or terms in a few words.
        source: whom to cite.
        get: how to get it; empty where there is nothing to get.
        folders: names under which its images lie in a data folder; empty where it is no folder of images.
        are_faces: whether these are faces at all.
        better: why another set would tell more; empty if none would.
    """

    name: str
    title: str
    content: str
    images: int
    people: int
    terms: str
    source: str
    get: str = ""
    folders: tuple[str, ...] = ()
    are_faces: bool = True
    better: str = ""


LFW = FaceSpec(
    name="lfw",
    title="Labeled Faces in the Wild",
    content="13,233 photos of 5,749 people, 1,680 of them with two or more",
    images=13_233,
    people=5_749,
    terms="research only; never redistribute",
    source="Huang, Ramesh, Berg & Learned-Miller 2007, Labeled Faces in the Wild (UMass Amherst 07-49)",
    get="from its authors, deep-funneled, with the lists of View 1; put all of it into SHOAL_DATA/lfw",
    folders=("lfw", "lfw-deepfunneled", "lfw_funneled", "lfw_home/lfw_funneled", "lfw_home/lfw"),
)

_TO_LFW = (
    "13,233 photos of 5,749 people: get LFW from its authors and put it into SHOAL_DATA/lfw; "
    "or name a folder of people's folders with --data"
)

OLIVETTI = FaceSpec(
    name="olivetti",
    title="the Olivetti faces",
    content="400 grey photos of 40 people, ten of each",
    images=400,
    people=40,
    terms="no licence stated; credit AT&T Laboratories Cambridge",
    source="Samaria & Harter 1994, Parameterisation of a stochastic model for human face identification",
    get="shoal data fetch olivetti (1.4 MB, through scikit-learn)",
    better=_TO_LFW,
)

DIGITS_AS_PEOPLE = FaceSpec(
    name="digits",
    title="scikit-learn's handwritten digits, not faces",
    content="1,797 digits, each of the ten taken for a person; these are not faces",
    images=1_797,
    people=10,
    terms="CC BY 4.0; comes with scikit-learn",
    source="Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (UCI)",
    are_faces=False,
    better=f"these are not faces; {_TO_LFW}",
)

FACE_SPECS = {spec.name: spec for spec in (LFW, OLIVETTI, DIGITS_AS_PEOPLE)}


def list_face_sets() -> tuple[str, ...]:
    """The names that `load_faces` knows, the one that tells most first.

    Example:
        >>> list_face_sets()
        ('lfw', 'olivetti', 'digits')
    """
    return tuple(FACE_SPECS)


def match_face_spec(name: str) -> FaceSpec | None:
    """The set of this name, or None; case, spaces, dashes and underscores do not matter.

    Args:
        name: for example "LFW".

    Example:
        >>> match_face_spec("LFW").people
        5749
    """
    plain = re.sub(r"[\s_-]", "", name.lower())
    return next((spec for spec in FACE_SPECS.values() if spec.name == plain), None)
