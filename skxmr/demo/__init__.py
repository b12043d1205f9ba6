"""A web page to try a model: suggestions while one types, results on Enter.

``python -m skxmr.demo`` serves it on this machine; `application` makes it, and its JSON
API, for any ASGI server. Needs Starlette and uvicorn: ``pip install "skxmr[demo]"``.
"""

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skxmr.demo._application import application
    from skxmr.demo._catalogue import Catalogue
    from skxmr.demo._server import serve

if find_spec("starlette") is None or find_spec("uvicorn") is None:
    raise ImportError(
        'skxmr.demo needs Starlette and uvicorn: pip install "skxmr[demo]"'
    )

__all__ = ["Catalogue", "application", "serve"]

# The modules are imported when they are first used, as those of skxmr.
_HOMES = {"Catalogue": "_catalogue", "application": "_application", "serve": "_server"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'skxmr.demo' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"skxmr.demo.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
