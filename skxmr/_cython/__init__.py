"""Compiled kernels, which import no Python module of skxmr."""

from importlib.util import find_spec

if find_spec("skxmr._cython._search") is None:
    raise ImportError(
        f"The compiled part of skxmr is not in {__path__[0]}. If that is a checkout of "
        "the sources, Python has found it in the place of the installed package: start "
        "Python in another folder, or install with: pip install -e ."
    )
