"""Explanations of scores: the weights on the path to a label."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skxmr._search._tracing import n_labels_below

__all__ = ["Explanation", "NodeScore", "Term", "explain_label"]


@dataclass(frozen=True)
class Term:
    """The contribution of one feature to a node's margin.

    Parameters
    ----------
    feature : int
        Its column index.
    name : str or None
        Its name, such as an n-gram.
    value : float
        Its value in the row.
    weight : float
        Its weight at the node.

    See Also
    --------
    NodeScore : The score of a node.

    Examples
    --------
    >>> from skxmr.retrieval import Term
    >>> Term(feature=3, name="tea", value=0.5, weight=2.0).product
    1.0
    """

    feature: int
    name: str | None
    value: float
    weight: float

    @property
    def product(self) -> float:
        """Value times weight."""
        return self.value * self.weight


@dataclass(frozen=True)
class NodeScore:
    """The score of one node on the path.

    Parameters
    ----------
    level : int
        From 1, below the root, to the depth of the tree for the label itself.
    n_labels : int
        Number of labels below the node.
    terms : tuple of Term
        The features with a weight at the node, by descending contribution.
    intercept : float
        Infinite if the node has no model, because all its rows are positive or all
        negative.
    score : float
        The transformed margin, between 0 and 1.
    path_score : float
        The product of the scores from the root to this node.

    See Also
    --------
    skxmr.Explanation : All nodes on the path to a label.

    Examples
    --------
    >>> from skxmr.retrieval import NodeScore, Term
    >>> term = Term(feature=3, name="tea", value=0.5, weight=2.0)
    >>> NodeScore(1, 12, (term,), intercept=-0.25, score=0.9, path_score=0.9).margin
    0.75
    """

    level: int
    n_labels: int
    terms: tuple[Term, ...]
    intercept: float
    score: float
    path_score: float

    @property
    def margin(self) -> float:
        """The intercept plus the products of all terms."""
        return self.intercept + sum(term.product for term in self.terms)


@dataclass(frozen=True)
class Explanation:
    """The score of a label in one tree, by the nodes on the path to it.

    ``str()`` shows the nodes with their largest terms.

    Parameters
    ----------
    label : object
        Column index of an indicator, or class.
    name : str or None
        The name of the label.
    path : tuple of NodeScore
        From the first level to the label.

    See Also
    --------
    skxmr.TextRetriever.explain : Returns an explanation.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> texts = ["green tea", "black tea", "rye bread"]
    >>> retriever = TextRetriever().fit(texts, ["green", "black", "rye"])
    >>> why = retriever.explain("green tea", "green")
    >>> why.path[-1].terms[0].name
    'wordngramtfidf__green'
    """

    label: object
    name: str | None
    path: tuple[NodeScore, ...]

    @property
    def score(self) -> float:
        """The label's score: the product of the scores of all nodes."""
        return self.path[-1].path_score

    def __str__(self) -> str:
        lines = [f"{self.label} {self.name or ''}".rstrip() + f": {self.score:.4f}"]
        for node in self.path:
            lines.append(
                f"level {node.level}, {node.n_labels:,} labels: score {node.score:.4f}"
                f" of margin {node.margin:+.3f}, product {node.path_score:.4f}"
            )
            lines += [
                f"    {term.product:+.3f}  {term.name or term.feature} "
                f"({term.value:.3f} x {term.weight:+.3f})"
                for term in node.terms[:_MOST_SHOWN]
            ]
            if len(node.terms) > _MOST_SHOWN:
                rest = sum(term.product for term in node.terms[_MOST_SHOWN:])
                lines.append(f"    {rest:+.3f}  {len(node.terms) - _MOST_SHOWN} more")
            lines.append(f"    {node.intercept:+.3f}  intercept")
        return "\n".join(lines)


_MOST_SHOWN = 8


def explain_label(
    layout, features, column, *, score_transform, label, name, feature_names
):
    """Score each node on the path to a label.

    Parameters
    ----------
    layout : SearchLayout
    features : (indices, values)
        Of one row: int32 and float32, of shape (nnz,).
    column : int
    score_transform : str
    label, name : object
        The label and its name, as shown.
    feature_names : list of str of length nnz, or None
        The names of the row's features.

    Returns
    -------
    Explanation
    """
    indices, values = map(np.ndarray.tolist, features)
    names = [None] * len(indices) if feature_names is None else feature_names
    row = list(zip(indices, names, values, strict=True))
    weights = layout.by_feature.unmapped()
    path, product = [], 1.0
    nodes = _path_to(layout, column)
    for level, (parent, node) in enumerate(pairwise(nodes), 1):
        child = node - int(layout.child_offsets[parent])
        terms = _terms(weights, row, parent, child)
        intercept = float(layout.intercepts[node - 1])
        margin = intercept + sum(term.product for term in terms)
        score = _transformed(margin, score_transform)
        product *= score
        n_labels = n_labels_below(layout, node)
        path.append(NodeScore(level, n_labels, terms, intercept, score, product))
    return Explanation(label, name, tuple(path))


def _path_to(layout, column):
    """Return the nodes from the root to a label."""
    # Not from `layout.label_nodes`, whose arrays of all nodes would be made for this.
    position = int(np.argmax(np.asarray(layout.labels) == column))
    nodes = [int(layout.level_starts[-1]) + position]
    offsets = np.asarray(layout.child_offsets)
    while nodes[-1] > 0:
        nodes.append(int(np.searchsorted(offsets, nodes[-1], side="right")) - 1)
    return nodes[::-1]


def _terms(weights, row, parent, child):
    found = []
    for feature, name, value in row:
        children, values = weights.run_of(feature, parent)
        entry = int(children.searchsorted(child))
        if entry < len(children) and children[entry] == child:
            found.append(Term(feature, name, value, float(values[entry])))
    return tuple(sorted(found, key=lambda term: -abs(term.product)))


def _transformed(margin, transform):
    if transform == "sigmoid":
        return float(np.exp(-np.logaddexp(0, -margin)))
    power = int(transform[1])
    return float(np.exp(-(max(0.0, 1.0 - margin) ** power)))
