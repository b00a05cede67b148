"""Running the playground: a port of this machine, its address on stdout, and a quiet end on Ctrl-C."""

import contextlib
import errno
import logging
import os
import socket
import sys
import threading
import webbrowser
from pathlib import Path

from shoal.errors import ShoalError, wrong
from shoal.web.guard import LOCAL

_GRACE = 3  # s that answers in the making get after Ctrl-C


def run_server(host: str, port: int, runs: Path, *, browse: bool = False) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        host: name or address to listen at.
        port: 0 takes a free one.
        runs: folder of runs.
        browse: open the page in a browser.

    Raises:
        InputError: if there is no such host.
        ShoalError: if the port is in use.
    """
    import uvicorn

    from shoal.web.app import create_app

    if runs.exists() and not runs.is_dir():
        raise wrong("--runs", expected="a folder, or a new name", got=f"{runs}, a file")
    with listening(host, port, "shoal serve") as listener:
        address = address_of(listener)
        wide = host in {"0.0.0.0", "::"}
        names = LOCAL if wide or host in LOCAL else (*LOCAL, host.lower())
        app = create_app(runs, hosts=(*names, *([socket.gethostname().lower()] * wide)), any_address=wide)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE, server_header=False)
        logging.getLogger("shoal.web").addHandler(logging.NullHandler())  # uvicorn tells of failures itself
        _announce(address, browse)  # the socket listens already: who comes now waits a moment
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended quietly, and says so once more
            uvicorn.Server(config).run(sockets=[listener])
        if not app.state.house.warming.done:
            os._exit(0)  # an import of torch cannot be broken off, and the interpreter's end would crash in it


def listening(host: str, port: int, command: str) -> socket.socket:
    """A socket that is bound, so that a port in use is known before anything else.

    Args:
        host: name or address to listen at.
        port: 0 takes a free one.
        command: what is to be run again with another port.

    Raises:
        InputError: if there is no such host.
        ShoalError: if the port is in use.
    """
    try:
        family, kind, proto, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise wrong("--host", expected="a name or address of this machine", got=host) from None
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ShoalError(f"port {port} is in use; choose another: {command} --port {port + 1}") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise wrong("--host", expected="a name or address of this machine", got=host) from None
        raise ShoalError(f"cannot listen at {host}, port {port}: {error.strerror}; choose another --port") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """What a browser of this machine opens."""
    name, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, str(name))
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def _announce(address: str, browse: bool) -> None:
    print(address, flush=True)
    print("shoal: the playground is open; Ctrl-C ends it", file=sys.stderr, flush=True)
    if browse:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
