"""Shortage of memory is told in one way, wherever it is met.

The system says it by MemoryError, by OSError or, if a thread cannot start, by
RuntimeError; some of them say how much was wanted, none what to do.
"""

import errno

from skxmr._memory_limits import limits_in_words

__all__ = ["shortage", "tell_shortage"]

_ADVICE = (
    "Run fewer jobs at a time (n_jobs), on fewer rows, features or labels, or allow "
    "this process more memory."
)


def shortage(text):
    """Make a MemoryError that says all that there is to say."""
    error = MemoryError(text)
    vars(error)["is_told"] = True
    return error


def tell_shortage(error, what):
    """Raise a helpful MemoryError in place of an error if that is a shortage of memory.

    Parameters
    ----------
    error : Exception
        One that says all already is left to the caller to raise, as is any other.
    what : str
        What was being done.

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
