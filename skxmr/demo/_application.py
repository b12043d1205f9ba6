"""The ASGI application: routes of the page and of its JSON API."""

import hashlib
from collections.abc import Collection
from http import HTTPStatus
from importlib import resources
from typing import Any

from anyio import CapacityLimiter, to_thread
from joblib import cpu_count
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from skxmr.demo._addresses import LOOPBACK
from skxmr.demo._api import CALLS, about, call
from skxmr.demo._middleware import RequestChecks, SecurityHeaders
from skxmr.demo._responses import error_response, json_response

__all__ = ["MAX_BODY", "application"]

MAX_BODY = 1 << 18  # bytes
FILES = {
    "/": ("index.html", "text/html"),
    "/demo.css": ("demo.css", "text/css"),
    "/demo.js": ("demo.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def application(
    catalogue: Any,
    *,
    hosts: Collection[str] | None = LOOPBACK,
    max_requests: int = 16,
    n_threads: int | None = None,
) -> Starlette:
    """Make an ASGI application of the page and its JSON API.

    The models run in a pool of threads, one request per CPU at a time. A few more
    requests wait for a thread; the server rejects the excess immediately, with status
    503 and ``Retry-After``.

    Parameters
    ----------
    catalogue : object with `complete(prefix, previous)`, `search(text)` and \
            `did_you_mean(text)`
        Such as a `Catalogue`. Several threads call it at once.
    hosts : collection of str or None, default=LOOPBACK
        Names of this server that the ``Host`` header of a request may have, without a
        port; other requests get status 421. This keeps any web site from pointing a
        domain of its own at this machine and reading the responses (DNS rebinding).
        `None` accepts all, for where a proxy or an outer application checks.
    max_requests : int, default=16
        Most API requests accepted at a time, those that wait for a thread included.
    n_threads : int or None, default=None
        Most model calls at a time; `None` means as many as there are CPUs. Every worker
        process has its own pool.

    Returns
    -------
    starlette.applications.Starlette
        Can be run by any ASGI server, and mounted below any path of an application.

    See Also
    --------
    Catalogue : The models behind it.

    Examples
    --------
    >>> from skxmr import QueryCompleter, TextRetriever
    >>> from skxmr.demo import Catalogue, application
    >>> completer = QueryCompleter(random_state=0).fit(None, ["tea", "toast"])
    >>> retriever = TextRetriever().fit(["green tea", "rye bread"], ["tea", "bread"])
    >>> app = application(Catalogue(completer, retriever))
    >>> [route.path for route in app.routes if route.path.startswith("/api")]
    ['/api/complete', '/api/explain', '/api/search', '/api/about']
    """
    calls = _ModelCalls(catalogue, max_requests, n_threads or cpu_count())
    app = Starlette(
        routes=[
            *(_file_route(path, *file) for path, file in FILES.items()),
            *(_api_route(name, calls) for name in CALLS),
            _about_route(catalogue),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(RequestChecks, hosts=hosts),
        ],
        exception_handlers={
            HTTPException: _respond_error,
            ClientDisconnect: _respond_disconnected,
        },
    )
    app.router.redirect_slashes = False
    return app


class _ModelCalls:
    """Calls the models in threads: `n_threads` at a time, `max_requests` with waiting.

    More threads than CPUs would compete with the event loop for Python's lock, and so
    delay even the rejections. A longer queue would only add late answers.
    """

    def __init__(self, catalogue: Any, max_requests: int, n_threads: int):
        self._catalogue = catalogue
        self._max_requests = max_requests
        self._n_requests = 0
        self._threads = CapacityLimiter(n_threads)

    async def run(self, name: str, body: bytes) -> dict[str, Any]:
        """Run the API call of a name, or raise `HTTPException` if too many run."""
        if self._n_requests >= self._max_requests:
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server is busy: try again in a moment",
                {"Retry-After": "1"},
            )
        self._n_requests += 1
        try:
            return await to_thread.run_sync(
                call, name, self._catalogue, body, limiter=self._threads
            )
        finally:
            self._n_requests -= 1


def _api_route(name, calls):
    async def respond(request: Request) -> Response:
        _check_is_json(request)
        # Before the call: a body that arrives slowly must not count as a running one.
        body = await _read_body(request)
        return json_response(await calls.run(name, body))

    return Route(f"/api/{name}", respond, methods=["POST"])


def _about_route(catalogue):
    answer = about(catalogue)

    async def respond(_: Request) -> Response:
        return json_response(answer)

    return Route("/api/about", respond)


def _file_route(path, file, media_type):
    content = (resources.files("skxmr.demo") / "static" / file).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}

    async def respond(request: Request) -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(None, HTTPStatus.NOT_MODIFIED, headers)
        return Response(content, HTTPStatus.OK, headers, media_type)

    return Route(path, respond)


def _check_is_json(request):
    # A page of another site can send other types without asking. For this one, its
    # browser first asks by OPTIONS, which gets status 405.
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Expected application/json"
        )


async def _read_body(request):
    _check_size(int(request.headers.get("content-length", "0")))
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        _check_size(len(body))
    return bytes(body)


def _check_size(n_bytes):
    if n_bytes > MAX_BODY:
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"Expected at most {MAX_BODY:,} bytes; got {n_bytes:,}",
        )


async def _respond_error(_: Request, error: Any) -> Response:
    return error_response(error.status_code, error.detail, error.headers)


async def _respond_disconnected(_: Request, __: Exception) -> Response:
    return error_response(HTTPStatus.BAD_REQUEST, "The body ended early")
