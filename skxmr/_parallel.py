"""Where tasks run: joblib decides, and tasks carry what their workers lack."""

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

__all__ = ["iterate_tasks", "run_tasks", "split_rows"]


def run_tasks(function, tasks, *, n_jobs):
    """Do what `iterate_tasks` does and return all results.

    Parameters
    ----------
    function : callable
    tasks : iterable
    n_jobs : int or None

    Returns
    -------
    list
    """
    return list(iterate_tasks(function, tasks, n_jobs=n_jobs))


def iterate_tasks(function, tasks, *, n_jobs):
    """Call a function on each task, in parallel, and give the results in order.

    Kernels release the GIL, so threads are preferred; whoever wants processes or
    a cluster says so with `joblib.parallel_config`. Tasks then travel, each
    reduced by its method ``detached()`` to what it needs.

    Parameters
    ----------
    function : callable
        Of one task; a picklable, module-level function.
    tasks : iterable
        Picklable; taken one by one as workers come free, so that a generator of
        tasks holds few of them at a time.
    n_jobs : int or None
        As everywhere in scikit-learn.

    Returns
    -------
    iterator
        A result is nobody else's once it is given.
    """
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    if not getattr(parallel._backend, "supports_sharedmem", False):
        tasks = (task.detached() for task in tasks)
    run = delayed(function)
    return parallel(run(task) for task in tasks)


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
