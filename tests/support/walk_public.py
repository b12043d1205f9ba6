"""Calls everything public with corrupt matrices; run as a program, since it may crash.

It prints a line before each call, so that the last one tells of a crash, and a line for
each call that was not refused as it should be. It ends with "done".
"""

import copy
import importlib
import inspect
import tempfile
import warnings
from functools import partial
from itertools import islice

import numpy as np
from corrupt_matrices import DENSE, corrupt_matrices
from matplotlib.figure import Figure
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

import skxmr
from skxmr import (
    CandidateFeatures,
    KMeansTree,
    LabelTree,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    Reranker,
    TextRetriever,
    TrieTreeHybrid,
    XRLinearClassifier,
    baselines,
    datasets,
    metrics,
    sharding,
    streaming,
)
from skxmr.inspection import BeamSearchDisplay

X, Y = DENSE.astype(float), DENSE
TEXTS = ["red apple", "green pear", "phone", "phone case", "pear juice", "red"]
NAMES = list("abcd")
TEMPORARY = tempfile.TemporaryDirectory()
FOLDER = TEMPORARY.name
MATRICES = {"X", "y", "y_true", "scores"}
FOUND = np.zeros((6, 1), dtype=np.int64), np.ones((6, 1))


def make_classifier(**parameters):
    return XRLinearClassifier(KMeansTree(2, 2), random_state=0, **parameters)


def make_fusion():
    return RankFusion([("one", make_classifier()), ("other", NeighborRanker())])


def make_reranker():
    return Reranker(make_classifier(), LogisticRegression(), cv=2, random_state=0)


def make_thresholds():
    return skxmr.LabelThresholdCV(make_classifier(), cv=2, random_state=0)


def make_calibrator():
    return skxmr.SparseCalibrator(make_classifier(), cv=2, random_state=0)


CLASSIFIER = make_classifier().fit(X, Y)
RETRIEVER = TextRetriever(classifier=make_classifier()).fit(TEXTS, Y)
FUSED = TextRetriever(classifier=make_classifier()).fit(TEXTS, Y, label_texts=NAMES)
LEXICAL = LexicalRanker().fit(TEXTS, Y)
NEIGHBORS = NeighborRanker().fit(X, Y)
FUSION = make_fusion().fit(X, Y)
RERANKER = make_reranker().fit(X, Y)
THRESHOLDS = make_thresholds().fit(X, Y)
CALIBRATOR = make_calibrator().fit(X, Y)
FEATURES = CandidateFeatures().fit(X, Y)
COMPLETER = skxmr.QueryCompleter(classifier_weight=0).fit(None, TEXTS)
POPULAR = baselines.PopularCompleter().fit(None, TEXTS)
BIGRAMS = baselines.BigramCompleter().fit(None, TEXTS)
TREE = CLASSIFIER.trees_[0]
VECTORIZERS = {
    one.__name__: one().fit(TEXTS)
    for one in (
        skxmr.CharNgramTfidf,
        skxmr.PrefixWeightedCharTfidf,
        skxmr.WordNgramTfidf,
    )
}
SHARDS = sharding.split(CLASSIFIER, 2)
SHARDED = sharding.ShardedRanker(SHARDS)
ROWS = (
    np.array([0, 1]),
    np.zeros(1, dtype=np.int32),
    np.ones(1, dtype=np.float32),
)
NEIGHBORS_OF_SKLEARN = KNeighborsClassifier(1).fit(X, Y)
PIPELINE = make_pipeline(MaxAbsScaler(), make_classifier()).fit(X, Y)


def changing(fitted, method):
    """Call a method that changes an estimator on a copy."""

    def call(**given):
        return getattr(copy.copy(fitted), method)(**given)

    return call


def of_estimator(estimator, fit, fitted):
    """Calls of a classifier of feature matrices."""
    calls = {
        f"{name}.{method}": (getattr(fitted, method), {"X": X}, "X")
        for name in [type(estimator).__name__]
        for method in ("predict", "predict_proba", "decision_function", "rank")
        if hasattr(fitted, method)
    }
    name = type(estimator).__name__
    if hasattr(fitted, "rank"):
        masks = {"X": X, "allowed": Y, "excluded": Y}
        calls[f"{name}.rank (masks)"] = fitted.rank, masks, "X allowed excluded"
        pairs = {"X": X, "rows": [0], "labels": [1]}
        calls[f"{name}.score_pairs"] = fitted.score_pairs, pairs, "X"
    calls[f"{name}.score"] = fitted.score, {"X": X, "y": Y}, "X y"
    calls[f"{name}.fit"] = fit, {"X": X, "y": Y}, "X y"
    return calls


