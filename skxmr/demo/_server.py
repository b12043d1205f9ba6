"""uvicorn, configured to be safe without a proxy in front."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

__all__ = ["listen", "make_server", "serve", "url_of"]

BACKLOG = 128  # connections that the system accepts ahead
SETTINGS: dict[str, Any] = {
    # By name: a new worker must answer its parent before it imports skxmr.
    "http": "skxmr.demo._protocol:DeadlineProtocol",
    "ws": "none",
    "interface": "asgi3",
    "log_config": None,
    "log_level": "error",
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,  # which names uvicorn
    "headers": [("Server", "skxmr")],
    "backlog": BACKLOG,
    "timeout_graceful_shutdown": 15,
    "timeout_worker_healthcheck": 60,
}


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that listens at an address; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def url_of(listener: socket.socket) -> str:
    """Return the URL of the page that is served at a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(
    app: ASGIApp | str, *, host: str = "127.0.0.1", port: int = 8000, workers: int = 1
) -> None:
    """Serve an ASGI application by uvicorn, until SIGINT or SIGTERM.

    uvicorn by itself sets no deadline for a client that sends its request slowly or
    does not read the response. Here such a connection is closed after ten seconds, and
    a new connection beyond 256 closes the one that has waited longest for its client.
    Errors are logged, requests are not. Only HTTP/1.1 is spoken, and no WebSocket.

    Parameters
    ----------
    app : ASGI application or str
        ``"module:function"`` names a function without arguments that makes one, in each
        worker process.
    host : str, default="127.0.0.1"
        The address to listen at; ``"0.0.0.0"`` lets other machines connect.
    port : int, default=8000
        The port to listen at.
    workers : int, default=1
        Number of processes; more than one needs `app` to be a string.

    Raises
    ------
    ValueError
        If several workers are to share an application that is not a string.

    See Also
    --------
    application : Makes the application of the demo.

    Examples
    --------
    >>> from skxmr.demo import serve
    >>> serve("service:make", port=8000, workers=4)  # doctest: +SKIP
    """
    if workers > 1 and not isinstance(app, str):
        raise ValueError(
            f"{workers} workers cannot share an application; expected app as "
            f"'module:function', the name of a function that makes it"
        )
    uvicorn.run(
        app,
        host=host,
        port=port,
        workers=workers,
        factory=isinstance(app, str),
        **SETTINGS,
    )


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Make a server for an application; its `run` takes the socket of `listen`."""
    return uvicorn.Server(uvicorn.Config(app, **SETTINGS))
