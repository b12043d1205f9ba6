"""Tasks in threads: order, errors, an early end, and what threads know."""

import signal
import threading
import time
from contextlib import closing
from itertools import count

import joblib
import pytest
import sklearn

from skxmr._parallel._parallel import current_stop, iterate_tasks, run_tasks


class Failure(BaseException):
    """Not even an Exception."""


def double(number):
    return 2 * number


def fail_at_three(number):
    if number == 3:
        raise Failure(number)
    return number


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
@pytest.mark.parametrize("n_tasks", [0, 1, 4, 100])
def test_results_come_in_the_order_of_the_tasks(n_jobs, n_tasks):
    found = run_tasks(double, iter(range(n_tasks)), n_jobs=n_jobs)
    assert found == [2 * number for number in range(n_tasks)]


def test_a_slow_task_is_waited_for():
    started = threading.Event()

    def work(number):
        if number == 0:
            # Others are taken meanwhile.
            assert started.wait(60)
        elif number == 5:
            started.set()
        return number

    assert run_tasks(work, range(8), n_jobs=2) == list(range(8))


def test_shared_things_follow_the_task():
    assert run_tasks(pow, [2, 3], n_jobs=2, shared=(3,)) == [8, 27]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_of_tasks_come_in_their_place(n_jobs):
    found = []
    with (
        pytest.raises(Failure, match="3"),
        closing(iterate_tasks(fail_at_three, count(), n_jobs=n_jobs)) as results,
    ):
        found.extend(results)
    assert found == [0, 1, 2]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_of_whoever_makes_the_tasks_are_raised(n_jobs):
    def tasks():
        yield 1
        raise Failure("no more")

    with pytest.raises(Failure, match="no more"):
        run_tasks(double, tasks(), n_jobs=n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_closing_stops_the_tasks_that_run_and_takes_no_more(n_jobs):
    taken = []

    def wait(number):
        taken.append(number)
        stop = current_stop()
        while number > 0 and not stop[0]:
            pass
        return number

    n_threads = threading.active_count()
    results = iterate_tasks(wait, count(), n_jobs=n_jobs)
    assert next(results) == 0
    results.close()
    assert len(taken) <= 1 + n_jobs
    assert threading.active_count() == n_threads
    assert not current_stop()[0]


def test_threads_have_the_settings_of_who_started_them():
    def look(_):
        return sklearn.get_config()["assume_finite"]

    with sklearn.config_context(assume_finite=True):
        assert run_tasks(look, range(3), n_jobs=2) == [True] * 3
    assert run_tasks(look, range(3), n_jobs=2) == [False] * 3


def test_tasks_do_not_ask_for_more_processes():
    def look(_):
        return type(joblib.Parallel(n_jobs=2)._backend).__name__

    expected = joblib.Parallel(n_jobs=2, prefer="threads")(
        joblib.delayed(look)(number) for number in range(3)
    )
    assert expected == ["ThreadingBackend"] * 3
    assert run_tasks(look, range(3), n_jobs=2) == expected


def test_a_configuration_of_joblib_says_how_many():
    names = set()
    barrier = threading.Barrier(3)

    def work(_):
        barrier.wait(60)
        names.add(threading.get_ident())

    with joblib.parallel_config(backend="threading", n_jobs=3):
        run_tasks(work, range(3), n_jobs=None)
    assert len(names) == 3


@pytest.mark.usefixtures("sigint")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
def test_a_signal_that_does_not_end_a_wait_is_heard():
    heard = []

    def work(_):
        # A signal that another thread gets leaves this one waiting, as does one that
        # comes just before the wait.
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        stop, until = current_stop(), time.monotonic() + 10
        while not stop[0] and time.monotonic() < until:
            time.sleep(0.01)
        heard.append(bool(stop[0]))

    with pytest.raises(KeyboardInterrupt):
        run_tasks(work, range(1), n_jobs=2)
    assert heard == [True]
