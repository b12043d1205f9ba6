"""Displays of metrics plot what the metrics return."""

import subprocess
import sys
from collections import Counter
from functools import cache, partial

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skxmr
from skxmr import SparseCalibrator, WordNgramTfidf, XRLinearClassifier, metrics
from skxmr.metrics import (
    MetricAtKDisplay,
    MicroPrecisionRecallDisplay,
    RecallByFrequencyDisplay,
    ReliabilityDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")

DISPLAYS = [
    MetricAtKDisplay,
    MicroPrecisionRecallDisplay,
    RecallByFrequencyDisplay,
    ReliabilityDisplay,
]
COLORS = ["red", "green", "blue", "pink"]
TEXTS = [f"{a} {b} thing" for a in COLORS for b in COLORS] * 3
NAMES = [sorted({text.split()[0], text.split()[1]}) for text in TEXTS]
COUNTS = Counter(name for row in NAMES for name in row)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@cache
def models():
    """A tagger fitted to an indicator, and one to rows of names."""
    tagger = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0))
    named = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0))
    return tagger.fit(TEXTS, indicator()), named.fit(TEXTS, NAMES)


def indicator():
    return sparse.csr_array([[int(c in row) for c in sorted(COLORS)] for row in NAMES])


def more_of(display):
    """Arguments that only this display needs."""
    counts = [COUNTS[one] for one in sorted(COLORS)]
    return {"counts": counts} if display is RecallByFrequencyDisplay else {}


def from_estimator(display, *, named=False, **options):
    y = NAMES if named else indicator()
    return display.from_estimator(
        models()[named], TEXTS, y, **more_of(display), **options
    )


def curve_of(display):
    """The points that are drawn."""
    return display.line_.get_xydata()


def values_of(display, y, model):
    """The points of a display, by the functions of `skxmr.metrics`."""
    if display is MicroPrecisionRecallDisplay:
        scores = model.predict_proba(TEXTS)
        precision, recall, _ = metrics.micro_precision_recall_curve(y, scores)
        return recall, precision
    ranking = skxmr.rank(model, TEXTS, 10)
    if display is MetricAtKDisplay:
        return range(1, 11), [metrics.recall_at_k(y, ranking, k) for k in range(1, 11)]
    if display is ReliabilityDisplay:
        return metrics.reliability_curve(y, ranking)[1::-1]
    frequencies, recalls, _ = metrics.recall_by_frequency(
        y, ranking, **more_of(display)
    )
    return np.searchsorted([0, 1, 2, 4, 11, 31], frequencies), recalls


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("named", [False, True])
def test_the_curve_has_the_values_of_the_metric(display, named):
    shown = from_estimator(display, named=named)
    expected = values_of(display, indicator(), models()[0])
    np.testing.assert_allclose(curve_of(shown), np.transpose(expected))
    assert shown.ax_ is shown.line_.axes
    assert shown.figure_ is shown.ax_.figure
    assert all((shown.ax_.get_xlabel(), shown.ax_.get_ylabel()))


@pytest.mark.parametrize("display", DISPLAYS)
def test_predictions_give_the_display_of_the_estimator(display):
    model = models()[0]
    scores = skxmr.rank(model, TEXTS, 10)
    if display is MicroPrecisionRecallDisplay:
        scores = model.predict_proba(TEXTS)
    shown = from_estimator(display)
    more = more_of(display)
    again = display.from_predictions(indicator(), scores, **more)
    named = display.from_predictions(NAMES, scores, classes=sorted(COLORS), **more)
    for one in (again, named):
        np.testing.assert_allclose(curve_of(one), curve_of(shown))
        assert one.name is None
        assert one.ax_ is not shown.ax_


