"""Embeddings of labels, and search for those that are most like the ones of texts."""

from __future__ import annotations

from functools import cached_property
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from skxmr._cython import _embedding_search as kernel
from skxmr._embeddings._codes import EmbeddingCodes
from skxmr._embeddings._halves import without_subnormals
from skxmr._inputs._label_fields import is_blank
from skxmr._parallel._parallel import current_stop, run_tasks
from skxmr._parallel._progress import showing, step
from skxmr._utils._foresight import foresee
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_finite,
    check_range,
    check_shape,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr.ranking import RowFactors

__all__ = ["LabelEmbeddings"]

_QUERIES_OF_TASK = 64
_LABELS_AT_ONCE = 4096

# Labels are not spread more than this: their differences would be noise.
_LEAST_VARIANCE = 1e-3


# The codes choose the labels whose vectors are compared: so many times those wanted.
# Choosing 200 of 27,754 subjects of records, they miss 2 in 100 of the best 7, 6 of the
# best 30 and 16 of the best 100, by multilingual-e5-small. Their cosines hardly differ:
# choosing 600, or all, changed recalls of the fused ranking no more than chance does.
# If they were to choose more than one in so many, all are compared.
_COMPARED_PER_FOUND = 2
_LEAST_SAVING = 4


class LabelEmbeddings:
    """Vectors of labels whose products with those of texts tell which are alike.

    From the unit vector of each label, the mean over all labels is subtracted, and the
    difference is divided by the variance, the mean squared length of these differences.
    So a product with the unit vector of a text is

        (the cosine of text and label - that of text and average label) / variance,

    which ranks labels by the cosine, is 0 for a label without a text, and about 1 for
    the own text of a label, whatever all vectors of an encoder have in common.

    Parameters
    ----------
    vectors : ndarray of shape (n_labels, length), float16
        Zero for a label without a text, or whose encoded text is zero.
    codes : EmbeddingCodes or None, default=None
        Codes of the vectors, for an approximate search; None for an exact one.
    mean : ndarray of shape (length,), float64, default=None
        Of the unit vectors of labels; None for zero.
    removed : ndarray of int64, default=None
        Labels that are not found; None for none.
    """

    vectors: NDArray
    mean: NDArray

    def __init__(
        self,
        vectors: NDArray,
        codes: EmbeddingCodes | None = None,
        mean: NDArray | None = None,
        removed: NDArray | None = None,
    ):
        self.vectors = vectors
        self.codes = codes
        self.mean = np.zeros(vectors.shape[1]) if mean is None else mean
        self.removed = np.empty(0, dtype=np.int64) if removed is None else removed

    @classmethod
    def encode(cls, texts, encoder, verbose=0):
        """Encode the texts of labels, equal ones once.

        Parameters
        ----------
        texts : list of str
            Of each label; blank for none.
        encoder : Encoder
        verbose : int, default=0
            Whether to print the progress.

        Returns
        -------
        LabelEmbeddings or None
            None if all texts are blank.
        """
        distinct, of_labels = _distinct(texts)
        if not distinct:
            return None
        encoded = _encode_all(distinct, encoder, len(texts), verbose)
        mean = _mean(encoded, of_labels)
        vectors = _centred(encoded, of_labels, mean)
        del encoded
        return cls(vectors, EmbeddingCodes.of(vectors), mean)

    def with_labels(self, texts, encoder, verbose=0):
        """Return the same with more labels, whose texts are encoded.

        The mean, and the components of codes, remain those of the labels in fit.

        Parameters
        ----------
        texts : list of str
            Of each added label; blank for none.
        encoder : Encoder
        verbose : int, default=0
            Whether to print the progress.

        Returns
        -------
        LabelEmbeddings
        """
        distinct, of_labels = _distinct(texts)
        added = np.zeros((len(texts), self.length), dtype=np.float16)
        if distinct:
            n_labels = len(self.vectors) + len(texts)
            encoded = _encode_all(distinct, encoder, n_labels, verbose, self.length)
            added = _centred(encoded, of_labels, self.mean)
        vectors = np.concatenate([self.vectors, added])
        codes = None if self.codes is None else self.codes.with_more(vectors)
        return type(self)(vectors, codes, self.mean, self.removed)

    def without(self, labels):
        """Return the same without labels; their vectors remain, and are not found."""
        removed = np.union1d(self.removed, labels)
        return type(self)(self.vectors, self.codes, self.mean, removed)

    def __getstate__(self):
        caches = "exact_searcher", "coded_searcher", "_are_alive"
        return {name: one for name, one in vars(self).items() if name not in caches}

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("LabelEmbeddings"):
            self._check_arrays()

    @property
    def length(self):
        """Number of entries of a vector."""
        return self.vectors.shape[1]

    @property
    def for_kernels(self):
        """The bits of the vectors."""
        return self.vectors.view(np.uint16)

    @cached_property
    def coded_searcher(self):
        """The approximate search, for any number of threads."""
        return None if self.codes is None else self.codes.searcher(self.vectors)

    @cached_property
    def exact_searcher(self):
        """The exact search, for any number of threads."""
        return kernel.EmbeddingSearcher(self.for_kernels, kernel.HALVES_LEVEL)

    @cached_property
    def _are_alive(self):
        """1 for each label that is found, 0 for the removed ones."""
        factors = np.ones(len(self.vectors), dtype=np.float32)
        factors[self.removed] = 0
        return factors

    def find(self, queries, k, factors=None, scale=1.0, n_jobs=None, exact=False):
        """Find the labels of the largest products with queries, in parallel.

        With codes, unless ``exact``, they are the best of those whose codes promise
        most: 2 ``k`` labels, or the square root of the number of all, if this is more.

        Parameters
        ----------
        queries : ndarray of shape (n_queries, length), float32
        k : int
        factors : ndarray of shape (n_labels,), float32, or RowFactors, default=None
            From 0 to 1: ``scale`` times their logarithms is added to the products.
            Labels with a factor of 0 are not found.
        scale : float, default=1.0
        n_jobs : int, default=None
        exact : bool, default=False
            Whether all vectors are compared.

        Returns
        -------
        labels : ndarray of shape (n_queries, k), int64
            Best first; -1 where fewer are found, as for a query of zeros.
        """
        if isinstance(factors, RowFactors):
            return np.concatenate(
                [
                    self.find(queries[row : row + 1], k, one, scale, n_jobs, exact)
                    for row, one in enumerate(factors)
                ]
                or [np.empty((0, k), dtype=np.int64)]
            )
        if len(self.removed):
            alive = self._are_alive
            factors = alive if factors is None else factors * alive
        shared = self, k, factors, scale, exact or self.codes is None
        n = len(queries)
        if n <= _QUERIES_OF_TASK:
            return _find(queries, *shared)
        tasks = [
            queries[first : first + _QUERIES_OF_TASK]
            for first in range(0, n, _QUERIES_OF_TASK)
        ]
        return np.concatenate(run_tasks(_find, tasks, n_jobs=n_jobs, shared=shared))

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name = "LabelEmbeddings.vectors"
        check_shape(self.vectors, (np.float16,), (None, None), name)
        if not self.length:
            refuse(name, "has no columns")
        if to_be_read(self.vectors):
            check_finite(self.vectors, name)
        check_vector(self.removed, (np.int64,), None, "LabelEmbeddings.removed")
        check_range(self.removed, 0, len(self.vectors), "LabelEmbeddings.removed")
        mean = "LabelEmbeddings.mean"
        check_shape(self.mean, (np.float64,), (self.length,), mean)
        check_finite(self.mean, mean)
        if self.codes is None:
            return
        if not isinstance(self.codes, EmbeddingCodes):
            refuse("LabelEmbeddings.codes", f"is a {type(self.codes).__name__}")
        self.codes.check(*self.vectors.shape)


