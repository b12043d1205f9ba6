"""Extreme multilabel ranking for scikit-learn."""

from skxmr import metrics
from skxmr._version import __version__
from skxmr.ranking import rank
from skxmr.text import CharNgramTfidf, WordNgramTfidf
from skxmr.tree import LabelTree

__all__ = [
    "CharNgramTfidf",
    "LabelTree",
    "WordNgramTfidf",
    "__version__",
    "metrics",
    "rank",
]
