"""What BM25 depends on besides the counts of a label: frozen when an index is built."""

import numpy as np

from skxmr._utils._loaded_state import (
    as_value_errors,
    check_finite,
    check_shape,
    refuse,
)

__all__ = ["LexicalStatistics", "bm25_values"]


def bm25_values(counts, lengths, mean, k1, b):
    """Return the values of postings, without inverse document frequencies.

    Parameters
    ----------
    counts : ndarray of shape (n_postings,), int64
        How often the term occurs in the field of the label.
    lengths : ndarray of shape (n_postings,), int64
        The number of terms of the field.
    mean : float, or ndarray of shape (n_postings,)
        The mean length of the field; 0 takes all lengths for the mean.
    k1, b : float

    Returns
    -------
    ndarray of shape (n_postings,), float64
    """
    mean = np.where(mean > 0, mean, np.maximum(lengths, 1))
    return (k1 + 1) * counts / (counts + k1 * (1 - b + b * lengths / mean))


class LexicalStatistics:
    """The statistics of the texts that an index was built of.

    They do not change when labels are added or removed, so that the scores of all other
    labels stay the same.

    Parameters
    ----------
    n_labels : int
        The number N of the inverse document frequencies.
    n_terms : int
        The number of terms whose document frequencies are those of these texts.
    mean_lengths : ndarray of shape (n_analyzers, n_fields), float64
    k1, b : float
    """

    def __init__(self, n_labels, n_terms, mean_lengths, k1, b):
        self.n_labels = n_labels
        self.n_terms = n_terms
        self.mean_lengths = mean_lengths
        self.k1 = k1
        self.b = b

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("LexicalStatistics"):
            self._check_arrays()

    def values(self, counts, lengths, analyzer, fields):
        """Return the values of postings of an analyzer.

        Parameters
        ----------
        counts, lengths : ndarray of shape (n_postings,), int64
        analyzer : int
        fields : ndarray of shape (n_postings,), int64

        Returns
        -------
        ndarray of shape (n_postings,), float32
        """
        means = self.mean_lengths[analyzer, fields]
        return bm25_values(counts, lengths, means, self.k1, self.b).astype(np.float32)

    def _check_arrays(self):
        """Raise ValueError if the attributes of a loaded model are not consistent."""
        name = "LexicalStatistics"
        for size in ("n_labels", "n_terms"):
            value = getattr(self, size)
            if type(value) is not int or value < 0:
                refuse(f"{name}.{size}", f"is {value!r:.40}; expected an int")
        check_shape(
            self.mean_lengths, (np.float64,), (None, None), f"{name}.mean_lengths"
        )
        check_finite(self.mean_lengths, f"{name}.mean_lengths")
        if not (0 <= self.k1 <= 1e6 and 0 <= self.b <= 1):
            refuse(f"{name}.k1 and b", f"are {self.k1!r:.40} and {self.b!r:.40}")
