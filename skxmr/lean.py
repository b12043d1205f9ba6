"""Texts to features by any vectorizer, many or one at a time.

What scikit-learn puts around a vectorizer costs as much as a search: its checks, and in
a `FeatureUnion` joblib, which moreover sets Python's warnings filters, common to all
threads, for a moment. So its transformers are called one by one here, where joblib
would do just that. And whatever containers scikit-learn is configured to give, features
are arrays or sparse matrices here.
"""

import numpy as np
import sklearn
from scipy import sparse
from sklearn.pipeline import FeatureUnion

from skxmr._validation import check_structure

__all__ = ["LeanTransformer", "fit_texts", "fit_transform_texts", "transform_texts"]


def fit_texts(vectorizer, texts):
    """Fit a vectorizer, in place.

    Parameters
    ----------
    vectorizer : transformer
    texts : list of str
    """
    with sklearn.config_context(transform_output="default"):
        for part in _parts_of_union(vectorizer, is_fitting=True) or [vectorizer]:
            part.fit(texts)


def fit_transform_texts(vectorizer, texts):
    """Fit a vectorizer, in place, and give the features of the texts.

    Parameters
    ----------
    vectorizer : transformer
    texts : list of str

    Returns
    -------
    ndarray or sparse matrix of shape (n_texts, n_features)
    """
    with sklearn.config_context(transform_output="default"):
        parts = _parts_of_union(vectorizer, is_fitting=True)
        if not parts:
            return _as_matrix(vectorizer.fit_transform(texts))
        return _side_by_side(vectorizer, [part.fit_transform(texts) for part in parts])


def transform_texts(vectorizer, texts):
    """Give the features of texts.

    Parameters
    ----------
    vectorizer : transformer
        Fitted.
    texts : list of str

    Returns
    -------
    ndarray or sparse matrix of shape (n_texts, n_features)
    """
    with sklearn.config_context(transform_output="default"):
        parts = _parts_of_union(vectorizer)
        if not parts:
            return _as_matrix(vectorizer.transform(texts))
        return _side_by_side(vectorizer, [part.transform(texts) for part in parts])


class LeanTransformer:
    """Turns single texts into the features that a fitted vectorizer gives them.

    Parameters
    ----------
    vectorizer : transformer
        Fitted. It is fast if it has a method ``transform_one``, or is a
        `FeatureUnion` of such; any other works.

    Attributes
    ----------
    n_features : int
        Number of columns.
    """

    def __init__(self, vectorizer):
        self.vectorizer = vectorizer
        self.parts, self.starts = _lean_parts(vectorizer)
        self.n_features = int(transform_texts(vectorizer, [""]).shape[1])

    def transform_one(self, text):
        """Give the features of a text.

        Returns
        -------
        indices : ndarray of shape (nnz,), int32
        values : ndarray of shape (nnz,), float32
        """
        if not self.parts:
            row = sparse.csr_array(transform_texts(self.vectorizer, [text]))
            row.sum_duplicates()
            return row.indices.astype(np.int32), row.data.astype(np.float32)
        rows = [
            (start, *part.transform_one(text))
            for part, start in zip(self.parts, self.starts, strict=True)
        ]
        if len(rows) == 1:
            _, indices, values = rows[0]
            return indices, values.astype(np.float32, copy=False)
        indices = np.concatenate([indices + start for start, indices, _ in rows])
        values = np.concatenate([values for _, _, values in rows])
        return indices, values.astype(np.float32, copy=False)


def _lean_parts(vectorizer):
    """List transformers that take one text alone, and the first column of each.

    None if the vectorizer does not consist of such transformers side by side.
    """
    parts = [vectorizer]
    if isinstance(vectorizer, FeatureUnion) and not vectorizer.transformer_weights:
        parts = [transformer for _, transformer in vectorizer.transformer_list]
    if not all(hasattr(part, "transform_one") for part in parts):
        return [], []
    widths = [part.transform([""]).shape[1] for part in parts]
    return parts, np.cumsum([0, *widths[:-1]], dtype=np.int32).tolist()


def _parts_of_union(vectorizer, *, is_fitting=False):
    """List the transformers of a union that joblib would call one after the other.

    None if there is more to do: columns dropped or passed through, several jobs, or
    reports of fits.
    """
    if type(vectorizer) is not FeatureUnion or (is_fitting and vectorizer.verbose):
        return []
    names = [name for name, _ in vectorizer.transformer_list]
    parts = [transformer for _, transformer in vectorizer.transformer_list]
    # Threads of each part, one part after the other, beat processes for the parts.
    are_parallel = all(getattr(part, "n_jobs", None) is not None for part in parts)
    is_serial = vectorizer.n_jobs in (None, 1) or are_parallel
    are_weighed = set(vectorizer.transformer_weights or ()) <= set(names)
    are_transformers = all(hasattr(part, "fit_transform") for part in parts)
    return parts if is_serial and are_weighed and are_transformers else []


def _side_by_side(union, outputs):
    """Put the features that the transformers of a union give beside each other."""
    weights = union.transformer_weights or {}
    matrices = list(map(_as_matrix, outputs))
    for i, (name, _) in enumerate(union.transformer_list):
        if weights.get(name) is not None:
            matrices[i] = matrices[i] * weights[name]
    if any(map(sparse.issparse, matrices)):
        return sparse.hstack(matrices, format="csr")
    return np.hstack(matrices)


def _as_matrix(output):
    """Take the values out of a data frame; the names of columns are not features."""
    if sparse.issparse(output) or isinstance(output, np.ndarray):
        return check_structure(output, "The result of a vectorizer")
    if hasattr(output, "sparse"):  # a frame of pandas's sparse columns
        return sparse.csr_array(output.sparse.to_coo())
    return np.asarray(output)
