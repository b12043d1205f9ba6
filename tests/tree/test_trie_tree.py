"""Trees whose top groups labels by their first characters."""

import pickle
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    PrefixWeightedCharTfidf,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.datasets import load_subjects
from skxmr.metrics import reciprocal_rank_at_k_scorer
from skxmr.tree._bisection import Rule
from skxmr.tree._must_link import cut_in_two
from skxmr.tree._trie_tree import fold_name

pytestmark = pytest.mark.kernels

STRINGS = ["a", "ab", "abc", "abd", "abfgh", "abfgi", "bcde", "bcdf"]
names = st.lists(
    st.text(st.sampled_from("abAß \té\U000103a0"), max_size=6), min_size=1, max_size=25
)


def fit(labels, **parameters):
    parameters = {"random_state": 0, **parameters}
    return TrieTreeHybrid(**parameters).fit(label_names=labels).tree_


def groups(tree, level):
    """The labels below each node of a level."""
    ranges = tree.leaf_ranges(level)
    return [tree.labels[start:stop].tolist() for start, stop in pairwise(ranges)]


def first_characters(labels, n):
    """Labels by their first n characters; those that end before are by themselves."""
    found = {}
    for label, name in enumerate(labels):
        key = fold_name(name)
        key = key[:n] if len(key) >= n else key + "\0end"
        found.setdefault(key, []).append(label)
    return sorted(found.values())


def distinct(levels):
    """Leave out levels at which nothing new is told apart."""
    kept = [[list(range(sum(map(len, levels[0]))))]]
    for level in levels:
        if level != kept[-1]:
            kept.append(level)
    return kept[1:]


@settings(deadline=None, max_examples=200)
@given(labels=names, depth=st.integers(0, 8))
def test_top_levels_are_the_first_characters(labels, depth):
    tree = fit(labels, trie_depth=depth, branching_factor=2, max_leaf_size=2)
    expected = [first_characters(labels, n) for n in range(1, depth + 1)]
    expected = distinct(expected) if depth else []
    found = [sorted(map(sorted, groups(tree, i + 1))) for i in range(tree.depth)]
    assert found[: len(expected)] == expected[: len(found)]
    # A level that parts single labels is that of the labels.
    assert len(found) >= len(expected)
    assert sorted(tree.labels.tolist()) == list(range(len(labels)))
    # Below, k-means makes groups of two at most.
    if len(found) > 1:
        apart = {tuple(group) for group in expected[-1]} if expected else set()
        assert all(len(g) <= 2 or tuple(g) in apart for g in found[-2])


@settings(deadline=None, max_examples=200)
@given(labels=names)
def test_a_full_trie_cuts_where_names_first_differ(labels):
    tree = fit(labels, trie_depth=None)
    folded = [fold_name(name) for name in labels]

    def expected(group):
        """The groups that a group is cut into."""
        shared = 0
        whole = [folded[label] for label in group]
        while len({name[: shared + 1] for name in whole}) == 1 and shared < 10:
            shared += 1
        parts = {}
        for label in group:
            name = folded[label]
            end = name[: shared + 1] if len(name) > shared else name + "\0end"
            parts.setdefault(end, []).append(label)
        return sorted(parts.values())

    for level in range(tree.depth - 1):
        above, below = groups(tree, level), groups(tree, level + 1)
        cut = sorted(part for group in above for part in expected(sorted(group)))
        assert sorted(map(sorted, below)) == cut


def test_the_strings_by_hand():
    tree = fit(STRINGS, trie_depth=None)
    assert tree.to_text(STRINGS).splitlines() == [
        "root (8 labels)",
        "├── 0 a… (6 labels)",
        "│   ├── a",
        "│   └── 1 ab… (5 labels)",
        "│       ├── ab",
        "│       ├── abc",
        "│       ├── abd",
        "│       └── 4 abfg… (2 labels)",
        "│           ├── abfgh",
        "│           └── abfgi",
        "└── 1 bcd… (2 labels)",
        "    ├── bcde",
        "    └── bcdf",
    ]
    tree = fit(STRINGS, trie_depth=2, branching_factor=2, max_leaf_size=3)
    assert tree.level_sizes[:3] == (1, 2, 3)
    assert [sorted(group) for group in groups(tree, 2)] == [
        [0],
        [1, 2, 3, 4, 5],
        [6, 7],
    ]
    # The group of five is cut once more; the others are carried down above the cut.
    assert sorted(map(len, groups(tree, 3))) == [1, 2, 2, 3]


def test_depth_0_is_k_means_on_the_vectors_of_names():
    rng = np.random.default_rng(0)
    labels = ["".join(rng.choice(list("abcdef "), 8)) for _ in range(3000)]
    Z = PrefixWeightedCharTfidf().fit_transform(labels)
    expected = KMeansTree(4, 20, random_state=0).fit(Z).tree_
    found = fit(labels, trie_depth=0, branching_factor=4, max_leaf_size=20)
    assert found.level_sizes == expected.level_sizes
    # Another seed, so not the same groups; but as close ones.
    assert spread(found, Z) == pytest.approx(spread(expected, Z), rel=0.03)


