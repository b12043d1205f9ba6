"""Fits of a retriever that go on from the earlier one."""

import pickle

import numpy as np
import pandas as pd
import pytest
from encoders import Recorded
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator

from skxmr import LabelTexts, LexicalRanker, TextRetriever, XRLinearClassifier

DRINKS = ["green tea", "black tea", "white coffee", "black coffee", "apple juice"]
FOODS = ["rye bread", "white bread", "apple cake", "cheese cake", "green salad"]
NAMES = DRINKS + FOODS
TEXTS = [f"{size} {name}" for size in ("small", "large") for name in NAMES]
LABELS = np.array(NAMES * 2)


def indicator(labels, n_columns=None):
    columns = [NAMES.index(label) for label in labels]
    shape = len(labels), n_columns or len(NAMES)
    ones = np.ones(len(labels), dtype=int)
    return sparse.csr_array((ones, (np.arange(len(labels)), columns)), shape=shape)


def of_classes(names):
    return LabelTexts({name: name for name in names})


def best(retriever, text):
    return [label for label, _, _ in retriever.search(text, k=3)]


def assert_same_arrays(one, other):
    for a, b in zip(one.classifier_.layouts_, other.classifier_.layouts_, strict=True):
        np.testing.assert_array_equal(a.intercepts, b.intercepts)
        np.testing.assert_array_equal(a.by_feature.entries, b.by_feature.entries)


@pytest.mark.parametrize("kind", ["classes", "indicator"])
def test_nothing_changes_without_changes(kind):
    y = LABELS if kind == "classes" else indicator(LABELS)
    texts = of_classes(NAMES) if kind == "classes" else NAMES
    retriever = TextRetriever(warm_start=True, random_state=0)
    retriever.fit(TEXTS, y, label_texts=texts)
    before = pickle.loads(pickle.dumps(retriever))
    vectorizer = retriever.vectorizer_
    retriever.fit(TEXTS, y, label_texts=texts)
    assert retriever.vectorizer_ is vectorizer
    assert (retriever.classifier_.relearning_["n_solved"] == 0).all()
    assert retriever.fusion_weights_ == before.fusion_weights_
    for text in ("green tea", "bread", "coffe"):
        assert retriever.search(text) == before.search(text)


def test_new_classes_follow_and_old_ones_keep_their_columns():
    old = LABELS[LABELS != "green salad"]
    texts = [text for text in TEXTS if "salad" not in text]
    retriever = TextRetriever(warm_start=True, random_state=0)
    retriever.fit(texts, old, label_texts=of_classes(np.unique(old)))
    known = retriever.classes_.tolist()
    retriever.fit(TEXTS, LABELS, label_texts=of_classes([*NAMES, "almond milk"]))
    assert retriever.classes_.tolist()[: len(known)] == known
    assert set(retriever.classes_[len(known) :]) == {"green salad", "almond milk"}
    assert best(retriever, "green salad")[0] == "green salad"
    assert best(retriever, "almond milk")[0] == "almond milk"
    assert best(retriever, "large black tea")[0] == "black tea"
    assert not retriever.refit_due_
    assert retriever.classifier_.relearning_["n_new"].sum() == 2
    loaded = pickle.loads(pickle.dumps(retriever))
    assert loaded.search("green salad") == retriever.search("green salad")


def test_removed_labels_stay_away():
    retriever = TextRetriever(warm_start=True, random_state=0)
    retriever.fit(TEXTS, indicator(LABELS), label_texts=NAMES)
    retriever.remove_labels([0])
    state = retriever._state
    with pytest.raises(ValueError, match="removed"):
        retriever.fit(TEXTS, indicator(LABELS), label_texts=NAMES)
    assert retriever._state is state
    kept = LABELS != "green tea"
    texts = [text for text, is_kept in zip(TEXTS, kept, strict=True) if is_kept]
    wider = indicator(LABELS[kept], 11)
    retriever.fit(texts, wider, label_texts=[*NAMES, "almond milk"])
    assert 0 not in best(retriever, "green tea")
    assert best(retriever, "almond milk")[0] == 10
    assert retriever.label_texts_[10] == "almond milk"
    retriever.add_labels(["orange juice"])
    assert best(retriever, "orange juice")[0] == 11


def test_a_removed_class_that_was_added_again_keeps_its_new_column():
    retriever = TextRetriever(warm_start=True, random_state=0)
    retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    before = retriever.classes_.tolist().index("green tea")
    retriever.remove_labels(["green tea"])
    with pytest.raises(ValueError, match="removed"):
        retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    retriever.add_labels({"green tea": "green tea"})
    retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    assert len(retriever.classes_) == 11
    assert retriever.classes_[before] == retriever.classes_[10] == "green tea"
    assert best(retriever, "green tea")[0] == "green tea"
    columns, _ = retriever.search_batch(["green tea"], k=10)
    assert before not in columns
    assert 10 in columns


