"""The best k labels of each row, from any fitted estimator."""

from skxmr.ranking._rank import descend, final_estimator, rank
from skxmr.ranking._results import Completion, SearchResult, SearchResults
from skxmr.ranking._subset import LabelSubset, resolve_subset
from skxmr.ranking._top_k import best_k, scores_to_csr, top_k, top_k_signed

__all__ = [
    "Completion",
    "LabelSubset",
    "SearchResult",
    "SearchResults",
    "best_k",
    "descend",
    "final_estimator",
    "rank",
    "resolve_subset",
    "scores_to_csr",
    "top_k",
    "top_k_signed",
]
