"""Label trees, and the indexers that build them."""

from skxmr.tree._kmeans_tree import KMeansTree
from skxmr.tree._label_tree import LabelTree
from skxmr.tree._trie_tree import TrieTreeHybrid

__all__ = ["KMeansTree", "LabelTree", "TrieTreeHybrid"]
