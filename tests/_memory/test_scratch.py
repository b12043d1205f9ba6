"""Memory that training tasks use one after another."""

import pickle

import numpy as np
import pytest
from skxmr._cython._workspace import Arena, Buffer

from skxmr._memory._scratch import WorkspacePool


class TaskFailedError(Exception):
    pass


NEEDS = {"u1": 3, "f8": 0, "f4": 100, "i8": 7}


def lay_out(arena):
    return [arena.take(size, dtype) for dtype, size in NEEDS.items()]


def arrays_in(buffer):
    counting = Arena()
    assert lay_out(counting) == [None] * len(NEEDS)
    buffer.reserve(counting.n_bytes)
    return lay_out(Arena(buffer.memory))


def test_arrays_have_their_sizes_and_types_and_do_not_overlap():
    arrays = arrays_in(Buffer(np.empty))
    for i, (array, (dtype, size)) in enumerate(zip(arrays, NEEDS.items(), strict=True)):
        assert array.shape == (size,)
        assert array.dtype == dtype
        assert array.ctypes.data % 64 == 0 or size == 0
        array[:] = i
    for i, array in enumerate(arrays):
        assert (array == i).all()


def test_an_arena_hands_out_what_it_has_counted():
    counting = Arena()
    lay_out(counting)
    assert counting.n_bytes == 64 + 0 + 448 + 64
    arena = Arena(np.zeros(counting.n_bytes, dtype=np.uint8))
    lay_out(arena)
    assert arena.n_bytes == counting.n_bytes
    with pytest.raises(RuntimeError, match="577 bytes of 576 are taken"):
        arena.take(1, "u1")


@pytest.mark.parametrize("shift", [0, 1, 63])
def test_memory_starts_at_a_cache_line(shift):
    memory = np.zeros(4096, dtype=np.uint8)
    start = -memory.ctypes.data % 64 + shift
    buffer = Buffer(lambda n_items, _: memory[start : start + n_items])
    buffer.reserve(100)
    assert buffer.memory.ctypes.data % 64 == 0
    assert len(buffer.memory) == buffer.n_bytes == 100


def test_the_next_task_gets_the_same_memory_unless_it_needs_more():
    buffer = Buffer(np.empty)
    first = arrays_in(buffer)[0].ctypes.data
    buffer.reserve(100)
    assert buffer.memory.ctypes.data == first
    buffer.reserve(10_000)
    assert buffer.n_bytes == 10_000
    large = buffer.memory.ctypes.data
    assert arrays_in(buffer)[0].ctypes.data == large
    buffer.release()
    assert buffer.memory is None
    assert buffer.n_bytes == 0


def test_a_pool_lends_to_one_at_a_time():
    pool = WorkspacePool()
    with pool.lend() as one:
        with pool.lend() as other:
            assert other is not one
        with pool.lend() as again:
            assert again is other
    with pool.lend() as last:
        assert last is one


def test_a_pool_forgets_what_an_error_has_left():
    pool, lent = WorkspacePool(), []

    def fail():
        with pool.lend() as workspace:
            lent.append(workspace)
            raise TaskFailedError

    with pytest.raises(TaskFailedError):
        fail()
    with pool.lend() as other:
        assert other is not lent[0]


def test_a_pool_pickles_as_an_empty_one():
    pool = WorkspacePool()
    with pool.lend() as workspace:
        workspace.shared.reserve(8 * 10**6)
    assert len(pickle.dumps(pool)) < 100
    with pickle.loads(pickle.dumps(pool)).lend() as other:
        assert other is not workspace
