"""The interface of custom matchers and rankers, and when a search calls them.

`XRLinearClassifier` has three stages, and each can be replaced: its parameters
``indexer``, ``matcher`` and ``ranker`` take estimators, of which clones are fitted.

**A matcher** scores the nodes of one level of the tree. It replaces the linear models
of this level and of all levels above. It is any multilabel classifier with:

- ``fit(X, M)``: X, the training rows as given (sparse or dense, float32); M, a sparse
  indicator of int8 of shape (n_samples, n_nodes): the nodes of the level that lead to a
  label of the row. Nodes that all rows have, or none, are not columns of M. A matcher
  that does not accept a sparse target gets a dense M.
- ``predict_proba(X)``, or otherwise ``decision_function(X)``: a score for each row and
  column of M, of shape (n_samples, n_nodes), dense or sparse; probabilities may also be
  a list of arrays of shape (n_samples, 2), as from random forests.

``matcher_level`` is the level: 1 for the children of the root. By default, and if the
tree has fewer levels, it is the lowest level above the labels. If there is no level
between root and labels (few labels), the matcher is not used.

**A ranker** scores the labels of the nodes that were matched. It replaces the linear
models of the last level. It is any binary classifier, of which one clone is fitted for
each label, with:

- ``fit(X, y)``: X, the rows of the label's parent (those that have one of its labels,
  or according to `negative_sampling`); of sparse rows, only the columns that occur in
  them. y, an array of int8: 1 if the row has the label, otherwise 0. A label that all
  these rows have gets the score of its parent. `relevance` is passed as
  ``sample_weight``.
- ``predict_proba(X)`` of shape (n_samples, 2), or otherwise ``decision_function(X)`` of
  shape (n_samples,).

Probabilities are used as scores; decision values are mapped to scores by
``score_transform``. As with linear models, the score of a label is the product of the
scores along its path. A score of 0 means not found.

The levels between matcher and ranker are linear, with the weights, the beam and the
parameters of `XRLinearClassifier`. Parameters ``random_state`` of a stage that are None
are set from that of the classifier. `prune` applies to the linear levels only;
explanations, `QueryCompleter` and PECOS model folders need linear models on all levels,
and raise an error otherwise.

To rerank the first candidates with features of a row and a candidate, see `Reranker`.

Examples
--------
A small neural network finds the groups of labels, and trees rank within the groups:

>>> from sklearn.datasets import make_multilabel_classification
>>> from sklearn.neural_network import MLPClassifier
>>> from sklearn.tree import DecisionTreeClassifier
>>> from skxmr import KMeansTree, XRLinearClassifier
>>> X, Y = make_multilabel_classification(n_classes=20, random_state=0)
>>> classifier = XRLinearClassifier(
...     KMeansTree(max_leaf_size=5),
...     matcher=MLPClassifier(max_iter=1000),
...     ranker=DecisionTreeClassifier(max_depth=3),
...     random_state=0,
... ).fit(X, Y)
>>> columns, scores = classifier.rank(X[:2], k=3)
>>> columns.shape
(2, 3)
"""

from skxmr.stages._stages import (
    CustomStages,
    FittedStages,
    refuse_custom_stages,
    search_stages,
)

__all__ = [
    "CustomStages",
    "FittedStages",
    "refuse_custom_stages",
    "search_stages",
]
