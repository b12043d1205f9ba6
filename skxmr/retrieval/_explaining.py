"""Explanations of the scores that a retriever's classifier gives."""

from numbers import Integral

from skxmr._inputs._validation import check_documents, check_labels
from skxmr._search._explanation import explain_label
from skxmr.stages._stages import refuse_custom_stages
from skxmr.text._feature_names import lazy_feature_names

__all__ = ["explain_text"]


def explain_text(state, classifier, text, label, tree):
    """Explain the score of a label for a text, as `TextRetriever.explain` does.

    Parameters
    ----------
    state : RetrieverState
    classifier : estimator
        The fitted classifier, with current parameters of prediction.
    text : str
    label : object
    tree : int

    Returns
    -------
    Explanation
    """
    (text,) = check_documents([text], "text")
    columns = check_labels([label], state.classes, "label")
    refuse_custom_stages(classifier, "explain")
    _, _, score_transform = classifier._searching()
    is_number = isinstance(tree, Integral) and not isinstance(tree, bool)
    last = len(classifier.layouts_) - 1
    if not (is_number and 0 <= tree <= last):
        raise ValueError(f"tree={tree!r}; expected a number from 0 to {last}.")
    (name,) = state.names(columns, [label])
    features = state.lean.transform_one(text)
    return explain_label(
        classifier.layouts_[tree],
        features,
        int(columns[0]),
        score_transform=score_transform,
        label=label,
        name=name,
        feature_names=_feature_names(state.vectorizer, features[0]),
    )


def _feature_names(vectorizer, indices):
    """Return the names of some features; None if the vectorizer has none."""
    try:
        return lazy_feature_names(vectorizer).take(indices)
    except AttributeError:  # also of a pipeline's step
        return None
