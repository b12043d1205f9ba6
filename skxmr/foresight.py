"""Memory that will be needed, told before hours of work and not after."""

import os
import warnings
from pathlib import Path

import numpy as np

from skxmr._dense import DenseRows
from skxmr._large import is_mapped

__all__ = ["foresee", "foresee_training", "memory_limits", "training_memory"]

# Of a node, by default.
_CHILDREN = 16

_CGROUP = Path("/sys/fs/cgroup")


def foresee(n_bytes, what, advice):
    """Refuse what cannot fit in memory; warn of what may not.

    Parameters
    ----------
    n_bytes : int
        What will be needed at least.
    what : str
        What needs it, for the message.
    advice : str
        What to do instead.

    Raises
    ------
    MemoryError
        If it is more than this machine, or this container, has at all.

    Warns
    -----
    UserWarning
        If it is more than is free now.
    """
    most, free = memory_limits()
    if n_bytes > most:
        raise MemoryError(
            f"{what} needs {_in_words(n_bytes)} of memory at least; there are "
            f"{_in_words(most)}. {advice}"
        )
    if n_bytes > free:
        warnings.warn(
            f"{what} needs {_in_words(n_bytes)} of memory at least; "
            f"{_in_words(free)} are free. {advice}",
            stacklevel=4,
        )


def _in_words(n_bytes):
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB")):
        if n_bytes >= 1000**power:
            return f"{n_bytes / 1000**power:,.1f} {unit}"
    return f"{n_bytes / 1000:,.1f} kB"


def memory_limits():
    """Tell how much memory there is.

    Returns
    -------
    most : float
        All that this process can ever have, swap included: the machine's memory, or
        the limit of its container. Infinity where nobody says.
    free : float
        What it could have now without swapping. Infinity where nobody says.
    """
    said = _meminfo()
    most = said.get("MemTotal", np.inf) + said.get("SwapTotal", 0)
    free = said.get("MemAvailable", np.inf)
    limit, swap, used = _limits_of_container()
    if limit is not None:
        most = min(most, limit + (swap or 0))
        free = min(free, limit - used)
    return most, free


def _limits_of_container():
    """Ask the second version of control groups, or else the first."""
    limit, swap, used = (
        _number_in(_CGROUP / f"memory.{name}")
        for name in ("max", "swap.max", "current")
    )
    folder = _CGROUP
    if limit is None:
        folder, swap = _CGROUP / "memory", None
        limit = _number_in(folder / "memory.limit_in_bytes")
        used = _number_in(folder / "memory.usage_in_bytes")
    # Files in memory count as used, and make room when they must.
    return limit, swap, (used or 0) - _files_in_memory(folder)


def _meminfo():
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return _sysconf()
    pairs = (line.split()[:2] for line in lines)
    return {name.rstrip(":"): 1024 * int(value) for name, value in pairs}


def _sysconf():
    """Ask a system that has no /proc: macOS knows the total only, Windows nothing."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return {}
    # It can swap without a limit.
    return {"MemTotal": np.inf, "MemAvailable": total}


def _number_in(path):
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _files_in_memory(folder):
    try:
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    said = dict(line.split() for line in lines)
    return sum(int(said.get(name, 0)) for name in ("inactive_file", "active_file"))


def foresee_training(X, Y):
    """Refuse to train what cannot fit in memory; warn of what may not.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : csr_array of shape (n_samples, n_labels)

    Raises
    ------
    MemoryError
        As `foresee` does, by `training_memory`.
    """
    foresee(
        training_memory(X, Y),
        f"Training on {X.n_vectors} rows with {Y.nnz} labels",
        "Train on fewer rows, or map X from files (skxmr.streaming.load_csr).",
    )


def training_memory(X, Y):
    """Count the bytes that training takes at least, beside X and Y.

    The root of the tree has all rows: for each of them and each of its children, as
    many as a tree has by default, a cost and a dual variable; and the rows themselves,
    compact, which lie in a file if X does. Beside them, the targets of two levels or
    more.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : csr_array of shape (n_samples, n_labels)

    Returns
    -------
    int
    """
    n_bytes = X.n_vectors * _CHILDREN * 8 + 2 * 8 * Y.nnz
    if not isinstance(X, DenseRows) and not is_mapped(X.values):
        n_bytes += 8 * len(X.indices)
    return n_bytes
