"""Display of a metric for several k."""

from functools import partial
from numbers import Integral

import numpy as np

from skxmr.metrics._averages import f1_at_k
from skxmr.metrics._plot._curve_display import CurveDisplay, name_of
from skxmr.metrics._ranking import (
    coverage_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)
from skxmr.metrics._scorer_classes import truth_and_ranking

__all__ = ["MetricAtKDisplay"]

# Each point is a call of the metric.
_MOST_POINTS = 10_000

METRICS = {
    metric.__name__: metric
    for metric in (
        coverage_at_k,
        f1_at_k,
        ndcg_at_k,
        precision_at_k,
        recall_at_k,
        reciprocal_rank_at_k,
    )
}


class MetricAtKDisplay(CurveDisplay):
    """Curve of a ranking metric, such as recall, over the number of labels k.

    Use `from_estimator` or `from_predictions` to create a display. To compare models,
    or metrics, plot several on the same axes. All parameters are stored as attributes.

    Parameters
    ----------
    k : array-like of shape (n_points,), int
        The numbers of labels.
    values : array-like of shape (n_points,), float
        The value of the metric for each.
    metric_name : str, default=None
        What the values are, for the label of the axis.
    name : str, default=None
        Name of the curve in the legend; None for none.

    Attributes
    ----------
    line_ : matplotlib.lines.Line2D
        The curve.
    ax_ : matplotlib.axes.Axes
        Its axes.
    figure_ : matplotlib.figure.Figure
        Its figure.

    See Also
    --------
    recall_at_k, precision_at_k, ndcg_at_k, f1_at_k : Metrics that it can plot.

    Examples
    --------
    >>> from skxmr.metrics import MetricAtKDisplay
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[3, 1, 0], [0, 1, 2]]
    >>> display = MetricAtKDisplay.from_predictions(y_true, columns, k=3)
    >>> display.values.tolist()
    [0.25, 0.75, 1.0]
    >>> _ = MetricAtKDisplay.from_predictions(
    ...     y_true, columns, k=3, metric="precision_at_k", ax=display.ax_
    ... )
    """

    def __init__(self, k, values, *, metric_name=None, name=None):
        self.k = k
        self.values = values
        self.metric_name = metric_name
        self.name = name

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Plot the curve.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        name : str, default=None
            Name of the curve in the legend. None is that of the display.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`, such as ``{"color": "black"}``.

        Returns
        -------
        MetricAtKDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` or `curve_kwargs` has another type.
        """
        self._start(ax)
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

        self._draw(
            self.k,
            self.values,
            name=self.name if name is None else name,
            curve_kwargs=curve_kwargs,
            defaults={"marker": "o", "markersize": 4},
        )
        self.ax_.set(xlabel="k (labels per row)", ylabel=self.metric_name)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        self._start_at_zero()
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        metric="recall_at_k",
        k=10,
        name=None,
        ax=None,
        curve_kwargs=None,
    ):
        """Rank the labels of `X` and plot a metric of the first k.

        Parameters
        ----------
        estimator : object
            A fitted estimator that `skxmr.rank` supports.
        X : array-like, sparse matrix or list of str, of n_samples rows
            Rows that it was not fitted to.
        y : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
            A label indicator, rows of label names, or class labels.
        metric : str or callable, default="recall_at_k"
            As in `from_predictions`.
        k : int or array-like of int, default=10
            As in `from_predictions`.
        name : str, default=None
            Name of the curve. None is the name of the estimator's class.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        MetricAtKDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If an argument is invalid, or the arguments do not match.
        """
        cls._need_matplotlib("from_estimator")
        ks = _check_ks(k)
        y_true, ranking = truth_and_ranking(estimator, X, y, int(ks[-1]))
        return cls.from_predictions(
            y_true,
            ranking,
            metric=metric,
            k=ks,
            name=name_of(estimator, name),
            ax=ax,
            curve_kwargs=curve_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        scores,
        *,
        metric="recall_at_k",
        k=10,
        classes=None,
        name=None,
        ax=None,
        curve_kwargs=None,
    ):
        """Plot a metric of the first k labels of rankings.

        Parameters
        ----------
        y_true : array-like or sparse matrix of shape (n_samples, n_labels), or \
                (n_samples,)
            True labels, as for the metrics.
        scores : array-like or sparse matrix, or a pair of arrays
            The ranking, as for the metrics: of the largest k labels, or more.
        metric : str or callable, default="recall_at_k"
            A function of `skxmr.metrics` without propensities, or its name; or another
            function that is called as ``metric(y_true, scores, k)``, such as
            ``functools.partial(f1_at_k, average="macro")``.
        k : int or array-like of int, default=10
            The numbers of labels, ascending. A single number, at most 10,000, stands
            for all from 1 to it.
        classes : array-like of shape (n_labels,), default=None
            The label of each column, if `y_true` holds labels.
        name : str, default=None
            Name of the curve in the legend; None for none.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        MetricAtKDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If an argument is invalid, or the arguments do not match.
        """
        cls._need_matplotlib("from_predictions")
        ks, metric = _check_ks(k), _check_metric(metric)
        labels = {} if classes is None else {"classes": classes}
        values = [metric(y_true, scores, int(one), **labels) for one in ks]
        display = cls(ks, np.array(values), metric_name=_label_of(metric), name=name)
        return display.plot(ax, curve_kwargs=curve_kwargs)


def _check_metric(metric):
    if callable(metric):
        return metric
    if not isinstance(metric, str) or metric not in METRICS:
        raise ValueError(
            f"metric={metric!r:.50}; expected a function, or one of the names "
            f"{', '.join(METRICS)}."
        )
    return METRICS[metric]


def _check_ks(k):
    """Return ascending numbers of labels."""
    is_number = isinstance(k, Integral) and not isinstance(k, bool)
    if is_number and not 0 < k <= _MOST_POINTS:
        raise ValueError(f"k={k!r:.50}; expected an integer from 1 to {_MOST_POINTS}.")
    ks = np.arange(1, int(k) + 1) if is_number else np.asarray(k)
    is_vector = ks.ndim == 1 and ks.size > 0 and ks.dtype.kind in "iu"
    if not (is_vector and ks[0] >= 1 and (ks[1:] > ks[:-1]).all()):
        raise ValueError(
            f"k={k!r:.50}; expected a positive integer, or ascending ones."
        )
    return ks


def _label_of(metric):
    """Name a metric for people: ``f1_at_k`` of macro averages is "F1 at k (macro)"."""
    options = metric.keywords if isinstance(metric, partial) else {}
    function = metric.func if isinstance(metric, partial) else metric
    words = getattr(function, "__name__", "metric").replace("_", " ")
    words = words.replace("ndcg", "nDCG")
    if not words.startswith("nDCG"):
        words = words[0].upper() + words[1:]
    average = options.get("average")
    return f"{words} ({average})" if average else words
