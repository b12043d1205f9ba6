"""Arrays as changes of earlier ones."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skxmr._saving._array_changes import ArrayChanges, can_store

DTYPES = ["u1", "?", "f2", "i4", "f4", "u8", "i8", "f8", "c16", "U3", "S5"]


def assert_restored(arrays, before):
    changes = pickle.loads(pickle.dumps(ArrayChanges.of(arrays, before)))
    restored = changes.restore(before)
    assert len(restored) == len(arrays)
    for found, expected in zip(restored, arrays, strict=True):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()
    return changes


def drawn(random, dtype, n):
    dtype = np.dtype(dtype)
    values = random.integers(0, 200, n)
    return (
        values.astype(dtype)
        if dtype.kind not in "US"
        else values.astype("U3").astype(dtype)
    )


@given(
    st.lists(st.sampled_from(DTYPES), max_size=4),
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
)
def test_arrays_are_restored_after_any_changes(dtypes, seed, n_changes):
    random = np.random.default_rng(seed)
    before = [drawn(random, dtype, random.integers(0, 300)) for dtype in dtypes]
    arrays = []
    for array in before:
        for _ in range(n_changes):
            at = random.integers(0, len(array) + 1)
            part = drawn(random, array.dtype, random.integers(0, 50))
            rest = array[at + random.integers(0, 20) :]
            array = np.concatenate([array[:at], part, rest]).astype(array.dtype)  # noqa: PLW2901
        arrays.append(array)
    random.shuffle(arrays)
    assert_restored(arrays, before)
    assert_restored(arrays, [])


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_both_have_is_not_stored(dtype):
    random = np.random.default_rng(0)
    before = random.integers(0, 2**63, 40_000).astype("u8").view("u1")
    before = before[: 32_000 // np.dtype(dtype).itemsize * np.dtype(dtype).itemsize]
    if dtype in ("?", "f2", "f4", "f8", "c16", "U3"):
        before = before % 2
    before = before.view(dtype)
    middle = len(before) // 3
    after = np.concatenate([before[:middle], before[-5:], before[middle:]])
    changes = assert_restored([after], [before[:7], before])
    assert sum(map(len, changes.stored.values())) < 500
    assert changes.n_runs.sum() < 200


def test_offsets_after_an_insertion_are_shifted():
    random = np.random.default_rng(0)
    sizes = random.integers(0, 1000, 5000)
    before = np.cumsum(sizes)
    after = np.cumsum(np.insert(sizes, 2000, [5, 6]))
    changes = assert_restored([after], [before])
    assert changes.n_runs.sum() <= 3
    assert_restored([np.array([2**63 - 1, -(2**63), 0])], [before])


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (40, 5)])
def test_shapes_are_kept(shape):
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    assert_restored([array, array], [array])
    assert_restored([array], [])


def test_equal_items_are_compressed():
    changes = assert_restored([np.ones(10_000, np.int32)], [np.ones(9000, np.int32)])
    assert changes.n_runs.sum() == 1
    assert len(changes.stored[4]) < 400


def test_some_arrays_cannot_be_stored():
    assert can_store(np.zeros((3, 2)))
    assert not can_store(np.array(["a", None], dtype=object))
    assert not can_store(np.zeros((3, 2)).T)
    assert not can_store(np.zeros(3, dtype=[("x", "i4"), ("y", "f4")]))
