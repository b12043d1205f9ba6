"""Large arrays straight from the system, and arrays that grow."""

import mmap
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import Parallel, delayed, parallel_config

from skxmr._memory._growing import GrowingArray
from skxmr._memory._large import empty

LARGE = 2**18 + 3  # float32 of more than a megabyte


@pytest.mark.parametrize("shape", [0, 7, (0, 5), (3, 4), LARGE, (LARGE, 2), (5, LARGE)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_empty_is_an_array_like_any_other(shape, dtype):
    array, expected = empty(shape, dtype), np.empty(shape, dtype)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    array[...] = 3
    assert (pickle.loads(pickle.dumps(array)) == 3).all()


def test_large_arrays_travel_to_processes():
    array = empty(LARGE, np.float32)
    array[...] = 1
    with parallel_config("loky"):
        sums = Parallel(n_jobs=2, max_nbytes=1000)(delayed(np.sum)(array) for _ in "ab")
    assert sums == [LARGE, LARGE]


@given(st.lists(st.lists(st.integers(-9, 9), max_size=5)))
def test_growing_arrays_hold_what_was_appended(parts):
    growing = GrowingArray(np.int32)
    for part in parts:
        growing.append(np.array(part, dtype=np.int32))
    assert len(growing) == sum(map(len, parts))
    array = growing.finish()
    assert array.dtype == np.int32
    assert array.tolist() == [number for part in parts for number in part]


@pytest.mark.parametrize("can_resize", [True, False])
def test_long_arrays_grow(monkeypatch, can_resize):
    class Fixed(mmap.mmap):
        def resize(self, size):
            raise SystemError("mmap: resizing not available--no mremap()")

    if not can_resize:
        monkeypatch.setattr("skxmr._memory._large.mmap.mmap", Fixed)
    rng = np.random.default_rng(0)
    parts = [rng.random(n).astype(np.float32) for n in (9, 10**5, 10**6, 0, 3 * 10**6)]
    growing = GrowingArray(np.float32)
    for part in parts:
        growing.append(part)
    array = growing.finish()
    np.testing.assert_array_equal(array, np.concatenate(parts), strict=True)
    assert pickle.loads(pickle.dumps(array))[-1] == parts[-1][-1]


@pytest.mark.skipif(sys.platform != "linux", reason="needs mremap")
def test_long_arrays_are_not_copied_at_their_end(monkeypatch):
    growing = GrowingArray(np.float32)
    growing.append(np.ones(10**6, dtype=np.float32))
    growing.append(np.ones(10**6, dtype=np.float32))
    monkeypatch.setattr("skxmr._memory._growing.empty", None)
    assert growing.finish().tolist() == [1] * (2 * 10**6)
