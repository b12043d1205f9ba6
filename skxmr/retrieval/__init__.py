"""Retrieval of labels by text."""

from skxmr.retrieval._retriever import TextRetriever

__all__ = ["TextRetriever"]
