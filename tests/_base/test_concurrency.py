"""Estimators that are fitted, updated and asked by many threads at once.

A reader gets the answer of one model, never of a mixture; a writer loses nothing that
another has written. Threads take turns far more often than they do by themselves.
"""

import copy
import itertools
import os
import pickle
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from twins import random_sparse

import skxmr
from skxmr import (
    CandidateFeatures,
    CharNgramTfidf,
    KMeansTree,
    LabelThresholdCV,
    LexicalRanker,
    NeighborRanker,
    PrefixWeightedCharTfidf,
    QueryCompleter,
    RankFusion,
    Reranker,
    SparseCalibrator,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
    baselines,
)
from skxmr._base._state import merges
from skxmr.metrics import precision_at_k_scorer
from skxmr.persistence import check_arrays
from skxmr.rankers._candidates import Candidates
from skxmr.sharding import ShardedRanker, split
from skxmr.streaming import rank_batches, row_batches

N_READERS = 8
N_FITS = 20
TIMEOUT = 120


@pytest.fixture(autouse=True)
def restless():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_together(*functions):
    """Call functions at the same time, and raise what they raise."""
    errors = []
    barrier = threading.Barrier(len(functions))

    def run(function):
        try:
            barrier.wait(TIMEOUT)
            function()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


# Two sets of data for each estimator. They differ in all that a mixture could confuse:
# numbers of rows, features and labels, and the names of labels.

RNG = np.random.default_rng(0)
X = random_sparse(RNG, (30, 9), density=0.5), random_sparse(RNG, (40, 14), density=0.4)
Y = tuple(
    sparse.csr_array((np.ones(n), (np.arange(n), np.arange(n) % n_labels)))
    for n, n_labels in ((30, 5), (40, 8))
)
CLASSES = (
    np.array([f"few {i % 5}" for i in range(30)]),
    np.array([f"many {i % 8}" for i in range(40)]),
)
TEXTS = (
    [f"red{i % 5} apple{i % 3} of {i}" for i in range(30)],
    [f"blue{i % 8} pear{i % 7} apple{i % 4}" for i in range(40)],
)
NAMES = [f"first {i}" for i in range(5)], [f"second {i}" for i in range(8)]
# Of other numbers of fields.
FIELDS = list(zip(NAMES[0], NAMES[0][::-1], strict=True)), NAMES[1]
LINEAR = XRLinearClassifier(KMeansTree(2, 2), C=0.1, random_state=0)


def lists(answer):
    """Make an answer comparable."""
    if sparse.issparse(answer):
        return answer.shape, answer.toarray().tolist()
    if isinstance(answer, np.ndarray):
        return answer.tolist()
    if isinstance(answer, (list, tuple)):
        return [lists(one) for one in answer]
    return answer


class Case:
    """An estimator, how it is fitted to either set of data, and what it is asked."""

    def __init__(self, estimator, fit, *asks):
        self.estimator = estimator
        self.fit = fit
        self.asks = asks


def on_matrices(estimator, *asks):
    return Case(estimator, lambda one, i: one.fit(X[i], Y[i]), *asks)


def on_texts(estimator, *asks):
    return Case(estimator, lambda one, i: one.fit(TEXTS[i], CLASSES[i]), *asks)


def of_matrices(method, **options):
    """Ask about rows that one of the two models refuses: they have other features."""

    def ask(estimator):
        try:
            return lists(getattr(estimator, method)(X[0][:4], **options))
        except ValueError as error:
            return str(error)

    return ask


def explained(estimator):
    try:
        return str(estimator.explain(X[0][:1], 3))
    except ValueError as error:
        return str(error)


def at_once(*names):
    """Read several attributes of one moment."""
    return lambda estimator: [
        lists(getattr(one, name)) for one in [copy.copy(estimator)] for name in names
    ]


def of_texts(method, *arguments):
    questions = [*TEXTS[0][:2], *TEXTS[1][:2]]
    return lambda estimator: lists(getattr(estimator, method)(questions, *arguments))


def fit_completer(completer, i):
    return completer.fit(TEXTS[i][::-1], TEXTS[i])


