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
_POINTS_OF_TABLES = 4096
_ROUNDS_OF_TABLES = 10
_LABELS_AT_ONCE = 4096

# The step of the 16 codes, in standard deviations: all of them span 5.6.
_STEP = 0.35


class EmbeddingCodes:
    """Codes of the first principal components of vectors.

    A fine code has 4 bits for each component. A rough one has 4 bits for four of them:
    the nearest of 16 centres, which are found by k-means. This is product quantization:

        H. Jégou, M. Douze and C. Schmid, "Product quantization for nearest neighbor
        search", IEEE Transactions on Pattern Analysis and Machine Intelligence 33,
        2011.

    Parameters
    ----------
    labels : ndarray of shape (n_coded,), int32
        The labels whose vector is not zero, ascending.
    rough : ndarray of shape (n_blocks, n_tables / 2, 32), uint8
        Of their vectors, as the kernel has them.
    fine : ndarray of shape (n_coded, n_components / 2), uint8
        The same.
    components : ndarray of shape (n_components, length), float16
        Each principal component, by its standard deviation, relative to the largest.
    step : float
        The largest of the steps of codes.
    centres : ndarray of shape (n_tables, 4, 16), float32
        Of rough codes, in steps of fine codes: entry j of table t is of component
        ``j * n_tables + t``.
    """

    labels: NDArray
    rough: NDArray
    fine: NDArray
    components: NDArray
    centres: NDArray

    def __init__(
        self,
        labels: NDArray,
        codes: tuple[NDArray, NDArray],
        components: NDArray,
        step: float,
        centres: NDArray,
    ):
        self.labels = labels
        self.rough, self.fine = codes
        self.components = components
        self.step = step
        self.centres = centres

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
        centres = _centres_of(vectors, labels, components, step)
        codes = _code_all(vectors, labels, components, step, centres)
        return cls(labels, codes, components, step, centres)

    def with_more(self, vectors) -> Self:
        """Return the codes of the same vectors and of those that follow.

        Parameters
        ----------
        vectors : ndarray of shape (n_labels, length), float16
            Those of all labels.

        Returns
        -------
        EmbeddingCodes
            By the same components and centres.
        """
        n_known = int(self.labels[-1]) + 1
        added = n_known + np.flatnonzero(vectors[n_known:].any(axis=1))
        labels = np.concatenate([self.labels, added.astype(np.int32)])
        # The last block may be filled up.
        n_full = len(self.labels) // kernel.CODED_TOGETHER
        n_kept = n_full * kernel.CODED_TOGETHER
        by = self.components, self.step, self.centres
        rough, fine = _code_all(vectors, labels[n_kept:], *by)
        rough = np.concatenate([self.rough[:n_full], rough])
        fine = np.concatenate([self.fine[:n_kept], fine])
        return type(self)(labels, (rough, fine), *by)

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("EmbeddingCodes"):
            self._check_arrays()

    def searcher(self, vectors):
        """Return the search among the vectors that these are the codes of."""
        return kernel.CodedSearcher(
            vectors.view(np.uint16),
            self.labels,
            self.rough,
            self.fine,
            self.components.view(np.uint16),
            self.centres,
            kernel.CODES_LEVEL,
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
        n_tables = n_components // kernel.COMPONENTS_OF_TABLE
        n_together, n_values = kernel.CODED_TOGETHER, kernel.VALUES_OF_TABLE
        n_blocks = -(-len(self.labels) // n_together)
        of_rough = n_blocks, n_tables // 2, n_together
        check_shape(self.rough, (np.uint8,), of_rough, f"{name}.rough")
        of_fine = len(self.labels), n_components // 2
        check_shape(self.fine, (np.uint8,), of_fine, f"{name}.fine")
        of_centres = n_tables, kernel.COMPONENTS_OF_TABLE, n_values
        check_shape(self.centres, (np.float32,), of_centres, f"{name}.centres")
        if not len(self.labels):
            refuse(f"{name}.labels", "is empty")
        if type(self.step) is not float or not 0 < self.step < np.inf:
            refuse(f"{name}.step", f"is {self.step!r:.40}; expected a positive number")
        if to_be_read(self.labels):
            first, last = self.labels[0], self.labels[-1]
            check_ascending(self.labels, first, last, f"{name}.labels")
        if to_be_read(self.components):
            check_finite(self.components, f"{name}.components")
        if to_be_read(self.centres):
            check_finite(self.centres, f"{name}.centres")


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


def _centres_of(vectors, labels, components, step):
    """Find the centres of rough codes, by k-means with a sample of vectors."""
    n_sample = min(len(labels), _POINTS_OF_TABLES)
    chosen = labels[np.linspace(0, len(labels) - 1, n_sample).astype(np.int64)]
    widths = _widths(components)
    in_steps = _in_steps(vectors[chosen].astype(np.float32), components, step)
    points = np.ascontiguousarray(in_steps * widths.ravel())
    n_values = kernel.VALUES_OF_TABLE
    first = np.linspace(0, n_sample - 1, n_values).astype(np.int64)
    # By table, component of the table, and value.
    by_table = points.reshape(n_sample, *widths.shape).transpose(2, 1, 0)
    centres = np.ascontiguousarray(by_table[:, :, first])
    for _ in range(_ROUNDS_OF_TABLES):
        _move(centres, by_table, _nearest(points, centres))
    shape = widths.T[:, :, np.newaxis]
    return np.divide(centres, shape, where=shape > 0, out=np.zeros_like(centres))


def _move(centres, by_table, numbers):
    """Move each centre to the mean of the points that it is nearest to."""
    for of_table, points, nearest in zip(centres, by_table, numbers.T, strict=True):
        counts = np.bincount(nearest, minlength=of_table.shape[1])
        for entries, values in zip(of_table, points, strict=True):
            sums = np.bincount(nearest, values, minlength=len(counts))
            np.divide(sums, counts, where=counts > 0, out=entries, casting="same_kind")


def _nearest(points, centres):
    numbers = np.empty((len(points), len(centres)), dtype=np.uint8)
    kernel.find_nearest(points, centres, numbers)
    return numbers


def _widths(components):
    """Return the relative steps of components, of shape (4, n_tables), float32."""
    widths = np.sqrt(np.sum(components.astype(np.float32) ** 2, axis=1))
    return widths.reshape(kernel.COMPONENTS_OF_TABLE, -1)


def _code_all(vectors, labels, components, step, centres):
    """Return the rough and fine codes of the vectors of some labels, as the kernel's.

    Returns
    -------
    rough : ndarray of shape (n_blocks, n_tables / 2, 32), uint8
    fine : ndarray of shape (n_labels, n_components / 2), uint8
    """
    n_together, n_labels = kernel.CODED_TOGETHER, len(labels)
    n_padded = -(-n_labels // n_together) * n_together
    rough = np.zeros((n_padded, len(centres)), dtype=np.uint8)
    fine = np.empty((n_labels, len(components) // 2), dtype=np.uint8)
    widths = _widths(components)
    scaled = centres * widths.T[:, :, np.newaxis]
    for first in range(0, n_labels, _LABELS_AT_ONCE):
        part = vectors[labels[first : first + _LABELS_AT_ONCE]].astype(np.float32)
        rows = slice(first, first + len(part))
        in_steps = _in_steps(part, components, step)
        rough[rows] = _nearest(in_steps * widths.ravel(), scaled)
        codes = np.clip(np.floor(in_steps) + 8, 0, kernel.LARGEST_CODE)
        fine[rows] = _packed_fine(codes.astype(np.uint8))
    return _packed_rough(rough), fine


def _in_steps(vectors, components, step):
    """Return the principal components of vectors, in steps of their codes.

    Returns
    -------
    ndarray of shape (n_vectors, n_components), float32
    """
    products = np.empty((len(vectors), len(components)), dtype=np.float32)
    kernel.project(components.view(np.uint16), vectors, HALVES_LEVEL, products)
    divisors = np.sum(components.astype(np.float32) ** 2, axis=1)
    return products / np.where(divisors > 0, divisors * np.float32(step), 1)


def _packed_fine(codes):
    """Pack codes of shape (n_labels, n_components), as the kernel has them."""
    n_bytes = kernel.DIVISOR_OF_ENTRIES // 2
    halves = codes.reshape(len(codes), -1, 2, n_bytes)
    return (halves[:, :, 0] | halves[:, :, 1] << 4).reshape(len(codes), -1)


def _packed_rough(numbers):
    """Pack numbers of shape (n_blocks * 32, n_tables), as the kernel has them."""
    both = numbers[:, ::2] | numbers[:, 1::2] << 4
    blocks = both.reshape(-1, kernel.CODED_TOGETHER, both.shape[1])
    return np.ascontiguousarray(blocks.transpose(0, 2, 1))
