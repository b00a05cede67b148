"""The tables of a gallery, and how those of an earlier version become those of now.

One text serves both databases: `{id}`, `{blob}` and `{vector}` stand for what they call these types. A migration is
never changed once a version with it was released; what is missing comes in a new one.

    people    who                                 photos    what was looked at, and its bytes where they are kept
    faces     a face on a photo, and whose it is  vectors   what a model makes of a face; several models, several rows
    models    what makes vectors, and whose        links     what people know: one person, or not
    undone    how things were before a change      audit     who did what when, each row sealed by the next
"""

VERSION = 3

_V1 = """
CREATE TABLE state (
  single INTEGER PRIMARY KEY CHECK (single = 1), version INTEGER NOT NULL, gallery TEXT NOT NULL,
  revision BIGINT NOT NULL, erasures BIGINT NOT NULL, unscrubbed INTEGER NOT NULL
);
CREATE TABLE people (id {id}, name TEXT NOT NULL UNIQUE, added TEXT NOT NULL);
CREATE TABLE photos (
  id {id}, digest TEXT NOT NULL UNIQUE, name TEXT NOT NULL, added TEXT NOT NULL, thumbnail {blob}
);
CREATE TABLE faces (
  id {id}, photo BIGINT NOT NULL REFERENCES photos(id) ON DELETE CASCADE,
  person BIGINT REFERENCES people(id) ON DELETE SET NULL, box TEXT NOT NULL, changed BIGINT NOT NULL,
  UNIQUE (photo, box)
);
CREATE INDEX faces_person ON faces(person);
CREATE INDEX faces_changed ON faces(changed);
CREATE TABLE models (
  id {id}, name TEXT NOT NULL, digest TEXT NOT NULL, dim INTEGER NOT NULL, about TEXT NOT NULL,
  parent BIGINT REFERENCES models(id), translation {blob}, state TEXT NOT NULL, added TEXT NOT NULL
);
CREATE TABLE vectors (
  id {id}, face BIGINT NOT NULL REFERENCES faces(id) ON DELETE CASCADE,
  model BIGINT NOT NULL REFERENCES models(id), value {vector} NOT NULL, added BIGINT NOT NULL, UNIQUE (face, model)
);
CREATE INDEX vectors_added ON vectors(model, added);
CREATE TABLE links (
  a BIGINT NOT NULL REFERENCES faces(id) ON DELETE CASCADE, b BIGINT NOT NULL REFERENCES faces(id) ON DELETE CASCADE,
  same INTEGER NOT NULL, PRIMARY KEY (a, b), CHECK (a < b)
);
CREATE TABLE undone (id {id}, what TEXT NOT NULL, before TEXT NOT NULL);
CREATE TABLE audit (
  seq BIGINT PRIMARY KEY, time TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL,
  previous TEXT NOT NULL, hash TEXT NOT NULL
);
"""

_V2 = """
ALTER TABLE photos ADD COLUMN image {blob};
ALTER TABLE models ADD COLUMN gate TEXT;
"""

_V3 = """
ALTER TABLE people ADD COLUMN changed BIGINT NOT NULL DEFAULT 1;
CREATE INDEX people_changed ON people(changed);
"""

MIGRATIONS: dict[int, str] = {1: _V1, 2: _V2, 3: _V3}
"""What leads to each version from the one before; photos are kept, and gates remembered, since version 2; only the
names that are new are read again since version 3."""

TABLES = ("audit", "undone", "links", "vectors", "models", "faces", "photos", "people", "state")


def statements(version: int, types: dict[str, str]) -> list[str]:
    """The statements that lead to a version from the one before.

    Args:
        version: 1 for the first.
        types: what the database calls "id", "blob" and "vector".

    Example:
        >>> statements(2, {"id": "INTEGER PRIMARY KEY", "blob": "BLOB", "vector": "BLOB"})[0]
        'ALTER TABLE photos ADD COLUMN image BLOB'
    """
    text = MIGRATIONS[version]
    for name, kind in types.items():
        text = text.replace(f"{{{name}}}", kind)
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]