@pytest.mark.parametrize("display", DISPLAYS)
def test_several_curves_on_the_same_axes(display):
    first = from_estimator(display)
    second = from_estimator(display, named=True, name="b", ax=first.ax_)
    third = second.plot(ax=first.ax_, name="c", curve_kwargs={"c": "red", "lw": 3})
    assert third is second
    assert second.ax_ is first.ax_
    (legend,) = [one for one in first.ax_.get_children() if "Legend" in str(one)]
    texts = [text.get_text() for text in legend.get_texts()]
    texts = [text.partition(" (")[0] for text in texts if "Perfectly" not in text]
    assert texts == ["Pipeline", "b", "c"]
    assert third.line_.get_color() == "red"
    assert third.line_.get_linewidth() == 3
    first.figure_.canvas.draw()


def test_a_higher_curve_is_not_cut_off():
    low = MetricAtKDisplay([1, 2], [0.1, 0.2]).plot()
    MetricAtKDisplay([1, 2], [0.5, 0.9]).plot(ax=low.ax_)
    assert low.ax_.get_ylim()[0] == 0
    assert low.ax_.get_ylim()[1] > 0.9
    low = RecallByFrequencyDisplay(np.array([1]), [0.1], [9]).plot()
    more = np.array([2, 31])
    RecallByFrequencyDisplay(more, [0.5, 0.9], [9, 9]).plot(ax=low.ax_)
    assert low.ax_.get_ylim()[1] > 0.9
    texts = [tick.get_text() for tick in low.ax_.get_xticklabels()]
    assert texts == ["0", "1", "2-3", "4-10", "11-30", "31-100"]


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ax": np.zeros(2)}, TypeError, "ax is of type ndarray"),
        ({"curve_kwargs": "red"}, TypeError, "curve_kwargs is of type str"),
        ({"k": 0}, ValueError, "k"),
        ({"k": "1"}, ValueError, "k"),
    ],
    ids=str,
)
def test_invalid_options(display, options, error, message):
    with pytest.raises(error, match=message):
        from_estimator(display, **options)


@pytest.mark.parametrize("display", DISPLAYS)
def test_estimators_must_be_fitted(display):
    unfitted = XRLinearClassifier()
    with pytest.raises(NotFittedError):
        display.from_estimator(unfitted, np.eye(2), np.eye(2), **more_of(display))
    with pytest.raises((TypeError, AttributeError)):
        display.from_estimator(object(), np.eye(2), np.eye(2), **more_of(display))


@pytest.mark.parametrize("display", DISPLAYS)
def test_rows_must_match(display):
    ranking = np.array([[0, 1], [1, 0]]), np.array([[0.9, 0.1], [0.7, 0.2]])
    options = {"k": 2} if display is not MicroPrecisionRecallDisplay else {}
    options |= {"counts": [3, 4]} if "counts" in more_of(display) else {}
    assert display.from_predictions([[1, 0], [0, 1]], ranking, **options)
    with pytest.raises(ValueError, match="same number of rows"):
        display.from_predictions([[1, 0]], ranking, **options)


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("method", ["from_estimator", "from_predictions", "plot"])
def test_it_says_how_to_get_matplotlib(display, method, monkeypatch):
    shown = from_estimator(display)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    arguments = {
        "from_estimator": (models()[0], TEXTS, indicator()),
        "from_predictions": (indicator(), indicator().astype(float)),
        "plot": (),
    }[method]
    more = {} if method == "plot" else more_of(display)
    with pytest.raises(ImportError, match=rf"{display.__name__}.*skxmr\[plot\]"):
        getattr(shown, method)(*arguments, **more)


def test_matplotlib_is_imported_for_plots_only():
    code = "import sys, skxmr.metrics; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# Metrics at k