def of_completer(fitted):
    name = type(fitted).__name__
    asked = {"previous": None, "queries": TEXTS}
    calls = {
        f"{name}.fit": (type(fitted)().fit, asked | {"counts": None}, ""),
        f"{name}.score": (fitted.score, asked, ""),
        f"{name}.subset": (fitted.subset, {"allowed": None, "excluded": None}, ""),
        f"{name}.complete": (fitted.complete, {"prefix": "a", "previous": "b"}, ""),
        f"{name}.complete_batch": (
            fitted.complete_batch,
            {"prefixes": ["a"], "previous": None},
            "",
        ),
    }
    if hasattr(fitted, "update"):
        for method in ("update", "partial_fit"):
            calls[f"{name}.{method}"] = (
                getattr(fitted, method),
                asked | {"counts": None},
                "",
            )
        calls[f"{name}.add"] = fitted.add, {"queries": ["a"], "counts": None}, ""
        calls[f"{name}.remove"] = fitted.remove, {"queries": ["red"]}, ""
    return calls


def of_metrics():
    pair = {"y_true": Y, "scores": X}
    names = [name for name in metrics.__all__ if name.endswith("_at_k")]
    calls = {name: (getattr(metrics, name), pair, "y_true scores") for name in names}
    weighted = pair | {"propensities": np.full(4, 0.5)}
    for name in names:
        if name.startswith("propensity"):
            calls[name] = getattr(metrics, name), weighted, "y_true scores"
    for name in (
        "expected_calibration_error",
        "micro_precision_recall_curve",
        "reliability_curve",
    ):
        calls[name] = getattr(metrics, name), pair, "y_true scores"
    calls |= of_displays()
    counted = pair | {"counts": np.ones(4, dtype=int)}
    calls["recall_by_frequency"] = (
        metrics.recall_by_frequency,
        counted,
        "y_true scores",
    )
    calls["propensities"] = metrics.propensities, {"Y": Y}, "Y"
    for name in metrics.__all__:
        if not name.endswith("_scorer"):
            continue
        more = {"propensities": np.full(4, 0.5)} if "propensity" in name else {}

        def score(X, y, name=name, more=more):
            return getattr(metrics, name)(2, **more)(CLASSIFIER, X, y)

        calls[name] = score, {"X": X, "y": Y}, "X y"
    rows = {"truths": ["a"], "suggestions": [["a"]]}
    for name in (
        "bleu_reciprocal_rank",
        "bleu_reciprocal_ranks",
        "completion_ranks",
        "completion_reciprocal_rank",
        "completion_success",
    ):
        calls[name] = getattr(metrics, name), rows, ""
    calls["frequency_bins"] = metrics.frequency_bins, {"counts": [1]}, ""
    calls["mean_by"] = metrics.mean_by, {"values": [1], "groups": [1]}, ""
    return calls


def of_displays():
    """Calls of the displays of `skxmr.metrics`, all on the same axes."""
    calls, ax = {}, Figure().add_subplot()
    for name in metrics.__all__:
        if not name.endswith("Display"):
            continue
        display, more = getattr(metrics, name), {"ax": ax}
        if name == "RecallByFrequencyDisplay":
            more["counts"] = np.ones(4, dtype=int)
        for method, given in (
            ("from_estimator", {"estimator": CLASSIFIER, "X": X, "y": Y}),
            ("from_predictions", {"y_true": Y, "scores": X}),
        ):
            call = partial(getattr(display, method), **more)
            matrices = " ".join(argument for argument in given if argument in MATRICES)
            calls[f"{name}.{method}"] = call, given, matrices
        shown = calls[f"{name}.from_predictions"][0](y_true=Y, scores=X)
        calls[f"{name}.plot"] = shown.plot, {"ax": ax}, ""
    return calls


def of_beams():
    ax = Figure().add_subplot()
    from_estimator = partial(BeamSearchDisplay.from_estimator, CLASSIFIER, ax=ax)
    shown = from_estimator(X[:1])
    return {
        "BeamSearchDisplay.from_estimator": (from_estimator, {"X": X[:1]}, "X"),
        "BeamSearchDisplay.plot": (shown.plot, {"ax": ax}, ""),
    }


def rank_with(estimator):
    return lambda X: skxmr.rank(estimator, X)


def fit_with_vectors(label_vectors):
    return make_classifier(label_vectors=label_vectors).fit(X, Y)


