"""Codes of label vectors, by which the most promising are found without reading all."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from skxmr._cython import _embedding_codes as kernel
from skxmr._cython._embedding_search import HALVES_LEVEL
from skxmr._embeddings._halves import without_subnormals
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_finite,
    check_range,
    check_shape,
    refuse,
    to_be_read,
)

__all__ = ["LEAST_CODED", "EmbeddingCodes"]

LEAST_CODED = 4096
"""The least number of labels whose vectors are worth codes."""

_ENTRIES_OF_SAMPLE = 2**22
_LABELS_AT_ONCE = 4096

# The step of the 16 codes, in standard deviations: all of them span 5.6.
_STEP = 0.35


class EmbeddingCodes:
    """Codes of 4 bits of the first principal components of vectors.

    Parameters
    ----------
    labels : ndarray of shape (n_coded,), int32
        The labels whose vector is not zero, ascending.
    codes : ndarray of shape (n_blocks, n_pairs, 8, 4), uint8
        Of their vectors, as the kernel has them.
    components : ndarray of shape (n_components, length), float16
        Each principal component, by its standard deviation, relative to the largest.
    step : float
        The largest of the steps of codes.
    """

    labels: NDArray
    codes: NDArray
    components: NDArray

    def __init__(self, labels: NDArray, codes: NDArray, components: NDArray, step):
        self.labels = labels
        self.codes = codes
        self.components = components
        self.step = step

    @classmethod
    def of(cls, vectors):
        """Code vectors.

        Parameters
        ----------
        vectors : ndarray of shape (n_labels, length), float16

        Returns
        -------
        EmbeddingCodes or None
            None if there are too few for codes to be faster.
        """
        labels = np.flatnonzero(vectors.any(axis=1)).astype(np.int32)
        if len(labels) < LEAST_CODED:
            return None
        components, step = _components_of(vectors, labels)
        codes = _code_all(vectors, labels, components, step)
        return cls(labels, codes, components, step)

    def with_more(self, vectors) -> Self:
        """Return the codes of the same vectors and of those that follow.

        Parameters
        ----------
        vectors : ndarray of shape (n_labels, length), float16
            Those of all labels.

        Returns
        -------
        EmbeddingCodes
            By the same components.
        """
        n_known = int(self.labels[-1]) + 1
        added = n_known + np.flatnonzero(vectors[n_known:].any(axis=1))
        labels = np.concatenate([self.labels, added.astype(np.int32)])
        # The last block may be filled up.
        n_full = len(self.labels) // kernel.CODED_TOGETHER
        others = labels[n_full * kernel.CODED_TOGETHER :]
        codes = _code_all(vectors, others, self.components, self.step)
        codes = np.concatenate([self.codes[:n_full], codes])
        return type(self)(labels, codes, self.components, self.step)

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("EmbeddingCodes"):
            self._check_arrays()

    def searcher(self, vectors):
        """Return the search among the vectors that these are the codes of."""
        return kernel.CodedSearcher(
            vectors.view(np.uint16),
            self.labels,
            self.codes,
            self.components.view(np.uint16),
            HALVES_LEVEL,
        )

    def check(self, n_labels, length):
        """Raise ValueError if this is not of so many vectors of a length."""
        name = "EmbeddingCodes"
        if self.components.shape[1] != length:
            refuse(f"{name}.components", f"has other than {length} columns")
        if to_be_read(self.labels):
            check_range(self.labels, 0, n_labels, f"{name}.labels")

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name = "EmbeddingCodes"
        check_shape(self.labels, (np.int32,), (None,), f"{name}.labels")
        check_shape(self.components, (np.float16,), (None, None), f"{name}.components")
        n_components = len(self.components)
        if n_components not in _numbers_of_components():
            refuse(f"{name}.components", f"has {n_components} rows")
        n_together = kernel.CODED_TOGETHER
        shape = -(-len(self.labels) // n_together), n_components // 8, n_together, 4
        check_shape(self.codes, (np.uint8,), shape, f"{name}.codes")
        if not len(self.labels):
            refuse(f"{name}.labels", "is empty")
        if type(self.step) is not float or not 0 < self.step < np.inf:
            refuse(f"{name}.step", f"is {self.step!r:.40}; expected a positive number")
        if to_be_read(self.labels):
            first, last = self.labels[0], self.labels[-1]
            check_ascending(self.labels, first, last, f"{name}.labels")
        if to_be_read(self.components):
            check_finite(self.components, f"{name}.components")


def _numbers_of_components():
    step = kernel.DIVISOR_OF_ENTRIES
    return range(step, kernel.ENTRIES_OF_CODES + 1, step)


def _components_of(vectors, labels):
    """Find principal components in a sample of vectors, by the steps of their codes.

    Returns
    -------
    components : ndarray of shape (n_components, length), float16
        Relative to the largest step.
    step : float
        The largest step.
    """
    length = vectors.shape[1]
    n_sample = min(len(labels), max(_ENTRIES_OF_SAMPLE // length, 1024))
    chosen = labels[np.linspace(0, len(labels) - 1, n_sample).astype(np.int64)]
    sample = vectors[chosen].astype(np.float32)
    n_found = min(kernel.ENTRIES_OF_CODES, *sample.shape)
    # The last bits would depend on the number of threads of BLAS.
    with threadpool_limits(1, "blas"):
        _, sizes, directions = randomized_svd(sample, n_found, n_iter=2, random_state=0)
    steps = _STEP * sizes / np.sqrt(n_sample)
    divisor = kernel.DIVISOR_OF_ENTRIES
    components = np.zeros((-(-n_found // divisor) * divisor, length), dtype=np.float16)
    relative = directions * (steps / steps[0])[:, np.newaxis]
    components[:n_found] = without_subnormals(relative)
    return components, float(steps[0])


def _code_all(vectors, labels, components, step):
    """Return the packed codes of the vectors of some labels."""
    divisors = np.sum(components.astype(np.float32) ** 2, axis=1)
    n_together = kernel.CODED_TOGETHER
    n_blocks = -(-len(labels) // n_together)
    codes = np.zeros((n_blocks * n_together, len(components)), dtype=np.uint8)
    for first in range(0, len(labels), _LABELS_AT_ONCE):
        part = vectors[labels[first : first + _LABELS_AT_ONCE]].astype(np.float32)
        codes[first : first + len(part)] = _code(part, components, divisors, step)
    return _packed(codes)


def _code(vectors, components, divisors, step):
    """Return the codes of some vectors, of shape (n_vectors, n_components)."""
    products = np.empty((len(vectors), len(components)), dtype=np.float32)
    kernel.project(components.view(np.uint16), vectors, HALVES_LEVEL, products)
    in_steps = products / np.where(divisors > 0, divisors * step, 1)
    return np.clip(np.floor(in_steps) + 8, 0, kernel.LARGEST_CODE).astype(np.uint8)


def _packed(codes):
    """Pack codes of shape (n_blocks * 8, n_components), as the kernel has them."""
    n_together = kernel.CODED_TOGETHER
    n_blocks, n_components = len(codes) // n_together, codes.shape[1]
    quads = codes.reshape(n_blocks, n_together, n_components // 8, 2, 4)
    both = quads[:, :, :, 0] | quads[:, :, :, 1] << 4
    return np.ascontiguousarray(both.transpose(0, 2, 1, 3))
