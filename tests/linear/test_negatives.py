"""Labels that rows were shown and did not choose: the argument `negatives` of fits."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import sklearn
from fitted_classifiers import SMALL_TREE, make_data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.svm import LinearSVC
from twins import random_tree, weights_to_dense

from skxmr import KMeansTree, LabelThresholdCV, TextRetriever, XRLinearClassifier
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._negatives import check_negatives
from skxmr._targets import make_target
from skxmr._training._negatives import FoundRows, level_targets, shown_rows
from skxmr.metrics import recall_at_k_scorer

N_ROWS, N_LABELS = 150, 20
X, Y = make_data(n_samples=N_ROWS, n_classes=N_LABELS)
DENSE_Y = Y.toarray()
DENSE_Y[:2, DENSE_Y.sum(axis=0) == 0] = 1  # each label has a row
Y = sparse.csr_array(DENSE_Y)


def draw_negatives(seed=0, share=0.05, Y=DENSE_Y):
    random = np.random.default_rng(seed)
    return sparse.csr_array((random.random(Y.shape) < share) & (Y == 0))


SHOWN = draw_negatives()


class GivenTree(BaseEstimator):
    """An indexer that returns a tree."""

    needs_label_vectors = False

    def __init__(self, tree=None):
        self.tree = tree

    def fit(self, Z=None, y=None, *, label_names=None):
        self.tree_ = self.tree
        return self


def fit(X=X, Y=Y, negatives=SHOWN, **parameters):
    given = {"indexer": SMALL_TREE, "random_state": 0} | parameters
    return XRLinearClassifier(**given).fit(X, Y, negatives=negatives)


def assert_same_answers(one, other):
    for first, second in zip(one.rank(X, 10), other.rank(X, 10), strict=True):
        np.testing.assert_array_equal(first, second)


def labels_below(tree, level):
    """Tell for each node of a level which labels are below it."""
    ranges = tree.leaf_ranges(level)
    below = np.zeros((tree.level_sizes[level], tree.n_labels), dtype=bool)
    for node in range(len(below)):
        below[node, tree.labels[ranges[node] : ranges[node + 1]]] = True
    return below


def problems_by_rule(tree, Y, shown):
    """Yield each node, its training rows, and which of them are positive."""
    for level in range(1, tree.depth + 1):
        above, below = labels_below(tree, level - 1), labels_below(tree, level)
        for node, parent in enumerate(tree.parents(level)):
            if level == 1:
                rows = np.arange(len(Y))
            else:
                has_parent = Y[:, above[parent]].any(axis=1)
                was_shown = shown[:, above[parent]].any(axis=1)
                rows = np.flatnonzero(has_parent | was_shown)
            yield level, node, rows, Y[rows][:, below[node]].any(axis=1)


# Which rows a node is trained on


@given(st.integers(0, 10**6), st.sampled_from(["parents", "matcher", "both"]))
@settings(max_examples=60, deadline=None)
def test_rows_of_parents(seed, negative_sampling):
    random = np.random.default_rng(seed)
    tree = random_tree(random)
    Y = random.random((12, tree.n_labels)) < 0.2
    shown = draw_negatives(seed, 0.15, Y)
    shown = shown if random.random() < 0.8 else None
    n_padded = 12 + int(random.integers(3))
    Y = np.vstack([Y, np.zeros((n_padded - 12, tree.n_labels), dtype=bool)])
    parents = sparse.csr_array(np.ones((n_padded, 1), dtype=np.float32))
    of_levels = shown_rows(tree, shown, n_padded)
    dense = np.zeros(Y.shape, dtype=bool)
    if shown is not None:
        dense[:12] = shown.toarray()
    for level, children in enumerate(tree.roll_up(sparse.csr_array(Y)), start=1):
        matched = random.random(parents.shape) < 0.2
        found = FoundRows(
            sparse.csr_array(matched) if level > 1 else None, of_levels[level - 1]
        )
        targets = level_targets(
            tree, level, parents, children, found, negative_sampling=negative_sampling
        )
        has_parent = Y @ labels_below(tree, level - 1).T
        was_shown = dense @ labels_below(tree, level - 1).T
        if level == 1:
            has_parent[:], was_shown[:] = True, False
        is_row, is_negative = has_parent | was_shown, has_parent | was_shown
        if negative_sampling != "parents" and level > 1:
            is_row = is_row | matched
            is_negative = matched | was_shown
            if negative_sampling == "both":
                is_negative = is_negative | has_parent
        rows = targets.rows.to_csr()
        stored = np.zeros(is_row.T.shape, dtype=bool)
        stored[
            np.repeat(np.arange(len(stored)), np.diff(rows.indptr)), rows.indices
        ] = 1
        np.testing.assert_array_equal(stored, is_row.T)
        np.testing.assert_array_equal(rows.toarray() == 1, is_negative.T)
        parents = children


@pytest.mark.parametrize("is_dense", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_node_is_the_model_of_scikit_learn_for_its_rows(is_dense, n_jobs):
    given = X.toarray() if is_dense else X
    classifier = fit(
        given,
        n_jobs=n_jobs,
        C=1.0,
        prior_weight=0,
        tol=1e-6,
        max_iter=50_000,
        threshold=0,
    )
    tree = classifier.trees_[0]
    levels = classifier.layouts_[0].to_levels()
    weights = [
        weights_to_dense(level, offsets, X.shape[1])
        for level, offsets in zip(levels, tree.child_offsets, strict=True)
    ]
    n_with_more = 0
    problems = problems_by_rule(tree, DENSE_Y > 0, SHOWN.toarray())
    usual = problems_by_rule(tree, DENSE_Y > 0, np.zeros(DENSE_Y.shape, dtype=bool))
    for (level, node, rows, is_positive), before in zip(problems, usual, strict=True):
        n_with_more += len(rows) > len(before[2])
        intercept = levels[level - 1].intercepts[node]
        if is_positive.all() or not is_positive.any():
            assert intercept == (np.inf if is_positive.any() else -np.inf)
            continue
        model = LinearSVC(C=1.0, tol=1e-8, max_iter=100_000, random_state=0)
        model.fit(X[rows].toarray().astype(np.float64), is_positive)
        np.testing.assert_allclose(
            weights[level - 1][:, node], model.coef_[0], atol=2e-3
        )
        np.testing.assert_allclose(intercept, model.intercept_[0], atol=2e-3)
    assert n_with_more > 10


def test_a_label_whose_siblings_have_no_rows_learns_from_what_was_shown():
    y = np.zeros((N_ROWS, 4), dtype=int)
    y[: N_ROWS // 2, 0], y[N_ROWS // 2 :, 2] = 1, 1
    tree = KMeansTree(2, 2)
    assert np.inf in fit(Y=y, negatives=None, indexer=tree).layouts_[0].intercepts
    shown = np.zeros(y.shape, dtype=bool)
    shown[N_ROWS // 2 :, 0] = shown[: N_ROWS // 2, 2] = True
    found = fit(Y=y, negatives=shown, indexer=tree).layouts_[0]
    assert np.inf not in found.intercepts[3:]


def test_the_same_bits_for_any_number_of_threads():
    one, two = (fit(n_jobs=n_jobs, n_trees=2) for n_jobs in (1, 2))
    for first, second in zip(one.layouts_, two.layouts_, strict=True):
        np.testing.assert_array_equal(first.intercepts, second.intercepts)
    assert_same_answers(one, two)


@pytest.mark.parametrize("negative_sampling", ["parents", "matcher", "both"])
def test_labels_that_were_shown_lose(negative_sampling):
    parameters = {"negative_sampling": negative_sampling, "negative_beam_width": 1}
    plain, taught = (fit(negatives=n, **parameters) for n in (None, SHOWN))
    mean = [one.predict_proba(X)[SHOWN.nonzero()].mean() for one in (plain, taught)]
    assert mean[1] < 0.8 * mean[0]


# Kinds of input

NAMES = np.array([f"label {i:02}" for i in range(N_LABELS)])
LISTS = [np.flatnonzero(row).tolist() for row in SHOWN.toarray()]


@pytest.mark.parametrize(
    "negatives",
    [
        sparse.csc_matrix(SHOWN),
        sparse.coo_array(SHOWN * 7.5),
        SHOWN.toarray(),
        (SHOWN.toarray() * 3).tolist(),
        pd.DataFrame(SHOWN.toarray()),
        [set(row) for row in LISTS],
        sparse.csr_array(
            (
                np.r_[np.zeros(Y.nnz), np.ones(2 * SHOWN.nnz)],
                np.hstack([Y.nonzero(), SHOWN.nonzero(), SHOWN.nonzero()]),
            ),
            shape=Y.shape,
        ),
    ],
    ids=["csc", "counts", "dense", "lists", "frame", "sets", "zeros and duplicates"],
)
def test_containers(negatives):
    assert_same_answers(fit(negatives=negatives), fit())


def test_nothing_shown_is_no_argument():
    expected = fit(negatives=None)
    for nothing in (SHOWN * 0, np.zeros(Y.shape), [set()] * N_ROWS, [[]] * N_ROWS):
        assert_same_answers(fit(negatives=nothing), expected)


def test_rows_of_names():
    y = [set(NAMES[np.flatnonzero(row)]) for row in DENSE_Y]
    expected = fit()
    shown = [NAMES[row].tolist() for row in LISTS]
    for negatives in (shown, SHOWN, pd.DataFrame(SHOWN.toarray(), columns=NAMES)):
        assert_same_answers(fit(Y=y, negatives=negatives), expected)
    # Labels that no row has are never found: there is nothing to learn.
    assert_same_answers(fit(Y=y, negatives=[[*row, "?"] for row in shown]), expected)
    backwards = pd.DataFrame(SHOWN.toarray()[:, ::-1], columns=NAMES[::-1])
    assert_same_answers(fit(Y=y, negatives=backwards), expected)


@pytest.mark.parametrize("names", [NAMES, np.arange(N_LABELS) * 3])
def test_class_labels(names):
    columns = DENSE_Y.argmax(axis=1)
    columns[:N_LABELS] = np.arange(N_LABELS)
    is_class = np.arange(N_LABELS) == columns[:, np.newaxis]
    shown = draw_negatives(Y=is_class)
    expected = fit(Y=is_class.astype(int), negatives=shown).rank(X, 5)
    lists = [set(names[np.flatnonzero(row)].tolist()) for row in shown.toarray()]
    for negatives in (shown, lists):
        found = fit(Y=names[columns], negatives=negatives).rank(X, 5)
        np.testing.assert_array_equal(found[0], expected[0])


BAD_NEGATIVES = {
    "overlap": (Y, r"not hold labels of y; row 0 has the label \d+ in both"),
    "fewer rows": (SHOWN[:9], r"has the shape \(9, 20\); expected \(150, 20\), rows"),
    "fewer labels": (SHOWN[:, :3], r"has the shape \(150, 3\); expected \(150, 20\)"),
    "one dimension": (np.ones(150), r"has the shape \(150,\); expected \(150, 20\)"),
    "fewer lists": ([{1}] * 9, "negatives has 9 rows; expected 150, as y has"),
    "unknown": ([{77}] * 150, "holds no label of y, but 77; expected labels like 0"),
    "names": ([["a"]] * 150, "holds no label of y, but 'a'; expected labels like 0"),
    "negative": (SHOWN * -1.0, r"0 or a positive number for each label; got -1\.0"),
    "NaN": (SHOWN * np.nan, "negatives contains NaN"),
    "infinite": (SHOWN * np.inf, "negatives contains infinity"),
    "complex": (SHOWN * 1j, "Complex data not supported"),
    "words": (np.full(Y.shape, "much"), "not compatible with arrays of bytes/strings"),
    "missing": ([None, *map(set, LISTS[1:])], r"negatives\[0\] is missing"),
    "no container": (3, r"has the shape \(\)|scalar"),
}


@pytest.mark.parametrize(
    ("negatives", "message"), BAD_NEGATIVES.values(), ids=BAD_NEGATIVES
)
def test_bad_negatives(negatives, message):
    classifier = fit()
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match=message):
        classifier.fit(X, Y, negatives=negatives)
    with pytest.raises(ValueError, match=message):
        classifier.partial_fit(X, Y, negatives=negatives)
    assert all(vars(classifier)[name] is before[name] for name in before)


def test_the_label_of_an_overlap_is_named():
    y = [set(NAMES[np.flatnonzero(row)]) for row in DENSE_Y]
    shown = [set()] * N_ROWS
    label = min(y[7])
    shown[7] = {label}
    with pytest.raises(ValueError, match=f"row 7 has the label '{label}' in both"):
        fit(Y=y, negatives=shown)


def test_memory_grows_with_what_was_shown():
    n_rows, n_labels = 20_000, 1_000_000
    random = np.random.default_rng(0)
    rows = np.arange(n_rows)
    ones, labels = np.ones(n_rows), random.integers(0, n_labels - 1, n_rows)
    y, shown = (
        sparse.csr_array((ones, (rows, one)), shape=(n_rows, n_labels))
        for one in (labels, labels + 1)
    )
    target, pattern = make_target(y, None)
    known = KnownClasses.of(target.classes)
    tracemalloc.start()
    try:
        found = check_negatives(shown, target, known, pattern)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.nnz == n_rows
    # A number for each label and some for each entry, not rows times labels.
    assert peak < 8 * n_labels + 200 * n_rows


# Ways to fit


def test_negatives_are_split_with_the_rows():
    folds = KFold(3)
    search = GridSearchCV(
        XRLinearClassifier(SMALL_TREE, random_state=0),
        {},
        scoring=recall_at_k_scorer(3),
        cv=folds,
        error_score="raise",
    ).fit(X, Y, negatives=SHOWN)
    assert_same_answers(search.best_estimator_, fit())
    for fold, (train, test) in enumerate(folds.split(X)):
        fitted = fit(X[train], Y[train], SHOWN[train])
        found = search.cv_results_[f"split{fold}_test_score"][0]
        assert found == recall_at_k_scorer(3)(fitted, X[test], Y[test])


def test_negatives_are_routed():
    lists = [set(row) for row in LISTS]
    with sklearn.config_context(enable_metadata_routing=True):
        linear = XRLinearClassifier(SMALL_TREE, random_state=0)
        linear.set_fit_request(negatives=True)
        for negatives in (SHOWN, lists):
            tuned = LabelThresholdCV(linear, cv=2).fit(X, Y, negatives=negatives)
            assert_same_answers(tuned.estimator_, fit())


def test_other_negatives_are_not_read_from_the_cache(tmp_path):
    cached = {"memory": tmp_path, "weight_floor": 0.0}
    for negatives in (None, SHOWN, draw_negatives(1), SHOWN):
        expected = fit(negatives=negatives)
        assert_same_answers(fit(negatives=negatives, **cached), expected)


@pytest.mark.parametrize("parameter", ["prior_weight", "block_weights"])
def test_parameters_are_chosen_with_the_negatives(parameter, monkeypatch):
    seen = []
    plain_fit = XRLinearClassifier.fit

    def noted(self, X, y, **arguments):
        seen.append((X.shape[0], arguments.get("negatives")))
        return plain_fit(self, X, y, **arguments)

    monkeypatch.setattr(XRLinearClassifier, "fit", noted)
    rows, labels = make_data(n_samples=400)
    beside = np.random.default_rng(0).normal(size=(400, 16))
    rows = sparse.hstack([rows, sparse.csr_array(beside)], format="csr")
    shown = draw_negatives(Y=labels.toarray())
    classifier = XRLinearClassifier(SMALL_TREE, random_state=0, **{parameter: "fit"})
    classifier.fit(rows, labels, negatives=shown)
    assert len(seen) > 3
    for n_rows, negatives in seen[1:]:
        assert negatives.shape == (n_rows, N_LABELS)
        assert 0 < negatives.nnz < shown.nnz


EXACT = {"tol": 1e-5, "max_iter": 20_000, "threshold": 0}


@pytest.mark.parametrize("before", [None, SHOWN, draw_negatives(1)])
@pytest.mark.parametrize("after", [None, SHOWN])
def test_warm_start_with_other_negatives(before, after):
    classifier = fit(negatives=before, warm_start=True, C=1.0, **EXACT)
    classifier.fit(X, Y, negatives=after)
    n_solved = classifier.relearning_["n_solved"].sum()
    assert (n_solved == 0) == (before is after)
    fresh = clone(classifier).set_params(indexer=GivenTree(classifier.trees_[0]))
    fresh.fit(X, Y, negatives=after)
    for first, second in zip(
        classifier.layouts_[0].to_levels(), fresh.layouts_[0].to_levels(), strict=True
    ):
        np.testing.assert_allclose(first.intercepts, second.intercepts, atol=3e-3)
        np.testing.assert_array_equal(first.features, second.features)
        np.testing.assert_allclose(first.weights, second.weights, atol=3e-3)


def test_warm_start_with_names_of_earlier_rows():
    y = [set(NAMES[np.flatnonzero(row)]) for row in DENSE_Y]
    classifier = fit(Y=y, negatives=None, warm_start=True)
    gone = [row - {NAMES[0]} for row in y]
    shown = [{NAMES[0], NAMES[1]} - row for row in gone]
    classifier.fit(X, gone, negatives=shown)
    assert classifier.classes_.tolist() == NAMES.tolist()
    classifier.remove_labels([NAMES[1]])
    gone = [row - {NAMES[1]} for row in gone]
    classifier.fit(X, gone, negatives=shown)


def test_further_rows_with_negatives():
    classifier = fit(negatives=None, beam_width=None, max_candidates=None)
    plain, taught = clone_fitted(classifier), clone_fitted(classifier)
    rows = slice(0, 40)
    for _ in range(3):
        plain.partial_fit(X[rows], Y[rows])
        taught.partial_fit(X[rows], Y[rows], negatives=SHOWN[rows])
    scores = [
        one.predict_proba(X[rows])[SHOWN[rows].nonzero()] for one in (plain, taught)
    ]
    assert scores[1].mean() < 0.9 * scores[0].mean()
    again = clone_fitted(classifier)
    for _ in range(3):
        again.partial_fit(X[rows], Y[rows], negatives=[set(row) for row in LISTS[:40]])
    assert_same_answers(again, taught)


def clone_fitted(classifier):
    copied = clone(classifier)
    copied._state = classifier._state
    return copied


@pytest.mark.parametrize("n_removed", [0, 3])
def test_a_parent_that_only_negatives_reach_is_trained(n_removed):
    classifier = fit(negatives=None, beam_width=None, max_candidates=None)
    classifier.remove_labels(np.arange(n_removed))
    tree = classifier.trees_[0]
    first, last = int(tree.labels[0]), int(tree.labels[-1])
    y = np.zeros((5, N_LABELS), dtype=int)
    y[:, last] = 1
    shown = np.zeros(y.shape, dtype=bool)
    shown[:, first] = True
    before = classifier.predict_proba(X).toarray()
    classifier.partial_fit(X[:5], y, negatives=shown)
    after = classifier.predict_proba(X).toarray()
    siblings = tree.labels[: tree.leaf_ranges(tree.depth - 1)[1]]
    alive = siblings[siblings >= n_removed]
    # Their weights are still there, and know of the rows.
    assert (after[5:, alive].max(axis=0) > 0).all()
    if first >= n_removed:
        assert after[:5, first].mean() < before[:5, first].mean()


def test_first_call_of_partial_fit():
    classifier = XRLinearClassifier(SMALL_TREE, random_state=0)
    assert_same_answers(classifier.partial_fit(X, Y, negatives=SHOWN), fit())


# Retrievers

TEXTS = [
    " ".join(f"word{column}" for column in X.indices[X.indptr[i] : X.indptr[i + 1]])
    for i in range(N_ROWS)
]


def fit_retriever(y, negatives, **arguments):
    classifier = XRLinearClassifier(SMALL_TREE, random_state=0)
    retriever = TextRetriever(classifier=classifier, fusion=None, random_state=0)
    return retriever.fit(TEXTS, y, negatives=negatives, **arguments)


def assert_same_searches(one, other):
    for first, second in zip(one.rank(TEXTS, 10), other.rank(TEXTS, 10), strict=True):
        np.testing.assert_array_equal(first, second)


def test_retriever_hands_them_to_its_classifier():
    found = fit_retriever(Y, SHOWN)
    expected = fit(found.vectorizer_.transform(TEXTS))
    columns, scores = found.rank(TEXTS, 10)
    features = found.vectorizer_.transform(TEXTS)
    np.testing.assert_array_equal(columns, expected.rank(features, 10)[0])
    np.testing.assert_array_equal(scores, expected.rank(features, 10)[1])


@pytest.mark.parametrize("label_texts", [None, NAMES.tolist()])
def test_retriever_of_names_and_classes(label_texts):
    expected = fit_retriever(Y, SHOWN, label_texts=label_texts)
    y = [set(NAMES[np.flatnonzero(row)]) for row in DENSE_Y]
    shown = [set(NAMES[row]) for row in LISTS]
    texts = label_texts and dict(zip(NAMES.tolist(), label_texts, strict=True))
    for negatives in (shown, SHOWN):
        found = fit_retriever(y, negatives, label_texts=texts)
        assert_same_searches(found, expected)
    with pytest.raises(ValueError, match=r"row 0 has the label 'label \d\d' in both"):
        fit_retriever(y, y, label_texts=texts)
    plain = fit_retriever(Y, None, label_texts=label_texts)
    assert (plain.rank(TEXTS, 5)[1] != expected.rank(TEXTS, 5)[1]).any()


def test_retriever_goes_on_with_negatives():
    y = [set(NAMES[np.flatnonzero(row)]) for row in DENSE_Y]
    shown = [set(NAMES[row]) for row in LISTS]
    plain, named = fit_retriever(Y, None), fit_retriever(y, None)
    plain.partial_fit(TEXTS[:30], Y[:30], negatives=SHOWN[:30])
    named.partial_fit(TEXTS[:30], y[:30], negatives=shown[:30])
    assert_same_searches(named, plain)
    other = fit_retriever(Y, None).partial_fit(TEXTS[:30], Y[:30])
    assert (other.rank(TEXTS, 5)[1] != plain.rank(TEXTS, 5)[1]).any()


def test_retriever_with_a_warm_start():
    y = [set(NAMES[np.flatnonzero(row)]) for row in DENSE_Y]
    shown = [set(NAMES[row]) for row in LISTS]
    classifier = XRLinearClassifier(SMALL_TREE, random_state=0, tol=1e-4, threshold=0)
    retriever = TextRetriever(classifier=classifier, fusion=None, warm_start=True)
    retriever.fit(TEXTS, y).fit(TEXTS, y, negatives=shown)
    fresh = clone(retriever).fit(TEXTS, y, negatives=shown)
    np.testing.assert_allclose(
        retriever.rank(TEXTS, 5)[1], fresh.rank(TEXTS, 5)[1], atol=1e-3
    )


def test_retriever_with_a_classifier_that_takes_none():
    class Plain(XRLinearClassifier):
        def fit(self, X, y):
            return super().fit(X, y)

    retriever = TextRetriever(classifier=Plain())
    with pytest.raises(ValueError, match="negatives take a classifier whose fit knows"):
        retriever.fit(TEXTS, Y, negatives=SHOWN)
