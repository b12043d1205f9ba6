"""Threads that take tasks one after another.

joblib's threads are in a pool that takes milliseconds to start and to stop, and it
polls for results every ten milliseconds: longer than many stages of a fit.
"""

import queue
import threading
from concurrent.futures import Future, wait

import sklearn
from joblib import parallel_config

from skxmr._memory._limits import has_room_for_thread

__all__ = ["call_in_threads"]

_NONE_LEFT = object()

# Timeout of waits in seconds: a signal that arrives just before a wait does not
# interrupt it.
_PATIENCE = 0.1


def call_in_threads(function, tasks, stop, *, n_threads, nested):
    """Call a function on each task in threads, and yield the results in order.

    Parameters
    ----------
    function : callable
    tasks : iterator
        The next free thread takes the next task, one thread at a time; exhausted once
        `stop` is set.
    stop : ndarray of shape (1,), uint8
        Set before the threads are joined.
    n_threads : int
    nested : (backend, n_jobs)
        joblib's, for parallel work within the function.

    Yields
    ------
    result
        No reference to it is kept. The exception of a task is raised in its place.
    """
    crew = _Crew(function, tasks, nested)
    threads: list[threading.Thread] = []
    try:
        # No task runs, and takes memory, while a thread starts; see
        # `has_room_for_thread`.
        with crew.taking:
            _start(crew, n_threads, threads)
        if not threads:  # this thread takes the tasks
            yield from map(function, tasks)
            return
        while (result := crew.next_result(threads)) is not _NONE_LEFT:
            yield result
            del result  # it may be large
    except BaseException:
        stop[0] = 1
        raise
    finally:
        for thread in threads:
            if thread.ident is not None:  # an interrupt may have come before its start
                thread.join()


def _start(crew, n_threads, threads):
    """Start threads, as many as the system allows; results do not depend on it."""
    for _ in range(n_threads):
        if not has_room_for_thread():
            return
        threads.append(threading.Thread(target=crew.work, daemon=True))
        try:
            threads[-1].start()
        except RuntimeError:  # no memory for its stack, or too many threads
            threads.pop()
            return


def _check_alive(are_alive):
    if not are_alive:
        raise MemoryError("All threads ended before their tasks did")


class _Crew:
    """The shared state of the threads; futures are in the order of their tasks."""

    def __init__(self, function, tasks, nested):
        self.futures: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._function = function
        self._tasks = tasks
        self.taking = threading.Lock()  # held to take a task
        self._settings = sklearn.get_config()
        self._backend, self._n_jobs = nested

    def next_result(self, threads):
        """Wait for the next result; can be interrupted.

        Raises
        ------
        MemoryError
            If no thread is left that could finish it, since exceptions of threads
            outside of tasks, such as shortages of memory, are lost.
        """
        future = None
        while future is None:
            are_alive = any(thread.is_alive() for thread in threads)
            try:
                future = self.futures.get(timeout=_PATIENCE)
            except queue.Empty:
                _check_alive(are_alive)
        while True:
            are_alive = any(thread.is_alive() for thread in threads)
            if wait([future], timeout=_PATIENCE).done:
                return future.result()
            _check_alive(are_alive)

    def work(self):
        """Take tasks until none is left; run by each thread."""
        with (
            sklearn.config_context(**self._settings),
            parallel_config(backend=self._backend, n_jobs=self._n_jobs),
        ):
            while self._do_next():
                pass

    def _do_next(self):
        with self.taking:
            future: Future = Future()
            self.futures.put(future)
            try:
                task = next(self._tasks, _NONE_LEFT)
            except BaseException as error:  # noqa: BLE001 - raised by who waits
                future.set_exception(error)
                return False
        if task is _NONE_LEFT:
            future.set_result(_NONE_LEFT)
            return False
        try:
            future.set_result(self._function(task))
        except BaseException as error:  # noqa: BLE001 - raised by the waiting thread
            future.set_exception(error)
        return True
