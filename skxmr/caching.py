"""Trains once what several fits ask for at the same time: joblib.Memory and a lock."""

import contextlib
import hashlib
import sys
from pathlib import Path

import joblib

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["cached_call"]


def cached_call(memory, function, arguments, ignored):
    """Call a function, or load what it returned for equal arguments before.

    `joblib.Memory` has no lock: two workers of a search that need the same model at
    the same time would both train it. Here the second waits for the first.

    Parameters
    ----------
    memory : joblib.Memory
        With ``location=None`` the function is simply called.
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
    cached = memory.cache(function, ignore=sorted(ignored))
    key = joblib.hash(arguments)
    name = f"{function.__module__}.{function.__qualname__}:{key}"
    with _locked(Path(memory.location, "skxmr-locks"), name):
        return cached(**arguments, **ignored)


@contextlib.contextmanager
def _locked(folder, name):
    """Hold the lock of that name: one holder among all threads and processes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(name.encode()).hexdigest()
    # The system frees the lock of a process that dies.
    with path.open("a+b") as file:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if sys.platform == "win32":
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
