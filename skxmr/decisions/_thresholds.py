"""Thresholds of scores with the best F1, found in one pass over sorted pairs."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

__all__ = ["Thresholds", "best_global", "best_per_label"]

_MOST_ROUNDS = 100


@dataclass(frozen=True)
class Thresholds:
    """The thresholds with the best score.

    Attributes
    ----------
    best : float
        One threshold for all pairs; pairs at or above it are chosen.
    by_label : ndarray of shape (n_labels,), float64, or None
        A threshold for each label instead, if there are such.
    score : float
        The F1 of the pairs that are chosen.
    """

    best: float
    by_label: np.ndarray | None
    score: float


def best_global(pairs, average):
    r"""Find the threshold with the best F1.

    While the threshold falls, pairs are chosen one after the other, and each changes
    the F1 of one group: its row, its label, or the whole. So the mean F1 at every
    threshold is a sum of these changes, in the order of the scores.

    Parameters
    ----------
    pairs : ScoredPairs
    average : {"micro", "macro", "samples"}

    Returns
    -------
    Thresholds
    """
    scores = pairs.scores
    if not pairs.is_true.any():
        # Nothing is worth choosing: the threshold is above all scores.
        return Thresholds(_above(scores.max(initial=0.0)), None, 0.0)
    falling, means = _mean_f1(pairs, average)
    best = np.argmax(means)
    return Thresholds(_below(falling, best), None, float(means[best]))


def _mean_f1(pairs, average):
    """Return the distinct scores, falling, and the mean F1 with each as threshold."""
    scores = pairs.scores
    groups, n_true = _groups(pairs, average)
    order = np.lexsort((-scores, groups))
    f1 = np.empty(scores.size)
    f1[order] = _f1_of_prefixes(pairs.is_true[order], groups[order], n_true)
    changes = np.empty(scores.size)
    changes[order] = _differences(f1[order], groups[order])
    order = np.argsort(-scores, kind="stable")
    means = np.cumsum(changes[order]) / n_true.size
    falling = scores[order]
    last = _ends_of_ties(falling)
    return falling[last], means[last]


def best_per_label(pairs, average, smoothing):
    r"""Find a threshold for each label with the best F1.

    A label with few rows has too few pairs to choose a threshold from, so it is chosen
    as if `smoothing` more rows, m, had been seen that are like those of all labels. A
    threshold is one of the label's own scores, just above all of them, or the threshold
    that is the best for all labels.

    For the macro average, the threshold of label l with :math:`P_l` rows maximises

    .. math:: \frac{P_l F_l(t) + m F(t)}{P_l + m}

    of its own F1 and the mean F1 of all labels at this threshold. For the micro
    average, it maximises

    .. math:: 2 \left(TP_l(t) + \frac{m}{P} TP(t)\right)
        - F \left(N_l(t) + \frac{m}{P} N(t)\right),

    where TP(t) of the N(t) pairs of all labels at or above the threshold are true, P is
    the number of true labels, and F the micro F1 that results [1]_; this is repeated
    until F does not increase.

    Parameters
    ----------
    pairs : ScoredPairs
    average : {"micro", "macro"}
    smoothing : float
        The number of additional rows, m; non-negative.

    Returns
    -------
    Thresholds

    References
    ----------
    .. [1] Y. Yang, "A study on thresholding strategies for text categorization", SIGIR
       2001; W. Dinkelbach, "On nonlinear fractional programming", Management Science
       13(7), 1967.
    """
    common = best_global(pairs, average)
    if not pairs.is_true.any():
        n_labels = pairs.n_true_of_labels.size
        return replace(common, by_label=np.full(n_labels, common.best))
    if average == "macro":
        by_label = _best_for_macro(pairs, common.best, smoothing)
        return Thresholds(common.best, by_label, _f1(pairs, by_label, "macro"))
    curves = _curves_of_labels(pairs, common.best)
    weight = smoothing / pairs.n_true_of_rows.sum()
    rising = np.sort(pairs.scores)
    rising_hits = np.sort(pairs.scores[pairs.is_true])
    n_hits = curves.n_hits + weight * _n_at_least(rising_hits, curves.thresholds)
    n_chosen = curves.n_chosen + weight * _n_at_least(rising, curves.thresholds)
    best, best_f1 = np.full(pairs.n_true_of_labels.size, common.best), common.score
    for _ in range(_MOST_ROUNDS):
        by_label = curves.best_thresholds(2 * n_hits - best_f1 * n_chosen)
        f1 = _f1(pairs, by_label, "micro")
        if f1 <= best_f1:
            break
        best, best_f1 = by_label, f1
    return Thresholds(common.best, best, best_f1)


class _Curves(NamedTuple):
    """Counts at thresholds of labels, ordered by label and falling threshold.

    Attributes
    ----------
    labels : ndarray of shape (n_points,), int64
    thresholds : ndarray of shape (n_points,), float64
    n_hits, n_chosen, n_true : ndarray of shape (n_points,), int64
        Of the label: true pairs at or above the threshold, all such pairs, and rows.
    """

    labels: np.ndarray
    thresholds: np.ndarray
    n_hits: np.ndarray
    n_chosen: np.ndarray
    n_true: np.ndarray

    def best_thresholds(self, values):
        """Return the threshold of each label with the largest value.

        Parameters
        ----------
        values : ndarray of shape (n_points,), float64

        Returns
        -------
        ndarray of shape (n_labels,), float64
        """
        order = np.lexsort((np.arange(values.size), -values, self.labels))
        first = np.unique(self.labels[order], return_index=True)[1]
        return self.thresholds[order[first]]


def _best_for_macro(pairs, common, smoothing):
    """Return the threshold of each label by its own F1 and the mean of all."""
    curves = _curves_of_labels(pairs, common)
    falling, means = _mean_f1(pairs, "macro")
    # Above all scores, nothing is chosen.
    n_reached = _n_at_least(falling[::-1], curves.thresholds)
    mean_f1 = np.append(0.0, means)[n_reached]
    n_both = curves.n_chosen + curves.n_true
    own_f1 = 2 * curves.n_hits / np.maximum(n_both, 1)
    weight = curves.n_true + smoothing
    values = curves.n_true * own_f1 + smoothing * mean_f1
    return curves.best_thresholds(values / np.where(weight > 0, weight, 1))


def _curves_of_labels(pairs, common):
    """Count at the scores of each label, above them, and at the common threshold."""
    n_labels = pairs.n_true_of_labels.size
    highest = np.full(n_labels, -np.inf)
    np.maximum.at(highest, pairs.columns, pairs.scores)
    found = np.flatnonzero(np.isfinite(highest))
    # These points follow the pairs, and do not count as pairs.
    labels = np.concatenate([pairs.columns, found, np.arange(n_labels)])
    scores = np.concatenate(
        [pairs.scores, np.nextafter(highest[found], np.inf), np.full(n_labels, common)]
    )
    is_hit = np.zeros(labels.size, dtype=bool)
    is_hit[: pairs.columns.size] = pairs.is_true
    is_pair = np.arange(labels.size) < pairs.columns.size
    order = np.lexsort((-scores, labels))
    labels, scores = labels[order], scores[order]
    starts = np.searchsorted(labels, np.arange(n_labels))
    n_hits = _running_sums(is_hit[order], labels, starts)
    n_chosen = _running_sums(is_pair[order], labels, starts)
    is_last = np.append((labels[1:] != labels[:-1]) | (scores[1:] != scores[:-1]), True)
    labels, scores = labels[is_last], scores[is_last]
    return _Curves(
        labels=labels,
        thresholds=scores,
        n_hits=n_hits[is_last],
        n_chosen=n_chosen[is_last],
        n_true=pairs.n_true_of_labels[labels],
    )


def _n_at_least(rising, values):
    """Count the sorted numbers that are not below each value."""
    return rising.size - np.searchsorted(rising, values, side="left")


def _running_sums(values, labels, starts):
    """Sum up the values of each label, which follow each other."""
    sums = np.cumsum(values)
    before = np.append(0, sums)[starts]
    return sums - before[labels]


def _f1(pairs, by_label, average):
    """Return the F1 of the pairs whose score reaches the threshold of their label."""
    is_chosen = pairs.scores >= by_label[pairs.columns]
    groups, n_true = _groups(pairs, average)
    n_chosen = np.bincount(groups[is_chosen], minlength=n_true.size)
    n_hits = np.bincount(groups[is_chosen & pairs.is_true], minlength=n_true.size)
    return float(np.mean(2 * n_hits / np.maximum(n_chosen + n_true, 1)))


def _groups(pairs, average):
    """Return the group of each pair, and the number of true labels of each group."""
    if average == "samples":
        return pairs.rows, pairs.n_true_of_rows
    if average == "macro":
        return pairs.columns, pairs.n_true_of_labels
    return np.zeros_like(pairs.rows), np.array([pairs.n_true_of_rows.sum()])


def _f1_of_prefixes(is_true, groups, n_true):
    """Return the F1 of each group if its pairs up to here are chosen."""
    starts = np.searchsorted(groups, np.arange(n_true.size))
    n_hits = _running_sums(is_true, groups, starts)
    n_chosen = np.arange(1, groups.size + 1) - starts[groups]
    return 2 * n_hits / (n_chosen + n_true[groups])


def _differences(values, groups):
    """Return by how much each value exceeds the one before it in its group, or 0."""
    differences = np.diff(values, prepend=0.0)
    is_first = np.append(True, groups[1:] != groups[:-1])
    return np.where(is_first, values, differences)


def _ends_of_ties(falling):
    """Return the positions of the last of each run of equal numbers."""
    return np.flatnonzero(np.append(falling[1:] != falling[:-1], True))


def _below(falling, position):
    """Return the middle between a number and the next; the number if it is the last."""
    value, following = falling[position], falling[position + 1 : position + 2]
    middle = (value + following.max(initial=-np.inf)) / 2
    return float(middle if following.size and middle > following[0] else value)


def _above(value):
    return float(np.nextafter(value, np.inf))
