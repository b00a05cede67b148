"""`shoal serve`: the playground, in a browser, on this machine."""

from pathlib import Path

from shoal.errors import wrong


def serve(
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    runs: Path = Path("runs"),
    open: bool = False,
) -> None:
    """Serve the playground: rooms in which one turns the knobs of what the studies measure; Ctrl-C ends it.

    Args:
        port: of the server; 0 takes a free one.
        host: address to listen at; others than this machine's own can be reached by the network.
        runs: folder in which runs are looked for and made.
        open: open the page in a browser.
    """
    if not 0 <= port < 65536:
        raise wrong("--port", expected="a number from 0 to 65535", got=port)
    from shoal.web.serving import run_server

    run_server(host, port, runs, browse=open)