def matched_by(given):
    """Fit and rank with a matcher whose probabilities are the given ones."""

    class Matcher(OneVsRestClassifier):
        def predict_proba(self, X):
            return given

    matcher = Matcher(LogisticRegression())
    return make_classifier(matcher=matcher, matcher_level=2).fit(X, Y).rank(X)


def ranked_by_scores(given):
    class Scores(KNeighborsClassifier):
        def predict_proba(self, X):
            return given

    fitted = Scores(1).fit(X, Y)
    fitted.classes_ = np.arange(4)
    return skxmr.rank(fitted, X)


def described_as(given):
    def features(X, found):
        return given if sparse.issparse(given) else np.ones((len(found), 1))

    described = Reranker(
        CLASSIFIER, LogisticRegression(), features=features, cv="prefit"
    )
    return described.fit(X, Y)


# What is called, with which arguments, and which of them are matrices: of these the
# message must tell. Everything else may say what it likes, if it refuses them all.
CALLS = {
    "skxmr": {
        **of_estimator(CLASSIFIER, make_classifier().fit, CLASSIFIER),
        "XRLinearClassifier.fit": (
            lambda **given: make_classifier().fit(**given),
            {
                "X": X,
                "y": Y,
                "relevance": X,
                "negatives": 1 - Y,
                "label_names": NAMES,
            },
            "X y relevance negatives",
        ),
        "XRLinearClassifier.fit (label_vectors)": (
            fit_with_vectors,
            {"label_vectors": Y.T},
            "label_vectors",
        ),
        "XRLinearClassifier.fit (matcher)": (
            matched_by,
            {"given": X[:, :2] / 2},
            "predict_proba",
        ),
        "XRLinearClassifier.rank_one": (
            CLASSIFIER.rank_one,
            {"indices": ROWS[1], "values": ROWS[2]},
            "",
        ),
        "XRLinearClassifier.prune": (CLASSIFIER.prune, {"threshold": 0.2}, ""),
        "XRLinearClassifier.subset": (
            CLASSIFIER.subset,
            {"allowed": [1], "excluded": [2]},
            "",
        ),
        "TextRetriever.fit": (
            lambda **given: TextRetriever(classifier=make_classifier()).fit(**given),
            {
                "texts": TEXTS,
                "y": Y,
                "relevance": X,
                "negatives": 1 - Y,
                "label_texts": NAMES,
            },
            "y relevance negatives",
        ),
        "TextRetriever.score": (RETRIEVER.score, {"X": TEXTS, "y": Y}, "y"),
        "TextRetriever.explain": (RETRIEVER.explain, {"text": "red", "label": 1}, ""),
        "TextRetriever.search": (
            RETRIEVER.search,
            {"text": "red", "allowed": [1], "excluded": [2]},
            "",
        ),
        **{
            f"TextRetriever.{method}": (
                getattr(RETRIEVER, method),
                {"texts": TEXTS},
                "",
            )
            for method in (
                "decision_function",
                "predict",
                "predict_proba",
                "rank",
                "search_batch",
            )
        },
        **{
            f"{name}.score_pairs": (one.score_pairs, pairs, "")
            for name, one, pairs in (
                ("TextRetriever", FUSED, {"texts": TEXTS, "rows": [0], "labels": [1]}),
                ("LexicalRanker", LEXICAL, {"X": TEXTS, "rows": [0], "labels": [1]}),
            )
        },
        **{
            f"{name}.rank (masks)": (
                one.rank,
                {of_texts: TEXTS, "allowed": Y, "excluded": Y},
                "allowed excluded",
            )
            for name, one, of_texts in (
                ("TextRetriever", FUSED, "texts"),
                ("LexicalRanker", LEXICAL, "X"),
            )
        },
        "TextRetriever.did_you_mean": (FUSED.did_you_mean, {"text": "rad"}, ""),
        "TextRetriever.explain (fused)": (
            FUSED.explain,
            {"text": "red", "label": 1},
            "",
        ),
        "TextRetriever.search (fused)": (
            FUSED.search,
            {"text": "red", "label_weights": [0.5] * Y.shape[1]},
            "",
        ),
        "TextRetriever.rank (fused)": (FUSED.rank, {"texts": TEXTS}, ""),
        "TextRetriever.subset": (
            RETRIEVER.subset,
            {"allowed": [1], "excluded": [2]},
            "",
        ),
        "LexicalRanker.fit": (
            lambda **given: LexicalRanker().fit(**given),
            {"texts": TEXTS, "y": Y, "label_texts": NAMES},
            "y",
        ),
        "LexicalRanker.score": (LEXICAL.score, {"X": TEXTS, "y": Y}, "y"),
        "LexicalRanker.explain": (LEXICAL.explain, {"text": "red", "label": 1}, ""),
        "LexicalRanker.did_you_mean": (LEXICAL.did_you_mean, {"text": "rad"}, ""),
        "LexicalRanker.rank_one": (
            LEXICAL.rank_one,
            {"text": "red", "allowed": [1], "excluded": [2]},
            "",
        ),
        **{
            f"LexicalRanker.{method}": (getattr(LEXICAL, method), {"X": TEXTS}, "")
            for method in ("decision_function", "predict", "predict_proba", "rank")
        },
        "LexicalRanker.partial_fit": (
            changing(LEXICAL, "partial_fit"),
            {"texts": TEXTS, "y": Y},
            "y",
        ),
        "LexicalRanker.add_labels": (
            changing(FUSED.lexical_ranker_, "add_labels"),
            {"label_texts": ["pear"]},
            "",
        ),
        **{
            f"{type(one).__name__}.remove_labels": (
                changing(one, "remove_labels"),
                {"labels": [1]},
                "",
            )
            for one in (CLASSIFIER, FUSED, LEXICAL)
        },
        "TextRetriever.partial_fit": (
            changing(FUSED, "partial_fit"),
            {"texts": TEXTS, "y": Y, "negatives": 1 - Y},
            "y negatives",
        ),
        "TextRetriever.add_labels": (
            changing(FUSED, "add_labels"),
            {"label_texts": ["pear"]},
            "",
        ),
        "XRLinearClassifier.partial_fit": (
            changing(CLASSIFIER, "partial_fit"),
            {"X": X, "y": Y, "negatives": 1 - Y},
            "X y negatives",
        ),
        "XRLinearClassifier.add_labels": (
            changing(CLASSIFIER, "add_labels"),
            {"label_vectors": X[:1]},
            "label_vectors",
        ),
        "LexicalRanker.subset": (LEXICAL.subset, {"allowed": [1], "excluded": [2]}, ""),
        **of_estimator(NEIGHBORS, NeighborRanker().fit, NEIGHBORS),
        **of_estimator(FUSION, lambda **given: make_fusion().fit(**given), FUSION),
        **of_estimator(
            RERANKER, lambda **given: make_reranker().fit(**given), RERANKER
        ),
        **of_estimator(
            THRESHOLDS, lambda **given: make_thresholds().fit(**given), THRESHOLDS
        ),
        **of_estimator(
            CALIBRATOR, lambda **given: make_calibrator().fit(**given), CALIBRATOR
        ),
        "NeighborRanker.subset": (
            NEIGHBORS.subset,
            {"allowed": [1], "excluded": [2]},
            "",
        ),
        "RankFusion.explain": (FUSION.explain, {"X": X[:1], "label": 1}, "X"),
        "RankFusion.rank_one": (
            FUSION.rank_one,
            {"row": ROWS[1], "values": ROWS[2]},
            "",
        ),
        "RankFusion.subset": (FUSION.subset, {"allowed": [1], "excluded": [2]}, ""),
        "Reranker.subset": (RERANKER.subset, {"allowed": [1], "excluded": [2]}, ""),
        "Reranker.rank (subset)": (
            lambda X: RERANKER.rank(X, allowed=RERANKER.subset([1])),
            {"X": X},
            "X",
        ),
        "Reranker.fit (features)": (described_as, {"given": X}, "features"),
        "CandidateFeatures.fit": (CandidateFeatures().fit, {"X": X, "Y": Y}, "X Y"),
        "CandidateFeatures.transform": (
            FEATURES.transform,
            {"X": X, "candidates": skxmr.Candidates.of_ranking(*FOUND)},
            "X",
        ),
        "KMeansTree.fit": (KMeansTree(2, 2).fit, {"Z": X}, "Z"),
        "TrieTreeHybrid.fit": (
            TrieTreeHybrid(label_vectors="given").fit,
            {"Z": X, "label_names": TEXTS},
            "Z",
        ),
        "Candidates.of_ranking": (
            skxmr.Candidates.of_ranking,
            {"columns": FOUND[0], "scores": FOUND[1]},
            "",
        ),
        "LabelTexts": (skxmr.LabelTexts, {"texts": {"a": "b"}}, ""),
        "LabelTexts.to_dict": (skxmr.LabelTexts({"a": "b"}).to_dict, {}, ""),
        "LabelTree.roll_up": (TREE.roll_up, {"Y": Y}, "Y"),
        "LabelTree.from_cluster_chain": (
            lambda matrix: LabelTree.from_cluster_chain([matrix]),
            {"matrix": sparse.csr_array(np.ones((2, 1)))},
            r"chain[0]",
        ),
        "LabelTree.from_cluster_chain (all)": (
            LabelTree.from_cluster_chain,
            {"chain": [sparse.csr_array(np.ones((2, 1)))]},
            "",
        ),
        "LabelTree": (LabelTree, {"child_offsets": [[0, 1]], "labels": [0]}, ""),
        "LabelTree.from_parents": (LabelTree.from_parents, {"parents": [-1, 0]}, ""),
        "LabelTree.from_starts": (
            LabelTree.from_starts,
            {"starts": [[0]], "labels": [0]},
            "",
        ),
        "LabelTree.leaf_ranges": (TREE.leaf_ranges, {"level": 0}, ""),
        "LabelTree.n_children": (TREE.n_children, {"level": 0}, ""),
        "LabelTree.parents": (TREE.parents, {"level": 0}, ""),
        "LabelTree.to_cluster_chain": (TREE.to_cluster_chain, {}, ""),
        "LabelTree.to_text": (TREE.to_text, {"label_names": NAMES}, ""),
        "rank": (rank_with(CLASSIFIER), {"X": X}, "X"),
        "score_pairs": (
            partial(skxmr.score_pairs, CLASSIFIER),
            {"X": X, "rows": [0], "labels": [1]},
            "X",
        ),
        "rank (neighbors)": (rank_with(NEIGHBORS_OF_SKLEARN), {"X": X}, "X"),
        "rank (pipeline)": (rank_with(PIPELINE), {"X": X}, "X"),
        "rank (scores)": (ranked_by_scores, {"given": X}, "predict_proba"),
        **of_completer(COMPLETER),
        **{
            f"{name}.{method}": (getattr(fitted, method), {argument: given}, "")
            for name, fitted in VECTORIZERS.items()
            for method, argument, given in (
                ("fit", "raw_documents", TEXTS),
                ("fit_transform", "raw_documents", TEXTS),
                ("transform", "raw_documents", TEXTS),
                ("transform_one", "text", "red"),
            )
        },
        **{
            f"{name}.get_feature_names_out": (fitted.get_feature_names_out, {}, "")
            for name, fitted in VECTORIZERS.items()
        },
        **{
            f"WordNgramTfidf.{method}": (
                getattr(VECTORIZERS["WordNgramTfidf"], method),
                {},
                "",
            )
            for method in (
                "build_analyzer",
                "build_preprocessor",
                "build_tokenizer",
                "get_stop_words",
            )
        },
        **{
            f"{name}.inverse_transform": (
                fitted.inverse_transform,
                {"X": fitted.transform(TEXTS)},
                "",
            )
            for name, fitted in VECTORIZERS.items()
        },
    },
    "skxmr.baselines": {**of_completer(POPULAR), **of_completer(BIGRAMS)},
    "skxmr.datasets": {
        "dump_xmc": (
            lambda X, Y: datasets.dump_xmc(X, Y, f"{FOLDER}/some.txt"),
            {"X": X, "Y": Y},
            "X Y",
        ),
    },
    "skxmr.inspection": of_beams(),
    "skxmr.interop": {},
    "skxmr.tree._label_vectors": {
        "pifa": (skxmr.tree._label_vectors.pifa, {"X": X, "Y": Y}, "X Y"),
        "canonical_label_vectors": (
            skxmr.tree._label_vectors.canonical_label_vectors,
            {"label_vectors": X},
            "label_vectors",
        ),
        "make_label_vectors": (
            lambda label_vectors: skxmr.tree._label_vectors.make_label_vectors(
                label_vectors, X, Y
            ),
            {"label_vectors": Y.T},
            "label_vectors",
        ),
    },
    "skxmr.metrics": of_metrics(),
    "skxmr.persistence": {},
    "skxmr.sharding": {
        "ShardedRanker.rank": (SHARDED.rank, {"X": X}, "X"),
        "ShardedRanker.score_pairs": (
            SHARDED.score_pairs,
            {"X": X, "rows": [0], "labels": [1]},
            "X",
        ),
        "ShardedRanker.subset": (SHARDED.subset, {"allowed": [1]}, ""),
        "TreeShard.describe": (SHARDS[0].describe, {}, ""),
        "TreeShard.restrict": (
            SHARDS[0].restrict,
            {"allowed": np.array([0]), "excluded": np.array([1])},
            "",
        ),
        "TreeShard.search": (SHARDS[0].search, {"X": ROWS}, ""),
        "TreeShard.expand": (
            SHARDS[0].expand,
            {
                "tree": 0,
                "level": 0,
                "X": ROWS,
                "nodes": np.zeros((1, 1), dtype=np.int64),
                "node_scores": np.zeros((1, 1)),
                "k": 2,
            },
            "",
        ),
        "merge": (sharding.merge, {"found": [FOUND]}, ""),
        "split": (sharding.split, {"classifier": CLASSIFIER, "n_shards": 2}, ""),
    },
    "skxmr.streaming": {
        "row_batches": (
            lambda X: list(streaming.row_batches(X, 2)),
            {"X": sparse.csr_array(X)},
            "X",
        ),
        "rank_batches": (
            lambda batch: list(streaming.rank_batches(CLASSIFIER, [batch])),
            {"batch": X},
            "batches",
        ),
        "rank_batches (all)": (
            lambda batches: list(streaming.rank_batches(CLASSIFIER, batches)),
            {"batches": [X]},
            "",
        ),
        "save_csr": (
            lambda batch: streaming.save_csr([batch], FOLDER),
            {"batch": sparse.csr_array(X)},
            "batches",
        ),
        "save_csr (all)": (
            lambda batches: streaming.save_csr(batches, FOLDER),
            {"batches": [sparse.csr_array(X)]},
            "",
        ),
        "save_rankings": (
            lambda rankings: streaming.save_rankings(rankings, FOLDER),
            {"rankings": [FOUND]},
            "",
        ),
    },
}

