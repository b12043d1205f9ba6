"""Labels that come and go in a fitted retriever."""

import copy
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from encoders import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

import skxmr
from skxmr import (
    KMeansTree,
    LabelTexts,
    NeighborRanker,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.datasets import load_subjects
from skxmr.persistence import load, save, save_changes

KINDS = ["red", "green", "black", "smoked", "sweet", "dry", "light", "strong"]
THINGS = ["tea", "bread", "coffee", "fish", "wine", "cheese"]
NAMES = [f"{kind} {thing}" for kind in KINDS for thing in THINGS]
QUERIES = [f"{thing} {kind}" for kind in KINDS for thing in THINGS]
Y = sparse.csr_array(np.eye(len(NAMES), dtype=np.int8))
ADDED = ["oolong infusion", "red kefir", "sourdough bread"]


def fitted(**parameters):
    return TextRetriever(random_state=0, **parameters).fit(
        QUERIES, Y, label_texts=NAMES
    )


@pytest.fixture(scope="module")
def shared():
    return fitted()


@pytest.fixture
def retriever(shared):
    return copy.copy(shared)


@pytest.fixture
def of_classes():
    retriever = TextRetriever(random_state=0)
    return retriever.fit(
        QUERIES, NAMES, label_texts=dict(zip(NAMES, NAMES, strict=True))
    )


def labels(found):
    return [label for label, _, _ in found]


def first(retriever, text, **how):
    (found, *_) = labels(retriever.search(text, k=1, **how)) or [None]
    return found


def test_added_labels_are_found_by_their_words(retriever):
    before = retriever.search_batch(QUERIES, k=5)
    assert retriever.add_labels(ADDED).tolist() == [48, 49, 50]
    assert [first(retriever, text) for text in ADDED] == [48, 49, 50]
    assert retriever.search("oolong", k=3)[0][:2] == (48, "oolong infusion")
    assert first(retriever, "kefir red") == 49
    assert retriever.label_texts_[48:] == ADDED
    assert retriever.classes_.tolist() == list(range(51))
    assert retriever.predict_proba(["kefir"]).shape == (1, 51)
    after = retriever.search_batch(QUERIES, k=5)
    assert (before[0][:, 0] == after[0][:, 0]).mean() == 1


def test_scores_of_other_labels_remain(retriever):
    text = "strong wine"
    before = retriever.explain(text, 46)
    retriever.add_labels(["something else", "another thing"])
    after = retriever.explain(text, 46)
    assert after.features == before.features
    assert after.lexical == before.lexical


def test_removed_labels_are_found_by_no_method(retriever):
    columns = retriever.add_labels(ADDED)
    retriever.remove_labels([2, columns[0]])
    for k in (1, 10, 60):
        found = retriever.search_batch([*QUERIES, *ADDED], k=k)[0]
        assert not np.isin(found, [2, 48]).any()
    assert 2 not in labels(retriever.search("red coffee", k=60))
    assert retriever.predict_proba(["red coffee"])[:, [2]].nnz == 0
    assert retriever.predict([*QUERIES])[:, [2]].nnz == 0
    with pytest.raises(ValueError, match="label holds 2, which is no label"):
        retriever.explain("red coffee", 2)
    with pytest.raises(ValueError, match="allowed holds 2, which is no label"):
        retriever.search("red coffee", allowed=[2])
    assert labels(retriever.search("red coffee", allowed=[2], unknown="ignore")) == []
    assert labels(retriever.search("red coffee", allowed=np.ones(51, bool), k=51))
    with pytest.raises(ValueError, match="labels holds 2, which is no label"):
        retriever.remove_labels([2])
    with pytest.raises(ValueError, match="labels holds 99, which is no label"):
        retriever.remove_labels([99])


def test_columns_are_never_given_out_again(retriever):
    retriever.remove_labels(retriever.add_labels(["one more"]))
    assert retriever.add_labels(["one more"]).tolist() == [49]
    assert first(retriever, "one more") == 49


def test_classes_may_come_back(of_classes):
    of_classes.remove_labels(["red tea"])
    assert first(of_classes, "red tea") != "red tea"
    of_classes.add_labels({"animal": "a cat", "red tea": "red tea from Kenya"})
    assert of_classes.classes_[-2:].tolist() == ["animal", "red tea"]
    assert first(of_classes, "red tea kenya") == "red tea"
    assert first(of_classes, "cat") == "animal"
    assert of_classes.search("cat", k=1)[0][1] == "a cat"
    assert of_classes.predict(["red tea kenya"]).tolist() == ["red tea"]
    assert first(of_classes, "red", allowed=["animal", "red tea"]) == "red tea"
    subset = of_classes.subset(excluded=["red tea"])
    assert "red tea" not in labels(of_classes.search("red tea", k=99, allowed=subset))
    weights = pd.Series(1.0, index=pd.unique(of_classes.classes_))
    weights["animal"] = 0.0
    found = of_classes.search("cat", k=99, label_weights=weights)
    assert "animal" not in labels(found)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["x", None],), ValueError, r"label_texts\[1\] must be a str"),
        ((["x", 3],), ValueError, r"label_texts\[1\] must be a str"),
        (("one text",), ValueError, "label_texts"),
        ((["x"], ["y"]), ValueError, "labels must be None"),
    ],
)
def test_a_refused_addition_changes_nothing(retriever, arguments, error, message):
    state = retriever._state
    with pytest.raises(error, match=message):
        retriever.add_labels(*arguments)
    assert retriever._state is state


