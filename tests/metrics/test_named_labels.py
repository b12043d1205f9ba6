"""Metrics of rows of labels: sets of columns, and names that are looked up."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.model_selection import KFold, cross_val_score
from sklearn.preprocessing import MultiLabelBinarizer

from skxmr import TextRetriever, metrics, rank
from skxmr.metrics import (
    coverage_at_k,
    f1_at_k,
    ndcg_at_k,
    precision_at_k,
    propensities,
    propensity_scored_precision_at_k_scorer,
    recall_at_k,
    recall_at_k_scorer,
    reciprocal_rank_at_k,
)

METRICS = [
    precision_at_k,
    recall_at_k,
    ndcg_at_k,
    reciprocal_rank_at_k,
    coverage_at_k,
    f1_at_k,
]
CLASSES = ["api", "django", "flask", "web"]
NAMES = [["web", "api"], ["django"], [], ["flask", "web", "web"]]
COLUMNS = [{3, 0}, {1}, set(), {2, 3}]
INDICATOR = sparse.csr_array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]])
RANKED = np.array([[3, 1], [1, -1], [2, 0], [0, 2]])
SCORES = np.random.RandomState(0).random_sample((4, 4))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scores", [RANKED, SCORES], ids=["columns", "scores"])
def test_rows_of_labels_are_as_their_indicator(metric, scores):
    expected = metric(INDICATOR, scores, k=2)
    assert metric(COLUMNS, scores, k=2) == expected
    assert metric(NAMES, scores, k=2, classes=CLASSES) == expected
    assert metric(list(map(set, NAMES)), scores, 2, classes=np.array(CLASSES)) == (
        expected
    )
    assert metric(INDICATOR, scores, k=2, classes=CLASSES) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_one_name_for_each_row(metric):
    columns = [3, 1, 0, 2]
    names = [CLASSES[column] for column in columns]
    expected = metric(columns, RANKED, k=2)
    assert metric(names, RANKED, k=2, classes=CLASSES) == expected


def test_names_that_are_no_classes_are_never_hit():
    y_true = [["web", "perl", "ruby"], ["perl"]]
    ranked = np.array([[3, 1], [1, 0]])
    assert recall_at_k(y_true, ranked, k=1, classes=CLASSES) == pytest.approx(1 / 6)
    assert precision_at_k(["perl", "web"], ranked, 1, classes=CLASSES) == 0
    assert recall_at_k(["perl", "web"], SCORES[:2], 4, classes=CLASSES) == 0.5
    with pytest.raises(ValueError, match="same number of columns, got 3 and 4"):
        recall_at_k(np.eye(3)[:2], SCORES[:2], 2, classes=CLASSES)


WRONG = {
    "names": (NAMES, None, "y_true has rows of label names, such as 'web'; pass class"),
    "negative": ([{-1}, {1}, {1}, {1}], None, "column indices from 0 to .*; got -1"),
    "missing": ([["web"], None, [], []], CLASSES, r"y_true\[1\] is missing"),
    "rows": ([["web"]], CLASSES, "must have the same number of rows, got 1 and 4"),
    "repeated": (NAMES, ["a", "a", "b", "c"], "classes has a label more than once"),
}


@pytest.mark.parametrize(("y_true", "classes", "message"), WRONG.values(), ids=WRONG)
def test_wrong_rows_are_refused(y_true, classes, message):
    with pytest.raises(ValueError, match=message):
        recall_at_k(y_true, RANKED, k=2, classes=classes)


def test_columns_beyond_the_scores_are_refused():
    with pytest.raises(ValueError, match="column indices from 0 to 3; got 7"):
        recall_at_k([{7}, {1}, {1}, {1}], SCORES, k=2)


def test_scorers_look_names_up():
    texts = ["a web api", "django forms", "flask server", "a web server"] * 3
    tags = [["web", "api"], ["django"], ["flask"], ["web"]] * 3
    scores = cross_val_score(
        TextRetriever(random_state=0),
        texts,
        tags,
        scoring=recall_at_k_scorer(2),
        cv=KFold(3, shuffle=True, random_state=0),
    )
    assert (scores > 0.5).all()
    scorer = propensity_scored_precision_at_k_scorer(
        1, propensities=propensities(INDICATOR)
    )
    model = TextRetriever(random_state=0).fit(texts, tags)
    with pytest.raises(ValueError, match="propensities must be a dict from class"):
        scorer(model, texts, tags)


@pytest.mark.parametrize(
    "name",
    [
        "propensity_scored_precision_at_k",
        "propensity_scored_recall_at_k",
        "propensity_scored_ndcg_at_k",
    ],
)
def test_propensities_by_name(name):
    texts = ["a web api", "django forms", "flask server", "a web server"]
    tags = [["web", "api"], ["django"], ["flask"], ["web"]]
    model = TextRetriever(random_state=0).fit(texts, tags)
    p = propensities(tags)
    names = ["api", "django", "flask", "web"]
    assert (
        p.tolist() == propensities(MultiLabelBinarizer().fit_transform(tags)).tolist()
    )
    # A name that is no class is never found, and has the smallest propensity.
    y = [["web", "new"], ["django"], ["api"], []]
    Y = MultiLabelBinarizer(classes=[*names, "new"]).fit_transform(y)
    columns, scores = rank(model, texts, 2)
    metric = getattr(metrics, name)
    expected = metric(Y, (columns, scores), 2, propensities=[*p, min(p)])
    found = metric(y, (columns, scores), 2, propensities=p, classes=names)
    assert found == pytest.approx(expected)
    by_name = dict(zip(names, p.tolist(), strict=True))
    for given in (by_name, pd.Series(by_name)):
        scorer = getattr(metrics, f"{name}_scorer")(2, propensities=given)
        assert scorer(model, texts, y) == pytest.approx(expected)
    with pytest.raises(ValueError, match="propensities must hold one value"):
        metric(y, (columns, scores), 2, propensities=p[:3], classes=names)


@pytest.mark.parametrize("k", [1, 2, None])
def test_calibration_by_name(k):
    names = ["a", "b", "c"]
    scores = np.array([[0.9, 0.3, 0.0], [0.1, 0.6, 0.2]])
    Y = [[1, 0, 0], [0, 1, 1]]
    for y in ([["a"], ["b", "c"]], [["a", "new"], ["c", "other", "b"]]):
        for metric in (metrics.reliability_curve, metrics.expected_calibration_error):
            found = metric(y, scores, k, bins=4, classes=names)
            np.testing.assert_allclose(found, metric(Y, scores, k, bins=4))
    found = metrics.reliability_curve(["a", "new"], scores, k, classes=names)
    expected = metrics.reliability_curve([0, -1], scores, k)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
