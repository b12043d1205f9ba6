"""How good the answers are, in percent."""

import numpy as np

from benchmarks.paired import paired_bootstrap
from benchmarks.quality import hits, n_positives, ndcg, precision, recall
from benchmarks.retrieval.kinds import KINDS, NAME, words_of

N_ASKED = 100
RECALLS = (1, 10, N_ASKED)
PRECISIONS = (1, 3, 5)
NDCG = 10
NAMES = (
    *(f"R@{k}" for k in RECALLS),
    *(f"P@{k}" for k in PRECISIONS),
    f"nDCG@{NDCG}",
)
# Of the queries of one kind, and the share of names whose first answer has that name.
KIND_MEASURE = "R@10"
NAME_FIRST = "name first"
# What is kept of each row, to compare systems row by row.
KEPT = (*(f"R@{k}" for k in RECALLS), *(f"P@{k}" for k in PRECISIONS))


def measure_rows(columns, Y_test):
    """The measures of each row.

    Parameters
    ----------
    columns : int array of shape (n_rows, 100)
        Best first, -1 where nothing was found.
    Y_test : csr_array of shape (n_rows, n_labels)

    Returns
    -------
    dict of str to float array (n_rows,)
        By the names in `NAMES`.
    """
    found, positives = hits(columns, Y_test), n_positives(Y_test)
    rows = {f"R@{k}": recall(found, positives, k) for k in RECALLS}
    rows |= {f"P@{k}": precision(found, k) for k in PRECISIONS}
    rows[f"nDCG@{NDCG}"] = ndcg(found, positives, NDCG)
    return {name: 100.0 * values for name, values in rows.items()}


def evaluate(rows):
    """The means of the measures over all rows."""
    return {name: float(values.mean()) for name, values in rows.items()}


def evaluate_kinds(columns, rows, task):
    """Recall@10 of each kind of query, and the share of names that come first.

    Parameters
    ----------
    columns : int array of shape (n_rows, 100)
    rows : dict of str to array
        Of `measure_rows`.
    task : Task

    Returns
    -------
    dict of str to float
        A kind without queries is left out; empty where queries have no kinds.
    """
    if task.kinds is None:
        return {}
    kinds = np.array(task.kinds)
    found = {
        kind: float(rows[KIND_MEASURE][kinds == kind].mean())
        for kind in KINDS
        if kind in task.kinds
    }
    if NAME in found:
        first = [
            has_name_of(columns[row, 0], task.Y_test.indices[row], task.label_texts)
            for row in np.flatnonzero(kinds == NAME)
        ]
        found[NAME_FIRST] = 100.0 * float(np.mean(first))
    return found


def has_name_of(column, label, label_texts):
    """Whether an answer is the label, or has the same words in its name.

    A query cannot tell labels apart whose names have the same words, so that any of
    them counts. No two names of the catalogue do.
    """
    if column < 0:
        return False
    return column == label or (
        words_of(label_texts[column][0]) == words_of(label_texts[label][0])
    )


def compare(first, second, kinds=None):
    """Mean differences of two systems with their 95% intervals, over shared rows.

    Parameters
    ----------
    first, second : array of shape (len(KEPT), n_rows)
        The measures in `KEPT`; NaN where a system has not answered.
    kinds : list of str or None

    Returns
    -------
    dict of str to list of float
        For each measure, and recall@10 of each kind: mean, low end, high end.
    """
    both = ~(np.isnan(first[0]) | np.isnan(second[0]))
    found = {
        name: interval(a[both], b[both])
        for name, a, b in zip(KEPT, first, second, strict=True)
    }
    of_kinds = KEPT.index(KIND_MEASURE)
    for kind in KINDS if kinds is not None else ():
        chosen = both & (np.array(kinds) == kind)
        if chosen.any():
            found[kind] = interval(first[of_kinds, chosen], second[of_kinds, chosen])
    return found


def interval(first, second):
    """Mean, low and high end of the difference of two arrays."""
    difference = paired_bootstrap(first, second)
    return [difference.mean, difference.low, difference.high]
