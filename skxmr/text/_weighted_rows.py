"""The CSR matrix of weighted n-grams, built from the rows of consecutive texts."""

from functools import partial

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse

from skxmr._inputs._validation import public_csr
from skxmr._memory._growing import GrowingArray
from skxmr._parallel._progress import step
from skxmr.text._counting import run_calls

__all__ = ["WeightedRows", "as_counted"]


class WeightedRows:
    """A CSR matrix of TF-IDF values that grows by the rows of texts.

    Parameters
    ----------
    weighting : Weighting
    n_features : int
    n_jobs : int or None
        As in scikit-learn.
    """

    def __init__(self, weighting, n_features, n_jobs):
        self.weighting = weighting
        self.n_features = n_features
        self.n_jobs = n_jobs
        self._ends = [np.zeros(1, dtype=np.int64)]
        self._indices = GrowingArray(np.int32)
        self._values = GrowingArray(weighting.dtype)

    def append(self, counts):
        """Run calls that count, weigh their results, and append them.

        Parameters
        ----------
        counts : list of callable
            Each returns the `Rows` of consecutive texts.
        """
        calls = [partial(_count_and_weigh, count, self.weighting) for count in counts]
        for rows, values in run_calls(calls, n_jobs=self.n_jobs):
            self._ends.append(rows.ends + len(self._indices))
            self._indices.append(rows.indices)
            self._values.append(values)

    def append_releasing(self, counts):
        """Append the rows of large parts, of which there is one more copy at a time.

        Parameters
        ----------
        counts : list of callable
            Each is removed from the list before the next one is called.
        """
        counts.reverse()
        n_workers = effective_n_jobs(self.n_jobs)
        with step("weighting n-grams", len(counts)) as advance:
            while counts:
                n_parts = min(len(counts), n_workers)
                self.append([counts.pop() for _ in range(n_parts)])
                advance(n_parts)

    def finish(self):
        """Return the matrix; nothing can be appended afterwards."""
        offsets = np.concatenate(self._ends)
        if offsets[-1] <= np.iinfo(np.int32).max:
            offsets = offsets.astype(np.int32)
        arrays = self._values.finish(), self._indices.finish(), offsets
        shape = len(offsets) - 1, self.n_features
        return public_csr(sparse.csr_array(arrays, shape=shape))


def _count_and_weigh(counting, weighting):
    """Run a count, and return its `Rows` and their TF-IDF values."""
    rows = counting()
    values = weighting.values(rows)
    rows.counts = None  # the counts are a third of the memory
    return rows, values


def as_counted(rows):
    """Return rows that are counted already."""
    return rows
