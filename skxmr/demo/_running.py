"""Serving from a command line, until it is interrupted."""

import signal
from collections.abc import Collection

from starlette.types import ASGIApp

from skxmr.demo._application import LOOPBACK
from skxmr.demo._server import listen, make_server, url_of

__all__ = ["check_address", "serve_here"]


def check_address(host: str, port: int, remote: Collection[str]) -> frozenset[str]:
    """Check where to listen; return the names by which the server may be called.

    Raises
    ------
    ValueError
        If the port is none, or other machines could connect without being named.
    """
    if not 0 <= port < 1 << 16:
        raise ValueError(f"--port must be between 0 and 65535; got {port}")
    local = {name.strip("[]") for name in LOOPBACK}
    if host not in local and not remote:
        raise ValueError(
            f"--host {host} would let other machines connect: also pass the name by "
            f"which they reach this one, as --allow-remote NAME"
        )
    return LOOPBACK.union(remote)


def serve_here(app: ASGIApp, host: str, port: int) -> None:
    """Serve an application, and print its address, until SIGINT or SIGTERM."""
    # uvicorn stops gracefully on SIGINT and SIGTERM, then raises the signal again. Let
    # SIGTERM, by which services are stopped, end as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listen(host, port) as listener:
        print(f"Open {url_of(listener)} (Ctrl-C ends it)", flush=True)
        try:
            make_server(app).run([listener])
        except KeyboardInterrupt:
            print("Bye")