def test_classes_that_are_gone_are_not_found():
    retriever = TextRetriever(warm_start=True, random_state=0)
    retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    kept = LABELS != "green tea"
    texts = [text for text, is_kept in zip(TEXTS, kept, strict=True) if is_kept]
    names = [name for name in NAMES if name != "green tea"]
    retriever.fit(texts, LABELS[kept], label_texts=of_classes(names))
    assert "green tea" not in [label for label, _, _ in retriever.search("green tea")]


def test_terms_that_came_later_are_kept():
    retriever = TextRetriever(warm_start=True, random_state=0, fusion=None)
    retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    n_features = retriever.classifier_.n_features_in_
    retriever.add_labels({"kombucha": "kombucha"})
    wider = retriever.classifier_.n_features_in_
    assert wider > n_features
    retriever.fit(TEXTS, LABELS, label_texts=of_classes([*NAMES, "kombucha"]))
    assert retriever.classifier_.n_features_in_ == wider
    assert best(retriever, "kombucha")[0] == "kombucha"
    loaded = pickle.loads(pickle.dumps(retriever))
    assert loaded.search("kombucha") == retriever.search("kombucha")


@pytest.mark.parametrize("fusion", ["learned", None])
def test_changes_between_fits_are_kept(fusion):
    retriever = TextRetriever(warm_start=True, random_state=0, fusion=fusion)
    retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    retriever.add_labels({"oat milk": "oat milk"})
    retriever.partial_fit(["oats"], ["oat milk"])
    texts, y = [*TEXTS, "oats"], np.append(LABELS, "oat milk")
    retriever.fit(texts, y, label_texts=of_classes([*NAMES, "oat milk"]))
    assert retriever.classes_[10] == "oat milk"
    if fusion == "learned":
        assert best(retriever, "oats")[0] == "oat milk"
    assert retriever.label_texts_[10] == "oat milk"


def test_without_label_texts_the_classifier_goes_on():
    retriever = TextRetriever(warm_start=True, random_state=0).fit(TEXTS, LABELS)
    one = clone(retriever.classifier_)
    assert one.warm_start
    retriever.fit([*TEXTS, "mint tea"], np.append(LABELS, "mint tea"))
    assert retriever.classes_[10] == "mint tea"
    assert retriever.classifier_.relearning_["n_new"].sum() == 1


def test_a_loaded_retriever_solves_all_nodes_again():
    retriever = TextRetriever(warm_start=True, random_state=0)
    retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    loaded = pickle.loads(pickle.dumps(retriever))
    loaded.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    assert loaded.classifier_.relearning_["n_kept"].sum() == 0
    assert_same_arrays(loaded, retriever)


def test_what_cannot_go_on_is_refused():
    frozen = FrozenEstimator(XRLinearClassifier().fit(np.eye(3), [0, 1, 2]))
    for classifier in (frozen, LexicalRanker()):
        with pytest.raises(ValueError, match="takes an XRLinearClassifier"):
            TextRetriever(classifier=classifier, warm_start=True).fit(TEXTS, LABELS)
    retriever = TextRetriever(warm_start=True).fit(TEXTS, LABELS)
    state = retriever._state
    with pytest.raises(ValueError, match="an indicator; expected"):
        retriever.fit(TEXTS, indicator(LABELS), label_texts=NAMES)
    with pytest.raises(ValueError, match="an indicator; expected"):
        retriever.fit(TEXTS, indicator(LABELS))
    assert retriever._state is state
    named = [[label] for label in LABELS]
    with pytest.raises(ValueError, match="as before: without names of columns"):
        retriever.fit(TEXTS, named)
    assert retriever._state is state
    renamed = TextRetriever().fit(TEXTS, named).set_params(warm_start=True)
    with pytest.raises(ValueError, match="as before: with names of columns"):
        renamed.fit(TEXTS, indicator(LABELS))
    vectorizer = retriever.vectorizer_
    other = Other().fit(vectorizer.transform(TEXTS), LABELS)
    assembled = TextRetriever.from_fitted(vectorizer, other)
    assembled.set_params(classifier=None, vectorizer=None, warm_start=True)
    with pytest.raises(ValueError, match="earlier fit; expected"):
        assembled.fit(TEXTS, LABELS)


class Other(BaseEstimator):
    """A classifier of another class."""

    def fit(self, X, y):
        self.classes_, self.n_features_in_ = np.unique(y), X.shape[1]
        return self

    def rank(self, X, k):
        raise NotImplementedError


def test_an_assembled_retriever_can_go_on():
    vectorizer = TextRetriever().fit(TEXTS, LABELS).vectorizer_
    classifier = XRLinearClassifier().fit(vectorizer.transform(TEXTS), LABELS)
    assembled = TextRetriever.from_fitted(vectorizer, classifier, of_classes(NAMES))
    assembled.set_params(vectorizer=None, classifier=None, warm_start=True)
    assembled.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    assert assembled.vectorizer_ is not None
    assert assembled.classifier_.relearning_["n_kept"].sum() == 0
    assert best(assembled, "rye bread")[0] == "rye bread"


