"""F1 of decisions in percent, and bootstrap intervals of their differences."""

import numpy as np
import scipy.sparse as sp

MEASURES = ("f1_micro", "f1_macro", "f1_samples")


class Counts:
    """What the F1 of some decisions is computed from.

    The macro average is over the labels that rows of the test have.

    Parameters
    ----------
    chosen, Y : csr_array of shape (n_rows, n_labels)
        The decisions, and what is true; ones.
    """

    def __init__(self, chosen, Y):
        self.chosen, self.Y = sp.csr_array(chosen), sp.csr_array(Y)
        self.hits = sp.csr_array(self.chosen.multiply(self.Y))

    def f1(self, measure, weights=None):
        """The F1, in percent.

        Parameters
        ----------
        measure : {"f1_micro", "f1_macro", "f1_samples"}
        weights : int array of shape (n_rows,), or None
            How often each row counts; all once.

        Returns
        -------
        float
        """
        if weights is None:
            weights = np.ones(self.Y.shape[0])
        parts = self.hits, self.chosen, self.Y
        if measure == "f1_macro":
            hits, chosen, true = (weights @ part for part in parts)
            return 100.0 * float(_f1(hits, chosen, true)[true > 0].mean())
        hits, chosen, true = (np.diff(part.indptr) for part in parts)
        if measure == "f1_samples":
            return 100.0 * float(np.average(_f1(hits, chosen, true), weights=weights))
        return 100.0 * float(_f1(weights @ hits, weights @ chosen, weights @ true))

    def describe(self):
        """Labels a row, and the percentage of rows that get none."""
        n_chosen = np.diff(self.chosen.indptr)
        return {
            "labels_per_row": float(n_chosen.mean()),
            "without": 100.0 * float((n_chosen == 0).mean()),
        }


def _f1(hits, chosen, true):
    return 2.0 * hits / np.maximum(chosen + true, 1)


def difference(first, second, measure, n_resamples=1_000, seed=0):
    """The difference of two systems' F1, with its 95% interval over rows.

    Parameters
    ----------
    first, second : list of Counts
        Of the same rows, by seed; F1 is averaged over seeds.
    measure : str
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    list of float
        Mean, low end, high end.
    """

    def differ(weights=None):
        means = [
            np.mean([one.f1(measure, weights) for one in counts])
            for counts in (first, second)
        ]
        return float(means[0] - means[1])

    n_rows, rng = first[0].Y.shape[0], np.random.default_rng(seed)
    shares = np.full(n_rows, 1.0 / n_rows)
    drawn = [
        differ(rng.multinomial(n_rows, shares).astype(float))
        for _ in range(n_resamples)
    ]
    return [differ(), *np.quantile(drawn, [0.025, 0.975]).tolist()]
