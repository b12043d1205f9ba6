"""Display of a beam search."""

from numbers import Integral

from skxmr._base._plotting import axes_for, import_pyplot
from skxmr._inputs._validation import (
    Interval,
    check_k,
    validate_parameter_constraints,
)
from skxmr._search._tracing import labels_below, trace_beam
from skxmr.inspection._beam_drawing import draw_beam
from skxmr.inspection._traced import traced

__all__ = ["BeamSearchDisplay"]

_LIMITS = {
    "max_kept": [Interval(Integral, 1, None, closed="left")],
    "max_dropped": [Interval(Integral, 0, None, closed="left")],
}
# How many labels name a node above them.
_N_SAMPLE_LABELS = 2


class BeamSearchDisplay:
    """The beam of a search for one row, walking down the label tree.

    Each column is a level of the tree. Of the nodes that are scored, those in the beam
    are kept, and only their children are scored on the next level; the others are
    dropped, with all labels below them. The text of a node is its score, the names of
    the best labels below it and, in brackets, how many there are. Use `from_estimator`
    to create a display. All parameters are stored as attributes.

    Parameters
    ----------
    levels : list of BeamLevel
        From the children of the root to the labels.
    names : list of list of str
        A text for each scored node of each level: the name of a label, or names of some
        labels below the node, the best that were scored.
    query : str, default=None
        What was searched for, shown at the root.

    Attributes
    ----------
    texts_ : list of list of matplotlib.text.Annotation
        For each level, the texts of the nodes that are shown, from top to bottom.
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        Its figure.

    See Also
    --------
    skxmr.TextRetriever.explain : The weights on the path to one label.
    skxmr.LabelTree.plot : The whole tree.

    Notes
    -----
    A search of a `TextRetriever` with texts of labels also finds labels by their words,
    and orders all by both. The display shows the search of its classifier.

    Examples
    --------
    >>> from skxmr import KMeansTree, TextRetriever, XRLinearClassifier
    >>> from skxmr.inspection import BeamSearchDisplay
    >>> texts = ["green tea", "black tea", "rye bread", "white bread"]
    >>> tree = KMeansTree(branching_factor=2, max_leaf_size=2)
    >>> retriever = TextRetriever(classifier=XRLinearClassifier(tree, beam_width=1))
    >>> retriever = retriever.fit(texts, ["green", "black", "rye", "white"])
    >>> display = BeamSearchDisplay.from_estimator(retriever, "green tea", k=1)
    >>> [level.is_kept.tolist() for level in display.levels]
    [[True, False], [True, False]]
    >>> display.names[1][0]
    'green'
    """

    def __init__(self, levels, names, *, query=None):
        self.levels = levels
        self.names = names
        self.query = query

    def plot(self, ax=None, *, max_kept=12, max_dropped=2):
        """Plot the search, with the root at the left.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure, large enough for all texts.
        max_kept : int, default=12
            How many of the kept nodes of each level to show, best first.
        max_dropped : int, default=2
            How many of the dropped nodes of each level to show, best first; 0 shows
            none of them.

        Returns
        -------
        BeamSearchDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` is no Axes.
        ValueError
            If `max_kept` is not a positive integer, or `max_dropped` is negative.
        """
        caller = f"{type(self).__name__}.plot"
        validate_parameter_constraints(
            _LIMITS, {"max_kept": max_kept, "max_dropped": max_dropped}, caller
        )
        size, draw = draw_beam(
            self.levels, self.names, self.query, max_kept, max_dropped
        )
        self.ax_ = axes_for(ax, caller, size)
        self.figure_ = self.ax_.figure
        self.texts_ = draw(self.ax_)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        k=10,
        tree=0,
        label_names=None,
        ax=None,
        max_kept=12,
        max_dropped=2,
    ):
        """Search for one row and plot the beam.

        Parameters
        ----------
        estimator : object
            A fitted `XRLinearClassifier` or `TextRetriever`, also as the last step of a
            `Pipeline`, in a search such as `GridSearchCV`, or in `LabelThresholdCV` or
            `SparseCalibrator`.
        X : str, or array-like, sparse matrix or list of one row
            The input to search for.
        k : int, default=10
            How many labels are kept at the end.
        tree : int, default=0
            The index of the tree, if the classifier has several.
        label_names : sequence of str, or mapping from column to str, default=None
            The name of each column. None shows the names that the estimator has: texts
            of labels, or classes.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. None makes a new figure, large enough for all texts.
        max_kept : int, default=12
            How many of the kept nodes of each level to show.
        max_dropped : int, default=2
            How many of the dropped nodes of each level to show.

        Returns
        -------
        BeamSearchDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no tree to search, or `ax` is no Axes.
        ValueError
            If `X` is not one row, a number is out of range, or the classifier has
            custom stages.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        k = check_k(k, f"{cls.__name__}.from_estimator")
        row, classifier, name_labels = traced(estimator, X, tree, label_names)
        _, beam_width, score_transform = classifier._searching()
        layout = classifier.layouts_[tree]
        levels = trace_beam(
            row, layout, k=k, beam_width=beam_width, score_transform=score_transform
        )
        names = _names_of_nodes(levels, layout, name_labels)
        display = cls(levels, names, query=X if isinstance(X, str) else None)
        return display.plot(ax, max_kept=max_kept, max_dropped=max_dropped)


def _names_of_nodes(levels, layout, name_labels):
    """Name each scored node: a label by its name, others by some labels below them.

    These are the best ones that were scored, if any were, or else the first ones.
    """
    names = [name_labels(levels[-1].nodes)]
    best, parents = [[name] for name in names[0]], levels[-1].parents
    for number in range(len(levels) - 1, 0, -1):
        level = levels[number - 1]
        samples: list = [[] for _ in level.nodes]
        for own, parent in zip(best, parents.tolist(), strict=True):
            room = _N_SAMPLE_LABELS - len(samples[parent])
            samples[parent] += own[:room]
        start = int(layout.level_starts[number])
        for node, own in zip(level.nodes.tolist(), samples, strict=True):
            if not own:
                columns = labels_below(layout, start + node)[:_N_SAMPLE_LABELS]
                own.extend(name_labels(columns))
        names.append([", ".join(own) for own in samples])
        best, parents = samples, level.parents
    return names[::-1]
