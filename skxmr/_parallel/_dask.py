"""Checks and errors of the workers of a Dask cluster."""

import functools

from skxmr._version import __version__

__all__ = ["check_workers", "tell_failures"]


def check_workers(client):
    """Raise an error for workers that cannot run tasks of this package.

    Dask does not report this: a worker that cannot unpickle a task closes its
    connection, and the task waits for other workers, for ever if there are none.

    Parameters
    ----------
    client : distributed.Client

    Raises
    ------
    RuntimeError
        If a worker cannot import this package, or has another version of it.
    """
    said = client.run(_make_question(), on_error="return")
    for address, answer in said.items():
        if isinstance(answer, str) and answer != __version__:
            raise RuntimeError(
                f"the Dask worker {address} cannot run tasks of skxmr {__version__}; "
                f"asked for its version, it said: {answer}. Install this version on "
                "all workers."
            )
        # A worker that is shutting down raises an error, or does not answer.


def _make_question():
    """Make a function that is pickled by value, for workers without this module."""

    def installed_version():
        try:
            from skxmr._version import __version__ as version  # noqa: PLC0415
        except ImportError as error:
            return f"{type(error).__name__}: {error}"
        return version

    return installed_version


def tell_failures(backend):
    """Report tasks to joblib that the cluster has given up.

    Exceptions of a task are returned as its result. But if Dask itself reports that a
    task failed, for example because several workers died of it or none was left for too
    long, joblib stores the error in the task's future, which it never reads, and waits
    for ever.

    Parameters
    ----------
    backend : joblib's for Dask
        Changed in place, once.
    """
    if "tells_failures" in vars(backend):
        return
    name = "submit" if hasattr(backend, "submit") else "apply_async"  # joblib < 1.5
    hand_over = getattr(backend, name)

    def hand_over_and_tell(function, callback=None):
        future = hand_over(function, callback)
        future.add_done_callback(functools.partial(_tell, callback))
        return future

    setattr(backend, name, hand_over_and_tell)
    backend.tells_failures = True


def _tell(callback, future):
    """Pass an error to joblib as the result, which it then raises."""
    if future.exception() is not None:
        callback(future.exception())
