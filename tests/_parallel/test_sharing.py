"""Work that makes more work: in which order it is done, by whom, and how it ends."""

import threading
from functools import partial

import joblib
import numpy as np
import pytest

from skxmr._parallel._parallel import count_threads, run_tasks
from skxmr._parallel._sharing import Work


def do_all(work, n_jobs):
    return run_tasks(work.do, work, n_jobs=n_jobs)


def test_the_largest_piece_comes_first_and_the_elder_of_equal_ones():
    work, done = Work(), []

    def halve(size, name):
        done.append(name)
        if size > 1:
            for half in "ab":
                work.add(size // 2, partial(halve, size // 2, name + half))

    work.add(4, partial(halve, 4, "x"))
    work.add(2, partial(halve, 2, "y"))
    do_all(work, 1)
    assert done == ["x", "y", "xa", "xb", "ya", "yb", "xaa", "xab", "xba", "xbb"]


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_every_piece_and_every_part_is_done_once(n_jobs):
    work = Work(n_jobs)
    done = np.zeros((3, 4**4), dtype=int)

    def quarter(first, stop):
        done[0, first:stop] += 1

        def count(place):
            done[1, place] += 1

        work.do_each(count, range(first, stop))
        # Nothing of a loop is left when it ends.
        done[2, first:stop] += done[1, first:stop] == done[0, first:stop]
        step = (stop - first) // 4
        for place in range(first, stop, step) if step else ():
            work.add(step, partial(quarter, place, place + step))

    work.add(4**4, partial(quarter, 0, 4**4))
    do_all(work, n_jobs)
    assert (done == 5).all()


@pytest.mark.parametrize("n_threads", [2, 4])
def test_all_who_are_idle_join_a_loop(n_threads):
    work = Work(n_threads)
    # Broken only when all threads wait for each other in the loop.
    together = threading.Barrier(n_threads, timeout=30)
    work.add(1, lambda: work.do_each(lambda part: together.wait(), range(n_threads)))
    do_all(work, n_threads)
    assert not together.broken


def test_who_has_other_work_does_not_join():
    work, threads = Work(2), set()
    blocked, looped = threading.Event(), threading.Event()

    def loop():
        assert blocked.wait(30)
        work.do_each(lambda part: threads.add(threading.get_ident()), range(1000))
        looped.set()

    def block():
        blocked.set()
        assert looped.wait(30)

    for piece in (loop, block, int):  # there is always one more
        work.add(1, piece)
    do_all(work, 2)
    assert len(threads) == 1


class MistakeError(Exception):
    pass


def fail(part=None):
    raise MistakeError(part)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("in_loop", [False, True])
def test_errors_end_all(n_jobs, in_loop):
    work, done = Work(n_jobs), []

    def piece():
        work.add(0, lambda: done.append(1))
        if in_loop:
            work.do_each(fail, range(9))
        fail()

    work.add(1, piece)
    with pytest.raises(MistakeError):
        do_all(work, n_jobs)


def test_an_error_of_who_helps_is_an_error_of_the_loop():
    work, names = Work(2), []
    together = threading.Barrier(2, timeout=30)

    def part(place):
        together.wait()
        if threading.get_ident() != names[0]:
            raise MistakeError(place)

    def loop():
        names.append(threading.get_ident())
        work.do_each(part, range(2))

    work.add(1, loop)
    with pytest.raises(MistakeError):
        do_all(work, 2)


def test_those_who_wait_hear_of_the_end():
    """One thread waits for work while the other ends without a word."""
    work = Work(2)
    handed_out = iter(work)
    work.add(1, int)
    assert next(handed_out) is int  # and is never done
    nothing = next(handed_out)
    assert nothing is not int
    work.do(nothing)


def test_threads_are_counted_where_there_are_threads():
    assert count_threads(3) == 3
    assert count_threads(1) == 1
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert count_threads(None) == 0
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert count_threads(None) == 2
