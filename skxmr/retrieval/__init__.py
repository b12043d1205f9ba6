"""Retrieval of labels by text."""

from skxmr._embeddings._cached_encoder import CachedEncoder
from skxmr._search._explanation import Explanation, NodeScore, Term
from skxmr.retrieval._fused_explanation import FeatureScore, FusedExplanation
from skxmr.retrieval._retriever import TextRetriever

__all__ = [
    "CachedEncoder",
    "Explanation",
    "FeatureScore",
    "FusedExplanation",
    "NodeScore",
    "Term",
    "TextRetriever",
]
