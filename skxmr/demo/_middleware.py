"""ASGI middleware: security headers on responses, checks of request headers."""

import re
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skxmr.demo._responses import SECURITY_HEADERS, error_response

__all__ = ["RequestChecks", "SecurityHeaders"]


class SecurityHeaders:
    """Adds `SECURITY_HEADERS` to every response that does not set them itself."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class RequestChecks:
    """Rejects requests for other hosts, and those of ambiguous length."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None):
        self.app = app
        self.hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rejection = None
        if scope["type"] == "http":
            rejection = self._check(Headers(scope=scope))
        await (rejection or self.app)(scope, receive, send)

    def _check(self, headers: Headers) -> Response | None:
        if "transfer-encoding" in headers and "content-length" in headers:
            # Proxies disagree about which one counts: the next request on this
            # connection may be one that the proxy has not seen.
            return error_response(
                HTTPStatus.BAD_REQUEST,
                "Expected either Content-Length or Transfer-Encoding; got both",
                {"Connection": "close"},
            )
        if self.hosts is None:
            return None
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return error_response(HTTPStatus.BAD_REQUEST, "Expected one Host header")
        if re.sub(r":\d*$", "", hosts[0]).lower() not in self.hosts:
            return error_response(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"{hosts[0]} is not a name of this server",
            )
        return None
