"""Faces: photos in people's folders, LFW, the Olivetti faces; pairs to verify; one photo at a time.

    from shoal.data.faces import load_faces, split_faces

    faces = load_faces("lfw", image_size=64)               # or "olivetti", "digits" (not faces), or a folder
    splits = split_faces(faces)                            # LFW's View 1; of other sets, people are drawn
    splits.train.pair, splits.test_pairs

Rooms within: `specs` (what is known about each set), `sets` and `pairs` (what is returned), `regions` and
`images` (one photo), `reading` (many), `folders`, `boxes`, `lfw` and `at_hand` (where they come from),
`drawing` and `splits` (pairs and people), `load` and `describe` (all of it together).
"""

from shoal.data.faces.at_hand import fetch_faces
from shoal.data.faces.boxes import read_boxes
from shoal.data.faces.describe import describe_faces, verify_faces
from shoal.data.faces.drawing import draw_pairs
from shoal.data.faces.folders import list_images, list_people
from shoal.data.faces.images import MOST_PIXELS, read_face
from shoal.data.faces.lfw import lfw_pairs, lfw_rows, read_pair_list, read_people_list
from shoal.data.faces.load import FaceChoice, find_best_faces, load_faces
from shoal.data.faces.pairs import FacePairs, folds_in_order
from shoal.data.faces.regions import Box
from shoal.data.faces.sets import FaceSet
from shoal.data.faces.specs import FaceSpec, list_face_sets, match_face_spec
from shoal.data.faces.splits import FaceSplits, split_faces

__all__ = [
    "MOST_PIXELS",
    "Box",
    "FaceChoice",
    "FacePairs",
    "FaceSet",
    "FaceSpec",
    "FaceSplits",
    "describe_faces",
    "draw_pairs",
    "fetch_faces",
    "find_best_faces",
    "folds_in_order",
    "lfw_pairs",
    "lfw_rows",
    "list_face_sets",
    "list_images",
    "list_people",
    "load_faces",
    "match_face_spec",
    "read_boxes",
    "read_face",
    "read_pair_list",
    "read_people_list",
    "split_faces",
    "verify_faces",
]
