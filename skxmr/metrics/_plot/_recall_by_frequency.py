"""Display of recall by the frequency of labels."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from skxmr.metrics._completion import bin_starts
from skxmr.metrics._label_frequency import counts_by_column, recall_by_frequency
from skxmr.metrics._plot._curve_display import CurveDisplay, name_of
from skxmr.metrics._scorer_classes import classes_or_none, truth_and_ranking

__all__ = ["RecallByFrequencyDisplay"]


class RecallByFrequencyDisplay(CurveDisplay):
    """Recall at k of labels, by how many training rows they have.

    Use `from_estimator` or `from_predictions` to create a display. To compare models,
    plot several on the same axes. All parameters are stored as attributes.

    Parameters
    ----------
    frequencies : ndarray of shape (n_bins,), int64
        The lowest number of training rows of the labels of each bin, one of
        `frequency_bins`; ascending.
    recalls : ndarray of shape (n_bins,), float64
        The share of the true labels that are found.
    n_true : ndarray of shape (n_bins,), int64
        The number of pairs of a row and one of its true labels.
    k : int, default=None
        The number of labels per row, for the label of the axis.
    name : str, default=None
        Name of the curve in the legend.

    Attributes
    ----------
    line_ : matplotlib.lines.Line2D
        The curve. The bins are at 0, 1, 2 and so on.
    ax_ : matplotlib.axes.Axes
        Its axes.
    figure_ : matplotlib.figure.Figure
        Its figure.

    See Also
    --------
    recall_by_frequency : Computes the values.

    Examples
    --------
    >>> from skxmr.metrics import RecallByFrequencyDisplay
    >>> y_true = [[1, 0, 0, 1], [1, 1, 0, 0]]
    >>> columns = [[0, 1], [0, 2]]
    >>> display = RecallByFrequencyDisplay.from_predictions(
    ...     y_true, columns, counts=[7, 3, 3, 2], k=2
    ... )
    >>> [tick.get_text() for tick in display.ax_.get_xticklabels()]
    ['0', '1', '2-3', '4-10']
    """

    def __init__(self, frequencies, recalls, n_true, *, k=None, name=None):
        self.frequencies = frequencies
        self.recalls = recalls
        self.n_true = n_true
        self.k = k
        self.name = name

    def plot(self, ax=None, *, name=None, min_pairs=1, curve_kwargs=None):
        """Plot recall by frequency.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        name : str, default=None
            Name of the curve in the legend. None is that of the display.
        min_pairs : int, default=1
            Bins with fewer pairs of a row and a true label are left out.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        RecallByFrequencyDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` or `curve_kwargs` has another type.
        """
        self._start(ax)
        frequencies = np.asarray(self.frequencies)
        is_shown = np.asarray(self.n_true) >= min_pairs
        places = np.searchsorted(bin_starts(frequencies.max(initial=0)), frequencies)
        self._draw(
            places[is_shown],
            np.asarray(self.recalls)[is_shown],
            name=self.name if name is None else name,
            curve_kwargs=curve_kwargs,
            defaults={"marker": "o"},
        )
        self._label_bins()
        at_k = "" if self.k is None else f" at {self.k}"
        self.ax_.set(
            xlabel="Training rows of the label", ylabel=f"Recall{at_k} of true labels"
        )
        self._start_at_zero()
        return self

    def _label_bins(self):
        """Label the bins, up to the last one that any curve of the axes has."""
        highest = max(
            int(np.max(line.get_xdata(), initial=0)) for line in self.ax_.get_lines()
        )
        starts = [0]
        while len(starts) < highest + 2:
            starts = bin_starts(starts[-1]).tolist()
        shown = list(pairwise(starts))[: highest + 1]
        texts = [
            f"{low:,}" if low + 1 == stop else f"{low:,}-{stop - 1:,}"
            for low, stop in shown
        ]
        self.ax_.set_xticks(range(len(texts)), texts)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        counts,
        k=5,
        name=None,
        ax=None,
        min_pairs=1,
        curve_kwargs=None,
    ):
        """Rank the labels of `X` and plot their recall by frequency.

        Parameters
        ----------
        estimator : object
            A fitted estimator that `skxmr.rank` supports.
        X : array-like, sparse matrix or list of str, of n_samples rows
            Rows that it was not fitted to.
        y : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
            A label indicator, rows of label names, or class labels.
        counts : array-like of shape (n_labels,), int, or mapping
            The number of training rows of each column of the indicator
            (``Y_train.sum(axis=0)``) or of each of the estimator's ``classes_``; or a
            mapping from class to count, such as a `collections.Counter`.
        k : int, default=5
            The number of labels per row.
        name : str, default=None
            Name of the curve. None is the name of the estimator's class.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        min_pairs : int, default=1
            Bins with fewer pairs of a row and a true label are left out.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        RecallByFrequencyDisplay

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
        has_names = y_true is not y
        needs_names = has_names or isinstance(counts, Mapping)
        classes = classes_or_none(estimator) if needs_names else None
        counts = counts_by_column(counts, classes)
        if has_names and np.ndim(y_true) > 1:  # unseen labels have further columns
            counts = np.pad(counts, (0, y_true.shape[1] - len(counts)))
        return cls.from_predictions(
            y_true,
            ranking,
            counts=counts,
            k=k,
            name=name_of(estimator, name),
            ax=ax,
            min_pairs=min_pairs,
            curve_kwargs=curve_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        scores,
        *,
        counts,
        k=5,
        classes=None,
        name=None,
        ax=None,
        min_pairs=1,
        curve_kwargs=None,
    ):
        """Plot the recall by frequency of rankings.

        Parameters
        ----------
        y_true : array-like or sparse matrix of shape (n_samples, n_labels), or \
                (n_samples,)
            True labels, as for `recall_by_frequency`.
        scores : array-like or sparse matrix, or a pair of arrays
            The ranking, as for `recall_by_frequency`.
        counts : array-like of shape (n_labels,), int, or mapping
            The number of training rows of each column, or, with `classes`, of each
            label.
        k : int, default=5
            The number of labels per row.
        classes : array-like of shape (n_labels,), default=None
            The label of each column, if `y_true` holds labels.
        name : str, default=None
            Name of the curve in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure.
        min_pairs : int, default=1
            Bins with fewer pairs of a row and a true label are left out.
        curve_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        RecallByFrequencyDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If an argument is invalid, or the arguments do not match.
        """
        cls._need_matplotlib("from_predictions")
        found = recall_by_frequency(y_true, scores, counts, k, classes=classes)
        display = cls(*found, k=k, name=name)
        return display.plot(ax, min_pairs=min_pairs, curve_kwargs=curve_kwargs)
