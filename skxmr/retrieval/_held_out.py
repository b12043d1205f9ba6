"""Texts that are held out of training, to learn from how well they are searched."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skxmr.text._normalization import normalize_text

__all__ = ["HeldOut"]

MOST = 2000
LEAST = 200
_SHARE = 4  # at most one text in so many is held out


class HeldOut(NamedTuple):
    """Distinct texts with all their labels, and where they are among all texts.

    Parameters
    ----------
    texts : list of str
    rows : ndarray of shape (n_held_out,), int64
        The first copy of each among all texts.
    Y : csr_array of shape (n_held_out, n_labels)
        The labels of all copies of a text.
    is_kept : ndarray of shape (n_samples,), bool
        Which of all texts are neither held out nor copies of one that is.
    """

    texts: list
    rows: NDArray
    Y: sparse.csr_array
    is_kept: NDArray

    @classmethod
    def draw(cls, texts, Y, has_text, seed) -> Self | None:
        """Draw at most 2,000 distinct texts, and at most a quarter of them.

        Only labels with a text of their own can be searched without the held-out texts;
        texts of other labels are not held out.

        Parameters
        ----------
        texts : list of str
        Y : csr_array of shape (n_samples, n_labels)
        has_text : ndarray of shape (n_labels,), bool
        seed : int

        Returns
        -------
        HeldOut or None
            None if there would be fewer than 200.
        """
        if len(texts) < LEAST * _SHARE:
            return None
        first, of_distinct = _distinct(texts)
        pooled = sparse.csr_array(_pooling(of_distinct, len(first)) @ Y)
        n_unsearchable = pooled @ (~has_text).astype(np.float32)
        drawable = np.flatnonzero((n_unsearchable == 0) & (np.diff(pooled.indptr) > 0))
        n_drawn = min(MOST, len(first) // _SHARE, len(drawable))
        if n_drawn < LEAST:
            return None
        drawn = np.random.default_rng(seed).permutation(drawable)[:n_drawn]
        drawn.sort()
        is_drawn = np.zeros(len(first), dtype=bool)
        is_drawn[drawn] = True
        rows = first[drawn]
        chosen = [texts[row] for row in rows.tolist()]
        return cls(chosen, rows, pooled[drawn], ~is_drawn[of_distinct])


def _distinct(texts):
    """Return the first row of each distinct text, and which of these each row is."""
    numbers: dict = {}
    of_distinct = np.array(
        [numbers.setdefault(normalize_text(text), len(numbers)) for text in texts]
    )
    _, first = np.unique(of_distinct, return_index=True)
    return first, of_distinct


def _pooling(of_distinct, n_distinct):
    """Make a matrix that adds the rows of equal texts."""
    n_rows = len(of_distinct)
    ones = np.ones(n_rows, dtype=np.float32)
    return sparse.csr_array(
        (ones, (of_distinct, np.arange(n_rows))), shape=(n_distinct, n_rows)
    )
