"""Responses as JSON, and the headers that every response carries."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

__all__ = ["SECURITY_HEADERS", "error_response", "json_response"]

SECURITY_HEADERS = {
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


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Respond with JSON in ASCII: a lone surrogate in a text has no UTF-8."""
    return Response(json.dumps(value), status, headers, "application/json")


def error_response(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Respond with ``{"error": message}``."""
    return json_response({"error": message}, status, headers)