def test_class_labels_are_required_and_new(of_classes):
    state = of_classes._state
    for arguments, message in [
        ((["x"],), "labels is None; expected a class label for each text"),
        ((["x"], ["red tea"]), "labels holds 'red tea', which is a label already"),
        ((["x"], [3]), "labels"),
        ((["x", "y"], ["z"]), "label_texts has 2 texts; expected 1"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            of_classes.add_labels(*arguments)
        assert of_classes._state is state


def test_nothing_added_or_removed_is_no_change(retriever):
    state = retriever._state
    assert retriever.add_labels([]).tolist() == []
    assert retriever.remove_labels([]) is retriever
    assert retriever._state is state


def test_every_change_is_prepared_before_the_first_search(retriever):
    """So that it takes the thread that changes, not the searching ones, the time."""
    changes = [
        lambda: retriever.add_labels(ADDED),
        lambda: retriever.remove_labels([3]),
        lambda: retriever.partial_fit(["a cup"], sparse.csr_array(np.eye(1, 51))),
        retriever.compact,
    ]
    for change in changes:
        change()
        state = retriever._state
        assert "classes" in vars(state.known)
        assert "lexical_search" in vars(state.fusion)
        evidence = vars(state.fusion.evidence)
        searchers = vars(state.fusion.evidence.lexical.index)["searchers"]
        assert len(evidence["scorers"]._free) == len(searchers._free) == 1


def test_a_retriever_that_is_not_fitted_is_refused():
    for change in ("add_labels", "remove_labels"):
        with pytest.raises(NotFittedError):
            getattr(TextRetriever(), change)(["x"])


def test_subsets_of_before_are_refused(retriever):
    subset = retriever.subset([1, 2])
    retriever.add_labels(["one more"])
    with pytest.raises(ValueError, match="make it anew"):
        retriever.search("red tea", allowed=subset)
    assert first(retriever, "more", allowed=retriever.subset([1, 48])) == 48


def test_a_classifier_that_cannot_change_is_refused():
    for classifier in (
        NeighborRanker(),
        skxmr.RankFusion([("near", NeighborRanker())]),
    ):
        retriever = fitted(classifier=classifier)
        with pytest.raises(TypeError, match="classifier must have a method add_labels"):
            retriever.add_labels(["x"])
        with pytest.raises(TypeError, match="classifier must have a method remove_lab"):
            retriever.remove_labels([1])


def test_the_model_alone_takes_labels():
    retriever = fitted(fusion=None)
    retriever.add_labels(["red coffee from Peru"])
    assert 48 in labels(retriever.search("red coffee from", k=5))
    assert retriever.search("red coffee from", k=60)
    retriever.remove_labels([48, 0])
    assert not {0, 48} & set(labels(retriever.search("red tea", k=60)))
    plain = TextRetriever(random_state=0).fit(QUERIES, Y)
    assert plain.add_labels(["red coffee from Peru"]).tolist() == [48]
    assert plain.label_texts_ is None
    assert [name for _, name, _ in plain.search("red coffee from")][:1] == [None]


def test_labels_with_several_texts_and_without_any(retriever):
    retriever.add_labels([("kefir", "fermented milk"), "", ("", "qvass")])
    assert first(retriever, "fermented milk") == 48
    assert first(retriever, "qvass") == 50
    assert retriever.label_texts_[48:] == ["kefir", "", "qvass"]
    assert 49 not in labels(retriever.search("fermented qvass kefir", k=60))
    frame = pd.DataFrame({"name": ["ayran"], "text": ["salted yoghurt"]})
    retriever.add_labels(frame)
    assert first(retriever, "yoghurt") == 51


def test_embeddings_of_added_labels_are_searched():
    retriever = fitted(encoder=encode)
    retriever.add_labels(["oolong infusion"])
    assert first(retriever, "oolong") == 48
    assert "cosine" in {one.name for one in retriever.explain("oolong", 48).features}
    retriever.remove_labels([48])
    assert 48 not in labels(retriever.search("oolong infusion", k=60))
    with pytest.raises(ValueError, match="encoder is None; expected the encoder of"):
        retriever.set_params(encoder=None).add_labels(["x"])


def test_compaction_changes_no_result(retriever):
    retriever.add_labels(ADDED)
    retriever.remove_labels([3, 49])
    retriever.add_labels(["oolong red tea", "dry new things"])
    texts = [*QUERIES, *ADDED, "oolong", "new", "kefir"]
    before = retriever.search_batch(texts, k=60)
    one = [retriever.search(text) for text in texts]
    explained = str(retriever.explain("oolong", 48))
    assert retriever.compact() is retriever
    after = retriever.search_batch(texts, k=60)
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])
    assert [retriever.search(text) for text in texts] == one
    assert str(retriever.explain("oolong", 48)) == explained
    retriever.add_labels(["qvass"])
    assert first(retriever, "qvass") == 53