# Labels with names
# -----------------


@pytest.mark.parametrize("with_texts", [True, False])
@pytest.mark.parametrize("kind", ["rows", "frame"])
def test_names_keep_their_columns(kind, with_texts):
    old = LABELS != "apple cake"
    texts = np.array(TEXTS)[old].tolist()

    def target(labels):
        if kind == "rows":
            return [[label] for label in labels]
        names = sorted(set(labels), reverse=len(set(labels)) > 9)
        return pd.DataFrame({name: (labels == name).astype(int) for name in names})

    def label_texts(labels):
        return of_classes(set(labels)) if with_texts else None

    retriever = TextRetriever(warm_start=True, random_state=0)
    given = target(LABELS[old]), label_texts(LABELS[old])
    retriever.fit(texts, given[0], label_texts=given[1])
    before = retriever.classes_.tolist()
    counts = []
    for _ in range(2):
        retriever.fit(TEXTS, target(LABELS), label_texts=label_texts(LABELS))
        assert retriever.classes_.tolist() == [*before, "apple cake"]
        assert retriever.classes_.tolist() == list(retriever._state.known.classes)
        counts.append(retriever.classifier_.relearning_["n_solved"].sum())
        for name in NAMES:
            assert best(retriever, name)[0] == name
    assert counts[1] == 0
    retriever.remove_labels(["rye bread"])
    with pytest.raises(ValueError, match="'rye bread', which was removed"):
        retriever.fit(TEXTS, target(LABELS), label_texts=label_texts(LABELS))
    rest = LABELS != "rye bread"
    retriever.fit(
        np.array(TEXTS)[rest].tolist(),
        target(LABELS[rest]),
        label_texts=label_texts(LABELS[rest]),
    )
    assert "rye bread" not in best(retriever, "rye bread")
    assert best(retriever, "apple cake")[0] == "apple cake"


def test_relevance_follows_the_names():
    y = [[label] for label in LABELS]
    names = sorted(set(LABELS))
    weights = np.arange(1.0, 11.0)
    rows = np.array([names.index(label) for label in LABELS])
    relevance = sparse.csr_array((weights[rows], (np.arange(20), rows)))
    retriever = TextRetriever(warm_start=True, random_state=0, fusion=None)
    retriever.fit(TEXTS, y, relevance=relevance).add_labels({"oolong": "oolong"})
    again = clone(retriever).fit(TEXTS, y, relevance=relevance)
    retriever.fit(TEXTS, y, relevance=relevance)
    scores, expected = (one.predict_proba(TEXTS) for one in (retriever, again))
    np.testing.assert_allclose(scores.toarray()[:, :10], expected.toarray(), atol=0.05)


def test_new_terms_are_learned():
    retriever = TextRetriever(warm_start=True, random_state=0, fusion=None)
    retriever.fit(TEXTS, LABELS)
    n_features = retriever.classifier_.n_features_in_
    new = ["kvass brew"] * 3
    texts, labels = TEXTS + new, np.append(LABELS, ["rye bread"] * 3)
    retriever.fit(texts, labels)
    assert retriever.classifier_.n_features_in_ > n_features
    assert best(retriever, "kvass")[0] == "rye bread"
    with_terms = retriever.classifier_.n_features_in_
    retriever.fit(texts, labels)
    assert retriever.classifier_.n_features_in_ == with_terms
    assert (retriever.classifier_.relearning_["n_solved"] == 0).all()


def test_labels_of_a_frame_without_texts_come_and_go():
    frame = pd.DataFrame({name: (name == LABELS).astype(int) for name in NAMES})
    retriever = TextRetriever(random_state=0).fit(TEXTS, frame)
    assert best(retriever.remove_labels(["rye bread"]), "rye bread")[0] != "rye bread"
    retriever.partial_fit(["oolong tea"] * 3, [["oolong"]] * 3)
    assert best(retriever, "oolong tea")[0] == "oolong"


def test_embeddings_follow():
    kept = [name for name in NAMES if name != "green salad"]
    rows = [row for row, label in enumerate(LABELS) if label in kept]
    texts = [TEXTS[row] for row in rows]
    encoder = Recorded()
    retriever = TextRetriever(encoder=encoder, warm_start=True, random_state=0)
    retriever.fit(texts, LABELS[rows], label_texts=of_classes(kept))
    retriever.fit(TEXTS, LABELS, label_texts=of_classes(NAMES))
    assert best(retriever, "salads greens")[0] == "green salad"
    assert "cosine" in retriever.fusion_weights_
    before = retriever.fusion_weights_
    retriever.remove_labels(["rye bread"])
    rows = LABELS != "rye bread"
    others = [name for name in NAMES if name != "rye bread"]
    retriever.fit(
        np.array(TEXTS)[rows].tolist(), LABELS[rows], label_texts=of_classes(others)
    )
    assert retriever.fusion_weights_ == before
    assert "rye bread" not in best(retriever, "rye bread")
    assert all(best(retriever, name)[0] == name for name in others)
