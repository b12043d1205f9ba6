r"""Metrics of the first k labels of a ranking, and their scorers.

Every ranking metric is called as ``metric(y_true, scores, k)`` and returns a float in
[0, 1], higher is better. The arguments are:

``y_true`` : the true labels, in one of these forms
    - a label indicator of shape (n_samples, n_labels), dense or in any sparse format:
      non-zero entries are true labels; explicit zeros are ignored and duplicates count
      once. `ndcg_at_k` uses other values than 1 as grades of relevance (of duplicates,
      the largest);
    - a 1-D array of column indices, one true label per row; -1 stands for a class
      without a column, such as one that is not in the training data, so that the row
      has no hit;
    - a set of column indices for each row;
    - with ``classes``, the labels of the columns: a list, tuple or set of label names
      for each row, or one label for each row. Scorers look them up by themselves.

``scores`` : the ranking to evaluate, in one of three forms
    - the pair ``(columns, scores)`` that `skxmr.rank` returns, each of shape
      (n_samples, at least k), best first, filled up with -1 if fewer labels are found;
    - only such ``columns`` (an integer array);
    - a matrix of non-negative float scores of shape (n_samples, n_labels), sparse or
      dense: 0, stored or not, means not retrieved. Ties are broken by column index.

For a row, :math:`y` is the set of its true labels and :math:`r_1, \ldots, r_k` are the
first k retrieved columns; :math:`[\cdot]` is 1 if a condition holds and 0 otherwise. A
row without true labels counts as 0 in every mean over rows. This is how P@k is always
defined, and how PECOS computes recall, napkinXC (by default) recall and nDCG, and
`sklearn.metrics.ndcg_score` nDCG, so that figures can be compared. A perfect ranking
then scores less than 1; to evaluate only the other rows, remove such rows from both
arguments. If there are no true labels at all, every metric is 0.

The completion metrics (`completion_reciprocal_rank`, `completion_success`,
`bleu_reciprocal_rank`) compare strings and are called as
``metric(truths, suggestions, k)``. `completion_ranks` and `bleu_reciprocal_ranks`
return values per row; `mean_by` averages them by group, such as the length of the
prefix or the frequency of the query (`frequency_bins`).

`expected_calibration_error` compares scores with probabilities, and lower is better;
`reliability_curve` returns the values that it averages. Both need scores from 0 to 1,
as a matrix or as a pair with their columns. `micro_precision_recall_curve` compares all
thresholds of sparse scores, and `recall_by_frequency` rare labels with frequent ones.

Displays plot these values, in the way of scikit-learn's: `MetricAtKDisplay`,
`MicroPrecisionRecallDisplay`, `ReliabilityDisplay` and `RecallByFrequencyDisplay` have
``from_estimator`` and ``from_predictions``, and need matplotlib.

The ranking metrics raise ValueError if `y_true` or `scores` is invalid (NaN, negative
values, duplicate or non-existent columns, integers instead of floats), if their numbers
of rows or columns differ, if `k` is not a positive integer, or if `scores` has fewer
than k columns although more labels were found.
"""

from skxmr.metrics._averages import f1_at_k
from skxmr.metrics._calibration import expected_calibration_error, reliability_curve
from skxmr.metrics._completion import (
    bleu_reciprocal_rank,
    bleu_reciprocal_ranks,
    completion_ranks,
    completion_reciprocal_rank,
    completion_success,
    frequency_bins,
    mean_by,
)
from skxmr.metrics._label_frequency import recall_by_frequency
from skxmr.metrics._plot._metric_at_k import MetricAtKDisplay
from skxmr.metrics._plot._precision_recall import MicroPrecisionRecallDisplay
from skxmr.metrics._plot._recall_by_frequency import RecallByFrequencyDisplay
from skxmr.metrics._plot._reliability import ReliabilityDisplay
from skxmr.metrics._propensities import (
    propensities,
    propensity_scored_ndcg_at_k,
    propensity_scored_precision_at_k,
    propensity_scored_recall_at_k,
)
from skxmr.metrics._ranking import (
    coverage_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)
from skxmr.metrics._scorers import (
    coverage_at_k_scorer,
    f1_at_k_scorer,
    ndcg_at_k_scorer,
    precision_at_k_scorer,
    propensity_scored_ndcg_at_k_scorer,
    propensity_scored_precision_at_k_scorer,
    propensity_scored_recall_at_k_scorer,
    recall_at_k_scorer,
    reciprocal_rank_at_k_scorer,
)
from skxmr.metrics._threshold_curve import micro_precision_recall_curve

__all__ = [
    "MetricAtKDisplay",
    "MicroPrecisionRecallDisplay",
    "RecallByFrequencyDisplay",
    "ReliabilityDisplay",
    "bleu_reciprocal_rank",
    "bleu_reciprocal_ranks",
    "completion_ranks",
    "completion_reciprocal_rank",
    "completion_success",
    "coverage_at_k",
    "coverage_at_k_scorer",
    "expected_calibration_error",
    "f1_at_k",
    "f1_at_k_scorer",
    "frequency_bins",
    "mean_by",
    "micro_precision_recall_curve",
    "ndcg_at_k",
    "ndcg_at_k_scorer",
    "precision_at_k",
    "precision_at_k_scorer",
    "propensities",
    "propensity_scored_ndcg_at_k",
    "propensity_scored_ndcg_at_k_scorer",
    "propensity_scored_precision_at_k",
    "propensity_scored_precision_at_k_scorer",
    "propensity_scored_recall_at_k",
    "propensity_scored_recall_at_k_scorer",
    "recall_at_k",
    "recall_at_k_scorer",
    "recall_by_frequency",
    "reciprocal_rank_at_k",
    "reciprocal_rank_at_k_scorer",
    "reliability_curve",
]
