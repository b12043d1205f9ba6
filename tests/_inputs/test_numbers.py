"""Numbers of labels, nodes and rows: of any integer type and size; no booleans."""

import copy
import inspect
from functools import cache
from numbers import Integral

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

import skxmr
from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    NeighborRanker,
    QueryCompleter,
    RankFusion,
    Reranker,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
    baselines,
    metrics,
    sharding,
    streaming,
)
from skxmr._inputs._validation import Interval
from skxmr._matching._prefixes import draw_prefixes

N_LABELS = 12
DENSE_X, DENSE_Y = make_multilabel_classification(
    120, 10, n_classes=N_LABELS, allow_unlabeled=False, random_state=0
)
DENSE_X = normalize(DENSE_X)
X, Y = sparse.csr_array(DENSE_X), sparse.csr_array(DENSE_Y)
TEXTS = [
    f"{'red' if i % 2 else 'green'} {'abcde'[i % 5]}pple {i % 7}" for i in range(60)
]
NAMES = [f"name {i:02}" for i in range(N_LABELS)]
SMALL_TYPES = [np.int8, np.uint8, np.int16, np.uint64]


def make_classifier(**parameters):
    defaults = {"indexer": KMeansTree(2, 2), "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


def make_fusion(**parameters):
    members = [("linear", make_classifier()), ("nearest", NeighborRanker())]
    return RankFusion(members, **parameters)


def make_reranker(**parameters):
    return Reranker(
        make_classifier(), LogisticRegression(), cv=2, random_state=0, **parameters
    )


# Fitted when first used, not when the tests are collected.
FITTED = {
    "classifier": lambda: make_classifier().fit(X, Y),
    "forest": lambda: make_classifier(n_trees=2).fit(X, Y),
    "dense": lambda: make_classifier().fit(DENSE_X, DENSE_Y),
    "neighbors": lambda: NeighborRanker().fit(X, Y),
    "fusion": lambda: make_fusion().fit(X, Y),
    "reranker": lambda: make_reranker().fit(X, Y),
    "nearest": lambda: KNeighborsClassifier(3).fit(X, Y.toarray()),
    "shards": lambda: sharding.ShardedRanker(shards()),
    "retriever": lambda: TextRetriever(classifier=make_classifier()).fit(TEXTS, TEXTS),
    "completer": lambda: QueryCompleter(random_state=0).fit(TEXTS, TEXTS[::-1]),
    "popular": lambda: baselines.PopularCompleter().fit(None, TEXTS),
    "bigrams": lambda: baselines.BigramCompleter().fit(None, TEXTS),
}


@cache
def fitted(name):
    return FITTED[name]()


@cache
def shards():
    return sharding.split(fitted("classifier"), 2)


@cache
def ranking():
    return fitted("classifier").rank(X, N_LABELS)


ROW = X.indices[: X.indptr[1]].astype(np.int32), X.data[: X.indptr[1]].astype("f4")
ROWS = X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data.astype("f4")
RANKERS = (
    "classifier",
    "forest",
    "dense",
    "neighbors",
    "fusion",
    "reranker",
    "shards",
)


def one_row_at(name):
    return lambda k: fitted(name).rank_one(*ROW, k)


def completed(name):
    return lambda k: fitted(name).complete("", k=k)


LISTS = {
    "search": lambda k: fitted("retriever").search("red apple", k),
    "complete": completed("completer"),
    "complete after": lambda k: fitted("completer").complete("g", "red apple 1", k=k),
    "complete batch": lambda k: fitted("completer").complete_batch(["", "r"], k=k)[0],
    "popular": completed("popular"),
    "bigrams": completed("bigrams"),
}
ARRAYS = {
    **{name: lambda k, name=name: fitted(name).rank(X, k) for name in RANKERS},
    "search batch": lambda k: fitted("retriever").search_batch(TEXTS, k),
    "rank": lambda k: skxmr.rank(fitted("classifier"), X, k),
    "rank of scikit-learn": lambda k: skxmr.rank(fitted("nearest"), X, k),
    "batches": lambda k: next(streaming.rank_batches(fitted("classifier"), [X], k)),
    "one row": one_row_at("classifier"),
    "one row of a forest": one_row_at("forest"),
    "one dense row": lambda k: fitted("dense").rank_one(
        None, DENSE_X[0].astype("f4"), k
    ),
    "a shard": lambda k: shards()[0].search(ROWS, k),
    "merge": lambda k: sharding.merge([one.search(ROWS, 9) for one in shards()], k),
}
PROPENSITIES = np.full(N_LABELS, 0.5)
COUNTS = np.arange(N_LABELS)
TRUTHS, SUGGESTIONS = TEXTS, [TEXTS[i : i + 3] for i in range(len(TEXTS))]
METRICS = {
    **{
        name: lambda k, name=name: getattr(metrics, name)(Y, ranking(), k)
        for name in metrics.__all__
        if "k" in inspect.signature(getattr(metrics, name)).parameters
        and not name.endswith("_scorer")
        and "completion" not in name
        and "bleu" not in name
        and "propensity" not in name
        and name != "recall_by_frequency"
        and not name.endswith("Display")
    },
    "recall_by_frequency": lambda k: metrics.recall_by_frequency(
        Y, ranking(), COUNTS, k
    ),
    "RecallByFrequencyDisplay": lambda k: (
        metrics.RecallByFrequencyDisplay.from_predictions(
            Y, ranking(), counts=COUNTS, k=k
        ).recalls
    ),
    **{
        name: lambda k, name=name: getattr(metrics, name)(TRUTHS, SUGGESTIONS, k)
        for name in metrics.__all__
        if "k" in inspect.signature(getattr(metrics, name)).parameters
        and ("completion" in name or "bleu" in name)
    },
    **{
        name: lambda k, name=name: getattr(metrics, name)(k)(fitted("classifier"), X, Y)
        for name in metrics.__all__
        if name.endswith("_scorer") and "propensity" not in name
    },
    **{
        name: lambda k, name=name: getattr(metrics, name)(
            Y, ranking(), k, propensities=PROPENSITIES
        )
        for name in metrics.__all__
        if name.startswith("propensity_scored") and name.endswith("_at_k")
    },
    **{
        name: lambda k, name=name: getattr(metrics, name)(k, propensities=PROPENSITIES)(
            fitted("classifier"), X, Y
        )
        for name in metrics.__all__
        if name.startswith("propensity_scored") and name.endswith("_scorer")
    },
}
CALLS = LISTS | ARRAYS | METRICS


def assert_same(one, other):
    if isinstance(one, tuple) and isinstance(one[0], np.ndarray):
        for ours, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_k_is_an_integer_of_any_type_and_no_boolean(call):
    expected = call(3)
    for integer in SMALL_TYPES:
        assert_same(call(integer(3)), expected)
    for wrong in (True, np.True_, 1.5, "3"):
        with pytest.raises(ValueError, match=r"'k' parameter of .* must be an int"):
            call(wrong)
    for wrong in (-1, np.int8(-1), -(2**70)):
        with pytest.raises(ValueError, match=r"'k' parameter of .* in the range"):
            call(wrong)


def test_every_metric_of_k_is_here():
    taking_k = {
        name
        for name in metrics.__all__
        if "k" in inspect.signature(getattr(metrics, name)).parameters
    }
    # Its k may be a list: tests/metrics/test_displays.py.
    assert set(METRICS) == taking_k - {"MetricAtKDisplay"}


@pytest.mark.parametrize("call", LISTS.values(), ids=LISTS)
def test_lists_are_no_longer_than_there_are_labels(call):
    everything = call(10_000)
    assert len(everything) <= len(set(TEXTS))
    for k in (10**9, 2**31, 2**63, 10**30):
        assert call(k) == everything


@pytest.mark.parametrize("call", ARRAYS.values(), ids=ARRAYS)
def test_arrays_beyond_the_labels_are_padded(call):
    all_columns, all_scores = call(N_LABELS + 50)
    columns, scores = call(1000)
    width = all_columns.shape[-1]
    assert columns.shape[-1] == scores.shape[-1] == 1000
    np.testing.assert_array_equal(columns[..., :width], all_columns)
    np.testing.assert_array_equal(scores[..., :width], all_scores)
    assert (columns[..., width:] == -1).all()
    assert len(np.unique(scores[..., width:])) == 1


@pytest.mark.parametrize("call", ARRAYS.values(), ids=ARRAYS)
def test_arrays_that_would_be_padding_only_are_refused(call):
    for k in (10**9, 2**31, 2**63, 10**30):
        with pytest.raises(ValueError, match=rf"k={k} is far more than the \d+ labels"):
            call(k)


def test_more_than_there_is_memory_is_refused(monkeypatch):
    monkeypatch.setattr("skxmr._utils._foresight.memory_limits", lambda: (10**8, 10**8))
    many = sparse.csr_array((2**20, X.shape[1]), dtype=np.float32)
    with pytest.raises(MemoryError, match="A ranking of 1048576 rows with k=12 needs"):
        fitted("classifier").rank(many, N_LABELS)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_of_more_labels_than_there_are(name):
    call = METRICS[name]
    if name.endswith("_scorer"):  # the arrays that it ranks into would be as wide
        with pytest.raises(ValueError, match=f"k={10**30} is far more than the 12 lab"):
            call(10**30)
        assert call(1000) >= 0
    elif name == "precision_at_k":
        assert call(10**30) == pytest.approx(call(N_LABELS) * N_LABELS / 10**30)
    else:
        assert_same(call(10**30), call(N_LABELS))


# Parameters of estimators


def pool_answers(estimator):
    return estimator.fit(X, Y).rank(X, N_LABELS)


def matched(**parameters):
    return make_classifier(matcher=KNeighborsClassifier(3), **parameters)


def completed_after_fit(estimator):
    estimator.fit(TEXTS, TEXTS[::-1])
    return estimator.complete("", "red apple 1", k=20)


def tree_of(estimator):
    return estimator.fit(X, label_names=TEXTS * 2).tree_


def features(estimator):
    return estimator.fit_transform(TEXTS).toarray()


# Of each parameter, a number that fits in an int8; where the largest that is taken
# does the same as that, it is tried too.
ESTIMATORS = {
    "XRLinearClassifier": (
        make_classifier,
        pool_answers,
        {
            "max_iter": 100,
            "negative_beam_width": 100,
            "beam_width": 100,
            "max_candidates": 100,
            "n_trees": 2,
        },
    ),
    "XRLinearClassifier with a matcher": (
        matched,
        pool_answers,
        {"matcher_level": 127},
    ),
    "XRLinearClassifier with negatives": (
        lambda **given: make_classifier(negative_sampling="matcher", **given),
        pool_answers,
        {"negative_beam_width": 100},
    ),
    "KMeansTree": (
        lambda **given: KMeansTree(random_state=0, **given),
        tree_of,
        {"branching_factor": 100, "max_leaf_size": 125, "max_iter": 50},
    ),
    "TrieTreeHybrid": (
        lambda **given: TrieTreeHybrid(random_state=0, **given),
        tree_of,
        {
            "trie_depth": 100,
            "branching_factor": 100,
            "max_leaf_size": 100,
            "max_iter": 50,
        },
    ),
    "NeighborRanker": (NeighborRanker, pool_answers, {"n_neighbors": 127}),
    "RankFusion": (make_fusion, pool_answers, {"n_candidates": 100}),
    "Reranker": (make_reranker, pool_answers, {"n_candidates": 100}),
    "QueryCompleter": (
        lambda **given: QueryCompleter(random_state=0, **given),
        completed_after_fit,
        {"prefixes_per_query": 120, "n_neighbors": 100, "max_transitions": 100},
    ),
    "WordNgramTfidf": (
        WordNgramTfidf,
        features,
        {"max_features": 100, "min_df": 2, "max_df": 60},
    ),
}
CASES = [
    (name, parameter, value)
    for name, (_, _, parameters) in ESTIMATORS.items()
    for parameter, value in parameters.items()
]
# More of these do something else, or go on for ever.
NO_LARGEST = ("n_trees", "min_df", "max_iter", "trie_depth")


def test_every_number_is_here():
    tried = {(name.split()[0], parameter) for name, parameter, _ in CASES}
    for name in {name.split()[0] for name in ESTIMATORS}:
        constraints = getattr(skxmr, name)._parameter_constraints
        numbers = {
            parameter
            for parameter, allowed in constraints.items()
            if any(
                isinstance(one, Interval) and one.type is Integral for one in allowed
            )
        }
        assert numbers == {parameter for one, parameter in tried if one == name}


@pytest.mark.parametrize(("name", "parameter", "value"), CASES)
def test_parameters_of_any_integer_type_and_size(name, parameter, value):
    make, answer, _ = ESTIMATORS[name]
    expected = answer(make(**{parameter: value}))
    for integer in SMALL_TYPES:
        assert_same(answer(make(**{parameter: integer(value)})), expected)
    if parameter not in NO_LARGEST:
        for size in (2**31, 2**40, 2**64, 10**30):
            assert_same(answer(make(**{parameter: size})), expected)
    for wrong in (True, np.True_):
        with pytest.raises(ValueError, match=f"The '{parameter}' parameter of"):
            answer(make(**{parameter: wrong}))


def test_booleans_are_no_numbers_at_prediction():
    for parameter in ("beam_width", "max_candidates", "decision_threshold"):
        changed = copy.copy(fitted("classifier")).set_params(**{parameter: True})
        with pytest.raises(ValueError, match=f"The '{parameter}' parameter of"):
            changed.rank(X)


def test_other_numbers():
    for wrong in (True, 0, 1.5):
        with pytest.raises(ValueError, match=r"n_rows=.* must be a positive integer"):
            streaming.row_batches(X, wrong)
        with pytest.raises(ValueError, match=r"n_shards=.* must be a positive integer"):
            sharding.split(fitted("classifier"), wrong)
        with pytest.raises(ValueError, match="bins"):
            metrics.reliability_curve(Y, ranking(), bins=wrong)
    batches = list(streaming.row_batches(X, np.int8(100)))
    assert [batch.shape[0] for batch in batches] == [100, 20]
    assert len(list(streaming.row_batches(X, 10**30))) == 1
    assert len(sharding.split(fitted("classifier"), np.int8(2))) == 2
    assert_same(
        metrics.reliability_curve(Y, ranking(), bins=np.int8(127)),
        metrics.reliability_curve(Y, ranking(), bins=127),
    )
    for wrong in (True, -1, 1, 0.0, "0"):
        with pytest.raises(ValueError, match=r"tree=.* expected a number from 0 to 0"):
            fitted("retriever").explain(
                "red apple", fitted("retriever").classes_[0], tree=wrong
            )
    tree = fitted("classifier").trees_[0]
    for wrong in (True, 1.5, "2"):
        for name in ("max_depth", "max_children"):
            with pytest.raises(TypeError, match=f"{name}=.* must be an integer"):
                tree.to_text(**{name: wrong})
        with pytest.raises((TypeError, ValueError)):
            tree.n_children(wrong)
        with pytest.raises(ValueError, match="ngram_range must be"):
            WordNgramTfidf(ngram_range=(1, wrong)).fit(TEXTS)
    for integer in SMALL_TYPES:
        given = WordNgramTfidf(ngram_range=(integer(1), integer(127))).fit(TEXTS)
        expected = WordNgramTfidf(ngram_range=(1, 127)).fit(TEXTS)
        assert given.vocabulary_ == expected.vocabulary_
        given = CharNgramTfidf(ngram_range=(integer(3), integer(127))).fit(TEXTS)
        expected = CharNgramTfidf(ngram_range=(3, 127)).fit(TEXTS)
        assert given.vocabulary_ == expected.vocabulary_
    assert tree.to_text(max_children=np.int8(127)) == tree.to_text(max_children=127)


def test_so_many_draws_that_all_prefixes_are_drawn():
    for longest in (1, 2, 7, 30):
        lengths = np.arange(1, longest + 1)
        expected = draw_prefixes(lengths, "all", None)
        for n_drawn in (10**6, 10**30):
            found = draw_prefixes(lengths, n_drawn, np.random.RandomState(0))
            assert_same(found, expected)
