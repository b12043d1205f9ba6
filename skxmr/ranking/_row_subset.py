"""Subsets of labels that differ from row to row, as sparse masks."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from skxmr._inputs._label_choice import check_choice
from skxmr._inputs._validation import check_structure
from skxmr.ranking._subset import LabelSubset

__all__ = [
    "RowFactors",
    "RowSubset",
    "has_row_masks",
    "is_row_mask",
    "resolve_row_subset",
    "scores_at",
]


@dataclass(frozen=True)
class RowSubset:
    """The labels that each row of a search may find, or may not.

    Parameters
    ----------
    mask : csr_array of shape (n_samples, n_labels), bool
        With sorted indices, without stored zeros.
    is_excluded : bool
        Whether the mask marks labels that are not to be found.
    subset : LabelSubset, default=None
        With excluded labels, the subset that all rows are searched in; None for all.
    """

    mask: sparse.csr_array
    is_excluded: bool
    subset: LabelSubset | None = None

    def between(self, start, stop):
        """Return those of some consecutive rows."""
        return replace(self, mask=self.mask[start:stop])

    @property
    def offsets(self):
        """Where the labels of each row begin in `columns`, and their end."""
        return self.mask.indptr.astype(np.int64)

    @property
    def columns(self):
        """The marked labels of all rows."""
        return self.mask.indices.astype(np.int32)

    @property
    def most(self):
        """The largest number of marked labels of a row."""
        return int(np.diff(self.mask.indptr).max(initial=0))

    def arguments(self, subset=None):
        """Return the arguments of `rank` by which another estimator is restricted.

        Parameters
        ----------
        subset : LabelSubset or iterable of labels, default=None
            That of the other estimator.

        Returns
        -------
        dict of str to object
        """
        if self.is_excluded:
            return {"allowed": subset, "excluded": self.mask}
        return {"allowed": self.mask}

    def keep(self, scores):
        """Return scores with those of labels that may not be found left out.

        Parameters
        ----------
        scores : csr_array of shape (n_samples, n_labels)

        Returns
        -------
        csr_array
        """
        kept = scores.multiply(self.mask)
        return sparse.csr_array(scores - kept if self.is_excluded else kept)


def scores_at(scores, mask):
    """Return the scores of the marked labels of each row.

    Parameters
    ----------
    scores : ndarray or csr_array of shape (n_samples, n_labels)
    mask : csr_array of the same shape

    Returns
    -------
    ndarray of shape (nnz,), of the dtype of scores
    """
    rows, columns = mask.nonzero()
    if not len(rows):  # SciPy would make an array of objects
        return np.empty(0, dtype=scores.dtype)
    return np.asarray(scores[rows, columns]).ravel()


class RowFactors:
    """Factors of the scores of labels that differ from row to row.

    Iteration yields a float32 array of shape (n_labels,) for each row: 0 for labels
    that it may not find. It is the same array each time, changed in place.

    Parameters
    ----------
    subset : RowSubset
    common : ndarray of shape (n_labels,), float32
        The factors of labels that a row may find.
    """

    def __init__(self, subset, common):
        self._subset = subset
        self._common = common

    @classmethod
    def of(cls, subset):
        """Return factors of 1 for labels that may be found.

        Parameters
        ----------
        subset : RowSubset
            Its `subset`, of all rows, has a mask or None.
        """
        if subset.subset is None:
            return cls(subset, np.ones(subset.mask.shape[1], dtype=np.float32))
        return cls(subset, subset.subset.mask.astype(np.float32))

    def between(self, start, stop):
        """Return those of some consecutive rows."""
        return RowFactors(self._subset.between(start, stop), self._common)

    def times(self, weights):
        """Return these factors times those of all rows."""
        return RowFactors(self._subset, self._common * weights)

    def __iter__(self):
        common, is_excluded = self._common, self._subset.is_excluded
        factors = common.copy() if is_excluded else np.zeros_like(common)
        offsets, columns = self._subset.offsets, self._subset.columns
        for row in range(len(offsets) - 1):
            marked = columns[offsets[row] : offsets[row + 1]]
            factors[marked] = 0 if is_excluded else common[marked]
            yield factors
            factors[marked] = common[marked] if is_excluded else 0


def is_row_mask(labels):
    """Return whether what came as labels is a mask of shape (n_samples, n_labels)."""
    is_matrix = sparse.issparse(labels) or isinstance(labels, np.ndarray)
    return is_matrix and labels.ndim == 2


def has_row_masks(allowed, excluded):
    """Return whether a search is restricted row by row."""
    return is_row_mask(allowed) or is_row_mask(excluded)


def resolve_row_subset(make, known, n_rows, allowed, excluded, unknown):
    """Return the labels that each row may find, or may not, as one mask.

    Parameters
    ----------
    make : callable
        The method `subset` of the estimator.
    known : KnownClasses
    n_rows : int
    allowed : mask, LabelSubset, iterable of labels or None
    excluded : mask, iterable of labels or None
    unknown : {"raise", "ignore"}

    Returns
    -------
    RowSubset

    Raises
    ------
    ValueError
        If a mask has another shape or no numbers, or an argument is invalid.
    """
    shape = n_rows, len(known)
    if not is_row_mask(allowed):
        if allowed is not None and not isinstance(allowed, LabelSubset):
            allowed = make(allowed, unknown=unknown)
        return RowSubset(_check_mask(excluded, shape, "excluded"), True, allowed)
    mask = _check_mask(allowed, shape, "allowed")
    if is_row_mask(excluded):
        mask = mask > _check_mask(excluded, shape, "excluded")
        excluded = None
    _, columns = check_choice(known, None, excluded, unknown)
    is_out = np.zeros(len(known), dtype=bool)
    is_out[columns] = True
    return RowSubset(_without(sparse.csr_array(mask), is_out), False)


def _check_mask(mask, shape, name):
    """Return a mask as CSR of True; refuse another shape and what is no number."""
    mask = check_structure(mask, name)
    if mask.shape != shape:
        raise ValueError(
            f"{name} is a mask of shape {mask.shape}; expected (n_samples, n_labels) = "
            f"{shape}, or a vector of labels that are the same for all rows."
        )
    if mask.dtype.kind not in "biuf":
        raise ValueError(f"{name} is a mask of {mask.dtype}; expected one of bool.")
    mask = sparse.csr_array(mask)
    if mask.dtype.kind == "f" and np.isnan(mask.data).any():
        raise ValueError(f"{name} is a mask with NaN; expected True or False.")
    marks = (mask.data != 0, mask.indices, mask.indptr)
    canonical = sparse.csr_array(marks, shape=shape, copy=True)
    canonical.sum_duplicates()
    canonical.eliminate_zeros()
    return canonical


def _without(mask, is_out):
    """Unmark labels in all rows."""
    marks = mask.data & ~is_out[mask.indices], mask.indices, mask.indptr
    kept = sparse.csr_array(marks, shape=mask.shape, copy=True)
    kept.eliminate_zeros()
    return kept
