"""A web page to try a model: suggestions while one types, results on Enter.

``python -m skxmr.demo`` serves it on this machine; `application` makes it, and its JSON
API, for any ASGI server. Needs Starlette and uvicorn: ``pip install "skxmr[demo]"``.
"""

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(
        'skxmr.demo needs Starlette and uvicorn: pip install "skxmr[demo]"'
    ) from error

from skxmr.demo._application import application
from skxmr.demo._catalogue import Catalogue
from skxmr.demo._server import serve

__all__ = ["Catalogue", "application", "serve"]
