"""A face gallery for years: people and faces in a database, answers with probabilities, models that can change.

    with Gallery.open("faces.db", model="faces.safetensors") as gallery:
        gallery.enrol("Ann", ["ann1.jpg", "ann2.jpg"])
        print(gallery.identify("somebody.jpg"))

Rooms within: `schema`, `database`, `sqlite` and `postgres` (where rows are kept); `sources`, `embedder` and `enrolling`
(from photos to rows); `people` and `grouping` (who is who); `memory`, `searching`, `calibration` and `matching` (from a
face to names); `models`, `gates` and `upgrading` (a new model without embedding anybody again); `forgetting` and
`audit`; `values` (what is given back), `gallery`, which brings them together, and `folders`.
"""

from shoal.gallery.embedder import Embedder
from shoal.gallery.folders import Enrolled, enrol_folder
from shoal.gallery.gallery import Gallery
from shoal.gallery.upgrading import UpgradeRefusedError
from shoal.gallery.values import (
    AuditLog,
    Calibration,
    Entry,
    Erasure,
    Face,
    Gate,
    Group,
    Match,
    Matches,
    Person,
    Upgrade,
)

__all__ = [
    "AuditLog",
    "Calibration",
    "Embedder",
    "Enrolled",
    "Entry",
    "Erasure",
    "Face",
    "Gallery",
    "Gate",
    "Group",
    "Match",
    "Matches",
    "Person",
    "Upgrade",
    "UpgradeRefusedError",
    "enrol_folder",
]