def _find(queries, embeddings, k, factors, scale, exact):
    labels = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k))
    out = labels, scores, current_stop()
    codes, n_labels = embeddings.codes, len(embeddings.vectors)
    n_compared = max(k * _COMPARED_PER_FOUND, isqrt(n_labels))
    if exact or n_compared > n_labels // _LEAST_SAVING:
        embeddings.exact_searcher.find(queries, factors, scale, *out)
    else:
        searcher, step = embeddings.coded_searcher, codes.step
        searcher.find(queries, factors, scale, step, n_compared, *out)
    return labels


def _distinct(texts):
    """Return the distinct texts that are not blank, and the one of each label."""
    positions: dict = {}
    of_labels = [
        -1 if is_blank(text) else positions.setdefault(text, len(positions))
        for text in texts
    ]
    return list(positions), np.array(of_labels, dtype=np.int64)


def _encode_all(texts, encoder, n_labels, verbose, length=None):
    """Encode texts in batches; return an array of shape (n_texts, length), float32."""
    encoded, done = None, 0
    with showing(verbose), step("encoding", len(texts), "label texts") as advance:
        for vectors in encoder.in_batches(texts, length):
            if encoded is None:
                length = vectors.shape[1]
                foresee(
                    4 * len(texts) * length + 2 * n_labels * length,
                    f"Encoding {len(texts)} texts of labels as vectors of {length} "
                    "numbers",
                    "Use an encoder of shorter vectors.",
                )
                encoded = np.empty((len(texts), length), dtype=np.float32)
            encoded[done : done + len(vectors)] = vectors
            done += len(vectors)
            advance(len(vectors))
    return encoded


def _mean(encoded, of_labels):
    """Return the mean of the vectors of labels that are not zero, in float64."""
    is_known = encoded.any(axis=1)
    counts = np.bincount(of_labels[of_labels >= 0], minlength=len(encoded)) * is_known
    n_known = max(counts.sum(), 1)
    # Without BLAS, whose sums depend on its number of threads.
    return np.einsum("i,ij->j", counts / n_known, encoded.astype(np.float64))


def _centred(encoded, of_labels, mean):
    """Subtract the mean from the vectors of labels, and divide by their variance.

    Parameters
    ----------
    encoded : ndarray of shape (n_texts, length), float32
    of_labels : ndarray of shape (n_labels,), int64
        The text of each label; -1 for none.
    mean : ndarray of shape (length,), float64

    Returns
    -------
    ndarray of shape (n_labels, length), float16
    """
    is_known = encoded.any(axis=1)
    variance = max(1 - float(np.sum(mean**2)), _LEAST_VARIANCE)
    # Not `zeros`, whose memory has no large pages: a search reads it here and there.
    vectors = np.empty((len(of_labels), encoded.shape[1]), dtype=np.float16)
    vectors[:] = 0
    for first in range(0, len(of_labels), _LABELS_AT_ONCE):
        rows = of_labels[first : first + _LABELS_AT_ONCE]
        labels = np.flatnonzero((rows >= 0) & is_known[rows])
        part = (encoded[rows[labels]] - mean) / variance
        vectors[first + labels] = without_subnormals(part)
    return vectors
