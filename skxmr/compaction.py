"""Makes the training rows of one parent small before its children are trained."""

import numpy as np

from skxmr._cython._compaction import Compactor, table_size

__all__ = ["make_compactor"]


def make_compactor(X, n_rows, n_entries, scratch):
    """Make what compacts the rows of one parent after another.

    Its arrays hold the rows by the fewest columns that say the same: features in a
    fixed ratio share a column; those that one row alone has are only counted in its
    `own`. For the models of the features, see `sources` and `scales`.

    Parameters
    ----------
    X : Compressed, a vector for each sample
    n_rows, n_entries : int
        The most that any parent has.
    scratch : Scratch

    Returns
    -------
    Compactor
        Its ``compact(rows, fit_intercept)`` gathers rows and compacts them.
    """
    take, values = scratch.take, X.values
    # One more: what is written before it is known to be new.
    n_features = min(n_entries, X.length) + 1
    of_all = scratch.keep(("features", X.length), lambda: _of_features(X.length))
    # As large as X where all rows are asked for: these lie beside it.
    columns = take("columns", n_entries, np.int32, beside=values)
    values_left = take("values", n_entries, np.float32, beside=values)
    return Compactor(
        *X[:3],
        *of_all,
        take("row offsets", n_rows + 1, np.int64),
        take("norms", n_rows, np.float32),
        take("own", n_rows, np.float32),
        columns,
        values_left,
        take("integers", 5 * n_features, np.int32).reshape(5, -1),
        take("reals", 2 * n_features, np.float32).reshape(2, -1),
        take("hashes", n_features, np.uint64),
        take("sums", n_features, np.float64),
        take("alone", n_features, np.uint8),
        take("table", table_size(n_features), np.int32),
        take("features", n_features, np.int32),
        take("sources", n_features, np.int32),
        take("scales", n_features, np.float32),
    )


def _of_features(n_features):
    """Make what compacting needs of all features, and leaves as it was."""
    n_words = -(-n_features // 64)
    return (
        np.full(n_features, -1, dtype=np.int32),
        np.zeros(n_words, dtype=np.uint64),
        np.zeros(-(-n_words // 64), dtype=np.uint64),
    )
