"""Estimates of the required memory, compared with what there is before the work."""

import warnings

from skxmr._memory._large import in_words, is_mapped
from skxmr._memory._limits import limits_in_words, memory_limits
from skxmr._memory._shortage import shortage
from skxmr._utils._dense import DenseRows

__all__ = ["SMALL", "foresee", "foresee_training", "training_memory"]

# Up to this number of bytes, nothing is compared: querying the limits of the machine,
# its containers and the process takes nearly a millisecond.
SMALL = 2**27

# Children of a node that are trained at the same time.
_CHILDREN = 16


def foresee(n_bytes, what, advice):
    """Raise an error if memory cannot suffice; warn if it may not.

    Parameters
    ----------
    n_bytes : int
        A lower bound of the required memory; not checked up to `SMALL`.
    what : str
        The operation, for the message.
    advice : str
        What to do instead, for the message.

    Raises
    ------
    MemoryError
        If it is more than this machine, or its container, has.

    Warns
    -----
    UserWarning
        If it is more than is available now.
    """
    if n_bytes <= SMALL:
        return
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
    """Raise an error if training cannot fit in memory; warn if it may not.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : csr_array of shape (n_samples, n_labels)

    Raises
    ------
    MemoryError
        As in `foresee`, by `training_memory`.
    """
    foresee(
        training_memory(X, Y),
        f"Training on {X.n_vectors} rows with {Y.nnz} labels",
        "Train on fewer rows, or map X from files (skxmr.streaming.load_csr).",
    )


def training_memory(X, Y):
    """Return a lower bound of the bytes of training, without X and Y.

    The root of the tree has all rows: for each row and child, with a minimal number of
    children, a cost and a dual variable; and the compacted rows, which are in a file if
    X is. In addition, the targets of at least two levels.

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
