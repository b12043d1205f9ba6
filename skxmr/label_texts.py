"""Labels' own texts, as more rows to learn from."""

import numpy as np
from scipy import sparse

from skxmr._by_label import Labels, LabelTexts, texts_by_label
from skxmr._class_labels import concatenate_labels, exact_labels
from skxmr._validation import column_or_1d, indicator_pattern

__all__ = ["read_label_texts", "with_label_texts"]


def read_label_texts(label_texts, y):
    """Read the text of each label.

    Parameters
    ----------
    label_texts : iterable of str, mapping from label to str, or LabelTexts
        What the user gave.
    y : indicator of shape (n_samples, n_labels), or ndarray of class labels
        As `exact_target` makes it.

    Returns
    -------
    texts : list of str
        In the order of the labels.
    y : as it came, or ndarray of shape (n_samples,)
        Class labels of one column are a vector.
    classes : ndarray of shape (n_labels,), or None
        The classes of class labels, ascending: also those that no row has, but a text
        of `LabelTexts`.

    Raises
    ------
    ValueError, TypeError
        If there is no text for a label, or one for none, or the order is arbitrary.
    """
    shape = np.shape(y)
    if not sparse.issparse(y) and len(shape) == 2 and shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if len(shape) == 2 and np.ndim(y) == 2:
        return texts_by_label(label_texts, Labels.of_indicator(y)), y, None
    classes = np.unique(y)
    if isinstance(label_texts, LabelTexts):
        classes = _with_classes_of(label_texts, classes)
    labels = Labels.of_classes(classes, shape[0])
    return texts_by_label(label_texts, labels), y, classes


def _with_classes_of(label_texts, classes):
    """Add the classes that no row has, but a text to learn from."""
    named = [label for label, text in label_texts.to_dict().items() if text.strip()]
    if not named:
        return classes
    named = exact_labels(named, "label_texts")
    return np.unique(concatenate_labels(classes, named, "y with label_texts"))


def with_label_texts(texts, y, label_texts, classes, relevance, weight):
    """Add each label's text that is not blank as one more row for that label.

    Parameters
    ----------
    texts : list of str
    y : indicator of shape (n_samples, n_labels), or class labels
    label_texts : list of str
        A text for each label, in their order.
    classes : ndarray of shape (n_labels,), or None
        For class labels, as `read_label_texts` gives them.
    relevance : sparse matrix, array-like or None
        Of the labels of `texts`.
    weight : float
        The relevance of a label for its own text.

    Returns
    -------
    texts : list of str
    y : as it came
    relevance : csr_array, ndarray or None
        None where all weigh 1.

    Raises
    ------
    ValueError
        If relevance has another shape than y.
    """
    shape = np.shape(y)
    if relevance is not None and np.shape(relevance) not in (shape, shape[:1]):
        raise ValueError(
            f"relevance has the shape {np.shape(relevance)}; expected that of y, "
            f"{shape}, or {shape[:1]}, one weight for each text."
        )
    named = np.array([bool(text.strip()) for text in label_texts])
    texts = [*texts, *(text for text in label_texts if text.strip())]
    if classes is not None:
        return (
            texts,
            concatenate_labels(y, classes[named], "y"),
            _row_weights(relevance, shape[0], named, weight),
        )
    own = sparse.eye_array(len(named), dtype=np.int8, format="csr")[named]
    weights = _label_weights(relevance, y, own, weight)
    if sparse.issparse(y):
        y = sparse.vstack([y, own.astype(y.dtype)], format="csr")
    else:
        y = np.vstack([y, own.toarray()])
    return texts, y, weights


def _row_weights(relevance, n_rows, named, weight):
    if relevance is None and weight == 1:
        return None
    given = np.ones(n_rows) if relevance is None else np.asarray(relevance)
    return np.concatenate([given, np.full(named.sum(), weight)])


def _label_weights(relevance, y, own, weight):
    if relevance is None and weight == 1:
        return None
    if relevance is None:
        relevance = indicator_pattern(y)
    elif np.ndim(relevance) == 1:
        of_rows = np.asarray(relevance, dtype=np.float64)
        pattern = indicator_pattern(y)
        weights = np.repeat(of_rows, np.diff(pattern.indptr))
        relevance = sparse.csr_array(
            (weights, pattern.indices, pattern.indptr), shape=pattern.shape
        )
    given = sparse.csr_array(relevance, dtype=np.float64)
    return sparse.vstack([given, weight * own], format="csr")
