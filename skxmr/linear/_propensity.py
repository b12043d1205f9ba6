"""Weights of scores by the propensities of their labels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skxmr._utils._loaded_state import check_vector, refuse
from skxmr.metrics._propensities import propensities_of_counts

__all__ = ["LabelCounts"]


@dataclass(frozen=True)
class LabelCounts:
    """How many rows have each label, of those that a classifier was trained on.

    Parameters
    ----------
    n_rows : int
    counts : ndarray of shape (n_labels,), int64
    """

    n_rows: int
    counts: NDArray

    @classmethod
    def of(cls, Y) -> Self:
        """Count the labels of rows.

        Parameters
        ----------
        Y : csr_array of shape (n_rows, n_labels)
        """
        return cls(Y.shape[0], np.bincount(Y.indices, minlength=Y.shape[1]))

    def with_rows(self, Y) -> Self:
        """Count further rows too, which may have further labels."""
        counts = np.bincount(Y.indices, minlength=Y.shape[1])
        counts[: len(self.counts)] += self.counts
        return type(self)(self.n_rows + Y.shape[0], counts)

    def __getstate__(self):
        return {"n_rows": self.n_rows, "counts": self.counts}

    def log_weights(self, columns):
        """Return logarithms of inverse propensities, at most 0.

        Parameters
        ----------
        columns : ndarray of int64
            -1 for none.

        Returns
        -------
        ndarray of the same shape, float64
            Relative to that of a label without rows, and so 0 for that.
        """
        return self._log_weights[np.minimum(columns, len(self.counts))]

    @cached_property
    def _log_weights(self):
        """Those of all labels; the last one of labels that are not counted."""
        counts = np.append(self.counts, 0)
        propensities = propensities_of_counts(counts, self.n_rows)
        return np.log(propensities[-1]) - np.log(propensities)

    def best(self, columns, log_scores, exponent, k):
        """Weigh the labels of rows, and take the best.

        Parameters
        ----------
        columns : ndarray of shape (n_rows, any), int64
            -1 for none.
        log_scores : ndarray of the same shape, float64
            -inf for none.
        exponent : float
            Of the inverse propensities.
        k : int

        Returns
        -------
        columns : ndarray of shape (n_rows, k or fewer), int64
            Best first; of equal scores, the lower column first.
        log_scores : ndarray of the same shape, float64
            At most as large as before.
        """
        log_scores = log_scores + exponent * self.log_weights(columns)
        order = np.lexsort((columns, -log_scores), axis=-1)[:, :k]
        return tuple(
            np.take_along_axis(one, order, axis=1) for one in (columns, log_scores)
        )

    def check(self, n_labels, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if not isinstance(self.n_rows, int) or self.n_rows < 1:
            refuse(f"{owner}.n_rows", f"is {self.n_rows!r:.50}")
        check_vector(self.counts, (np.int64,), None, f"{owner}.counts")
        # Labels that were added without rows are not counted yet.
        if len(self.counts) > n_labels or (self.counts < 0).any():
            refuse(f"{owner}.counts", f"is not of {n_labels} labels")
