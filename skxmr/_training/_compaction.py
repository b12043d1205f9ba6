"""Compacts the training rows of one parent before its children are trained."""

import os

import numpy as np

from skxmr._cython._compaction import Compactor
from skxmr._cython._vectors import Vectors
from skxmr._memory._large import empty_beside, is_mapped
from skxmr._parallel._parallel import current_stop

__all__ = ["make_compactor"]

# The key of the hashes of sets of rows. Random, so that nobody can choose sets that
# collide.
_KEY = int.from_bytes(os.urandom(8), "little")


def make_compactor(X, workspace, *, n_rows, n_entries):
    """Make an object that compacts the rows of one parent after another.

    It stores the rows by as few columns as possible: features in a fixed ratio share
    a column; those that a single row has are only counted in its `unshared`.

    Parameters
    ----------
    X : Compressed, a vector for each sample
    workspace : Workspace
    n_rows, n_entries : int
        The most that any parent has.

    Returns
    -------
    Compactor
    """
    entries = {}
    if is_mapped(X.values):
        # As large as X if a parent has all rows: stored in a file, as X is.
        entries["columns"] = empty_beside(X.values, max(1, n_entries), np.int32)
        entries["values"] = empty_beside(X.values, max(1, n_entries), np.float32)
    return Compactor(
        Vectors(X),
        workspace,
        key=_KEY,
        most_rows=n_rows,
        most_entries=n_entries,
        stop=current_stop(),
        **entries,
    )
