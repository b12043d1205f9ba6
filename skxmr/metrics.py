r"""Metrics of the first k labels of a ranking, and their scorers.

Every metric of columns is called as ``metric(y_true, scores, k)`` and gives one float
in [0, 1], higher is better. What they share:

``y_true`` : the true labels, in one of two forms
    - a label indicator of shape (n_samples, n_labels), dense or in any sparse format:
      what is not zero is true; explicit zeros do not count and duplicates count once;
    - a 1-D array of column indices, one true label a row; -1 stands for a class
      without a column (one never seen in training, say), so that the row is a miss.

``scores`` : the ranking to judge, in one of three forms
    - the pair ``(columns, scores)`` that `skxmr.rank` returns, each of shape
      (n_samples, at least k), best first, -1 after the last where fewer are found;
    - such ``columns`` alone (an array of integers);
    - a score matrix of shape (n_samples, n_labels), sparse or dense, of floats that are
      not negative: 0, stored or not, means not retrieved. Equal scores are ranked in
      the order of their columns.

Of a row, :math:`y` is the set of its true labels and :math:`r_1, \ldots, r_k` are the
first k columns retrieved; :math:`[\cdot]` is 1 where a condition holds and else 0. A
row without any true label counts as 0 in every mean over rows. That is what P@k does
anywhere, what PECOS does for recall and napkinXC, by default, for recall and nDCG, and
what `sklearn.metrics.ndcg_score` does: figures can be compared. A perfect ranking then
scores less than 1; to judge by the other rows alone, leave such rows out of both
arguments. Where nothing is true at all, every metric is 0.

The metrics of completion (`completion_reciprocal_rank`, `completion_success`,
`bleu_reciprocal_rank`) are apart: they compare strings and are called as
``metric(truths, suggestions, k)``. `completion_ranks` and `bleu_reciprocal_ranks` give
values row by row; `mean_by` takes their means by prefix length, or by how often a query
was seen (`frequency_bins`).

`expected_calibration_error` is apart as well: it compares scores with probabilities, so
lower is better; `reliability_curve` gives what it sums up. They want scores themselves,
as a matrix or with their columns, from 0 to 1.

All others raise ValueError where `y_true` or `scores` is malformed (NaN, negative
values, a column that repeats or does not exist, integers in the place of floats), where
the two differ in rows or columns, where `k` is no positive integer, and where `scores`
holds fewer than the first k columns although more were found.
"""

from skxmr._calibration_metrics import expected_calibration_error, reliability_curve
from skxmr._completion_metrics import (
    bleu_reciprocal_rank,
    bleu_reciprocal_ranks,
    completion_ranks,
    completion_reciprocal_rank,
    completion_success,
    frequency_bins,
    mean_by,
)
from skxmr._ranking_metrics import (
    coverage_at_k,
    ndcg_at_k,
    precision_at_k,
    propensities,
    propensity_scored_precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)
from skxmr._scorers import (
    coverage_at_k_scorer,
    ndcg_at_k_scorer,
    precision_at_k_scorer,
    propensity_scored_precision_at_k_scorer,
    recall_at_k_scorer,
    reciprocal_rank_at_k_scorer,
)

__all__ = [
    "bleu_reciprocal_rank",
    "bleu_reciprocal_ranks",
    "completion_ranks",
    "completion_reciprocal_rank",
    "completion_success",
    "coverage_at_k",
    "coverage_at_k_scorer",
    "expected_calibration_error",
    "frequency_bins",
    "mean_by",
    "ndcg_at_k",
    "ndcg_at_k_scorer",
    "precision_at_k",
    "precision_at_k_scorer",
    "propensities",
    "propensity_scored_precision_at_k",
    "propensity_scored_precision_at_k_scorer",
    "recall_at_k",
    "recall_at_k_scorer",
    "reciprocal_rank_at_k",
    "reciprocal_rank_at_k_scorer",
    "reliability_curve",
]
