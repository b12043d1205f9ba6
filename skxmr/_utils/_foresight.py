"""Memory that will be needed, told before hours of work and not after."""

import warnings

from skxmr._memory._large import in_words, is_mapped
from skxmr._memory._limits import limits_in_words, memory_limits
from skxmr._memory._shortage import shortage
from skxmr._utils._dense import DenseRows

__all__ = ["foresee", "foresee_training", "training_memory"]

# Of a node, by default.
_CHILDREN = 16


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
        raise shortage(
            f"{what} needs {in_words(n_bytes)} of memory at least; there are "
            f"{in_words(most)}. {advice}{limits_in_words()}"
        )
    if n_bytes > free:
        warnings.warn(
            f"{what} needs {in_words(n_bytes)} of memory at least; "
            f"{in_words(free)} are free. {advice}",
            stacklevel=4,
        )


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