def spread(tree, Z):
    """Mean cosine similarity of labels to the centre of their lowest group."""
    total = 0
    for group in groups(tree, tree.depth - 1):
        centre = Z[group].sum(axis=0)
        total += np.linalg.norm(centre)
    return total / Z.shape[0]


def test_given_vectors_are_what_k_means_is_done_on():
    labels = ["x" + letter for letter in "abcdefgh"]
    Z = np.array([[1.0, 0.0], [0.0, 1.0]] * 4)
    for vectors in (Z, sparse.csr_array(Z), sparse.csr_matrix(Z)):
        indexer = TrieTreeHybrid(1, 2, 4, label_vectors="given", random_state=3)
        tree = indexer.fit(vectors, label_names=labels).tree_
        assert sorted(map(sorted, groups(tree, tree.depth - 1))) == [
            [0, 2, 4, 6],
            [1, 3, 5, 7],
        ]
        assert indexer.n_features_in_ == 2


def test_an_own_vectorizer():
    indexer = TrieTreeHybrid(0, 2, 2, vectorizer=CharNgramTfidf(), random_state=3)
    labels = ["red apple", "phone case", "green apple", "phone cases"]
    tree = indexer.fit(label_names=labels).tree_
    assert sorted(map(sorted, groups(tree, 1))) == [[0, 2], [1, 3]]


def test_the_tree_does_not_depend_on_parallelism():
    rng = np.random.default_rng(0)
    labels = ["".join(rng.choice(list("ab c"), 12)) for _ in range(9000)]
    parameters = {"trie_depth": 1, "branching_factor": 4, "max_leaf_size": 10}
    expected = fit(labels, **parameters)
    assert fit(labels, n_jobs=2, **parameters) == expected
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert fit(labels, **parameters) == expected
    assert fit(labels, **parameters | {"random_state": 1}) != expected


@settings(deadline=None, max_examples=100)
@given(labels=names, depth=st.integers(0, 4), seed=st.integers(0, 9))
def test_must_link_never_parts_first_characters(labels, depth, seed):
    tree = fit(
        labels, trie_depth=depth, top="must-link", max_leaf_size=50, random_state=seed
    )
    assert tree.depth <= depth + 1
    for level in range(1, tree.depth):
        place = {
            label: node
            for node, group in enumerate(groups(tree, level))
            for label in group
        }
        # Levels that cut nothing are left out: at this one or a later.
        for group in first_characters(labels, depth + 1):
            assert len({place[label] for label in group}) == 1
        assert (tree.n_children(level - 1) <= 2).all()


def test_must_link_groups_what_is_alike_into_halves():
    Z = np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.2], [0.2, 1]])
    components = np.array([0, 0, 1, 2, 3, 4])
    halves = cut_in_two(sparse.csr_array(Z), components, Rule(20, 0.0, True, 0))
    assert sorted(half.tolist() for half in halves) == [[0, 1, 4], [2, 3, 5]]
    (all_of_them,) = cut_in_two(Z, np.zeros(6, int), Rule(20, 0.0, True, 0))
    assert all_of_them.tolist() == list(range(6))


@pytest.mark.parametrize(
    "labels",
    [
        [""],
        ["", "", " "],
        ["same", "SAME", " same "],
        ["\ud800", "\ud800\udc00", "\0", "\0\0"],
        ["x" * 10_000, "x" * 10_000 + "y", "x"],
        ["مرحبا", "你好", "😀😀", "é", "e\u0301"],
    ],
    ids=["empty", "empties", "same", "surrogates", "long", "scripts"],
)
@pytest.mark.parametrize("trie_depth", [0, 1, 3, None])
@pytest.mark.parametrize("top", ["trie", "must-link"])
def test_any_names(labels, trie_depth, top):
    tree = fit([*labels, "a"], trie_depth=trie_depth, top=top, max_leaf_size=1)
    assert tree.n_labels == len(labels) + 1
    assert tree.depth < 20


def test_names_that_say_nothing():
    assert fit([""]).n_labels == 1
    assert fit(["", " "], trie_depth=0, max_leaf_size=1).n_labels == 2


@pytest.mark.parametrize(
    ("parameters", "arguments", "error", "message"),
    [
        ({}, {}, ValueError, "label_names is None"),
        ({}, {"label_names": "abc"}, ValueError, "label_names"),
        ({}, {"label_names": [1, 2]}, TypeError, "label_names"),
        ({}, {"label_names": []}, ValueError, "label_names"),
        ({"label_vectors": "given"}, {"label_names": ["a"]}, ValueError, "Z is None"),
        (
            {"label_vectors": "given"},
            {"Z": np.eye(2), "label_names": ["a"]},
            ValueError,
            "Z has 2 rows; expected 1",
        ),
        ({"trie_depth": -1}, {"label_names": ["a"]}, ValueError, "trie_depth"),
        ({"trie_depth": 1.5}, {"label_names": ["a"]}, ValueError, "trie_depth"),
        ({"branching_factor": 1}, {"label_names": ["a"]}, ValueError, "branching"),
        ({"top": "down"}, {"label_names": ["a"]}, ValueError, "top"),
        ({"vectorizer": 3}, {"label_names": ["a"]}, ValueError, "vectorizer"),
    ],
)
def test_bad_input(parameters, arguments, error, message):
    indexer = TrieTreeHybrid(**parameters)
    with pytest.raises(error, match=message):
        indexer.fit(**arguments)
    assert not hasattr(indexer, "tree_")


