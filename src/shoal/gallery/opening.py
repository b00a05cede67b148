"""Which model a gallery is opened with, and by whom."""

import getpass
from collections.abc import Mapping
from typing import Any

import numpy as np

from shoal.errors import ShoalError, wrong
from shoal.gallery.database import Database
from shoal.gallery.embedder import Embedder
from shoal.gallery.models import Version, active, read_versions, source_of

EMBEDDINGS = "embeddings"  # the name of a model of which only vectors are known


def choose(database: Database, model: Any) -> Embedder | None:
    """The model that was given, or the file that the gallery remembers."""
    with database.read() as rows:
        version = active(read_versions(rows))
    if model is not None:
        embedder = Embedder.of(model)
        if version is not None and embedder.digest != version.digest:
            fix = "`upgrade` to the new model, or open the gallery with its own"
            raise wrong("model", expected=f"the gallery's, {version.name!r}", got=repr(embedder.name), fix=fix)
        return embedder
    path = None if version is None else source_of(version)
    if path is None or not path.exists():
        return None
    embedder = Embedder.of(path)
    if version is not None and embedder.digest != version.digest:
        fix = "upgrade to it, or open the gallery with model=…"
        raise ShoalError(f"{path}: expected the gallery's model, got another; {fix}")
    return embedder


def vectors_only(dim: int, versions: Mapping[int, Version]) -> Embedder:
    """A model of which nothing is known but its vectors."""

    def function(_: Any) -> Any:
        raise wrong("model", expected="a model that embeds photos", got="a gallery of embeddings only")

    name = EMBEDDINGS if not versions else f"{EMBEDDINGS} {len(versions) + 1}"
    return Embedder(name=name, digest=f"{name}:{dim}", dim=dim, image_size=1, function=function)


def dim_of(embeddings: Mapping[int, Any] | None) -> int:
    """Numbers of a vector of a new model, by the first of its embeddings."""
    if not embeddings:
        raise wrong("model", expected="a model, or embeddings of a new one", got="neither")
    return int(np.asarray(next(iter(embeddings.values()))).shape[-1])


def login() -> str:
    """Whoever runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user: in a container, say
        return "unknown"
