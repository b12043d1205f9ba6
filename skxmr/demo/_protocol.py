"""HTTP/1.1 for uvicorn, with a deadline for slow clients and a limit on connections."""

import asyncio
import math
import sys
from http import HTTPStatus
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NODELAY
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from skxmr.demo._responses import SECURITY_HEADERS, error_response

__all__ = ["DeadlineProtocol"]


class DeadlineProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, safe without a proxy in front.

    uvicorn limits how long a connection may be idle between two requests, but neither
    how long a request may take to arrive nor how long a client may take to read the
    response. Its `limit_concurrency` counts such connections too, and so lets slow
    clients lock out all others. Here

    - a connection is closed when it has waited for its client for `deadline` seconds,
      either for the rest of a request or to read a response;
    - a new connection beyond `max_connections` closes the one that has waited longest;
    - an invalid request gets a response as JSON, with the status that h11 suggests.

    Attributes
    ----------
    deadline : float, default=10.0
        Seconds that a client may take.
    max_connections : int, default=256
        Most open connections of a worker process.
    """

    deadline = 10.0
    max_connections = 256
    _linger = 2.0  # seconds for a client after an invalid request, or at shutdown
    _timer: asyncio.TimerHandle | None = None  # runs while waiting for the client
    _rejected = False

    def connection_made(self, transport):
        """Start to wait for a request; make room if there are too many connections."""
        super().connection_made(transport)
        _send_at_once(transport.get_extra_info("socket"))
        self._update_timer()
        if len(self.connections) > self.max_connections:
            longest: Any = min(self.connections, key=_waiting_ends)
            longest._drop()

    def connection_lost(self, exc):
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data):
        """Parse what has arrived."""
        if not self._rejected:
            super().data_received(data)
            self._update_timer()

    def eof_received(self):
        """Answer a complete request of a client that will send nothing more."""
        if self._rejected or self.cycle is None or self.cycle.response_complete:
            return False
        if self.cycle.more_body:
            self._reject(HTTPStatus.BAD_REQUEST)
            return False
        self.cycle.keep_alive = False
        return True

    def on_response_complete(self):
        """Wait for the client to read the response, and for its next request."""
        super().on_response_complete()
        self._update_timer()

    def pause_writing(self):
        """Wait for the client to read."""
        super().pause_writing()
        self._update_timer()

    def resume_writing(self):
        """Continue: the client has read enough."""
        super().resume_writing()
        self._update_timer()

    def shutdown(self):
        """Let a running request end, but wait only briefly for the client."""
        super().shutdown()
        self.deadline = self._linger
        if self._timer is not None:
            self._stop_timer()
            self._update_timer()

    def send_400_response(self, msg):  # noqa: ARG002 - uvicorn's name
        """Reject an invalid request: uvicorn calls this where it catches the error."""
        status = getattr(sys.exception(), "error_status_hint", HTTPStatus.BAD_REQUEST)
        self._reject(HTTPStatus(status))

    def _update_timer(self):
        """Let the timer run exactly while it is the client's turn."""
        cycle = self.cycle
        is_busy = cycle is not None and not (
            cycle.more_body or cycle.response_complete or self.flow.write_paused
        )
        if is_busy:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.deadline, self._drop)

    def _stop_timer(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drop(self):
        self.connections.discard(self)  # at once: `connection_lost` comes later
        self.transport.abort()

    def _reject(self, status):
        """Send an error, then read and discard for a moment.

        Closing a socket that has unread data resets the connection, and the client may
        lose the error that was sent to it.
        """
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._drop()  # in the middle of a response
            return
        self._rejected = True
        if self.cycle is not None:  # the application may wait for the rest of a body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        headers = {**SECURITY_HEADERS, "Connection": "close"}
        response = error_response(status, status.phrase, headers)
        for event in (
            h11.Response(
                status_code=status,
                headers=self.server_state.default_headers + response.raw_headers,
                reason=status.phrase,
            ),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.write_eof()
        self.flow.resume_reading()
        self._stop_timer()
        self._timer = self.loop.call_later(self._linger, self._drop)


def _send_at_once(connection):
    # uvicorn writes the head and the body of a response one after the other: without
    # this, the body waits up to 40 ms for the acknowledgement of the head. asyncio does
    # it only for sockets whose protocol is given as IPPROTO_TCP, which is not that of
    # the sockets that `socket.create_server` and uvicorn make.
    if connection is not None and connection.family in (AF_INET, AF_INET6):
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)


def _waiting_ends(connection):
    return math.inf if connection._timer is None else connection._timer.when()
