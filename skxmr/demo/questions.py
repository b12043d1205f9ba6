"""The two questions: JSON in, the models asked, JSON out.

- ``POST /api/complete`` takes ``{"prefix": str, "previous": [str, …]}``, what is typed
  and what was searched before, newest last, and gives
  ``{"suggestions": [{"text": str, "score": float}, …], "milliseconds": float}``.
- ``POST /api/search`` takes ``{"text": str}`` and gives
  ``{"answers": [{"name": str, "score": float}, …], "milliseconds": float}``.

An error is ``{"error": str}``, with a status that says whose fault it is.
"""

import json
import logging
import time
from http import HTTPStatus
from typing import Any

from skxmr.demo.errors import RequestError

__all__ = ["QUESTIONS", "ask"]

logger = logging.getLogger(__name__)


def ask(path: str, body: bytes, catalogue: Any) -> bytes:
    """Answer the question of a path."""
    fields = _parse(body)
    question = QUESTIONS[path]
    try:
        answer = question(catalogue, fields)
    except RequestError:
        raise
    except Exception as error:
        logger.exception("%s failed", path)
        raise RequestError(
            HTTPStatus.INTERNAL_SERVER_ERROR, "The server could not answer this"
        ) from error
    return json.dumps(answer).encode()


def _complete(catalogue, fields):
    prefix = _text(fields, "prefix")
    previous = fields.get("previous", [])
    if not isinstance(previous, list) or not all(
        isinstance(text, str) for text in previous
    ):
        raise _bad("previous must be a list of strings")
    start = time.perf_counter()
    found = catalogue.complete(prefix, previous)
    return {
        "milliseconds": _milliseconds_since(start),
        "suggestions": [{"text": text, "score": score} for text, score in found],
    }


def _search(catalogue, fields):
    text = _text(fields, "text")
    start = time.perf_counter()
    found = catalogue.search(text)
    return {
        "milliseconds": _milliseconds_since(start),
        "answers": [
            {"name": str(label) if name is None else name, "score": score}
            for label, name, score in found
        ],
    }


QUESTIONS = {"/api/complete": _complete, "/api/search": _search}


def _parse(body):
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad("The body is not JSON") from error
    if not isinstance(fields, dict):
        raise _bad("The body must be a JSON object")
    return fields


def _text(fields, name):
    if not isinstance(fields.get(name), str):
        raise _bad(f"{name} must be a string")
    return fields[name]


def _bad(message):
    return RequestError(HTTPStatus.BAD_REQUEST, message)


def _milliseconds_since(start):
    return round(1000 * (time.perf_counter() - start), 3)
