"""`shoal gallery serve` and `shoal gallery key`: the gallery over HTTP, and who may use it."""

from pathlib import Path

from shoal.errors import wrong


def serve(
    db: str,
    /,
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    keys: Path | None = None,
    model: Path | None = None,
    name: str | None = None,
) -> None:
    """Serve the gallery: an API and pages; Ctrl-C ends it. Others reach it only if they need a key.

    Args:
        db: the gallery.
        port: of the server; 0 takes a free one.
        host: address to listen at; others than this machine's own need keys.
        keys: file of keys that are asked for, see `shoal gallery key`.
        model: file of the gallery's model; needed for a new gallery, or where the file has moved.
        name: that a proxy with TLS in front of the service is reached by, such as faces.example.org; needs keys.
    """
    if not 0 <= port < 65536:
        raise wrong("--port", expected="a number from 0 to 65535", got=port)
    if model is None and "://" not in db and not Path(db).expanduser().exists():
        fix = "make one with `shoal gallery enrol`, or give a new one its --model"
        raise wrong(db, expected="a gallery", got="no such file", fix=fix)
    from shoal.web.gallery.serving import run_service

    run_service(db, host=host, port=port, keys=keys, model=model, name=name)


def key(*, keys: Path, name: str) -> None:
    """Make a key for `shoal gallery serve`: it is printed once, and only a hash of it is kept.

    Args:
        keys: file of keys; made where there is none. Deleting a line withdraws its key.
        name: of whoever gets the key; stands in the audit log.
    """
    from shoal.web.gallery.keys import make_key

    print(make_key(keys, name))
