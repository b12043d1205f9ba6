"""Ranking quality per test row, by the field's definitions.

Independent of every system, skxmr's own metrics included.
"""

import numpy as np

PRECISIONS = (1, 3, 5)
RECALL = 10
NAMES = (*(f"P@{k}" for k in PRECISIONS), f"R@{RECALL}")


def hits(columns, Y_test):
    """Return whether each ranked column is a label of its row; -1 never is."""
    n_rows, n_labels = Y_test.shape
    rows = np.repeat(np.arange(n_rows), np.diff(Y_test.indptr))
    positives = np.sort(rows * n_labels + Y_test.indices.astype(np.int64))
    asked = np.arange(n_rows)[:, None] * n_labels + columns
    place = np.searchsorted(positives, asked)
    place[place == len(positives)] = 0
    found = positives[place] == asked if len(positives) else np.zeros(asked.shape, bool)
    return found & (columns >= 0)


def n_positives(Y_test):
    """Return the number of labels of each row, at least 1 to divide by."""
    return np.maximum(np.diff(Y_test.indptr), 1)


def precision(found, k):
    """Hits among the first k, over k."""
    return found[:, :k].sum(axis=1) / k


def recall(found, positives, k):
    """Hits among the first k, over the number of the row's labels."""
    return found[:, :k].sum(axis=1) / positives


def ndcg(found, positives, k):
    """Gain of the first k, a hit 1 / log2(1 + rank), over the largest possible."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    best = np.cumsum(discounts)[np.minimum(positives, k) - 1]
    return found[:, :k] @ discounts / best


def per_row(columns, Y_test):
    """Precision and recall of each row.

    Parameters
    ----------
    columns : int array of shape (n_rows, at least 10)
        Best first, -1 where nothing was found.
    Y_test : csr_array of shape (n_rows, n_labels)

    Returns
    -------
    dict of str to float64 array (n_rows,)
        P@k is hits among the first k over k; R@10 hits among ten over the number of
        the row's labels (0 for a row without any).
    """
    found = hits(columns, Y_test)
    rows = {f"P@{k}": precision(found, k) for k in PRECISIONS}
    rows[f"R@{RECALL}"] = recall(found, n_positives(Y_test), RECALL)
    return rows


def means(columns, Y_test):
    """The same, averaged over the rows, in percent."""
    return {
        name: 100.0 * float(values.mean())
        for name, values in per_row(columns, Y_test).items()
    }
