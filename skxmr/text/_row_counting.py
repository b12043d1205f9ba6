"""The terms of single texts, by compiled code that is prepared once for many texts."""

import numpy as np

from skxmr._cython import _single as kernel
from skxmr._parallel._parallel import current_stop
from skxmr.text._counting import Cutting
from skxmr.text._tfidf import NORMS

__all__ = ["count_row", "row_counter_of"]

# Most texts have fewer n-grams than twice their characters for each vectorizer.
_PER_CHARACTER = 4


def row_counter_of(cutting, terms, weighting):
    """Prepare the terms of a vectorizer for `count_row`.

    Parameters
    ----------
    cutting : Cutting or Tokenising
    terms : Vocabulary
    weighting : Weighting

    Returns
    -------
    RowCounter or None
        None if texts are cut or weighed in Python, or weighed in double precision.
    """
    is_compiled = isinstance(cutting, Cutting) and weighting.dtype == "float32"
    if not is_compiled or weighting.sublinear_tf:
        return None
    normaliser = cutting.normaliser
    return kernel.RowCounter(
        cutting.cutter(),
        terms,
        None if normaliser is None else normaliser.build_preprocessor(),
        cutting.lowercase and normaliser is None,
        weighting.idf,
        NORMS[weighting.norm],
        weighting.binary,
    )


def count_row(text, counters, starts):
    """Count and weigh the terms of a text, for several vectorizers side by side.

    Parameters
    ----------
    text : str
    counters : sequence of RowCounter
    starts : sequence of int
        The first column of each.

    Returns
    -------
    indices : ndarray of shape (n_entries,), int32
    values : ndarray of shape (n_entries,), float32
    n_unknown : int
        Number of n-grams that are no terms.

    Raises
    ------
    TypeError
        If the text is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected str; got {type(text).__name__}")
    size = (_PER_CHARACTER * len(text) + 16) * len(counters)
    stop = current_stop()
    while True:
        indices = np.empty(size, dtype=np.int32)
        values = np.empty(size, dtype=np.float32)
        n, n_unknown = kernel.fill_row(text, counters, starts, indices, values, stop)
        if n >= 0:
            return indices[:n], values[:n], n_unknown
        size *= 2
