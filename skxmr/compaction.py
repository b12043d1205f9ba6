"""Makes the training rows of one parent small before its children are trained."""

import os

import numpy as np

from skxmr._cython._compaction import Compactor, table_size
from skxmr._large import empty_beside, is_mapped
from skxmr._parallel import current_stop

__all__ = ["make_compactor", "needs_of_compact_rows", "needs_of_compaction"]

# Of the hashes of sets of rows: nobody can choose sets that all meet in the table.
_KEY = int.from_bytes(os.urandom(8), "little")


def needs_of_compact_rows(X, n_rows, n_entries):
    """List the arrays of the rows of one parent, compact.

    Parameters
    ----------
    X : Compressed, a vector for each sample
    n_rows, n_entries : int
        The most that any parent has.

    Returns
    -------
    dict of str to (int, dtype)
        Sizes and types by name, as `Compactor` has them.
    """
    n_features = _most_features(X, n_entries)
    needs = {
        "offsets": (n_rows + 1, np.int64),
        "norms": (n_rows, np.float32),
        "own": (n_rows, np.float32),
        "columns": (max(1, n_entries), np.int32),
        "values": (max(1, n_entries), np.float32),
        "features": (n_features, np.int32),
        "sources": (n_features, np.int32),
        "scales": (n_features, np.float32),
    }
    return needs if not is_mapped(X.values) else _without_entries(needs)


def needs_of_compaction(X, n_entries):
    """List the arrays that are in use only while rows are made compact.

    Parameters
    ----------
    X : Compressed, a vector for each sample
    n_entries : int
        The most that any parent has.

    Returns
    -------
    dict of str to (int, dtype)
    """
    n_features = _most_features(X, n_entries)
    return {
        "integers": (5 * n_features, np.int32),
        "reals": (2 * n_features, np.float32),
        "hashes": (n_features, np.uint64),
        "sums": (n_features, np.float64),
        "are_alone": (n_features, np.uint8),
        "table": (table_size(n_features), np.int32),
    }


def make_compactor(X, n_entries, arrays, scratch):
    """Make what compacts the rows of one parent after another.

    Its arrays hold the rows by the fewest columns that say the same: features in a
    fixed ratio share a column; those that one row alone has are only counted in its
    `own`. For the models of the features, see `sources` and `scales`.

    Parameters
    ----------
    X : Compressed, a vector for each sample
    n_entries : int
        The most that any parent has.
    arrays : dict of str to ndarray
        All that the functions above list.
    scratch : Scratch
        Keeps what is of all features from task to task.

    Returns
    -------
    Compactor
        Its ``compact(rows, bias_square)`` gathers rows and compacts them.
    """
    arrays = dict(arrays)
    arrays["integers"] = arrays["integers"].reshape(5, -1)
    arrays["reals"] = arrays["reals"].reshape(2, -1)
    if is_mapped(X.values):
        # As large as X where all rows are asked for: they lie beside it.
        arrays["columns"] = empty_beside(X.values, max(1, n_entries), np.int32)
        arrays["values"] = empty_beside(X.values, max(1, n_entries), np.float32)
    of_features = scratch.keep(X.length, lambda: _of_features(X.length))
    return Compactor(*X[:3], *of_features, **arrays, key=_KEY, stop=current_stop())


def _most_features(X, n_entries):
    # One more: what is written before it is known to be new.
    return min(n_entries, X.length) + 1


def _without_entries(needs):
    return {name: needs[name] for name in needs if name not in ("columns", "values")}


def _of_features(n_features):
    """Make what compacting needs of all features, and leaves as it was."""
    n_words = -(-n_features // 64)
    return (
        np.full(n_features, -1, dtype=np.int32),
        np.zeros(n_words, dtype=np.uint64),
        np.zeros(-(-n_words // 64), dtype=np.uint64),
    )