# ------------


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("precision_at_k", "Precision at k"),
        ("ndcg_at_k", "nDCG at k"),
        ("f1_at_k", "F1 at k"),
        ("coverage_at_k", "Coverage at k"),
        (metrics.reciprocal_rank_at_k, "Reciprocal rank at k"),
        (partial(metrics.f1_at_k, average="macro"), "F1 at k (macro)"),
        (lambda y, scores, k: 1 / k, "<lambda>"),
    ],
    ids=lambda value: value if isinstance(value, str) else "function",
)
def test_other_metrics(metric, label):
    shown = from_estimator(MetricAtKDisplay, metric=metric, k=[1, 3])
    ranking = skxmr.rank(models()[0], TEXTS, 3)
    function = getattr(metrics, metric) if isinstance(metric, str) else metric
    expected = [[k, function(indicator(), ranking, k)] for k in (1, 3)]
    np.testing.assert_allclose(curve_of(shown), expected)
    assert shown.ax_.get_ylabel() == label


@pytest.mark.parametrize("metric", ["recall", "propensities", 3, None])
def test_unknown_metrics(metric):
    with pytest.raises(ValueError, match="metric="):
        from_estimator(MetricAtKDisplay, metric=metric)


@pytest.mark.parametrize("k", [[], [0, 1], [2, 1], [1, 1], [1.5], True, [[1]]])
def test_numbers_of_labels_must_rise(k):
    with pytest.raises(ValueError, match="ascending"):
        from_estimator(MetricAtKDisplay, k=k)


@pytest.mark.parametrize("k", [0, -1, 10_001, 10**30])
def test_a_curve_has_some_points_but_not_too_many(k):
    with pytest.raises(
        ValueError, match=r"k=.*; expected an integer from 1 to 10000\."
    ):
        from_estimator(MetricAtKDisplay, k=k)


# Precision and recall
# --------------------


def test_thresholds_are_marked_on_the_curve():
    model = models()[0]
    shown = from_estimator(MicroPrecisionRecallDisplay, mark_thresholds=[0.3, 1.5])
    assert [mark.get_text() for mark in shown.marks_] == ["0.3", "1.5"]
    y, scores = indicator().toarray(), model.predict_proba(TEXTS)
    chosen = scores.toarray() >= 0.3
    hits = (chosen & (y > 0)).sum()
    assert shown.marks_[0].xy == pytest.approx((hits / y.sum(), hits / chosen.sum()))
    assert shown.marks_[1].xy == (0, 1)
    for bad in ([np.nan], 0.5, [[0.5]]):
        with pytest.raises(ValueError, match="mark_thresholds"):
            shown.plot(mark_thresholds=bad)
    shown.thresholds = None
    with pytest.raises(ValueError, match="mark_thresholds"):
        shown.plot(mark_thresholds=[0.5])


def test_the_first_labels_only():
    shown = from_estimator(MicroPrecisionRecallDisplay, k=1)
    ranking = skxmr.rank(models()[0], TEXTS, 1)
    precision, recall, _ = metrics.micro_precision_recall_curve(indicator(), ranking)
    np.testing.assert_array_equal(curve_of(shown), np.transpose([recall, precision]))


def test_average_precision_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    Y = rng.integers(0, 2, size=(20, 6))
    scores = rng.integers(1, 9, size=(20, 6)) / 8  # all are retrieved
    shown = MicroPrecisionRecallDisplay.from_predictions(Y, scores, name="a")
    expected = average_precision_score(Y, scores, average="micro")
    assert shown.average_precision == pytest.approx(expected)
    assert shown.line_.get_label() == f"a (AP = {expected:.3f})"


# Reliability, and recall by frequency
# ------------------------------------


def test_bins_with_few_pairs_are_left_out():
    Y, scores = [[1, 0], [1, 1]], [[0.9, 0.1], [0.1, 0.15]]
    shown = ReliabilityDisplay.from_predictions(Y, scores, min_pairs=2, bins=5)
    np.testing.assert_allclose(curve_of(shown), [[0.35 / 3, 2 / 3]])
    assert shown.n_pairs.tolist() == [3, 1]
    shown = RecallByFrequencyDisplay.from_predictions(
        Y, scores, counts=[3, 1], min_pairs=2, k=1
    )
    np.testing.assert_allclose(curve_of(shown), [[2, 1 / 2]])


