"""Explanations of the scores that a retriever's classifier gives."""

from numbers import Integral

import numpy as np

from skxmr._inputs._validation import check_documents, check_labels
from skxmr._search._explanation import explain_label
from skxmr.retrieval._fused_explanation import FeatureScore, FusedExplanation
from skxmr.stages._stages import refuse_custom_stages

__all__ = ["check_tree", "explain_fused", "explain_text"]


def explain_text(search, text, label, tree):
    """Explain the score of a label for a text, as `TextRetriever.explain` does.

    Parameters
    ----------
    search : ModelSearch
    text : str
    label : object
    tree : int

    Returns
    -------
    Explanation
    """
    state, classifier = search
    (text,) = check_documents([text], "text")
    columns = check_labels([label], state.known, "label")
    refuse_custom_stages(classifier, "explain")
    _, _, score_transform = classifier._searching()
    check_tree(tree, classifier)
    (name,) = state.names(columns, [label])
    features = state.lean.transform_one(text)
    return explain_label(
        classifier.layouts_[tree],
        features,
        int(columns[0]),
        score_transform=score_transform,
        label=label,
        name=name,
        feature_names=_feature_names(state.lean, features[0]),
    )


def check_tree(tree, classifier):
    """Raise ValueError unless a classifier has a tree of this number.

    Parameters
    ----------
    tree : object
    classifier : XRLinearClassifier
    """
    is_number = isinstance(tree, Integral) and not isinstance(tree, bool)
    last = len(classifier.layouts_) - 1
    if not (is_number and 0 <= tree <= last):
        raise ValueError(f"tree={tree!r}; expected a number from 0 to {last}.")


def explain_fused(search, text, label, tree):
    """Explain the fused score of a label for a text, as `TextRetriever.explain` does.

    Parameters
    ----------
    search : FusedSearch
    text : str
    label : object
    tree : int

    Returns
    -------
    FusedExplanation
    """
    (text,) = check_documents([text], "text")
    state = search.model.state
    (column,) = check_labels([label], state.known, "label").tolist()
    values, score = search.describe(text, column)
    weights = search.log_linear.by_feature
    features = [
        FeatureScore(name, value, weight)
        for (name, weight), value in zip(weights.items(), values.tolist(), strict=True)
    ]
    features.sort(key=lambda feature: -abs(feature.score))
    model = None
    if hasattr(search.model.classifier, "layouts_"):
        model = explain_text(search.model, text, label, tree)
    (name,) = state.names(np.array([column]), [label])
    lexical = search.lexical.explain(text, label, column)
    return FusedExplanation(label, name, score, tuple(features), model, lexical)


def _feature_names(lean, indices):
    """Return the names of some features; None if the vectorizer has none."""
    try:
        return lean.names_of(indices)
    except AttributeError:  # also of a pipeline's step
        return None
