"""Which types fitted models are made of, for loaders that ask whom to trust.

`pickle`, `joblib` and `skops` all save and load fitted estimators, with the same
predictions afterwards. A model that a newer skxmr has laid out in another way is
refused.

- ``joblib.dump(model, path)`` and ``joblib.load(path, mmap_mode="r")`` open a model of
  many gigabytes at once: weights are read from the file when a search needs them, and
  several processes share them in memory.
- ``skops.io.dump(model, path)`` and
  ``skops.io.load(path, trusted=skxmr.persistence.TRUSTED_TYPES)`` run no code that the
  file brings along. The two others do: use them for files that you trust.
"""

__all__ = ["TRUSTED_TYPES"]

TRUSTED_TYPES: list[str] = [
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "skxmr._compressed.Compressed",
    "skxmr.baselines.BigramCompleter",
    "skxmr.baselines.PopularCompleter",
    "skxmr.candidates.CandidateFeatures",
    "skxmr.classifier.XRLinearClassifier",
    "skxmr.completion.QueryCompleter",
    "skxmr.fusion.RankFusion",
    "skxmr.indexers.KMeansTree",
    "skxmr.layout.SearchLayout",
    "skxmr.leaf_rankers.LeafRankers",
    "skxmr.lean.LeanTransformer",
    "skxmr.matchers.FittedMatcher",
    "skxmr.neighbors.NeighborRanker",
    "skxmr.ngrams.Cutting",
    "skxmr.node_weights.NodeWeights",
    "skxmr.prefix_index.PrefixIndex",
    "skxmr.prefix_ranker.PrefixRanker",
    "skxmr.reranking.Reranker",
    "skxmr.retrieval.TextRetriever",
    "skxmr.stages.FittedStages",
    "skxmr.successors.Successors",
    "skxmr.targets.ClassTarget",
    "skxmr.targets.IndicatorTarget",
    "skxmr.terms.Terms",
    "skxmr.text.CharNgramTfidf",
    "skxmr.text.PrefixWeightedCharTfidf",
    "skxmr.text.WordNgramTfidf",
    "skxmr.tfidf.Weighting",
    "skxmr.tree.LabelTree",
    "skxmr.tries.TrieTreeHybrid",
]
"""Names of the types that are not scikit-learn's own, as `skops.io.load` takes them.

None of them does more, when it is loaded, than take its attributes.

Examples
--------
>>> import skops.io  # doctest: +SKIP
>>> skops.io.dump(retriever, "retriever.skops")  # doctest: +SKIP
>>> skops.io.load("retriever.skops", trusted=TRUSTED_TYPES)  # doctest: +SKIP
"""
