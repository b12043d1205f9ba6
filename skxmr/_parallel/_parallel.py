"""Parallel execution of tasks by joblib, on threads, processes or a cluster."""

import threading
import warnings
from contextlib import closing
from itertools import takewhile

import numpy as np
from joblib import effective_n_jobs
from joblib.parallel import ThreadingBackend
from sklearn.utils.parallel import Parallel, delayed

from skxmr._parallel._dask import check_workers, tell_failures
from skxmr._parallel._threads import call_in_threads

__all__ = [
    "count_threads",
    "current_stop",
    "is_serial",
    "iterate_tasks",
    "run_tasks",
    "split_rows",
]


def run_tasks(function, tasks, *, n_jobs, shared=()):
    """Call `iterate_tasks` and return all results.

    Parameters
    ----------
    function : callable
    tasks : iterable
    n_jobs : int or None
    shared : tuple

    Returns
    -------
    list
    """
    results = iterate_tasks(function, tasks, n_jobs=n_jobs, shared=shared)
    with closing(results):
        return list(results)


def iterate_tasks(function, tasks, *, n_jobs, shared=()):
    """Call a function on each task in parallel, and yield the results in order.

    Kernels release the GIL, so threads are preferred; `joblib.parallel_config` selects
    processes or a cluster. Tasks are then pickled, after their method ``detached()``,
    if they have one, has reduced them to the data that they need.

    Parameters
    ----------
    function : callable
        Called with a task and the shared objects; a module-level function that can be
        pickled.
    tasks : iterable
        Can be pickled; consumed one by one as workers become free, so that only a few
        tasks of a generator are in memory at a time.
    n_jobs : int or None
        As in scikit-learn.
    shared : tuple of objects, default=()
        Objects that every task needs, such as a model. A Dask cluster sends each of
        them to a worker only once, if its ``__sizeof__`` is large.

    Returns
    -------
    generator
        Keeps no reference to a result that it has yielded. Close it, also after an
        error or an interrupt: pending tasks are then dropped, and running ones may stop
        early.

    Raises
    ------
    RuntimeError
        If a worker of a Dask cluster does not have this version of the package.
    """
    parallel = _make_parallel(n_jobs)
    if hasattr(parallel._backend, "client"):  # Dask's
        check_workers(parallel._backend.client)
        tell_failures(parallel._backend)
    stop = np.zeros(1, dtype=np.uint8)
    results = _start(parallel, function, iter(tasks), stop, shared)
    try:
        for result in results:
            yield result
            del result  # it may be large
    except BaseException:
        stop[0] = 1
        with warnings.catch_warnings():
            # joblib warns of the tasks that were dropped.
            warnings.simplefilter("ignore", UserWarning)
            results.close()
        raise


def _start(parallel, function, tasks, stop, shared):
    """Run the tasks by joblib, or by own threads if joblib would use threads."""
    tasks = takewhile(lambda _: not stop[0], tasks)
    backend = parallel._backend
    # joblib would do the same, but would set Python's global warning filters for each
    # task.
    if is_serial(parallel):
        return (_run(function, task, stop, *shared) for task in tasks)
    if type(backend) is ThreadingBackend:
        return call_in_threads(
            lambda task: _run(function, task, stop, *shared),
            tasks,
            stop,
            n_threads=backend.effective_n_jobs(parallel.n_jobs),
            nested=backend.get_nested_backend(),
        )
    if not getattr(backend, "supports_sharedmem", False):
        tasks = map(_detached, tasks)
    run = delayed(_run)
    results = parallel(run(function, task, stop, *shared) for task in tasks)
    return (result for result in results) if isinstance(results, list) else results


def _detached(task):
    return task.detached() if hasattr(task, "detached") else task


def _make_parallel(n_jobs):
    """Return results one by one, if the backend supports it."""
    try:
        return Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    except ValueError:  # not supported by those of Ray and multiprocessing
        return Parallel(n_jobs=n_jobs, prefer="threads")


def is_serial(parallel):
    """Return whether joblib would run tasks sequentially in this thread.

    Parameters
    ----------
    parallel : joblib.Parallel
    """
    backend = parallel._backend
    is_local = type(backend).__module__ == ThreadingBackend.__module__
    return is_local and backend.effective_n_jobs(parallel.n_jobs) == 1


def count_threads(n_jobs):
    """Return the number of threads of tasks, if these share memory.

    Parameters
    ----------
    n_jobs : int or None

    Returns
    -------
    int
        0 if tasks may run in other processes.
    """
    parallel = _make_parallel(n_jobs)
    if type(parallel._backend) is not ThreadingBackend:
        return 0
    return parallel._backend.effective_n_jobs(parallel.n_jobs)


def current_stop():
    """Return the stop flag of the running task: only the main thread gets interrupts.

    Returns
    -------
    ndarray of shape (1,), uint8
        Not 0 if the result is not needed any more.
    """
    return getattr(_running, "stop", _NEVER)


_running = threading.local()
_NEVER = np.zeros(1, dtype=np.uint8)


def _run(function, task, stop, *shared):
    """Call the function, unless its result is not needed any more."""
    if stop[0]:
        return None
    before = current_stop()
    _running.stop = stop
    try:
        return function(task, *shared)
    finally:
        _running.stop = before


def split_rows(n_rows, *, n_jobs, min_rows):
    """Divide rows into consecutive slices, a few for each worker.

    Parameters
    ----------
    n_rows : int
    n_jobs : int or None
    min_rows : int
        The approximate minimum size of a slice.

    Returns
    -------
    list of slice
    """
    n_workers = effective_n_jobs(n_jobs)
    most = 1 if n_workers == 1 else 4 * n_workers
    n_slices = max(1, min(most, n_rows // min_rows))
    step = max(1, -(-n_rows // n_slices))
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
