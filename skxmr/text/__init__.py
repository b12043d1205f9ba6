"""Vectorizers that turn texts into TF-IDF features."""

from skxmr.text._vectorizers import (
    CharNgramTfidf,
    PrefixWeightedCharTfidf,
    WordNgramTfidf,
)

__all__ = ["CharNgramTfidf", "PrefixWeightedCharTfidf", "WordNgramTfidf"]