def test_further_texts_are_learned(retriever):
    assert retriever.search("something fizzy", min_score=0.3) == []
    rows = sparse.csr_array(np.eye(len(NAMES), dtype=np.int8)[[7] * 3])
    assert retriever.partial_fit(["something fizzy", "fizzy", "so fizzy"], rows)
    assert first(retriever, "fizzy") == 7
    assert first(retriever, NAMES[7]) == 7
    features = {one.name: one.value for one in retriever.explain("fizzy", 7).features}
    assert features["log_count"] == pytest.approx(np.log(5), rel=1e-6)
    assert retriever.classes_.tolist() == list(range(48))


def test_labels_that_are_not_known_are_learned(retriever, of_classes):
    rows = sparse.csr_array((np.ones(2, np.int8), ([0, 1], [48, 50])), shape=(2, 51))
    retriever.partial_fit(["something fizzy", "sparkling"], rows)
    assert retriever.classes_.tolist() == list(range(51))
    assert first(retriever, "fizzy") == 48
    assert retriever.search("sparkling", k=1)[0][:2] == (50, "")
    assert retriever.add_labels(["qvass"]).tolist() == [51]
    of_classes.partial_fit(["something fizzy", "red"], ["water", "red tea"])
    assert of_classes.classes_[-1] == "water"
    assert first(of_classes, "fizzy") == "water"
    assert first(of_classes, "red tea") == "red tea"


def test_labels_learn_after_they_were_added(retriever):
    retriever.add_labels(["oolong infusion"])
    rows = sparse.csr_array((np.ones(3, np.int8), (range(3), [48] * 3)), shape=(3, 49))
    retriever.partial_fit(["blue brew", "brew in blue", "brew"], rows)
    assert first(retriever, "blue brew") == 48
    assert first(retriever, "oolong") == 48
    before = retriever.search_batch([*QUERIES, "brew"], k=9)
    after = retriever.compact().search_batch([*QUERIES, "brew"], k=9)
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


def test_what_cannot_be_learned_is_refused(retriever, of_classes):
    retriever.remove_labels([5])
    of_classes.remove_labels(["red tea"])
    row = sparse.csr_array(np.eye(48, dtype=np.int8)[[5]])
    for changed, texts, y, message in [
        (retriever, ["x"], row, "y has the label 5, which was removed"),
        (retriever, ["x"], row[:, :40], "y has 40 columns; expected 48 or more"),
        (retriever, ["x", "y"], row, "inconsistent numbers of samples"),
        (retriever, ["x"], ["red tea"], "y has class labels; expected an indicator"),
        (of_classes, ["x"], ["red tea"], "y has the label 'red tea', which was rem"),
        (of_classes, "x", ["dry tea"], "texts"),
    ]:
        state = changed._state
        with pytest.raises(ValueError, match=message):
            changed.partial_fit(texts, y)
        assert changed._state is state
    with pytest.raises(TypeError, match="classifier must have a method partial_fit"):
        fitted(classifier=NeighborRanker()).partial_fit(["x"], Y[:1])


