"""A page to type into: completions while one types, answers on Enter.

``python -m skxmr.demo`` serves it on this machine. It needs nothing but skxmr and the
standard library, and is short on purpose: copy it into a service of your own.
"""

from skxmr.demo.models import Catalogue
from skxmr.demo.server import DemoServer

__all__ = ["Catalogue", "DemoServer"]