def test_clones_and_pickles():
    indexer = TrieTreeHybrid(2, 4, 5, random_state=0).fit(label_names=STRINGS)
    assert pickle.loads(pickle.dumps(indexer)).tree_ == indexer.tree_
    again = clone(indexer)
    assert not hasattr(again, "tree_")
    assert again.fit(label_names=STRINGS).tree_ == indexer.tree_


# In a classifier
# ---------------


@pytest.fixture(scope="module")
def term_pairs():
    """Vocabulary of a title, as previous term, prefix of the next, and next term."""
    subjects = load_subjects()
    terms = subjects.target_names
    rng = np.random.default_rng(0)
    rows = []
    for columns in np.split(subjects.target.indices, subjects.target.indptr[1:-1]):
        if len(columns) > 1 and len(rows) < 3000:
            previous, following = rng.permutation(terms[columns])[:2]
            length = rng.integers(1, 1 + min(5, len(following)))
            rows.append((previous, following[:length], following))
    frame = pd.DataFrame(rows, columns=["previous", "prefix", "next"])
    return frame[["previous", "prefix"]], frame["next"].to_numpy()


def make_completer(**parameters):
    return make_pipeline(
        ColumnTransformer(
            [
                ("previous", WordNgramTfidf(), "previous"),
                ("prefix", PrefixWeightedCharTfidf(), "prefix"),
            ]
        ),
        XRLinearClassifier(
            TrieTreeHybrid(max_leaf_size=20), random_state=0, **parameters
        ),
    )


def test_classes_that_are_strings_are_grouped_by_their_names(term_pairs):
    X, y = term_pairs
    model = make_completer().fit(X[:2500], y[:2500])
    classifier = model[-1]
    tree = classifier.trees_[0]
    folded = [fold_name(name) for name in classifier.classes_]
    for group in groups(tree, 1):
        assert len({folded[label][:1] for label in group}) == 1
    predicted = model.predict(X[:200])
    starts = [
        fold_name(found).startswith(fold_name(prefix))
        for found, prefix in zip(predicted, X["prefix"][:200], strict=True)
    ]
    assert np.mean(starts) > 0.95
    assert np.mean(predicted == y[:200]) > 0.5


def test_tunes_in_a_grid_search(term_pairs):
    X, y = term_pairs
    grid = {
        "xrlinearclassifier__indexer__trie_depth": [0, 2],
        "xrlinearclassifier__beam_width": [5, 20],
        "xrlinearclassifier__threshold": [0.05, 0.2],
    }
    search = GridSearchCV(
        make_completer(), grid, scoring=reciprocal_rank_at_k_scorer(10), cv=KFold(2)
    )
    search.fit(X[:600], y[:600])
    assert search.best_score_ > 0
    assert len(search.cv_results_["params"]) == 8


def test_label_names_go_with_an_indicator(term_pairs):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 5)), np.eye(8, dtype=int)[rng.integers(8, size=40)]
    classifier = XRLinearClassifier(TrieTreeHybrid(1), random_state=0)
    with pytest.raises(ValueError, match="label_names is None"):
        classifier.fit(X, Y)
    classifier.fit(X, Y, label_names=STRINGS)
    assert sorted(map(sorted, groups(classifier.trees_[0], 1))) == [
        [0, 1, 2, 3, 4, 5],
        [6, 7],
    ]


def test_nodes_with_one_child_have_no_weights():
    labels = ["a", *("bc" + letter for letter in "defgh")]
    rng = np.random.default_rng(0)
    y = np.array(labels)[rng.integers(6, size=60)]
    X = sparse.random(60, 30, 0.2, format="csr", random_state=0, dtype=np.float32)
    classifier = XRLinearClassifier(
        TrieTreeHybrid(3, 2, 2), random_state=0, threshold=0
    )
    classifier.fit(X, y)
    tree = classifier.trees_[0]
    for level, weights in enumerate(classifier.layouts_[0].to_levels()):
        single = tree.n_children(level) == 1
        n_features = np.diff(weights.posting_offsets)
        assert (n_features[single] == 0).all()
        assert (n_features[~single] > 0).all()
    assert (tree.n_children(1) == 1).any()


def test_is_told_apart_from_estimators_of_vectors():
    assert TrieTreeHybrid().__sklearn_tags__().input_tags.string
    given = TrieTreeHybrid(label_vectors="given").__sklearn_tags__().input_tags
    assert given.two_d_array
    assert not given.string


def test_a_failed_fit_changes_nothing():
    indexer = TrieTreeHybrid(label_vectors="given", random_state=0)
    indexer.fit(np.eye(8), label_names=STRINGS)
    before = dict(vars(indexer))
    with pytest.raises(ValueError, match="Z has 9 rows"):
        indexer.fit(np.eye(9), label_names=STRINGS)
    assert vars(indexer) == before