def test_the_first_call_fits():
    retriever = TextRetriever(random_state=0).partial_fit(QUERIES, NAMES)
    expected = TextRetriever(random_state=0).fit(QUERIES, NAMES)
    assert retriever.search("tea red") == expected.search("tea red")
    retriever.partial_fit(["strong light red"] * 3, ["water"] * 3)
    assert first(retriever, "strong light red") == "water"


CHANGES = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"), st.lists(st.sampled_from(QUERIES + ADDED), max_size=3)
        ),
        st.tuples(st.just("remove"), st.lists(st.integers(0, 60), max_size=3)),
        st.tuples(st.just("compact"), st.just(None)),
        st.tuples(st.just("pickle"), st.just(None)),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(changes=CHANGES)
def test_any_sequence_of_changes(shared, changes):
    changed, never_compact = copy.copy(shared), copy.copy(shared)
    names = dict(enumerate(NAMES))
    n_labels = len(NAMES)
    for what, which in changes:
        if what == "add":
            for one in (changed, never_compact):
                columns = one.add_labels(which)
                assert columns.tolist() == list(range(n_labels, n_labels + len(which)))
            names |= dict(enumerate(which, n_labels))
            n_labels += len(which)
        elif what == "remove":
            alive = sorted(set(which) & set(names))
            if len(alive) < len(names):
                changed.remove_labels(alive)
                never_compact.remove_labels(alive)
            names = {label: names[label] for label in set(names) - set(alive)}
        elif what == "compact":
            changed.compact()
        else:
            changed = pickle.loads(pickle.dumps(changed))
    texts = [*QUERIES[:9], *ADDED]
    found = changed.search_batch(texts, k=12)
    expected = never_compact.search_batch(texts, k=12)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert set(found[0].ravel().tolist()) - {-1} <= set(names)
    for label, name in list(names.items())[-4:]:
        best = changed.search(name, k=4)
        assert name in {found_name for _, found_name, _ in best}, (label, best)


def test_readers_see_whole_states(retriever):
    stop, faults = threading.Event(), []

    def read():
        while not stop.is_set():
            found = retriever.search("oolong infusion", k=3)
            names = [name for _, name, _ in found]
            if len(names) != len(set(names)) or "withdrawn thing" in names[:1]:
                faults.append(found)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for i in range(20):
            columns = retriever.add_labels([f"oolong number {i}", "withdrawn thing"])
            retriever.remove_labels(columns[1:])
            if i % 7 == 6:
                retriever.compact()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not faults
    assert first(retriever, "oolong number 19") == 48 + 2 * 19


