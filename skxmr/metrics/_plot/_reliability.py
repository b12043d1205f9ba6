"""Reliability diagram of sparse scores."""

import numpy as np

from skxmr.metrics._calibration import expected_calibration_error, reliability_curve
from skxmr.metrics._plot._curve_display import CurveDisplay, name_of
from skxmr.metrics._scorer_classes import truth_and_ranking

__all__ = ["ReliabilityDisplay"]

_REFERENCE = "Perfectly calibrated"


class ReliabilityDisplay(CurveDisplay):
    """Reliability diagram: the share of true labels against the mean score.

    Use `from_estimator` or `from_predictions` to create a display. It is
    `sklearn.calibration.CalibrationDisplay` for the first k labels of each row. Below
    the diagonal, scores are too high, and above it too low. All parameters are stored
    as attributes.

    Parameters
    ----------
    true_shares, mean_scores : ndarray of shape (n_filled_bins,), float64
        As from `reliability_curve`.
    n_pairs : ndarray of shape (n_filled_bins,), int64
        The number of pairs of a row and a label in each bin.
    calibration_error : float, default=None
        The expected calibration error, shown in the legend.
    name : str, default=None
        Name of the curve in the legend.

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
    reliability_curve : Computes the curve.
    expected_calibration_error : The mean distance to the diagonal.
    skxmr.SparseCalibrator : Calibrates scores.

    Examples
    --------
    >>> from skxmr.metrics import ReliabilityDisplay
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> scores = [[0.9, 0.2, 0.0, 0.8], [0.3, 0.7, 0.0, 0.0]]
    >>> display = ReliabilityDisplay.from_predictions(y_true, scores, bins=2)
    >>> display.true_shares.tolist(), display.n_pairs.tolist()
    ([0.0, 1.0], [2, 3])
    """

    def __init__(
        self, true_shares, mean_scores, n_pairs, *, calibration_error=None, name=None
    ):
        self.true_shares = true_shares
        self.mean_scores = mean_scores
        self.n_pairs = n_pairs
        self.calibration_error = calibration_error
        self.name = name

    def plot(
        self, ax=None, *, name=None, min_pairs=1, ref_line=True, curve_kwargs=None
    ):
        """Plot the diagram.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        name : str, default=None
            Name of the curve in the legend. None is that of the display.
        min_pairs : int, default=1
            Bins with fewer pairs of a row and a label are left out: the share of true
            labels among a few of them is mostly chance.
        ref_line : bool, default=True
            Whether to plot the diagonal of perfectly calibrated scores.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` or `curve_kwargs` has another type.
        """
        self._start(ax)
        if ref_line and _REFERENCE not in self.ax_.get_legend_handles_labels()[1]:
            self.ax_.plot([0, 1], [0, 1], "k:", label=_REFERENCE, zorder=1)
        is_shown = np.asarray(self.n_pairs) >= min_pairs
        self._draw(
            np.asarray(self.mean_scores)[is_shown],
            np.asarray(self.true_shares)[is_shown],
            name=self._legend(self.name if name is None else name),
            curve_kwargs=curve_kwargs,
            defaults={"marker": "s"},
        )
        self.ax_.set(
            xlabel="Mean score of the labels in a bin",
            ylabel="Share of true labels",
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
            aspect="equal",
        )
        return self

    def _legend(self, name):
        if self.calibration_error is None:
            return name
        error = f"ECE = {self.calibration_error:0.3f}"
        return error if name is None else f"{name} ({error})"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        k=5,
        bins=10,
        name=None,
        ax=None,
        min_pairs=1,
        ref_line=True,
        curve_kwargs=None,
    ):
        """Rank the labels of `X` and plot the diagram of the first k.

        Parameters
        ----------
        estimator : object
            A fitted estimator that `skxmr.rank` supports, whose scores are from 0 to 1.
        X : array-like, sparse matrix or list of str, of n_samples rows
            Rows that it was not fitted to.
        y : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
            A label indicator, rows of label names, or class labels.
        k : int, default=5
            The number of labels per row.
        bins : int or array-like of float of shape (n_bins + 1,), default=10
            The number of bins of equal width, or their ascending edges, from 0 to 1.
        name : str, default=None
            Name of the curve. None is the name of the estimator's class.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        min_pairs : int, default=1
            Bins with fewer pairs of a row and a label are left out.
        ref_line : bool, default=True
            Whether to plot the diagonal of perfectly calibrated scores.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        ReliabilityDisplay

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
        y_true, ranking = truth_and_ranking(estimator, X, y, k)
        return cls.from_predictions(
            y_true,
            ranking,
            k=k,
            bins=bins,
            name=name_of(estimator, name),
            ax=ax,
            min_pairs=min_pairs,
            ref_line=ref_line,
            curve_kwargs=curve_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        scores,
        *,
        k=5,
        bins=10,
        classes=None,
        name=None,
        ax=None,
        min_pairs=1,
        ref_line=True,
        curve_kwargs=None,
    ):
        """Plot the diagram of scores.

        Parameters
        ----------
        y_true : array-like or sparse matrix of shape (n_samples, n_labels), or \
                (n_samples,)
            True labels, as for `reliability_curve`.
        scores : array-like or sparse matrix, or a pair of arrays
            Probabilities from 0 to 1, as for `reliability_curve`.
        k : int or None, default=5
            The number of labels per row. None takes all pairs of a row and a label.
        bins : int or array-like of float of shape (n_bins + 1,), default=10
            The number of bins of equal width, or their ascending edges, from 0 to 1.
        classes : array-like of shape (n_labels,), default=None
            The label of each column, if `y_true` holds labels.
        name : str, default=None
            Name of the curve in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        min_pairs : int, default=1
            Bins with fewer pairs of a row and a label are left out.
        ref_line : bool, default=True
            Whether to plot the diagonal of perfectly calibrated scores.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If an argument is invalid, or the arguments do not match.
        """
        cls._need_matplotlib("from_predictions")
        how = {"bins": bins, "classes": classes}
        display = cls(
            *reliability_curve(y_true, scores, k, **how),
            calibration_error=expected_calibration_error(y_true, scores, k, **how),
            name=name,
        )
        return display.plot(
            ax, min_pairs=min_pairs, ref_line=ref_line, curve_kwargs=curve_kwargs
        )
