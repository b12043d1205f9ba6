"""HTTP: reads a request, checks it, and writes the answer.

Questions come as a JSON body. So what people type stands in no log of addresses, and no
other site's page can ask: a browser would first ask this server whether it may, and is
told no.
"""

import json
import logging
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib import resources
from typing import Any, NamedTuple

from skxmr.demo.errors import RequestError
from skxmr.demo.questions import QUESTIONS, ask

__all__ = ["Handler", "load_page"]

MAX_BODY = 1 << 18  # bytes
PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/demo.css": ("demo.css", "text/css; charset=utf-8"),
    "/demo.js": ("demo.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What is sent back."""

    kind: str
    body: bytes


def load_page() -> dict[str, Answer]:
    """Read the page and its parts, by path: no request ever opens a file."""
    folder = resources.files("skxmr.demo") / "static"
    return {
        path: Answer(kind, (folder / file).read_bytes())
        for path, (file, kind) in PAGE.items()
    }


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after another."""

    server: Any  # a DemoServer
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # what is older gets no status
    timeout = 10  # seconds that a client may say nothing
    wbufsize = -1  # head and body leave in one packet,
    disable_nagle_algorithm = True  # and at once

    def respond(self):
        """Answer one request, of any method."""
        try:
            self._check_host()
            body = self._read_body()
            with self.server.turn():
                self._send(HTTPStatus.OK, self._answer(body))
        except RequestError as error:
            self._refuse(error.status, str(error), error.headers)

    # The base class calls methods of these names; the last four are told 405.
    do_GET = do_HEAD = do_POST = respond  # noqa: N815
    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815

    def _check_host(self):
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1:
            raise RequestError(HTTPStatus.BAD_REQUEST, "Expected one Host header")
        if re.sub(r":\d*$", "", hosts[0]).lower() not in self.server.names:
            raise RequestError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"{hosts[0]} is not a name of this server",
            )

    def _read_body(self):
        """Read the whole body, or else the next request would begin within it."""
        if "Transfer-Encoding" in self.headers:
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "Expected Content-Length")
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]{1,18}", length):
            raise RequestError(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
        if int(length) > MAX_BODY:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"Expected at most {MAX_BODY:,} bytes; got {int(length):,}",
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise RequestError(HTTPStatus.BAD_REQUEST, "The body ended early")
        return body

    def _answer(self, body):
        path = self.path.partition("?")[0]
        if path in self.server.page:
            self._check_method("GET", "HEAD")
            return self.server.page[path]
        if path in QUESTIONS:
            self._check_method("POST")
            if self.headers.get_content_type() != "application/json":
                raise RequestError(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Expected application/json"
                )
            return Answer("application/json", ask(path, body, self.server.catalogue))
        raise RequestError(HTTPStatus.NOT_FOUND, "There is nothing at this address")

    def _check_method(self, *allowed):
        if self.command not in allowed:
            raise RequestError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"Expected {' or '.join(allowed)}; got {self.command}",
                {"Allow": ", ".join(allowed)},
            )

    def send_error(self, code, message=None, explain=None):  # noqa: ARG002
        """Refuse what is not HTTP: the base class finds and reports it so."""
        status = HTTPStatus(code)
        self._refuse(status, message or status.phrase, {})

    def _refuse(self, status, message, headers):
        # Nobody knows where the next request would begin, after some of the errors.
        answer = Answer("application/json", json.dumps({"error": message}).encode())
        self._send(status, answer, {"Connection": "close", **headers})

    def _send(self, status, answer, headers=None):
        self.send_response(status)
        head = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body))}
        for name, value in {**HEADERS, **head, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def version_string(self):
        """Name the server, but no version for those who look for a weak one."""
        return "skxmr"

    def log_message(self, format, *args):  # noqa: A002 - the base class's name
        """Log to the logger of this module, for those who listen."""
        logger.info(format, *args)
