"""The best k labels of each row, from any fitted estimator."""

from skxmr.ranking._pairs import Pairs, look_up, look_up_entries
from skxmr.ranking._rank import descend, final_estimator, rank
from skxmr.ranking._results import Completion, SearchResult, SearchResults
from skxmr.ranking._row_subset import (
    RowFactors,
    RowSubset,
    has_row_masks,
    resolve_row_subset,
    scores_at,
)
from skxmr.ranking._score_pairs import score_pairs
from skxmr.ranking._subset import LabelSubset, resolve_subset
from skxmr.ranking._top_k import best_k, scores_to_csr, top_k, top_k_signed

__all__ = [
    "Completion",
    "LabelSubset",
    "Pairs",
    "RowFactors",
    "RowSubset",
    "SearchResult",
    "SearchResults",
    "best_k",
    "descend",
    "final_estimator",
    "has_row_masks",
    "look_up",
    "look_up_entries",
    "rank",
    "resolve_row_subset",
    "resolve_subset",
    "score_pairs",
    "scores_at",
    "scores_to_csr",
    "top_k",
    "top_k_signed",
]