PAIRS = Candidates.of_ranking(np.array([[1, 0], [2, 3]]), np.full((2, 2), 0.5))
RANKERS = [
    of_matrices("predict"),
    of_matrices("predict_proba"),
    of_matrices("rank", k=4),
]
OF_COMPLETERS = [
    lambda one: one.complete("r", TEXTS[0][3]),
    lambda one: one.complete("", [TEXTS[1][3]], k=60),
    lambda one: one.complete_batch(["", "b"], [TEXTS[0][0], TEXTS[1][0]]),
    lambda one: one.score(TEXTS[0][:5], TEXTS[0][5:10]),
]
OF_VECTORIZERS = [
    of_texts("transform"),
    lambda one: lists(one.transform_one(TEXTS[0][0])),
    lambda one: lists(one.get_feature_names_out()),
]
CASES = {
    "classifier": on_matrices(
        LINEAR,
        *RANKERS,
        of_matrices("decision_function"),
        at_once("n_weights_", "nbytes_", "n_features_in_", "classes_"),
        lambda one: one.prune(0.3).n_weights_,
        lambda one: lists(
            one.rank_one(np.arange(9, dtype=np.int32), np.ones(9, np.float32), 9)
        ),
    ),
    "ensemble": on_matrices(clone(LINEAR).set_params(n_trees=2), *RANKERS),
    "classes": Case(
        LINEAR, lambda one, i: one.fit(X[i], CLASSES[i]), of_matrices("predict")
    ),
    "stages": on_matrices(
        clone(LINEAR).set_params(
            matcher=NeighborRanker(3), ranker=LogisticRegression()
        ),
        *RANKERS,
    ),
    "neighbors": on_matrices(NeighborRanker(3), *RANKERS),
    "lexical": Case(
        LexicalRanker(["word", "char"], prefix=True, correct_spelling=True),
        lambda one, i: one.fit(TEXTS[i], CLASSES[i], label_texts=FIELDS[i]),
        lambda one: lists(one.rank_one("red1 aple2 blue3 p", 8)),
        lambda one: lists(one.rank_one("second first", 8)),
        of_texts("predict"),
        of_texts("predict_proba"),
        of_texts("decision_function"),
        of_texts("rank", 8),
    ),
    "words of labels": on_texts(
        LexicalRanker(),
        lambda one: lists(one.rank_one("red1 apple2 blue3", 8)),
        lambda one: lists(
            one.rank_one("apple1", 8, excluded=["few 1", "many 1"], unknown="ignore")
        ),
        lambda one: lists(one.did_you_mean("red1 aple2 blu3")),
        at_once("classes_"),
    ),
    "fusion": on_matrices(
        RankFusion([("linear", LINEAR), ("near", NeighborRanker())]),
        *RANKERS,
        lambda one: lists(one.rank_one(X[0][:1].indices, X[0][:1].data, 8)),
        explained,
        at_once("fusion_weights_", "classes_"),
    ),
    "reranker": on_matrices(
        Reranker(LINEAR, LogisticRegression(), n_candidates=3, cv=2, random_state=0),
        *RANKERS,
    ),
    "calibrator": on_matrices(
        SparseCalibrator(LINEAR, cv=2, random_state=0),
        *RANKERS,
    ),
    "thresholds": on_matrices(
        LabelThresholdCV(LINEAR, thresholds="per_label", cv=2, random_state=0),
        *RANKERS,
        at_once("best_threshold_", "classes_"),
    ),
    "candidates": Case(
        CandidateFeatures(),
        lambda one, i: one.fit(X[0], Y[0] if i == 0 else Y[1][:30]),
        lambda one: lists(one.transform(X[0][:2], PAIRS)),
    ),
    "retriever": Case(
        TextRetriever(classifier=LINEAR),
        lambda one, i: one.fit(TEXTS[i], Y[i], label_texts=NAMES[i]),
        lambda one: one.search("red1 apple2 blue3", 8),
        lambda one: one.search("apple1", 8, allowed=[0, 2, 4]),
        lambda one: str(one.explain("red1 apple2 blue3", 3)),
        of_texts("search_batch", 8),
        of_texts("predict_proba"),
    ),
    "retriever of classes": on_texts(
        TextRetriever(classifier=LINEAR),
        lambda one: one.search("red1 apple2 blue3", 8),
        of_texts("predict"),
    ),
    "retriever by fusion": on_texts(
        TextRetriever(
            WordNgramTfidf(),
            RankFusion([("linear", LINEAR), ("near", NeighborRanker())]),
        ),
        lambda one: one.search("red1 apple2 blue3", 8),
    ),
    "k-means": on_matrices(
        KMeansTree(2, 2, random_state=0), lambda one: one.tree_.to_text()
    ),
    "hybrid": Case(
        TrieTreeHybrid(1, 3, 2, random_state=0),
        lambda one, i: one.fit(label_names=TEXTS[i]),
        lambda one: one.tree_.to_text(),
    ),
    "words": on_texts(WordNgramTfidf(), *OF_VECTORIZERS),
    "characters": on_texts(CharNgramTfidf(), *OF_VECTORIZERS),
    "prefixes": on_texts(PrefixWeightedCharTfidf(), *OF_VECTORIZERS),
    "completer": Case(
        QueryCompleter(random_state=0, prefixes_per_query=1),
        fit_completer,
        *OF_COMPLETERS,
    ),
    "fuzzy": Case(
        QueryCompleter(match="fuzzy", classifier_weight=0),
        fit_completer,
        *OF_COMPLETERS,
    ),
    "popular": Case(baselines.PopularCompleter(), fit_completer, *OF_COMPLETERS),
    "bigram": Case(baselines.BigramCompleter(), fit_completer, *OF_COMPLETERS),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_no_estimator_is_forgotten():
    public = {getattr(skxmr, name) for name in skxmr.__all__}
    public |= {getattr(baselines, name) for name in baselines.__all__}
    estimators = {
        one for one in public if isinstance(one, type) and hasattr(one, "fit")
    }
    assert {type(case.estimator) for case in CASES.values()} == estimators


@cases
def test_readers_beside_a_fit_get_the_answer_of_one_model(case):
    both = [case.fit(clone(case.estimator), i) for i in (0, 1)]
    right = [[ask(one) for one in both] for ask in case.asks]
    assert all(first != second for first, second in right)
    shared = case.fit(clone(case.estimator), 0)
    done = threading.Event()

    def write():
        # States that are made already, as often as they can be: a fit takes longer.
        until = time.monotonic() + 1
        for i in itertools.cycle((1, 0)):
            shared.__setstate__(both[i].__getstate__())
            if time.monotonic() > until:
                break
        for i in (1, 0):
            case.fit(shared, i)
        done.set()

    def read(position):
        number = position % len(case.asks)
        while not done.is_set():
            assert case.asks[number](shared) in right[number]

    run_together(write, *(lambda i=i: read(i) for i in range(N_READERS)))
    assert [ask(shared) for ask in case.asks] == [first for first, _ in right]


# Which methods read, and which write
# -----------------------------------

# These answer in microseconds: they take the state once by themselves.
FAST = {"search", "rank_one", "transform_one"}
WRITERS = {
    "fit",
    "fit_transform",
    "update",
    "partial_fit",
    "add_labels",
    "remove_labels",
    "add",
    "remove",
    "compact",
    "set_training_state",
}
# Of parameters and of other estimators, not of what was learned.
OTHER = {
    "from_fitted",
    "get_params",
    "set_params",
    "set_output",
    "get_metadata_routing",
    "set_fit_request",
    "set_transform_request",
    "set_score_request",
    "set_predict_request",
    "build_analyzer",
    "build_preprocessor",
    "build_tokenizer",
    "get_stop_words",
}


def public_methods(kind):
    for name in dir(kind):
        method = getattr(kind, name)
        if not name.startswith("_") and callable(method) and name not in OTHER:
            yield name, method


@pytest.mark.parametrize(
    "kind", dict.fromkeys(type(case.estimator) for case in CASES.values())
)
def test_each_method_takes_one_state_or_the_lock(kind):
    for name, method in public_methods(kind):
        if not getattr(method, "__module__", "").startswith("skxmr."):
            continue  # scikit-learn's, which call ours once
        reads, writes = (hasattr(method, mark) for mark in ("__reads__", "__writes__"))
        assert reads + writes + (name in FAST) == 1, name
        assert writes == (name in WRITERS)


# Writers
# -------


def test_updates_from_many_threads_are_all_counted():
    completer = QueryCompleter(classifier_weight=0).fit(["tea"], ["toast"])

    def update():
        for _ in range(25):
            completer.update(["tea"], ["toast"])

    run_together(*[update] * 4)
    assert completer.counts_.tolist() == [101]
    followed = completer.compact().transitions_.counts.to_csr()
    assert followed.sum() == pytest.approx(101)


@pytest.mark.parametrize("run", range(N_FITS))
def test_a_fit_beside_updates_is_whole(run, tmp_path):
    completer = QueryCompleter(classifier_weight=0)
    fit_completer(completer, run % 2)
    alone = [fit_completer(clone(completer), i) for i in (0, 1)]

    def fit():
        for i in (0, 1, run % 2):
            fit_completer(completer, i)

    def update():
        for i in (0, 1, 0, 1):
            completer.update(TEXTS[i][:9], TEXTS[i][3:12])

    run_together(fit, update, update)
    # What was updated after the last fit is there, and nothing of before it.
    counts = dict(zip(completer.queries_, completer.counts_, strict=True))
    fitted = alone[run % 2]
    for query, count in zip(fitted.queries_, fitted.counts_, strict=True):
        assert 0 <= counts.pop(query) - count <= 4 * 2
    updated = {*TEXTS[0][3:12], *TEXTS[1][3:12]}
    assert counts.keys() <= {query.lower() for query in updated}
    assert all(1 <= count <= 4 * 2 for count in counts.values())
    check_arrays(completer)
    joblib.dump(completer, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    assert loaded.complete("", "", 99) == completer.complete("", "", 99)


@cases
def test_of_two_fits_one_wins_wholly(case):
    right = [
        [ask(case.fit(clone(case.estimator), i)) for ask in case.asks] for i in (0, 1)
    ]
    shared = clone(case.estimator)
    run_together(*(lambda i=i: case.fit(shared, i) for i in (0, 1)))
    assert [ask(shared) for ask in case.asks] in right


class Pausing(WordNgramTfidf):
    """Waits in its fit until somebody has looked."""

    begun = threading.Event()
    go_on = threading.Event()

    def fit_transform(self, raw_documents, y=None):
        self.begun.set()
        assert self.go_on.wait(TIMEOUT)
        return super().fit_transform(raw_documents, y)


@pytest.fixture
def fitting():
    """Give a retriever whose lock another thread holds, in the middle of a fit."""
    retriever = TextRetriever(WordNgramTfidf(), LINEAR)
    retriever.fit(TEXTS[0], CLASSES[0])
    retriever.vectorizer = Pausing()
    Pausing.begun.clear()
    Pausing.go_on.clear()
    thread = threading.Thread(target=retriever.fit, args=(TEXTS[1], CLASSES[1]))
    thread.start()
    assert Pausing.begun.wait(TIMEOUT)
    yield retriever
    Pausing.go_on.set()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def twice(text):
    return text.search("red1 apple2", 8)


WAYS = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_is_being_fitted_answers_and_is_copied(way, fitting):
    before = fitting.search("red1 apple2", 8)
    assert {name[:3] for _, name, _ in before} == {"few"}
    copied = way(fitting)
    assert copied.search("red1 apple2", 8) == before
    copied.set_params(vectorizer=WordNgramTfidf())
    # Nobody waits for the lock of the original.
    copied.fit(TEXTS[1], CLASSES[1])
    assert copied.search("blue3", 1) != fitting.search("blue3", 1)


def test_what_is_being_fitted_is_cloned_and_sent_to_processes(fitting):
    assert not hasattr(clone(fitting), "classes_")
    assert "_locks" not in fitting.__getstate__()
    parallel = joblib.Parallel(n_jobs=1, backend="loky")
    (found,) = parallel([joblib.delayed(twice)(fitting)])
    assert found == fitting.search("red1 apple2", 8)


def test_parameters_set_during_a_fit_stay(fitting):
    fitting.set_params(label_text_weight=3.0, vectorizer=WordNgramTfidf(min_df=2))
    fitting.more = 1
    Pausing.go_on.set()
    while not str(fitting.classes_[0]).startswith("many"):
        time.sleep(0.01)
    assert fitting.label_text_weight == 3
    assert fitting.vectorizer.min_df == 2
    assert fitting.more == 1
    # The fit had begun with the earlier ones.
    assert isinstance(fitting.vectorizer_, Pausing)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_during_a_fit_can_fit(fitting):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sys.setswitchinterval(0.005)
            fitting.set_params(vectorizer=WordNgramTfidf())
            fitting.fit(TEXTS[1], CLASSES[1])
            status = 0
        finally:
            os._exit(status)
    until = time.monotonic() + TIMEOUT
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > until:
            os.kill(child, 9)
        time.sleep(0.05)
    assert status == 0


def test_a_fit_that_fails_lets_others_fit():
    retriever = TextRetriever(WordNgramTfidf(), LINEAR)
    with pytest.raises(ValueError, match="texts"):
        retriever.fit("text", ["a"])
    run_together(lambda: retriever.fit(TEXTS[0], CLASSES[0]))
    assert retriever.classes_[0] == "few 0"


def test_a_subset_of_before_is_refused_after_another_fit():
    retriever = TextRetriever(WordNgramTfidf(), LINEAR).fit(TEXTS[0], CLASSES[0])
    subset = retriever.subset(["few 1"])
    retriever.fit(TEXTS[0], CLASSES[0])
    with pytest.raises(ValueError, match="fitted again"):
        retriever.search("red1", allowed=subset)


def test_a_copy_shares_what_was_learned_and_no_more():
    first = TextRetriever(WordNgramTfidf(), LINEAR).fit(TEXTS[0], CLASSES[0])
    copied = copy.copy(first)
    assert copied.classifier_ is first.classifier_
    copied.fit(TEXTS[1], CLASSES[1])
    assert first.classes_[0] == "few 0"
    assert copied.classes_[0] == "many 0"


def test_what_was_learned_cannot_be_set():
    classifier = clone(LINEAR).fit(X[0], Y[0])
    with pytest.raises(AttributeError, match="classes_"):
        classifier.classes_ = np.arange(3)


def test_shards_that_are_replaced_rank_as_their_whole():
    both = [clone(LINEAR).fit(X[0], one) for one in (Y[0], Y[1][:30])]
    shards = [split(one, 2) for one in both]
    right = [lists(one.rank(X[0], 3)) for one in both]
    ranker = ShardedRanker(shards[0])
    done = threading.Event()

    def write():
        for i in itertools.islice(itertools.cycle((1, 0)), 100):
            ranker.set_params(shards=shards[i])
        done.set()

    def read():
        while not done.is_set():
            assert lists(ranker.rank(X[0], 3)) in right

    run_together(write, *[read] * 3)
    assert lists(ranker.rank(X[0], 3)) == right[0]
    assert clone(ranker).n_labels_ == 5
    with pytest.raises(ValueError, match="in order"):
        ranker.set_params(shards=shards[1][::-1])
    assert lists(ranker.rank(X[0], 3)) == right[0]


def test_models_saved_before_there_were_states_are_refused():
    classifier = clone(LINEAR).fit(X[0], Y[0])
    state = classifier.get_params(deep=False) | {"classes_": classifier.classes_}
    with pytest.raises(ValueError, match="fit it again"):
        clone(LINEAR).__setstate__(state)


def test_batches_are_ranked_by_the_model_that_was_given():
    for model in (clone(LINEAR), make_pipeline(clone(LINEAR))):
        model.fit(X[0], Y[0])
        right = lists(skxmr.rank(model, X[0], 3)[0])
        batches = rank_batches(model, row_batches(X[0], 10), 3)
        found = lists(next(batches)[0])
        model.fit(X[0], Y[1][:30])
        for columns, _ in batches:
            found += lists(columns)
        assert found == right


def test_a_scorer_compares_with_the_classes_of_the_model_that_ranks():
    few, many = (clone(LINEAR).fit(X[0], classes[:30]) for classes in CLASSES)
    scorer = precision_at_k_scorer(1)
    right = [scorer(one, X[0], CLASSES[0]) for one in (few, many)]
    assert right[0] > right[1] == 0
    shared = copy.copy(few)
    done = threading.Event()

    def write():
        for one in itertools.islice(itertools.cycle((many, few)), 200):
            shared.__setstate__(one.__getstate__())
            time.sleep(0)
        done.set()

    def read():
        while not done.is_set():
            assert scorer(shared, X[0], CLASSES[0]) in right

    run_together(write, *[read] * 3)


def test_a_reranker_reads_a_ranker_of_somebody_else_once():
    ranker = clone(LINEAR).fit(X[0], CLASSES[0])
    other = clone(LINEAR).fit(X[0], CLASSES[1][:30])
    model = Reranker(ranker, LogisticRegression(), cv="prefit", n_candidates=3)
    model.fit(X[0], CLASSES[0])
    assert model.ranker_ is ranker
    first = copy.copy(ranker)
    right = []
    for one in (other, first):
        ranker.__setstate__(one.__getstate__())
        right.append(lists(model.rank(X[0], 3)))
    assert right[0] != right[1]
    done = threading.Event()

    def write():
        for one in itertools.islice(itertools.cycle((other, first)), 200):
            ranker.__setstate__(one.__getstate__())
            time.sleep(0)
        done.set()

    def read():
        while not done.is_set():
            assert lists(model.rank(X[0], 3)) in right

    run_together(write, *[read] * 3)


# Mergers
# -------

MERGED = ["retriever", "lexical", "classifier"]


def living(kind):
    names = ["green tea", "black tea", "rye bread", "red wine"]
    if kind == "classifier":
        return XRLinearClassifier(random_state=0).fit(
            np.eye(12, dtype=np.float32), np.eye(12, dtype=np.int8)
        )
    nothing = np.zeros((0, 4))
    if kind == "lexical":
        return LexicalRanker().fit([], nothing, label_texts=names)
    return TextRetriever(random_state=0).fit([], nothing, label_texts=names)


def additions(kind, n=2):
    if kind == "classifier":
        return np.random.default_rng(0).random((n, 12), dtype=np.float32)
    return ["oolong infusion", "kefir"][:n]


def results(model):
    if isinstance(model, XRLinearClassifier):
        return model.rank(np.eye(12, dtype=np.float32), 5)
    return model.rank(["oolong", "green tea", "kefir bread"], 5)


def merge_while(model, change, monkeypatch):
    """Compact a model; call `change` when the merged state is made, not yet used."""
    kind = type(model)
    made = kind.compact.__wrapped__

    def making(snapshot):
        made(snapshot)
        thread = threading.Thread(target=change)
        thread.start()
        thread.join(60)  # with the writers' lock, it would wait for the end
        assert not thread.is_alive()

    monkeypatch.setattr(kind, "compact", merges(making))
    model.compact()
    monkeypatch.undo()


@pytest.mark.parametrize("kind", MERGED)
def test_what_changes_during_a_compaction_is_kept(kind, monkeypatch):
    model, expected = living(kind), living(kind)
    for one in (model, expected):
        one.add_labels(additions(kind))
    before = model._state

    def change(one=model):
        n_labels = len(one.classes_)
        one.remove_labels([n_labels - 1])
        one.add_labels(additions(kind, 1))
        rows = additions(kind, 1)
        one.partial_fit(rows, np.eye(1, n_labels + 2, 1, dtype=np.int8))
        assert one._state is not before

    merge_while(model, change, monkeypatch)
    change(expected)
    assert model.classes_.tolist() == expected.classes_.tolist()
    for found, wanted in zip(results(model), results(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)
    # Nothing is recorded any more, and further changes are kept.
    for one in (model, expected):
        one.add_labels(additions(kind, 1))
        one.compact()
    for found, wanted in zip(results(model), results(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", MERGED)
def test_a_fit_during_a_compaction_remains(kind, monkeypatch):
    model = living(kind)
    model.add_labels(additions(kind))

    def refit():
        if kind == "classifier":
            model.fit(np.eye(12, dtype=np.float32), np.eye(12, dtype=np.int8))
        else:
            model.fit([], np.zeros((0, 2)), label_texts=["new", "old"])
        model.add_labels(additions(kind, 1))

    merge_while(model, refit, monkeypatch)
    assert len(model.classes_) == (13 if kind == "classifier" else 3)


def test_an_error_while_merging_changes_nothing(monkeypatch):
    model = living("lexical")
    model.add_labels(["oolong"])
    state = model._state

    def making(snapshot):
        raise ValueError("no")

    monkeypatch.setattr(LexicalRanker, "compact", merges(making))
    with pytest.raises(ValueError, match="no"):
        model.compact()
    monkeypatch.undo()
    assert model._state is state
    assert model.compact().add_labels(["kefir"]).tolist() == [5]


def test_writers_and_readers_go_on_while_a_thread_compacts():
    model = living("retriever")
    stop = threading.Event()

    def compact():
        while not stop.is_set():
            model.compact()

    thread = threading.Thread(target=compact)
    thread.start()
    try:
        for number in range(30):
            (column,) = model.add_labels([f"label{number} kefir"]).tolist()
            assert model.search(f"label{number}", k=1)[0][0] == column
    finally:
        stop.set()
        thread.join()
    assert len(model.classes_) == 34
