"""Display of precision against recall over thresholds."""

import numpy as np

from skxmr.metrics._plot._curve_display import CurveDisplay, name_of
from skxmr.metrics._scorer_classes import scores_and_classes, truth_and_ranking
from skxmr.metrics._threshold_curve import (
    micro_average_precision,
    micro_precision_recall_curve,
)

__all__ = ["MicroPrecisionRecallDisplay"]


class MicroPrecisionRecallDisplay(CurveDisplay):
    """Curve of precision and recall of all pairs of a row and a label.

    Use `from_estimator` or `from_predictions` to create a display. It is
    `sklearn.metrics.PrecisionRecallDisplay` for sparse scores of many labels. All
    parameters are stored as attributes.

    Parameters
    ----------
    precision, recall : ndarray of shape (n_thresholds + 1,)
        As from `micro_precision_recall_curve`.
    thresholds : ndarray of shape (n_thresholds,), default=None
        The threshold of each, ascending; needed to mark some of them.
    average_precision : float, default=None
        Shown in the legend.
    name : str, default=None
        Name of the curve in the legend.

    Attributes
    ----------
    line_ : matplotlib.lines.Line2D
        The curve.
    marks_ : list of matplotlib.text.Annotation
        The thresholds that are marked, each at its recall and precision.
    ax_ : matplotlib.axes.Axes
        Its axes.
    figure_ : matplotlib.figure.Figure
        Its figure.

    See Also
    --------
    micro_precision_recall_curve : Computes the curve.
    skxmr.LabelThresholdCV : Chooses a threshold on held-out rows.

    Notes
    -----
    There is no line for the chance level: guessing labels at random has a precision of
    the number of labels per row divided by the number of all labels, close to 0.

    Examples
    --------
    >>> from skxmr.metrics import MicroPrecisionRecallDisplay
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> scores = [[0.9, 0.2, 0.0, 0.8], [0.3, 0.2, 0.0, 0.0]]
    >>> display = MicroPrecisionRecallDisplay.from_predictions(
    ...     y_true, scores, mark_thresholds=[0.5]
    ... )
    >>> display.marks_[0].xy
    (0.6666666666666666, 1.0)
    """

    def __init__(
        self, precision, recall, *, thresholds=None, average_precision=None, name=None
    ):
        self.precision = precision
        self.recall = recall
        self.thresholds = thresholds
        self.average_precision = average_precision
        self.name = name

    def plot(self, ax=None, *, name=None, mark_thresholds=None, curve_kwargs=None):
        """Plot the curve.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        name : str, default=None
            Name of the curve in the legend. None is that of the display.
        mark_thresholds : array-like of shape (n_marks,), float, default=None
            Thresholds to mark on the curve, such as ``[0.5, tuned.best_threshold_]``.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        MicroPrecisionRecallDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` or `curve_kwargs` has another type.
        ValueError
            If thresholds are to be marked, and the display has none.
        """
        marks = self._located(mark_thresholds)
        self._start(ax)
        self._draw(
            self.recall,
            self.precision,
            name=self._legend(self.name if name is None else name),
            curve_kwargs=curve_kwargs,
            defaults={"drawstyle": "steps-post"},
        )
        color = self.line_.get_color()
        self.marks_ = [self._mark(text, place, color) for text, place in marks]
        self.ax_.set(
            xlabel="Recall (micro)",
            ylabel="Precision (micro)",
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
            aspect="equal",
        )
        return self

    def _legend(self, name):
        if self.average_precision is None:
            return name
        area = f"AP = {self.average_precision:0.3f}"
        return area if name is None else f"{name} ({area})"

    def _located(self, thresholds):
        """Return the text of each mark, and its recall and precision."""
        if thresholds is None:
            return []
        if self.thresholds is None:
            raise ValueError(
                "mark_thresholds needs a display with thresholds, and this one has "
                "none."
            )
        marked = np.asarray(thresholds, dtype=np.float64)
        if marked.ndim != 1 or not np.isfinite(marked).all():
            raise ValueError(
                f"mark_thresholds={thresholds!r:.50}; expected finite numbers, of "
                f"shape (n_marks,)."
            )
        places = np.searchsorted(self.thresholds, marked)
        recalls = np.asarray(self.recall)[places].tolist()
        precisions = np.asarray(self.precision)[places].tolist()
        texts = [f"{threshold:.3g}" for threshold in marked]
        return list(zip(texts, zip(recalls, precisions, strict=True), strict=True))

    def _mark(self, text, place, color):
        self.ax_.plot(*place, "o", color=color, clip_on=False)
        return self.ax_.annotate(
            text,
            place,
            xytext=(6, 4),
            textcoords="offset points",
            color=color,
            annotation_clip=False,
        )

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        k=None,
        name=None,
        ax=None,
        mark_thresholds=None,
        curve_kwargs=None,
    ):
        """Score the labels of `X` and plot precision and recall over thresholds.

        Parameters
        ----------
        estimator : object
            A fitted estimator with ``predict_proba``, such as `XRLinearClassifier`, a
            `Pipeline` or `LabelThresholdCV`; with `k`, any that `skxmr.rank` supports.
        X : array-like, sparse matrix or list of str, of n_samples rows
            Rows that it was not fitted to.
        y : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
            A label indicator, rows of label names, or class labels.
        k : int, default=None
            How many labels of each row to score. None takes all scores of
            ``predict_proba``, which is dense if the estimator was fitted to classes.
        name : str, default=None
            Name of the curve. None is the name of the estimator's class.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        mark_thresholds : array-like of shape (n_marks,), float, default=None
            Thresholds to mark on the curve.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        MicroPrecisionRecallDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no ``predict_proba``, or cannot rank.
        ValueError
            If an argument is invalid, or the arguments do not match.
        """
        cls._need_matplotlib("from_estimator")
        y_true, classes = y, None
        if k is None:
            scores, classes = scores_and_classes(estimator, X, y)
        else:
            y_true, scores = truth_and_ranking(estimator, X, y, k)
        return cls.from_predictions(
            y_true,
            scores,
            classes=classes,
            name=name_of(estimator, name),
            ax=ax,
            mark_thresholds=mark_thresholds,
            curve_kwargs=curve_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        scores,
        *,
        classes=None,
        name=None,
        ax=None,
        mark_thresholds=None,
        curve_kwargs=None,
    ):
        """Plot precision and recall over the thresholds of scores.

        Parameters
        ----------
        y_true : array-like or sparse matrix of shape (n_samples, n_labels), or \
                (n_samples,)
            True labels, as for `micro_precision_recall_curve`.
        scores : array-like or sparse matrix, or a pair of arrays
            Scores, as for `micro_precision_recall_curve`.
        classes : array-like of shape (n_labels,), default=None
            The label of each column, if `y_true` holds labels.
        name : str, default=None
            Name of the curve in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        mark_thresholds : array-like of shape (n_marks,), float, default=None
            Thresholds to mark on the curve.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        MicroPrecisionRecallDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If an argument is invalid, or the arguments do not match.
        """
        cls._need_matplotlib("from_predictions")
        precision, recall, thresholds = micro_precision_recall_curve(
            y_true, scores, classes=classes
        )
        display = cls(
            precision,
            recall,
            thresholds=thresholds,
            average_precision=micro_average_precision(precision, recall),
            name=name,
        )
        return display.plot(
            ax, mark_thresholds=mark_thresholds, curve_kwargs=curve_kwargs
        )