def test_the_diagonal_is_drawn_once():
    shown = from_estimator(ReliabilityDisplay)
    calibrated = SparseCalibrator(models()[0], cv=2, random_state=0)
    calibrated.fit(TEXTS, indicator())
    other = ReliabilityDisplay.from_estimator(
        calibrated, TEXTS, indicator(), ax=shown.ax_
    )
    labels = [line.get_label() for line in other.ax_.get_lines()]
    assert labels.count("Perfectly calibrated") == 1
    error = metrics.expected_calibration_error(
        indicator(), skxmr.rank(calibrated, TEXTS, 5)
    )
    assert labels[-1] == f"SparseCalibrator (ECE = {error:.3f})"
    alone = from_estimator(ReliabilityDisplay, ref_line=False)
    assert len(alone.ax_.get_lines()) == 1


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("kind", ["names", "classes"])
def test_labels_that_are_no_classes_are_never_found(display, kind):
    texts = ["red thing", "new thing", "blue thing"]
    y = [["red"], ["new", "other"], ["blue", "new"]]
    model = models()[1]
    if kind == "classes":
        y = ["red", "new", "other"]
        model = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0))
        model.fit(["red thing", "blue thing", "green thing"], COLORS[:3])
    n_classes = len(model.classes_)
    columns = {one: i for i, one in enumerate([*model.classes_, "new", "other"])}
    Y = np.zeros((3, len(columns)), dtype=int)
    for i, names in enumerate(y):
        Y[i, [columns[one] for one in np.atleast_1d(names)]] = 1
    scores = np.zeros(Y.shape)
    if display is MicroPrecisionRecallDisplay:
        proba = model.predict_proba(texts)
        scores[:, :n_classes] = sparse.csr_array(proba).toarray()
    else:
        for i, ranking in enumerate(zip(*skxmr.rank(model, texts, 2), strict=True)):
            scores[i, ranking[0]] = ranking[1]
    more = {"k": 2} if display is not MicroPrecisionRecallDisplay else {}
    is_counted = display is RecallByFrequencyDisplay
    wide = {"counts": [3] * n_classes + [0, 0]} if is_counted else {}
    own = {"counts": [3] * n_classes} if is_counted else {}
    shown = display.from_estimator(model, texts, y, **more, **own)
    expected = display.from_predictions(Y, scores, **more, **wide)
    np.testing.assert_allclose(curve_of(shown), curve_of(expected), rtol=1e-6)


def test_counts_by_class():
    classes = models()[1].classes_
    texts, y = ["red thing", "new thing"], [["red"], ["new", "pink"]]
    shown = RecallByFrequencyDisplay.from_estimator(
        models()[1], texts, y, counts=COUNTS, k=1
    )
    by_column = [COUNTS[one] for one in classes]
    again = RecallByFrequencyDisplay.from_estimator(
        models()[1], texts, y, counts=by_column, k=1
    )
    assert shown.frequencies.tolist() == [0, 11]  # "new" is never found
    np.testing.assert_array_equal(curve_of(again), curve_of(shown))
    with pytest.raises(ValueError, match="4 classes"):
        RecallByFrequencyDisplay.from_estimator(models()[1], texts, y, counts=[1, 2])


def test_the_legend_of_many_points_has_a_fixed_place(recwarn):
    rng = np.random.default_rng(0)
    scores = rng.random((200, 100))
    truth = (rng.random((200, 100)) < scores**4).astype(int)
    display = MicroPrecisionRecallDisplay.from_predictions(truth, scores, name="model")
    display.figure_.canvas.draw()
    assert display.ax_.get_legend()._get_loc() == 1
    assert not recwarn
    few = MicroPrecisionRecallDisplay.from_predictions(
        truth[:3], scores[:3], name="one"
    )
    assert few.ax_.get_legend()._get_loc() == 0
