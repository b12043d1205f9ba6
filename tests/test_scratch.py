"""Memory that tasks use one after another."""

import pickle

import numpy as np
import pytest

from skxmr._scratch import Scratch, ScratchPool, bytes_of, carve


class TaskFailedError(Exception):
    pass


NEEDS = {
    "bytes": (3, np.uint8),
    "none": (0, np.float64),
    "floats": (100, np.float32),
    "offsets": (7, np.int64),
}


def test_arrays_have_their_sizes_and_types_and_do_not_meet():
    arrays = Scratch().take(NEEDS)
    for place, (name, (size, dtype)) in enumerate(NEEDS.items()):
        assert arrays[name].shape == (size,)
        assert arrays[name].dtype == dtype
        assert arrays[name].ctypes.data % 64 == 0 or size == 0
        arrays[name][:] = place
    for place, name in enumerate(NEEDS):
        assert (arrays[name] == place).all()


def test_carving_takes_what_is_told_before():
    n_bytes = bytes_of(NEEDS)
    arrays = carve(np.zeros(n_bytes, dtype=np.uint8), NEEDS)
    assert [len(array) for array in arrays.values()] == [3, 0, 100, 7]
    assert n_bytes == 64 + 0 + 448 + 64


def test_the_next_task_gets_the_same_memory_unless_it_needs_more():
    scratch = Scratch()
    first = scratch.take(NEEDS)["bytes"].ctypes.data
    assert scratch.take({"floats": (100, np.float32)})["floats"].ctypes.data == first
    large = scratch.take({"floats": (10_000, np.float32)})["floats"]
    assert scratch.take(NEEDS)["bytes"].ctypes.data == large.ctypes.data


def test_what_is_kept_is_made_once():
    scratch = Scratch()
    kept = scratch.keep("zeros", lambda: np.zeros(3))
    scratch.give_back()
    assert scratch.keep("zeros", lambda: np.ones(3)) is kept


def test_a_pool_lends_to_one_at_a_time():
    pool = ScratchPool()
    with pool.lend() as one:
        with pool.lend() as other:
            assert other is not one
        with pool.lend() as again:
            assert again is other
    with pool.lend() as last:
        assert last is one


def test_a_pool_forgets_what_an_error_has_left():
    pool, lent = ScratchPool(), []

    def fail():
        with pool.lend() as scratch:
            lent.append(scratch)
            raise TaskFailedError

    with pytest.raises(TaskFailedError):
        fail()
    with pool.lend() as other:
        assert other is not lent[0]


def test_only_the_empty_pool_travels():
    pool = ScratchPool()
    with pool.lend() as scratch:
        scratch.take({"large": (10**6, np.float64)})
    assert len(pickle.dumps(pool)) < 100
    with pickle.loads(pickle.dumps(pool)).lend() as other:
        assert other is not scratch
