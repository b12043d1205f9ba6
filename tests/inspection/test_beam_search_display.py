"""The display of a search shows what the search does."""

import re
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

import skxmr
from skxmr import (
    KMeansTree,
    LabelThresholdCV,
    NeighborRanker,
    SparseCalibrator,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr._search._explanation import explain_label
from skxmr.inspection import BeamSearchDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")

WORDS = ["red", "green", "blue", "tea", "bread", "milk", "shop", "train"]
NAMES = [f"{a} {b}" for a in WORDS for b in WORDS if a < b]
TEXTS = [f"{name} number{i}" for i in range(3) for name in NAMES]
LABELS = NAMES * 3


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def make_classifier(**options):
    tree = KMeansTree(branching_factor=3, max_leaf_size=3, random_state=0)
    return XRLinearClassifier(tree, random_state=0, **options)


@cache
def make_data():
    X = WordNgramTfidf().fit_transform(TEXTS)
    rows = np.arange(len(TEXTS))
    columns = rows % len(NAMES)
    Y = sparse.csr_array((np.ones(len(rows), dtype=int), (rows, columns)))
    return X, Y


@cache
def fitted(**options):
    return make_classifier(**options).fit(*make_data())


def assert_is_the_search(display, classifier, row, tree=0):
    """Compare each level with the weights, and the labels with the ranking."""
    layout, levels = classifier.layouts_[tree], display.levels
    width = classifier.beam_width or layout.widest_level
    offsets = [np.asarray(one) for one in classifier.trees_[tree].child_offsets]
    kept = np.zeros(1, dtype=int)
    for number, level in enumerate(levels[:-1]):
        children = [np.arange(*offsets[number][[node, node + 1]]) for node in kept]
        assert sorted(level.nodes) == sorted(np.concatenate(children))
        expected = [path_score(classifier, row, tree, number, n) for n in level.nodes]
        np.testing.assert_allclose(level.scores, expected, rtol=1e-4, atol=1e-12)
        assert (np.diff(level.scores) <= 0).all()
        assert level.is_kept.tolist() == [i < width for i in range(len(level.nodes))]
        parents = [children[parent] for parent in level.parents]
        assert all(n in own for n, own in zip(level.nodes, parents, strict=True))
        kept = level.nodes[level.is_kept]
    if classifier.n_trees == 1:
        k = int(levels[-1].is_kept.sum())
        columns, scores = classifier.rank(row, k)
        assert levels[-1].nodes[:k].tolist() == columns[0].tolist()
        np.testing.assert_allclose(levels[-1].scores[:k], scores[0], rtol=1e-5)


def path_score(classifier, row, tree, level, node):
    """The score of the path to a label below a node, from the weights."""
    label_tree = classifier.trees_[tree]
    label = label_tree.labels[label_tree.leaf_ranges(level + 1)[node]]
    features = row.indices.astype(np.int32), row.data.astype(np.float32)
    why = explain_label(
        classifier.layouts_[tree],
        features,
        int(label),
        score_transform=classifier.score_transform,
        label=label,
        name=None,
        feature_names=None,
    )
    return why.path[level].path_score


@pytest.mark.parametrize("beam_width", [1, 2, 5, None])
@pytest.mark.parametrize("score_transform", ["l4-hinge", "sigmoid"])
def test_levels_are_those_of_the_search(beam_width, score_transform):
    X, _ = make_data()
    model = fitted(beam_width=beam_width, score_transform=score_transform)
    for i in (0, 5, 17):
        row = X[[i]]
        display = BeamSearchDisplay.from_estimator(model, row, k=4, max_kept=3)
        assert len(display.levels) == len(model.trees_[0].child_offsets) > 2
        assert_is_the_search(display, model, row)
        plt.close(display.figure_)


@pytest.mark.parametrize("tree", [0, 1])
def test_each_tree(tree):
    model = fitted(n_trees=2, beam_width=2)
    row = make_data()[0][[3]]
    display = BeamSearchDisplay.from_estimator(model, row, tree=tree)
    assert_is_the_search(display, model, row, tree)
    for bad in (2, -1, True, "0"):
        with pytest.raises(ValueError, match="tree="):
            BeamSearchDisplay.from_estimator(model, row, tree=bad)


def test_dense_rows_have_the_search_of_sparse_ones():
    X, Y = make_data()
    model = make_classifier(beam_width=2).fit(X.toarray(), Y)
    row = X[[4]].toarray()
    display = BeamSearchDisplay.from_estimator(model, row, k=3)
    columns, scores = model.rank(row, 3)
    last = display.levels[-1]
    assert last.nodes[:3].tolist() == columns[0].tolist()
    np.testing.assert_allclose(last.scores[:3], scores[0], rtol=1e-5)


def test_labels_added_and_removed_since_fit():
    X, Y = make_data()
    model = make_classifier(beam_width=2).fit(X, Y)
    model.add_labels(X[[0]])
    model.remove_labels([0])
    row = X[[0]]
    columns, scores = model.rank(row, 3)
    display = BeamSearchDisplay.from_estimator(model, row, k=3)
    last = display.levels[-1]
    assert last.nodes[:3].tolist() == columns[0].tolist()
    assert len(NAMES) in last.nodes
    assert 0 not in last.nodes
    np.testing.assert_allclose(last.scores[:3], scores[0], rtol=1e-5)


def shown(texts):
    return [text.get_text() for text in texts]


def shown_score(score):
    return f"{score:.3f}" if score >= 0.001 else f"{score:.0e}"


def test_texts_of_the_picture():
    model = fitted(beam_width=2)
    row = make_data()[0][[0]]
    display = BeamSearchDisplay.from_estimator(
        model, row, k=2, max_dropped=1, label_names=NAMES
    )
    first, last = display.levels[1], display.levels[-1]
    texts = shown(display.texts_[1])
    assert len(texts) == (3 if len(first.nodes) == 3 else 4)
    expected = {
        (shown_score(score), name[:6], str(n_labels))
        for score, name, n_labels in zip(
            first.scores, display.names[1], first.n_labels, strict=True
        )
    }
    for text in texts[:3]:
        score, _, rest = text.partition("  ")
        assert (score, rest[:6], rest.rpartition("(")[2][:-1]) in expected
        assert len(text) <= 32
    assert display.levels[0].n_labels.sum() == len(NAMES)
    labels = [text for text in shown(display.texts_[-1]) if "more" not in text]
    expected = [
        f"{shown_score(score)}  {NAMES[column]}"
        for column, score in zip(last.nodes[:3], last.scores[:3], strict=True)
    ]
    assert sorted(labels) == sorted(expected)
    assert shown(display.texts_[-1])[-1] == f"{len(last.nodes) - 3} more dropped"
    headings = [text.get_text() for text in display.ax_.texts]
    assert f"labels: {len(last.nodes)} scored,\n2 found" in headings
    assert headings[0] == "root"
    again = display.plot(max_kept=1, max_dropped=0)
    assert again is display
    assert "1 more kept" in shown(display.texts_[1])
    # The second best node is not shown, so its children are not, either.
    assert [text.count("more") for text in shown(display.texts_[-1])] == [0, 1, 1]


def test_texts_do_not_overlap():
    retriever = retriever_of_names()
    display = BeamSearchDisplay.from_estimator(retriever, "red tea " * 9, k=5)
    display.figure_.canvas.draw()
    boxes = [text.get_window_extent() for text in display.ax_.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


@cache
def retriever_of_names(**options):
    classifier = make_classifier(beam_width=2)
    return TextRetriever(classifier=classifier, **options).fit(TEXTS, LABELS)


@pytest.mark.parametrize("fused", [False, True])
def test_retrievers_name_their_labels(fused):
    texts = {"label_texts": NAMES} if fused else {}
    classifier = make_classifier(beam_width=2)
    retriever = TextRetriever(classifier=classifier)
    retriever.fit(TEXTS, make_data()[1] if fused else LABELS, **texts)
    display = BeamSearchDisplay.from_estimator(retriever, "red tea", k=3)
    assert any(text.get_text() == "red tea" for text in display.ax_.texts)
    assert "red tea" in display.names[-1][:3]
    row = retriever.vectorizer_.transform(["red tea"])
    columns, scores = retriever.classifier_.rank(row, 3)
    assert display.levels[-1].nodes[:3].tolist() == columns[0].tolist()
    np.testing.assert_allclose(display.levels[-1].scores[:3], scores[0], rtol=1e-5)
    again = BeamSearchDisplay.from_estimator(retriever, ["red tea"], k=3)
    assert again.names == display.names
    with pytest.raises(ValueError, match="2 texts"):
        BeamSearchDisplay.from_estimator(retriever, ["red tea", "milk"])


def test_it_sees_through_other_estimators():
    plain = make_pipeline(WordNgramTfidf(), make_classifier(beam_width=2))
    plain.fit(TEXTS, LABELS)
    expected = BeamSearchDisplay.from_estimator(plain, "red tea", k=3)
    assert expected.names[-1][0] == "red tea"
    names = [[label] for label in LABELS]
    frozen = skxmr.LabelThresholdCV(plain, cv=2, random_state=0)
    search = GridSearchCV(plain, {"xrlinearclassifier__beam_width": [2]}, cv=2)
    for model, y in (
        (search, LABELS),
        (LabelThresholdCV(plain, cv=2, random_state=0), names),
        (SparseCalibrator(plain, cv=2, random_state=0), names),
        (make_pipeline("passthrough", frozen), names),
    ):
        model.fit(TEXTS, y)
        display = BeamSearchDisplay.from_estimator(model, "red tea", k=3)
        assert display.names[-1][0] == "red tea"
    numbers = make_pipeline(MaxAbsScaler(), make_classifier()).fit(*make_data())
    display = BeamSearchDisplay.from_estimator(numbers, make_data()[0][[0]], k=3)
    assert re.fullmatch(r"label \d+", display.names[-1][0])


def test_a_tree_of_one_level():
    model = XRLinearClassifier(KMeansTree(max_leaf_size=100)).fit(*make_data())
    display = BeamSearchDisplay.from_estimator(model, make_data()[0][[0]], k=3)
    assert len(display.levels) == 1
    assert display.levels[0].is_kept.sum() == 3


def test_rows_without_features():
    X, _ = make_data()
    row = sparse.csr_array((1, X.shape[1]))
    model = fitted(beam_width=2)
    assert_is_the_search(BeamSearchDisplay.from_estimator(model, row), model, row)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ax": np.zeros(2)}, TypeError, "ax is of type ndarray"),
        ({"k": 0}, ValueError, "'k'"),
        ({"max_kept": 0}, ValueError, "'max_kept'"),
        ({"max_dropped": -1}, ValueError, "'max_dropped'"),
        ({"max_dropped": True}, ValueError, "'max_dropped'"),
        ({"label_names": ["a"]}, ValueError, "label_names"),
        ({"X": sparse.csr_array((2, 11))}, ValueError, "2 rows"),
        ({"X": np.zeros((1, 3))}, ValueError, "features"),
        ({"estimator": XRLinearClassifier()}, NotFittedError, "not fitted"),
        ({"estimator": TextRetriever(), "X": "a"}, NotFittedError, "not fitted"),
        ({"estimator": NeighborRanker()}, TypeError, "NeighborRanker"),
        ({"estimator": MultinomialNB()}, TypeError, "MultinomialNB"),
    ],
    ids=range(12),
)
def test_invalid_arguments(options, error, message):
    arguments = {"estimator": fitted(beam_width=2), "X": make_data()[0][[0]]}
    with pytest.raises(error, match=message):
        BeamSearchDisplay.from_estimator(**arguments | options)


def test_custom_stages_are_refused():
    model = make_classifier(ranker=LogisticRegression()).fit(*make_data())
    with pytest.raises(ValueError, match="ranker=LogisticRegression"):
        BeamSearchDisplay.from_estimator(model, make_data()[0][[0]])


def test_on_given_axes():
    _, ax = plt.subplots()
    model = fitted(beam_width=2)
    display = BeamSearchDisplay.from_estimator(model, make_data()[0][[0]], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_it_says_how_to_get_matplotlib(monkeypatch):
    model, row = fitted(beam_width=2), make_data()[0][[0]]
    display = BeamSearchDisplay.from_estimator(model, row)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for call in (lambda: BeamSearchDisplay.from_estimator(model, row), display.plot):
        with pytest.raises(ImportError, match=r"BeamSearchDisplay.*skxmr\[plot\]"):
            call()


def test_matplotlib_is_imported_for_plots_only():
    code = "import sys, skxmr.inspection; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
