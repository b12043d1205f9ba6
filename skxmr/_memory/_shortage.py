"""Uniform errors for shortages of memory.

The system reports a shortage by MemoryError, by OSError or, if a thread cannot start,
by RuntimeError; some of these state the requested size, none what to do.
"""

import errno

from skxmr._memory._limits import limits_in_words

__all__ = ["shortage", "tell_shortage"]

_ADVICE = (
    "Run fewer jobs at a time (n_jobs), on fewer rows, features or labels, or allow "
    "this process more memory."
)


def shortage(text):
    """Make a MemoryError with the size, the limits and advice."""
    error = MemoryError(text)
    vars(error)["is_told"] = True
    return error


def tell_shortage(error, what):
    """Raise a helpful MemoryError instead of an error that is a shortage of memory.

    Parameters
    ----------
    error : Exception
        Errors that are complete, or no shortage of memory, are left to the caller.
    what : str
        The operation that failed.

    Raises
    ------
    MemoryError
    """
    if getattr(error, "is_told", False) or not _is_shortage(error):
        return
    reason = str(error).rstrip(".") or "Unable to allocate memory"
    raise shortage(f"{what}: {reason}. {_ADVICE}{limits_in_words()}") from error


def _is_shortage(error):
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or "start new thread" in str(error)
