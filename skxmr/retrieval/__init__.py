"""Retrieval of labels by text."""

from skxmr._search._explanation import Explanation, NodeScore, Term
from skxmr.retrieval._retriever import TextRetriever

__all__ = ["Explanation", "NodeScore", "Term", "TextRetriever"]
