"""Mean of a paired difference with its interval, over test rows and tree seeds."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Difference:
    """A mean difference and the ends of its interval."""

    mean: float
    low: float
    high: float


def variance_of_mean(differences):
    """Variance of the grand mean of crossed random factors, and degrees of freedom.

    With D[s, i] = m + seed[s] + row[i] + e[s, i], the grand mean of S seeds and n rows
    has the variance V_seed / S + V_row / n + V_e / (S n), which the mean squares of the
    two-way table estimate as (MS_seed + MS_row - MS_e) / (S n). Where the differences
    between seeds are smaller than chance would make them, their part is taken as zero.
    """
    n_seeds, n_rows = differences.shape
    grand = differences.mean()
    by_seed = differences.mean(axis=1) - grand
    by_row = differences.mean(axis=0) - grand
    rest = differences - grand - by_seed[:, None] - by_row
    free_seeds, free_rows = n_seeds - 1, n_rows - 1
    mean_seed = n_rows * (by_seed**2).sum() / free_seeds
    mean_row = n_seeds * (by_row**2).sum() / free_rows
    mean_rest = (rest**2).sum() / (free_seeds * free_rows)
    excess = max(mean_seed - mean_rest, 0.0)
    total = excess + mean_row
    if total == 0:
        return 0.0, free_rows
    # Satterthwaite's degrees of freedom of that sum.
    freedom = total**2 / (excess**2 / free_seeds + mean_row**2 / free_rows)
    return total / (n_seeds * n_rows), freedom


def paired_difference(first, second, level=0.95):
    """Mean of `first` - `second` with its interval.

    Both seeds and rows are taken as samples: the interval speaks of new test rows and
    of new trees at once, which the spread over rows alone would not.

    Parameters
    ----------
    first, second : array of shape (n_seeds, n_rows)
        A measure of each test row, for models that differ in their trees' seed.
    level : float
        Chance that the interval covers the true mean.

    Returns
    -------
    Difference
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    variance, freedom = variance_of_mean(differences)
    reach = stats.t.ppf(0.5 + level / 2, freedom) * np.sqrt(variance)
    mean = differences.mean()
    return Difference(float(mean), float(mean - reach), float(mean + reach))


def paired_bootstrap(first, second, level=0.95, n_resamples=2_000, seed=0):
    """Mean of `first` - `second` with its bootstrap interval over rows.

    For one model each: the interval covers other test rows, but not other seeds.

    Parameters
    ----------
    first, second : array of shape (n_rows,)
        A measure of each test row.
    level : float
        Probability that the interval covers the true mean.
    n_resamples : int
    seed : int

    Returns
    -------
    Difference
        With the percentiles of the means of `n_resamples` resamples of the rows.
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    # Resampling rows draws the counts of the distinct differences, which are few.
    values, counts = np.unique(differences, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(
        len(differences), counts / len(differences), size=n_resamples
    )
    means = drawn @ values / len(differences)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(differences.mean()), float(low), float(high))
