"""Labels' own texts, as more rows to learn from."""

import numpy as np
from scipy import sparse

from skxmr._validation import indicator_pattern

__all__ = ["with_label_texts"]


def with_label_texts(texts, y, label_texts, relevance, weight):
    """Add each label's text that is not blank as one more row for that label.

    Parameters
    ----------
    texts : list of str
    y : indicator of shape (n_samples, n_labels), or ndarray of class labels
        As `exact_target` makes it.
    label_texts : list of str, a text for each label
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
        If there are more or fewer texts than labels, or relevance has another shape
        than y.
    """
    shape = np.shape(y)
    if relevance is not None and np.shape(relevance) != shape:
        raise ValueError(
            f"relevance has the shape {np.shape(relevance)}; expected that of y, "
            f"{shape}."
        )
    labels = np.arange(shape[1]) if len(shape) == 2 else np.unique(y)
    if len(label_texts) != len(labels):
        raise ValueError(
            f"label_texts has {len(label_texts)} texts; expected {len(labels)}, one "
            f"for each label of y."
        )
    named = np.array([bool(text.strip()) for text in label_texts])
    texts = [*texts, *(text for text in label_texts if text.strip())]
    if len(shape) == 1:
        return (
            texts,
            np.concatenate([y, labels[named]]),
            _row_weights(relevance, shape[0], named, weight),
        )
    own = sparse.eye_array(len(labels), dtype=np.int8, format="csr")[named]
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
    given = sparse.csr_array(relevance, dtype=np.float64)
    return sparse.vstack([given, weight * own], format="csr")
