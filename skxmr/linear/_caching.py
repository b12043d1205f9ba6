"""Cached calls that concurrent fits run only once: joblib.Memory with a lock."""

import contextlib
import hashlib
import sys
from pathlib import Path

import joblib

if sys.platform == "win32":
    import errno
    import msvcrt
else:
    import fcntl

__all__ = ["cached_call"]


def cached_call(memory, function, arguments, ignored):
    """Call a function, or load its cached result for equal arguments.

    `joblib.Memory` has no lock: two workers of a grid search that need the same model
    at the same time would both train it. Here the second one waits for the first.

    Parameters
    ----------
    memory : joblib.Memory
        With ``location=None``, the function is called without caching.
    function : callable
        A module-level function of ``arguments`` and ``ignored``.
    arguments : dict
        Arguments by name that the result depends on.
    ignored : dict
        Arguments by name that the result does not depend on.

    Returns
    -------
    object
    """
    if memory.location is None:
        return function(**arguments, **ignored)
    # Hashed here, since the lock needs the hash, and since joblib would also write the
    # repr of all arguments to the cache, for example of a million names.
    key = joblib.hash(arguments, coerce_mmap=True)
    name = f"{function.__module__}.{function.__qualname__}:{key}"
    cached = memory.cache(_call, ignore=["function", "arguments", "ignored"])
    folder = Path(memory.location, "skxmr-locks")
    # The first call writes the source code of the function into the cache. A concurrent
    # call that reads an incomplete file would assume a change and clear the cache.
    with _locked(folder, "code"):
        cached.check_call_in_cache(name, function, arguments, ignored)
    with _locked(folder, name):
        return cached(name, function, arguments, ignored)


def _call(name, function, arguments, ignored):  # noqa: ARG001 - the key of the cache
    return function(**arguments, **ignored)


@contextlib.contextmanager
def _locked(folder, name):
    """Hold the lock of a name, exclusive among all threads and processes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(name.encode()).hexdigest()
    # The system releases the lock of a process that dies.
    with path.open("a+b") as file:
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


if sys.platform == "win32":

    def _lock(file):
        file.seek(0)
        while True:
            try:
                return msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            except OSError as error:
                # Windows times out after ten seconds; training may take hours.
                if error.errno != errno.EDEADLOCK:
                    raise

    def _unlock(file):
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _lock(file):
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file):
        fcntl.flock(file, fcntl.LOCK_UN)
