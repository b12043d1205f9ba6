"""Online F-measure optimisation: thresholds from one pass over scored rows.

The rules and defaults are those of napkinXC (K. Jasinska et al.,
"Extreme F-measure maximization using sparse probability estimates", ICML 2016).
"""

import numpy as np

FIRST_A, FIRST_B = 10.0, 20.0


def tune_one(scored, true):
    """One threshold for all labels: a / b, half the micro F1 so far.

    Parameters
    ----------
    scored : list of list of (label, probability)
        Of each row.
    true : list of set of int

    Returns
    -------
    float
    """
    a, b = FIRST_A, FIRST_B
    for row, labels in zip(scored, true, strict=True):
        chosen = [label for label, probability in row if probability > a / b]
        a += sum(label in labels for label in chosen)
        b += len(chosen) + len(labels)
    return a / b


def tune_each(scored, true, n_labels):
    """One threshold for each label, by its own F1 so far."""
    a, b = [FIRST_A] * n_labels, [FIRST_B] * n_labels
    for row, labels in zip(scored, true, strict=True):
        chosen = [label for label, value in row if value > a[label] / b[label]]
        for label in chosen:
            a[label] += label in labels
            b[label] += 1
        for label in labels:
            b[label] += 1
    return [one / other for one, other in zip(a, b, strict=True)]


def above(scored, thresholds, k):
    """The first k labels of each row whose probability is above their threshold.

    Parameters
    ----------
    scored : list of list of (label, probability)
    thresholds : array of shape (n_labels,)
    k : int

    Returns
    -------
    int array of shape (n_rows, k)
        -1 where there is none.
    """
    columns = np.full((len(scored), k), -1, dtype=np.int64)
    for row, pairs in enumerate(scored):
        chosen = [label for label, value in pairs if value > thresholds[label]][:k]
        columns[row, : len(chosen)] = chosen
    return columns
