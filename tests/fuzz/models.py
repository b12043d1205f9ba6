"""Small models of every class that reads arrays in compiled code, and their uses."""

import numpy as np
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.pipeline import make_pipeline

import skxmr
from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    LexicalRanker,
    NeighborRanker,
    PrefixWeightedCharTfidf,
    QueryCompleter,
    RankFusion,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr._search._beam_search import beam_search
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.baselines import BigramCompleter, PopularCompleter
from skxmr.persistence import check_arrays

N_LABELS = 12
DENSE_X, DENSE_Y = make_multilabel_classification(
    60, 12, n_classes=N_LABELS, n_labels=2, random_state=0
)
DENSE_X = (DENSE_X / 10).astype(np.float32)
X = sparse.csr_array(np.where(DENSE_X > 0.3, DENSE_X, 0))
Y = sparse.csr_array(DENSE_Y)
TEXTS = [
    " ".join(f"wörd{column}" for column in row.nonzero()[0]) or "none"
    for row in DENSE_X > 0.3
]
NAMES = [f"label {i}" for i in range(N_LABELS)]
TYPED = ["", "w", "wörd", "wörd1", "none", "x\udc80"]


def make_classifier(**parameters):
    defaults = {"indexer": KMeansTree(3, 2), "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


def _sparse_row():
    one = sparse.csr_array(X[[0]])
    return one.indices.astype(np.int32), one.data.astype(np.float32)


# Ways to ask each kind of model; the fuzzer chooses one.
OF_CLASSIFIERS = [
    lambda model: model.rank_one(*_sparse_row(), 20),
    lambda model: model.rank_one(None, DENSE_X[0], 3),
    lambda model: beam_search(
        DenseRows(DENSE_X[:9]),
        model.layouts_[-1],
        k=5,
        beam_width=3,
        score_transform="l3-hinge",
    ),
    lambda model: beam_search(
        Compressed.from_sparse(X[:9]),
        model.layouts_[-1],
        k=5,
        beam_width=None,
        score_transform="sigmoid",
    ),
    lambda model: model.rank_one(
        *_sparse_row(), 3, allowed=model.subset(model.classes_[:3], model.classes_[1:2])
    ),
    lambda model: model.prune(0.3).rank_one(*_sparse_row(), 3),
    lambda model: model.predict(X[:3]),
    check_arrays,
]
OF_RANKERS = [
    lambda model: model.rank(X[:9], 5),
    lambda model: model.predict(X[:3]),
    check_arrays,
]
OF_FUSIONS = [
    lambda model: model.rank_one(*_sparse_row(), 3),
    lambda model: model.explain(X[:1], 3),
    *OF_RANKERS,
]
OF_LEXICAL_RANKERS = [
    lambda model: model.rank(TEXTS[:9], 5),
    lambda model: model.rank_one("wörd1 \udc80 wörd2x lab", 20),
    lambda model: model.rank_one(TEXTS[0], allowed=model.classes_[:4]),
    lambda model: model.explain("wörd1 lbel", model.classes_[0]),
    lambda model: model.did_you_mean("wörd1 lbel nonee"),
    lambda model: model.predict_proba(TEXTS[:3]),
    check_arrays,
]
OF_RETRIEVERS = [
    lambda model: model.search(TEXTS[0], 5),
    lambda model: model.search("wörd1 \udc80", 5),
    lambda model: model.search(TEXTS[0], allowed=model.classes_[:4]),
    lambda model: model.search_batch(TEXTS[:5], 3),
    lambda model: model.explain(TEXTS[0], model.classes_[0]),
    check_arrays,
]
OF_COMPLETERS = [
    lambda model: model.complete("", "none", 5),
    lambda model: model.complete("wörd", ["label 3", TEXTS[1]], 5),
    lambda model: model.complete("wörd12x", TEXTS[0], 5),
    lambda model: model.complete("x\udc80", "", 5),
    lambda model: (
        model.update(["none"], [TEXTS[0]]).complete("w", "none")
        if isinstance(model, QueryCompleter)
        else model.complete_batch(["w"], [TEXTS[1]])
    ),
    check_arrays,
]
OF_VECTORIZERS = [
    lambda model: model.transform_one(TEXTS[0]),
    lambda model: model.transform([*TEXTS[:5], *TYPED]),
    lambda model: model.get_feature_names_out(),
    check_arrays,
]
OF_INDEXERS = [
    lambda model: model.tree_.to_text(),
    lambda model: model.tree_.leaf_ranges(0),
    lambda model: model.tree_.roll_up(Y),
    lambda model: model.tree_.to_cluster_chain(),
    check_arrays,
]


def make_models():
    """Fit them all.

    Returns
    -------
    dict of str to (model, ways to ask it)
    """
    classes = np.array(NAMES)[np.arange(60) % N_LABELS]
    half = make_classifier(n_trees=2, weight_precision="float16")
    wide = make_classifier(indexer=KMeansTree(300, 1))
    queries = [*TEXTS, "none", "none"]
    previous = ["none", *NAMES] * 5
    previous = previous[: len(queries)]
    fused = RankFusion([("linear", make_classifier()), ("near", NeighborRanker())])
    return {
        "sparse": (make_classifier().fit(X, Y), OF_CLASSIFIERS),
        "dense": (make_classifier().fit(DENSE_X, Y), OF_CLASSIFIERS),
        "classes": (make_classifier().fit(X, classes), OF_CLASSIFIERS),
        "half": (half.fit(X, Y), OF_CLASSIFIERS),
        "wide": (_wide(wide), OF_CLASSIFIERS),
        "trie": (
            make_classifier(indexer=TrieTreeHybrid(7, 3, 4)).fit(X, classes),
            OF_CLASSIFIERS,
        ),
        "neighbors": (NeighborRanker().fit(X, Y), OF_RANKERS),
        "fusion": (fused.fit(X, Y), OF_FUSIONS),
        "lexical": (
            LexicalRanker(["char", "word"], correct_spelling=True, prefix=True).fit(
                TEXTS, Y, label_texts=[(name, "wörd") for name in NAMES]
            ),
            OF_LEXICAL_RANKERS,
        ),
        "retriever": (
            TextRetriever().fit(TEXTS, Y, label_texts=NAMES),
            OF_RETRIEVERS,
        ),
        "completer": (
            QueryCompleter(random_state=0).fit(previous, queries),
            OF_COMPLETERS,
        ),
        "fuzzy": (
            QueryCompleter(match="fuzzy", random_state=0).fit(previous, queries),
            OF_COMPLETERS,
        ),
        "popular": (PopularCompleter().fit(previous, queries), OF_COMPLETERS),
        "bigram": (BigramCompleter().fit(previous, queries), OF_COMPLETERS),
        "words": (WordNgramTfidf(ngram_range=(1, 2)).fit(TEXTS), OF_VECTORIZERS),
        "characters": (CharNgramTfidf(ngram_range=(2, 3)).fit(TEXTS), OF_VECTORIZERS),
        "prefixes": (PrefixWeightedCharTfidf().fit(TEXTS), OF_VECTORIZERS),
        "kmeans": (KMeansTree(3, 2).fit(sparse.csr_array(X.T)[:, :30]), OF_INDEXERS),
        "pipeline": (
            make_pipeline(WordNgramTfidf(), make_classifier()).fit(TEXTS, Y),
            [lambda model: skxmr.rank(model, TEXTS[:5], 3)],
        ),
    }


def _wide(model):
    """Fit a tree with more children than a byte can number."""
    n_labels = 300
    rows = np.arange(2 * n_labels)
    features = sparse.csr_array(
        (np.ones(2 * n_labels, dtype=np.float32), (rows, rows % 12)),
        shape=(2 * n_labels, 12),
    )
    return model.fit(features, rows % n_labels)


MODELS = make_models()
