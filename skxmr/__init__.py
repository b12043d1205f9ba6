"""Extreme multilabel ranking for scikit-learn."""

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
from skxmr._version import __version__
from skxmr.completion._completer import QueryCompleter
from skxmr.decisions._calibrator import SparseCalibrator
from skxmr.decisions._label_threshold_cv import LabelThresholdCV
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.rankers._candidates import CandidateFeatures, Candidates
from skxmr.rankers._fusion import RankFusion
from skxmr.rankers._lexical import LexicalRanker
from skxmr.rankers._neighbors import NeighborRanker
from skxmr.rankers._reranker import Reranker
from skxmr.ranking import Completion, LabelSubset, SearchResult, SearchResults, rank
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
    "sharding",
    "streaming",
]
