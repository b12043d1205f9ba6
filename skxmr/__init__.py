"""Extreme multilabel ranking for scikit-learn."""

from skxmr._version import __version__

__all__ = ["__version__"]
