"""Workers of a Dask cluster: they must have this package, and failures must be told."""

import functools

from skxmr._version import __version__

__all__ = ["check_workers", "tell_failures"]


def check_workers(client):
    """Refuse a cluster with workers that cannot run tasks of this package.

    Dask says nothing of it: a worker that cannot unpickle a task closes its connection,
    and the task waits for other workers, for ever if there are none.

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
        # A worker that is about to leave answers with an error, or not at all.


def _make_question():
    """Make a function that travels by value, to where this module may not be."""

    def installed_version():
        try:
            from skxmr._version import __version__ as version  # noqa: PLC0415
        except ImportError as error:
            return f"{type(error).__name__}: {error}"
        return version

    return installed_version


def tell_failures(backend):
    """Let joblib know of tasks that the cluster has given up.

    What a task raises comes back as its result. But where Dask itself says that a task
    has failed, as when several workers died of it or none was left for too long, joblib
    keeps the error for whoever asks the task's future, and waits for ever: nobody asks.

    Parameters
    ----------
    backend : joblib's for Dask
        Changed in place, once.
    """
    if "tells_failures" in vars(backend):
        return
    name = "submit" if hasattr(backend, "submit") else "apply_async"  # of joblib < 1.5
    hand_over = getattr(backend, name)

    def hand_over_and_tell(function, callback=None):
        future = hand_over(function, callback)
        future.add_done_callback(functools.partial(_tell, callback))
        return future

    setattr(backend, name, hand_over_and_tell)
    backend.tells_failures = True


def _tell(callback, future):
    """Give joblib an error as the result: it then raises it."""
    if future.exception() is not None:
        callback(future.exception())