# These take names, paths or whole models, and draw or write them.
EXEMPT = {
    "LexicalRanker.compact",
    "QueryCompleter.compact",
    "SearchResults.by_text",
    "TextRetriever.compact",
    "TextRetriever.from_fitted",  # takes fitted estimators
    "XRLinearClassifier.compact",
    "XRLinearClassifier.set_training_state",
    "save_changes",
    "LabelSubset.check_owner",  # of internal use
    "LabelTree.plot",
    "check_arrays",
    "check_one_for_each",  # of internal use
    "load",
    "load_csr",
    "load_full",
    "load_pecos",
    "load_places",
    "load_subjects",
    "load_texts",
    "load_xmc",
    "save",
    "save_pecos",
    "save_texts",
    "vectors_in_order",  # of internal use: its result is checked by the next
}

# Of scikit-learn and about parameters only, or of tuples.
INHERITED = (
    "get_metadata_routing",
    "get_params",
    "set_params",
    "set_output",
    "count",
    "index",
)


def public_callables(module):
    """Name everything that can be called with an argument."""
    module = importlib.import_module(module)
    for name in module.__all__:
        public = getattr(module, name)
        if not inspect.isclass(public):
            if callable(public):
                yield name
            continue
        if issubclass(public, Warning):
            continue
        for method, _ in inspect.getmembers(public, callable):
            is_request = method.startswith("set_") and method.endswith("_request")
            if not (method.startswith("_") or is_request or method in INHERITED):
                yield f"{name}.{method}"


def try_all(name, call, arguments, matrices):
    call(**arguments)  # what is not corrupt is taken
    for argument in arguments:
        expected = argument if argument in matrices.split() else ""
        if argument in ("given", "matrix", "batch"):
            expected = matrices
        step = 1 if expected else 6  # of what is no matrix, some will do
        for corruption, matrix in islice(corrupt_matrices(), 0, None, step):
            print("call", name, argument, corruption, flush=True)
            wrong = what_is_wrong(call, arguments | {argument: matrix}, expected)
            if wrong:
                print("WRONG", name, argument, corruption, "|", wrong)


def what_is_wrong(call, arguments, expected):
    """Say how a call went wrong, which should refuse the argument of that name."""
    try:
        call(**arguments)
    except ValueError as error:
        if expected and not is_named(expected, str(error)):
            return str(error)
    except Exception as error:  # noqa: BLE001 - any will do of what is no matrix
        if expected:
            return repr(error)
    else:
        return "was taken"
    return ""


def is_named(expected, message):
    beginnings = " is a corrupt ", " is a sparse array of shape", " must "
    return any(expected + beginning in message for beginning in beginnings)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for calls in CALLS.values():
        for name, call in calls.items():
            try_all(name, *call)
    print("done")