def test_a_saved_change_has_no_base(retriever, tmp_path):
    save(retriever, tmp_path)
    retriever.add_labels(ADDED)
    retriever.remove_labels([5])
    save_changes(retriever, tmp_path)
    loaded = load(tmp_path, mmap_mode="r")
    texts = [*QUERIES, *ADDED]
    for found, expected in zip(
        loaded.search_batch(texts, k=9), retriever.search_batch(texts, k=9), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    loaded.add_labels(["qvass"])
    save_changes(loaded, tmp_path)
    assert first(load(tmp_path), "qvass") == 51


def test_a_new_fit_starts_over(retriever):
    retriever.add_labels(ADDED)
    retriever.remove_labels([3])
    retriever.fit(QUERIES, Y, label_texts=NAMES)
    assert retriever.classes_.tolist() == list(range(48))
    assert first(retriever, NAMES[3]) == 3


def test_a_catalogue_that_starts_without_queries():
    names = LabelTexts({"g": "green tea", "b": "black tea"})
    retriever = TextRetriever(random_state=0).fit([], [], label_texts=names)
    retriever.add_labels({"o": "oolong"})
    assert first(retriever, "oolong") == "o"
    assert first(retriever, "black") == "b"


def test_added_names_are_found_as_surely_as_those_of_the_fit(tmp_path):
    bunch = load_subjects()
    names = list(dict.fromkeys(bunch.target_names))[:1500]
    kept = np.arange(len(names)) % 3 > 0
    Y = bunch.target[:1000, : len(names)][:, kept]
    of_kept, others = (list(np.array(names)[which]) for which in (kept, ~kept))
    retriever = TextRetriever(random_state=0)
    retriever.fit(bunch.data[:1000], Y, label_texts=of_kept)
    save(retriever, tmp_path)
    retriever.add_labels(others[:10])
    save_changes(retriever, tmp_path)
    size_of = {path.name: path.stat().st_size for path in tmp_path.glob("0001/*")}
    assert size_of["delta-000001.skxmr"] < 0.02 * size_of["base.joblib"]
    retriever.add_labels(others[10:])
    found, _ = retriever.search_batch(of_kept + others, k=10)
    hits = (found == np.arange(len(names))[:, np.newaxis]).any(axis=1)
    assert hits[kept.sum() :].mean() >= 0.99
    assert hits[: kept.sum()].mean() >= 0.99


def words_of(retriever, text, label):
    """Return the names of the features that lead to a label, level by level."""
    explanation = retriever.explain(text, label)
    return [{term.name for term in node.terms} for node in explanation.path]


def many_levels():
    return XRLinearClassifier(KMeansTree(4, 4), beam_width=2, random_state=0)


def test_the_model_learns_new_words():
    retriever = fitted(classifier=many_levels(), fusion=None)
    before = retriever.search_batch(QUERIES, k=5)
    n_before = retriever.classifier_.n_features_in_
    retriever.add_labels(ADDED)
    assert [first(retriever, text) for text in ADDED] == [48, 49, 50]
    assert [first(retriever, word) for word in ("oolong", "kefir", "sourdough")] == [
        48,
        49,
        50,
    ]
    after = retriever.search_batch(QUERIES, k=5, excluded=[48, 49, 50])
    for found, expected in zip(after, before, strict=True):
        np.testing.assert_array_equal(found, expected)
    path = words_of(retriever, "oolong", 48)
    assert len(path) > 1
    assert all("wordngramtfidf__oolong" in words for words in path)
    X = retriever.vectorizer_.transform(["oolong"])
    assert X.shape[1] == retriever.classifier_.n_features_in_ > n_before
    assert retriever.classifier_.rank(X, 1)[0].tolist() == [[48]]
    with pytest.raises(ValueError, match=f"X has {n_before} features"):
        retriever.classifier_.rank(X[:, :n_before], 1)


def test_partial_fit_learns_new_words_without_label_texts():
    retriever = TextRetriever(classifier=many_levels(), random_state=0)
    retriever.fit(QUERIES, NAMES)
    assert retriever.search("fizzy") == []
    retriever.partial_fit(["fizzy kvass"] * 2, ["red tea"] * 2)
    assert first(retriever, "fizzy") == "red tea"
    retriever.partial_fit(["pumpernickel"], ["black pumpernickel"])
    assert first(retriever, "pumpernickel") == "black pumpernickel"
    assert "kvass" in str(retriever.explain("kvass", "red tea"))


def test_new_words_survive_merging_and_saving(tmp_path):
    retriever = fitted(classifier=many_levels())
    save(retriever, tmp_path)
    retriever.add_labels(ADDED)
    retriever.partial_fit(["very fizzy"], sparse.csr_array(np.eye(1, 51, 49)))
    retriever.add_labels(["fizzy lemonade"])
    save_changes(retriever, tmp_path)
    texts = [*ADDED, "fizzy", "lemonade", "red fizzy tea"]
    for fusion in ("learned", None):
        retriever.set_params(fusion=fusion)
        expected = retriever.search_batch(texts, k=9)
        singles = [retriever.search(text, k=9) for text in texts]
        loaded = load(tmp_path, mmap_mode="r").set_params(fusion=fusion)
        merged = copy.copy(retriever).compact()
        again = pickle.loads(pickle.dumps(merged))
        for model in (loaded, merged, again):
            assert [model.search(text, k=9) for text in texts] == singles
            for found, one in zip(
                model.search_batch(texts, k=9), expected, strict=True
            ):
                np.testing.assert_array_equal(found, one)
    assert again.add_labels(["fizzy tonic"]).tolist() == [52]
    assert first(again, "tonic") == 52


def test_a_frozen_vectorizer_keeps_its_features():
    vectorizer = FrozenEstimator(WordNgramTfidf().fit(NAMES))
    retriever = fitted(vectorizer=vectorizer)
    n_features = retriever.classifier_.n_features_in_
    retriever.add_labels(ADDED)
    assert retriever.classifier_.n_features_in_ == n_features
    assert first(retriever, "oolong") == 48
    assert retriever.vectorizer_ is retriever._state.vectorizer
