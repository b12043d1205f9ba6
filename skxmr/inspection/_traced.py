"""The row and the tree of the search that an estimator does for one input."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skxmr._base._fitted_clone import detached
from skxmr._inputs._by_label import Labels, check_label_names
from skxmr._inputs._class_labels import list_labels
from skxmr._inputs._validation import check_documents
from skxmr._utils._compressed import Compressed
from skxmr.ranking import descend
from skxmr.retrieval._explaining import check_tree
from skxmr.retrieval._retriever import TextRetriever
from skxmr.retrieval._searching import ModelSearch
from skxmr.stages._stages import refuse_custom_stages

__all__ = ["Traced", "traced"]

CALLER = "BeamSearchDisplay"


class Traced(NamedTuple):
    """A row, the classifier whose trees are searched for it, and names of labels.

    Parameters
    ----------
    row : Compressed
        Of one vector.
    classifier : XRLinearClassifier
    names : callable
        ``names(columns)`` returns a list of str.
    """

    row: Compressed
    classifier: Any
    names: Any


def traced(estimator, X, tree, label_names):
    """Transform one input as an estimator does, and find the classifier that searches.

    Parameters
    ----------
    estimator : object
        A fitted `XRLinearClassifier` or `TextRetriever`, also within pipelines,
        searches, `LabelThresholdCV` and `SparseCalibrator`.
    X : str, or input of one row
    tree : int
    label_names : sequence or mapping, or None

    Returns
    -------
    Traced

    Raises
    ------
    TypeError, ValueError
        If the estimator has no such classifier, or an argument is invalid.
    """
    final, X = detached(estimator), [X] if isinstance(X, str) else X
    outer_classes = []
    while not isinstance(final, TextRetriever):
        transformers, final = descend(final)
        for transformer in transformers:
            X = transformer.transform(X)
        if not hasattr(final, "estimator_"):
            break
        outer_classes.append(final.classes_)
        final = final.estimator_
    find = _of_retriever if isinstance(final, TextRetriever) else _of_classifier
    found = find(final, X)
    # Inner estimators are fitted to column numbers in place of the names of labels.
    if outer_classes and isinstance(outer_classes[0][0], str):
        found = found._replace(names=partial(_names_of_classes, outer_classes[0]))
    if found.row.n_vectors != 1:
        raise ValueError(f"X has {found.row.n_vectors} rows; expected one.")
    check_tree(tree, found.classifier)
    if label_names is None:
        return found
    n_labels = found.classifier.layouts_[tree].n_labels
    by_column = check_label_names(label_names, Labels(n_labels))
    return found._replace(
        names=lambda columns: [str(by_column[one]) for one in columns]
    )


def _of_retriever(retriever, X):
    texts = check_documents(X, "X")
    if len(texts) != 1:
        raise ValueError(f"X has {len(texts)} texts; expected one.")
    search = retriever._searching(retriever._ready())
    state, classifier = search if isinstance(search, ModelSearch) else search.model
    refuse_custom_stages(classifier, CALLER)
    indices, values = state.lean.transform_one(texts[0])
    ends = np.array([0, len(indices)])
    row = Compressed(ends, indices, values, state.lean.n_features)
    return Traced(row, classifier, partial(_names_of_state, state))


def _of_classifier(classifier, X):
    if not hasattr(classifier, "_check_features"):
        raise TypeError(
            f"{CALLER} plots the search of an XRLinearClassifier or a TextRetriever; "
            f"got {type(classifier).__name__}."
        )
    row = classifier._check_features(X)
    refuse_custom_stages(classifier, CALLER)
    if not isinstance(row, Compressed):
        row = row.to_compressed()
    return Traced(row, classifier, partial(_names_of_classes, classifier.classes_))


def _names_of_state(state, columns):
    labels, names = state.describe(columns)
    return [_name(*pair) for pair in zip(labels, names, strict=True)]


def _names_of_classes(classes, columns):
    return [_name(label, None) for label in list_labels(classes[columns])]


def _name(label, name):
    if name is None and not isinstance(label, str):
        return f"label {label}"
    return str(label if name is None else name)
