"""The server: who may connect, how many at once, and how it ends."""

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Collection
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any

from skxmr.demo.errors import RequestError
from skxmr.demo.handler import Handler, load_page

__all__ = ["LOOPBACK", "DemoServer"]

LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
GRACE = 2.0  # seconds that the end of a connection may take

logger = logging.getLogger(__name__)


class DemoServer(ThreadingHTTPServer):
    """Serves the page and answers its questions, with one thread a connection.

    Parameters
    ----------
    address : (str, int)
        Where to listen; port 0 takes any free one (see `url`).
    catalogue : object with `complete(prefix, previous)` and `search(text)`
        Such as a `Catalogue`. Asked from many threads at once.
    names : collection of str
        The names by which requests may call this server. Others are refused: else any
        web site could point a name of its own at this machine and read the answers.
    max_requests : int, default=16
        The most requests under way; the next are told to come back. Of these, as many
        are worked on at once as there are processors, and the others wait.
    max_connections : int, default=256
        The most connections that are held; the next are closed.

    See Also
    --------
    Catalogue : The models that answer.

    Examples
    --------
    >>> from skxmr import QueryCompleter, TextRetriever
    >>> from skxmr.demo import Catalogue, DemoServer
    >>> completer = QueryCompleter(random_state=0).fit(None, ["tea", "toast"])
    >>> retriever = TextRetriever().fit(["green tea", "rye bread"], ["tea", "bread"])
    >>> with DemoServer(("127.0.0.1", 0), Catalogue(completer, retriever)) as server:
    ...     server.url  # and `server.serve_forever()` answers
    'http://127.0.0.1:.../'
    """

    daemon_threads = False  # a request that has begun is answered, at the end too
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        catalogue: Any,
        *,
        names: Collection[str] = LOOPBACK,
        max_requests: int = 16,
        max_connections: int = 256,
    ):
        self.catalogue = catalogue
        self.names = names
        self.page = load_page()
        self._requests = threading.BoundedSemaphore(max_requests)
        self._processors = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._connections: set[socket.socket] = set()
        self._max_connections = max_connections
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    @contextmanager
    def turn(self):
        """Hold one of the places of requests under way, or refuse at once.

        A longer line would only add late answers to those that nobody waits for. More
        threads at work than processors would take turns with Python's lock, and who is
        refused would wait for it, too: seconds, under four times the load.

        Yields
        ------
        None
            While the place is held, and a processor is free.

        Raises
        ------
        RequestError
            If all places are taken.
        """
        if not self._requests.acquire(blocking=False):
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server is busy: try again in a moment",
                {"Retry-After": "1"},
            )
        try:
            with self._processors:
                yield
        finally:
            self._requests.release()

    def process_request(self, request, client_address):
        """Give a connection a thread of its own, if it may have one."""
        if len(self._connections) < self._max_connections:
            self._connections.add(request)
            super().process_request(request, client_address)
        else:
            self.close_request(request)

    def close_request(self, request):
        """Let a connection go."""
        self._connections.discard(request)
        super().close_request(request)

    def server_close(self):
        """Listen no more, answer the requests under way, and end all connections."""
        for connection in self._connections.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)  # nothing more is heard
        super().server_close()  # waits for the threads

    def shutdown_request(self, request):
        """End a connection so that its last answer arrives.

        Closing upon bytes that nobody has read resets the connection, and the client
        may lose what was sent before.
        """
        end = time.monotonic() + GRACE
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(GRACE)
            while request.recv(1 << 16) and time.monotonic() < end:
                pass
        self.close_request(request)

    def handle_error(self, request, client_address):  # noqa: ARG002
        """Log what went wrong with a connection, but not that a client has left."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            logger.error("connection from %s", client_address[0], exc_info=error)
