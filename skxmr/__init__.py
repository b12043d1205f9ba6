"""Extreme multilabel ranking for scikit-learn."""

import importlib
from typing import TYPE_CHECKING, Any

import skxmr._cython  # noqa: F401 - says what to do if the kernels are not compiled
from skxmr._version import __version__

if TYPE_CHECKING:
    from skxmr import (
        baselines,
        datasets,
        inspection,
        interop,
        metrics,
        persistence,
        sharding,
        streaming,
    )
    from skxmr._inputs._by_label import LabelTexts
    from skxmr._search._explanation import Explanation
    from skxmr._search._pruning_check import PruningWarning
    from skxmr.completion._completer import QueryCompleter
    from skxmr.decisions._calibrator import SparseCalibrator
    from skxmr.decisions._label_threshold_cv import LabelThresholdCV
    from skxmr.linear._classifier import XRLinearClassifier
    from skxmr.rankers._candidates import CandidateFeatures, Candidates
    from skxmr.rankers._fusion import RankFusion
    from skxmr.rankers._lexical import LexicalRanker
    from skxmr.rankers._neighbors import NeighborRanker
    from skxmr.rankers._reranker import Reranker
    from skxmr.ranking import (
        Completion,
        LabelSubset,
        SearchResult,
        SearchResults,
        rank,
        score_pairs,
    )
    from skxmr.retrieval._retriever import TextRetriever
    from skxmr.text._vectorizers import (
        CharNgramTfidf,
        PrefixWeightedCharTfidf,
        WordNgramTfidf,
    )
    from skxmr.tree._kmeans_tree import KMeansTree
    from skxmr.tree._label_tree import LabelTree
    from skxmr.tree._trie_tree import TrieTreeHybrid

__all__ = [
    "CandidateFeatures",
    "Candidates",
    "CharNgramTfidf",
    "Completion",
    "Explanation",
    "KMeansTree",
    "LabelSubset",
    "LabelTexts",
    "LabelThresholdCV",
    "LabelTree",
    "LexicalRanker",
    "NeighborRanker",
    "PrefixWeightedCharTfidf",
    "PruningWarning",
    "QueryCompleter",
    "RankFusion",
    "Reranker",
    "SearchResult",
    "SearchResults",
    "SparseCalibrator",
    "TextRetriever",
    "TrieTreeHybrid",
    "WordNgramTfidf",
    "XRLinearClassifier",
    "__version__",
    "baselines",
    "datasets",
    "inspection",
    "interop",
    "metrics",
    "persistence",
    "rank",
    "score_pairs",
    "sharding",
    "streaming",
]

# What is imported when it is first used: scikit-learn and SciPy take over a second,
# which `skxmr --help` and errors of its arguments do not need.
_MODULES = {
    "baselines",
    "completion",
    "datasets",
    "decisions",
    "inspection",
    "interop",
    "linear",
    "metrics",
    "persistence",
    "rankers",
    "ranking",
    "retrieval",
    "sharding",
    "stages",
    "streaming",
    "text",
    "tree",
}
_HOMES = {
    "CandidateFeatures": "rankers._candidates",
    "Candidates": "rankers._candidates",
    "CharNgramTfidf": "text._vectorizers",
    "Completion": "ranking",
    "Explanation": "_search._explanation",
    "KMeansTree": "tree._kmeans_tree",
    "LabelSubset": "ranking",
    "LabelTexts": "_inputs._by_label",
    "LabelThresholdCV": "decisions._label_threshold_cv",
    "LabelTree": "tree._label_tree",
    "LexicalRanker": "rankers._lexical",
    "NeighborRanker": "rankers._neighbors",
    "PrefixWeightedCharTfidf": "text._vectorizers",
    "PruningWarning": "_search._pruning_check",
    "QueryCompleter": "completion._completer",
    "RankFusion": "rankers._fusion",
    "Reranker": "rankers._reranker",
    "SearchResult": "ranking",
    "SearchResults": "ranking",
    "SparseCalibrator": "decisions._calibrator",
    "TextRetriever": "retrieval._retriever",
    "TrieTreeHybrid": "tree._trie_tree",
    "WordNgramTfidf": "text._vectorizers",
    "XRLinearClassifier": "linear._classifier",
    "rank": "ranking",
    "score_pairs": "ranking",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"skxmr.{_HOMES[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"skxmr.{name}")
    else:
        raise AttributeError(f"module 'skxmr' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
