"""Serving from a command line, until it is interrupted."""

import signal

from starlette.types import ASGIApp

from skxmr.demo._server import listen, make_server, url_of

__all__ = ["serve_here"]


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
