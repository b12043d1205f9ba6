"""Pairs of a row and a label that a caller names."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skxmr._inputs._label_choice import find_labels
from skxmr.ranking._row_subset import RowSubset

__all__ = ["Pairs", "look_up", "look_up_entries"]


@dataclass(frozen=True)
class Pairs:
    """Pairs, and the distinct ones among them, sorted by row.

    Parameters
    ----------
    among : RowSubset
        The distinct pairs of known labels.
    positions : ndarray of shape (n_pairs,), int64
        Which of these each pair is; -1 for one of an unknown label.
    """

    among: RowSubset
    positions: np.ndarray

    @classmethod
    def of(cls, rows, labels, shape, known, unknown="raise"):
        """Validate and sort pairs.

        Parameters
        ----------
        rows : array-like of int
        labels : array-like
            One for each row.
        shape : (n_samples, n_labels)
        known : KnownClasses
        unknown : {"raise", "ignore"}, default="raise"

        Returns
        -------
        Pairs

        Raises
        ------
        ValueError
            If there are not as many rows as labels, a row or a label does not exist, or
            `rows` are no vector of integers.
        """
        rows = _check_rows(rows, shape[0])
        columns = find_labels(labels, known, "labels", unknown)
        if len(columns) != len(rows):
            raise ValueError(
                f"There are {len(rows)} rows and {len(columns)} labels; expected one "
                f"label for each row."
            )
        is_known = columns >= 0
        keys = rows[is_known] * shape[1] + columns[is_known]
        keys, found = np.unique(keys, return_inverse=True)
        positions = np.full(len(rows), -1)
        positions[is_known] = found
        ends = np.searchsorted(keys, np.arange(shape[0] + 1) * shape[1])
        marks = np.ones(len(keys), dtype=bool), keys % max(shape[1], 1), ends
        return cls(RowSubset(sparse.csr_array(marks, shape=shape), False), positions)

    def spread(self, scores):
        """Return the score of each pair; 0 for those of unknown labels.

        Parameters
        ----------
        scores : ndarray of shape (n_distinct,)

        Returns
        -------
        ndarray of shape (n_pairs,)
        """
        return np.append(scores, scores.dtype.type(0))[self.positions]


def look_up(offsets, wanted, columns, scores, missing=0.0):
    """Return the scores of some labels of each row from rankings.

    Parameters
    ----------
    offsets : ndarray of shape (n_samples + 1,), int64
        Row i wants the labels from ``offsets[i]`` up to ``offsets[i + 1]``.
    wanted : ndarray of int
        Columns, ascending within a row.
    columns : ndarray of shape (n_samples, k), int64
        -1 where fewer labels are found.
    scores : ndarray of the same shape
    missing : float, default=0.0
        The score of labels that are not found.

    Returns
    -------
    ndarray of shape (``offsets[-1]``,), of the dtype of scores
    """
    rows, positions = np.nonzero(columns >= 0)
    entries = rows, columns[rows, positions], scores[rows, positions]
    return look_up_entries(offsets, wanted, *entries, missing=missing)


def look_up_entries(offsets, wanted, rows, columns, scores, missing=0.0):
    """Return the scores of some labels of each row from those of other pairs.

    Parameters
    ----------
    offsets, wanted, missing
        As in `look_up`.
    rows, columns : ndarray of shape (n_entries,), int64
        Distinct pairs.
    scores : ndarray of shape (n_entries,)

    Returns
    -------
    ndarray of shape (``offsets[-1]``,), of the dtype of scores
    """
    found = np.full(len(wanted), missing, dtype=scores.dtype)
    if not len(wanted):
        return found
    n_labels = max(columns.max(initial=0), wanted.max()) + 1
    keys = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)) * n_labels + wanted
    entries = rows * n_labels + columns
    positions = np.minimum(np.searchsorted(keys, entries), len(keys) - 1)
    is_wanted = keys[positions] == entries
    found[positions[is_wanted]] = scores[is_wanted]
    return found


def _check_rows(rows, n_rows):
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and len(rows)):
        raise ValueError(
            f"rows is an array of {rows.dtype} and of shape {rows.shape}; expected a "
            f"vector of integers."
        )
    strange = rows[(rows < 0) | (rows >= n_rows)]
    if len(strange):
        raise ValueError(
            f"rows has {strange[0]}; expected rows from 0 to {n_rows - 1}."
        )
    return rows.astype(np.int64)
