"""The JSON API: parses a request's body, calls a model, builds the response's body.

- ``POST api/complete`` takes ``{"prefix": str, "previous": [str, …]}``, the text typed
  so far and the previous queries, the latest last, and returns
  ``{"suggestions": [{"text": str, "score": float}, …], "milliseconds": float}``.
- ``POST api/search`` takes ``{"text": str}`` and returns
  ``{"answers": [{"name": str, "score": float}, …], "did_you_mean": str or null,
  "milliseconds": float}``: no answers if nothing is found, and the text with its
  unknown words corrected, if there is a correction.
- ``POST api/explain`` takes ``{"text": str, "position": int}``, the position from 0
  among the answers to the text, and returns ``{"explanation": str or null}``.
- ``GET api/about`` returns ``{"title": str, "examples": [str, …], "explains": bool}``,
  what the page says of the models.

An error is ``{"error": str}``, with a 4xx status if the request is to blame.
"""

import json
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException

__all__ = ["CALLS", "about", "call"]

logger = logging.getLogger(__name__)


def call(name: str, catalogue: Any, body: bytes) -> dict[str, Any]:
    """Answer a request to ``api/name``; errors are of type `HTTPException`."""
    fields = _parse(body)
    try:
        return CALLS[name](catalogue, fields)
    except HTTPException:
        raise
    except Exception as error:
        logger.exception("%s failed", name)
        raise HTTPException(
            HTTPStatus.INTERNAL_SERVER_ERROR, "The server could not answer this"
        ) from error


def _complete(catalogue, fields):
    prefix = _text(fields, "prefix")
    previous = fields.get("previous", [])
    if not isinstance(previous, list) or not all(
        isinstance(text, str) for text in previous
    ):
        raise _bad_request("previous must be a list of strings")
    start = time.perf_counter()
    found = catalogue.complete(prefix, previous)
    return {
        "milliseconds": _milliseconds_since(start),
        "suggestions": [{"text": text, "score": score} for text, score in found],
    }


def _search(catalogue, fields):
    text = _text(fields, "text")
    start = time.perf_counter()
    found, correction = catalogue.search(text), catalogue.did_you_mean(text)
    return {
        "milliseconds": _milliseconds_since(start),
        "did_you_mean": correction,
        "answers": [
            {"name": str(label) if name is None else name, "score": score}
            for label, name, score in found
        ],
    }


def _explain(catalogue, fields):
    text, position = _text(fields, "text"), fields.get("position")
    if not isinstance(position, int) or isinstance(position, bool):
        raise _bad_request("position must be an integer")
    return {"explanation": catalogue.explain(text, position)}


def about(catalogue: Any) -> dict[str, Any]:
    """Return what the page says of the models."""
    return {
        "title": getattr(catalogue, "title", ""),
        "examples": list(getattr(catalogue, "examples", ())),
        "explains": hasattr(getattr(catalogue, "retriever", None), "explain"),
    }


CALLS: dict[str, Callable[[Any, dict], dict]] = {
    "complete": _complete,
    "explain": _explain,
    "search": _search,
}


def _parse(body):
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad_request("The body is not JSON") from error
    if not isinstance(fields, dict):
        raise _bad_request("The body must be a JSON object")
    return fields


def _text(fields, name):
    if not isinstance(fields.get(name), str):
        raise _bad_request(f"{name} must be a string")
    return fields[name]


def _bad_request(message):
    return HTTPException(HTTPStatus.BAD_REQUEST, message)


def _milliseconds_since(start):
    return round(1000 * (time.perf_counter() - start), 3)
