"""The systems to compare, and their settings."""

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / "peers"

# Ranks by the classifier, then by counts for queries outside of its beam.
ALONE = {"classifier_weight": 1e9}
# The most labels that a beam of 10 over leaves of 100 can reach.
FILTERED = {"n_asked": 1000}
# The weights that small logs get.
FIXED = {
    "classifier_weight": 0,
    "decay": 0.1,
    "reversed_weight": 0.2,
    "smoothing": 10,
    "popularity_weight": 1,
}
TREES = {
    "k-means": {"trie_depth": 0},
    **{f"hybrid {depth}": {"trie_depth": depth} for depth in range(1, 6)},
    "must-link 3": {"trie_depth": 3, "top": "must-link"},
}
TRIE = {"trie": {"trie_depth": None}}


@dataclass(frozen=True)
class System:
    """A fitted system and its variants.

    Attributes
    ----------
    worker : str
        ``workers/<worker>_worker.py``.
    peer : str or None
        Whose environment it needs; None for skxmr's own.
    settings : dict
        Of training.
    variants : dict of str to dict
        Settings that need no retraining, by name; the first are those of `settings`.
    """

    worker: str
    peer: str | None = None
    settings: dict = field(default_factory=dict)
    variants: dict = field(default_factory=lambda: {"default": {}})

    @property
    def script(self):
        return HERE / "workers" / f"{self.worker}_worker.py"

    @property
    def requirements(self):
        return None if self.peer is None else PEERS / self.peer / "requirements.txt"


def own(tree):
    """A completer along a tree: blended with counts, alone, and searched freely."""
    variants = {"blended": {}, "alone": ALONE, "filtered": FILTERED}
    return System("skxmr", None, {"kind": "query", "tree": tree}, variants)


SYSTEMS = {
    "popularity": System("skxmr", None, {"kind": "popular"}),
    "bigram": System("skxmr", None, {"kind": "bigram"}),
    "default": System("skxmr", None, {"kind": "query"}),
    "counts": System("skxmr", None, {"kind": "query", "classifier_weight": 0}),
    "counts, fixed weights": System("skxmr", None, {"kind": "query", **FIXED}),
    **{name: own(tree) for name, tree in (TREES | TRIE).items()},
    # The same, with n-grams that have equal weights at all positions.
    **{f"{name}, plain": own(tree | {"plain": True}) for name, tree in TREES.items()},
    "pecos": System("pecos", "pecos", {"n_asked": 1000}),
    "neural": System("neural", "torch"),
}
