"""Small files in the Extreme Classification Repository's format, and helpers."""

import bz2
import gzip
import io
import lzma
import tracemalloc

import numpy as np
from numpy.testing import assert_array_equal
from twins import random_sparse

from skxmr.datasets import load_xmc

SMALL = b"3 5 4\n0,2 1:0.5 4:2\n 0:1.25\n3\n"
SMALL_X = [[0, 0.5, 0, 0, 2], [1.25, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
SMALL_Y = [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
COMPRESSORS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
LARGEST = 2**31 - 1


def load_bytes(text, **options):
    """Read a data set from bytes."""
    return load_xmc(io.BytesIO(text), **options)


def assert_same(one, other):
    """Check that shape, dtype, structure and bits are equal."""
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    assert_array_equal(one.indptr, other.indptr)
    assert_array_equal(one.indices, other.indices)
    assert one.data.tobytes() == other.data.tobytes()


def random_data(n_rows=300, n_features=1000, n_labels=200, seed=0):
    """Draw a feature matrix and an indicator of labels."""
    rng = np.random.default_rng(seed)
    X = random_sparse(rng, (n_rows, n_features), density=0.02)
    Y = (random_sparse(rng, (n_rows, n_labels), density=0.01) != 0).astype(np.int32)
    return X, Y


def peak_of(function, *arguments):
    """Call a function and measure the peak of the memory that it allocates."""
    tracemalloc.start()
    try:
        result = function(*arguments)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
