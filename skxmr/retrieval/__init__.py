"""Retrieval of labels by text."""

from skxmr._search._explanation import Explanation, NodeScore, Term
from skxmr.retrieval._fused_explanation import FeatureScore, FusedExplanation
from skxmr.retrieval._retriever import TextRetriever

__all__ = [
    "Explanation",
    "FeatureScore",
    "FusedExplanation",
    "NodeScore",
    "Term",
    "TextRetriever",
]
