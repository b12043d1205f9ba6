"""Where tasks run: joblib decides, and tasks carry what their workers lack."""

import threading
import warnings
from contextlib import closing
from itertools import takewhile

import numpy as np
from joblib import effective_n_jobs
from joblib.parallel import ThreadingBackend
from sklearn.utils.parallel import Parallel, delayed

from skxmr._threads import call_in_threads
from skxmr._workers import check_workers, tell_failures

__all__ = [
    "count_threads",
    "current_stop",
    "is_serial",
    "iterate_tasks",
    "run_tasks",
    "split_rows",
]


def run_tasks(function, tasks, *, n_jobs, shared=()):
    """Do what `iterate_tasks` does and return all results.

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
    """Call a function on each task, in parallel, and give the results in order.

    Kernels release the GIL, so threads are preferred; whoever wants processes or
    a cluster says so with `joblib.parallel_config`. Tasks then travel, each
    reduced by its method ``detached()`` to what it needs.

    Parameters
    ----------
    function : callable
        Of one task and of what is shared; a picklable, module-level function.
    tasks : iterable
        Picklable; taken one by one as workers come free, so that a generator of
        tasks holds few of them at a time.
    n_jobs : int or None
        As in scikit-learn.
    shared : tuple of objects, default=()
        What every task needs, such as a model. A cluster of Dask sends each of them
        to a worker once, if its ``__sizeof__`` says that it is large.

    Returns
    -------
    generator
        A result is nobody else's once it is given. Close it, also after an error or
        Ctrl-C: tasks that wait are then dropped, and those that run may stop early.

    Raises
    ------
    RuntimeError
        If a worker of a Dask cluster has not got this version of this package.
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
            # joblib says how many tasks were for nothing.
            warnings.simplefilter("ignore", UserWarning)
            results.close()
        raise


def _start(parallel, function, tasks, stop, shared):
    """Let joblib do the tasks, or do them in its place where it would use threads."""
    tasks = takewhile(lambda _: not stop[0], tasks)
    backend = parallel._backend
    # Where joblib would do just that. It would set Python's warnings filters for each
    # task, which are common to all threads.
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
        tasks = (task.detached() for task in tasks)
    run = delayed(_run)
    results = parallel(run(function, task, stop, *shared) for task in tasks)
    return (result for result in results) if isinstance(results, list) else results


def _make_parallel(n_jobs):
    """Let results come one by one, where the backend can."""
    try:
        return Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    except ValueError:  # Ray's and multiprocessing's cannot
        return Parallel(n_jobs=n_jobs, prefer="threads")


def is_serial(parallel):
    """Tell whether joblib would do tasks one after the other, in this thread.

    Parameters
    ----------
    parallel : joblib.Parallel
    """
    backend = parallel._backend
    is_local = type(backend).__module__ == ThreadingBackend.__module__
    return is_local and backend.effective_n_jobs(parallel.n_jobs) == 1


def count_threads(n_jobs):
    """Tell how many threads tasks would run in, which see what each other write.

    Parameters
    ----------
    n_jobs : int or None

    Returns
    -------
    int
        0 where tasks may run elsewhere.
    """
    parallel = _make_parallel(n_jobs)
    if type(parallel._backend) is not ThreadingBackend:
        return 0
    return parallel._backend.effective_n_jobs(parallel.n_jobs)


def current_stop():
    """Tell the running task when to stop: Ctrl-C reaches the main thread only.

    Returns
    -------
    ndarray of shape (1,), uint8
        Becomes other than 0 when nobody wants the result any more.
    """
    return getattr(_running, "stop", _NEVER)


_running = threading.local()
_NEVER = np.zeros(1, dtype=np.uint8)


def _run(function, task, stop, *shared):
    """Call the function, unless nobody waits for it."""
    if stop[0]:
        return None
    before = current_stop()
    _running.stop = stop
    try:
        return function(task, *shared)
    finally:
        _running.stop = before


def split_rows(n_rows, *, n_jobs, min_rows):
    """Cut rows into consecutive slices, a few for each worker.

    Parameters
    ----------
    n_rows : int
    n_jobs : int or None
    min_rows : int
        No slice is cut much smaller than this.

    Returns
    -------
    list of slice
    """
    n_workers = effective_n_jobs(n_jobs)
    most = 1 if n_workers == 1 else 4 * n_workers
    n_slices = max(1, min(most, n_rows // min_rows))
    step = max(1, -(-n_rows // n_slices))
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
