"""Running the gallery's service: its address on stdout, no public address without keys, and a quiet end.

On SIGTERM or Ctrl-C no new request is taken, those that run get half a minute to end, and the database is closed.
"""

import contextlib
import ipaddress
import logging
import socket
import sys
from pathlib import Path

from shoal.errors import wrong
from shoal.web.guard import LOCAL
from shoal.web.serving import address_of, listening

_GRACE = 30  # s that running requests get


def run_service(
    db: str,
    *,
    host: str,
    port: int,
    keys: Path | None = None,
    model: Path | None = None,
    name: str | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        db: the gallery, see `shoal.gallery.Gallery.open`.
        host: name or address to listen at.
        port: 0 takes a free one.
        keys: file of keys, see `shoal.web.gallery.keys`.
        model: file of the gallery's model, where it does not remember one.
        name: that a proxy in front of the service is reached by; what it says of TLS is believed on this machine.

    Raises:
        InputError: if there is no such host, gallery or file of keys, or the address is public and there is no key.
        ShoalError: if the port is in use, or the gallery cannot be opened.
    """
    import uvicorn

    from shoal.web.gallery.keys import KeyRing

    ring = None if keys is None else KeyRing(keys)
    if not ring and (name is not None or not is_local(host)):
        expected = f"{LOCAL[0]}, or `--keys FILE` with a key in it"
        fix = "make one with `shoal gallery key --keys FILE --name NAME`"
        got = f"{host if name is None else name}, which others can reach, and no key"
        raise wrong("--host" if name is None else "--name", expected=expected, got=got, fix=fix)
    with listening(host, port, "shoal gallery serve DB") as listener:
        from shoal.web.gallery.app import create_service
        from shoal.web.gallery.desk import Desk

        wide = host in {"0.0.0.0", "::"}
        names = {*LOCAL, socket.gethostname().lower() if wide else host.lower(), (name or LOCAL[0]).lower()}
        app = create_service(Desk(db, model), ring=ring, hosts=names, any_address=wide)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE, server_header=False)
        logging.getLogger("shoal.web").addHandler(logging.StreamHandler())
        print(address_of(listener), flush=True)
        print("shoal: the gallery is open; Ctrl-C ends it", file=sys.stderr, flush=True)
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended quietly, and says so once more
            uvicorn.Server(config).run(sockets=[listener])


def is_local(host: str) -> bool:
    """Whether only this machine reaches what listens at a host.

    Raises:
        InputError: if there is no such host.

    Example:
        >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0"), is_local("192.0.2.7")
        (True, True, False, False)
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise wrong("--host", expected="a name or address of this machine", got=host) from None
    return all(ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback for *_, place in found)
