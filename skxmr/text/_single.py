"""Feature extraction by any vectorizer, for many texts or one at a time.

scikit-learn's overhead around a vectorizer takes as long as a search: validation and,
in a `FeatureUnion`, joblib, which also changes Python's global warning filters for a
moment, for all threads. So the transformers of a union are called one after the other
here, if joblib would do the same. Features are arrays or sparse matrices, whatever
output containers scikit-learn is configured for.
"""

import numpy as np
import sklearn
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion

from skxmr._inputs._validation import check_structure
from skxmr._utils._csr_files import temporary_csr
from skxmr._utils._packed_texts import are_mapped
from skxmr.text._feature_names import lazy_feature_names
from skxmr.text._ngram_tfidf import NgramTfidf
from skxmr.text._row_counting import count_row

__all__ = [
    "LeanTransformer",
    "fit_texts",
    "fit_transform_large",
    "fit_transform_texts",
    "parts_and_starts",
    "transform_texts",
]

# The number of mapped texts that are transformed at a time.
_N_TEXTS = 20_000


def fit_texts(vectorizer, texts):
    """Fit a vectorizer in place.

    Parameters
    ----------
    vectorizer : transformer
    texts : list of str
    """
    with sklearn.config_context(transform_output="default"):
        for part in _parts_of_union(vectorizer, is_fitting=True) or [vectorizer]:
            part.fit(texts, None)


def fit_transform_texts(vectorizer, texts):
    """Fit a vectorizer in place, and return the features of the texts.

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
            return _as_matrix(_fit_transform(vectorizer, texts))
        return _side_by_side(vectorizer, [part.fit_transform(texts) for part in parts])


def fit_transform_large(vectorizer, texts):
    """Fit a vectorizer in place; write the features of mapped texts to files.

    Parameters
    ----------
    vectorizer : transformer
    texts : list of str, or PackedTexts

    Returns
    -------
    ndarray or sparse matrix of shape (n_texts, n_features)
        Memory-mapped from temporary files if the texts are mapped.

    Raises
    ------
    ValueError
        If mapped texts get dense features.
    """
    if not are_mapped(texts):
        return fit_transform_texts(vectorizer, texts)
    fit_texts(vectorizer, texts)
    return temporary_csr(
        _sparse(transform_texts(vectorizer, texts[start : start + _N_TEXTS]))
        for start in range(0, max(1, len(texts)), _N_TEXTS)
    )


def _sparse(features):
    if not sparse.issparse(features):
        raise ValueError(
            "texts in files must get sparse features, which are written to files too; "
            "the vectorizer returned a dense array. Give the texts as a list."
        )
    return features


def _fit_transform(vectorizer, texts):
    if hasattr(vectorizer, "fit_transform"):
        return vectorizer.fit_transform(texts)
    # Such as a FrozenEstimator, whose fit has no effect.
    return vectorizer.fit(texts, None).transform(texts)


def transform_texts(vectorizer, texts):
    """Return the features of texts.

    Parameters
    ----------
    vectorizer : transformer
        A fitted vectorizer.
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


def parts_and_starts(vectorizer):
    """Return the transformers of a union for single texts, and their first columns.

    Parameters
    ----------
    vectorizer : transformer
        A fitted vectorizer.

    Returns
    -------
    parts : list of transformer
        The vectorizer alone if it is not a union; empty if one of them has no method
        ``transform_one``.
    starts : list of int
    """
    while isinstance(vectorizer, FrozenEstimator):
        vectorizer = vectorizer.estimator
    parts = [vectorizer]
    if isinstance(vectorizer, FeatureUnion) and not vectorizer.transformer_weights:
        parts = [transformer for _, transformer in vectorizer.transformer_list]
    if not all(hasattr(part, "transform_one") for part in parts):
        return [], []
    widths = [part.transform([""]).shape[1] for part in parts]
    return parts, np.cumsum([0, *widths[:-1]], dtype=np.int32).tolist()


class LeanTransformer:
    """Computes the features of single texts with a fitted vectorizer.

    Parameters
    ----------
    vectorizer : transformer
        A fitted vectorizer. It is fast if it has a method ``transform_one``, or is a
        `FeatureUnion` of such vectorizers; any other works.

    Attributes
    ----------
    n_features : int
        Number of columns.
    """

    def __init__(self, vectorizer):
        self.vectorizer = vectorizer
        self.parts, self.starts = parts_and_starts(vectorizer)
        self.n_features = int(transform_texts(vectorizer, [""]).shape[1])

    def transform(self, texts, vectorizer=None):
        """Return the features of texts.

        Parameters
        ----------
        texts : list of str
        vectorizer : transformer, default=None
            The fitted vectorizer with other parameters of transformation, such as
            `n_jobs`.

        Returns
        -------
        ndarray or sparse matrix of shape (n_texts, n_features)
        """
        if vectorizer is None:
            vectorizer = self.vectorizer
        return transform_texts(vectorizer, texts)

    def transform_one(self, text):
        """Return the features of a text.

        Returns
        -------
        indices : ndarray of shape (nnz,), int32
        values : ndarray of shape (nnz,), float32
        """
        return self.count_one(text)[:2]

    def names_of(self, indices):
        """Return the names of some columns.

        Parameters
        ----------
        indices : ndarray of int

        Returns
        -------
        list of str

        Raises
        ------
        AttributeError
            If the vectorizer has no names of features.
        """
        return lazy_feature_names(self.vectorizer).take(indices)

    def count_one(self, text):
        """Return the features of a text, and whether all of its n-grams have some.

        Returns
        -------
        indices : ndarray of shape (nnz,), int32
        values : ndarray of shape (nnz,), float32
        n_unknown : int or None
            Number of n-grams without a column; None if only the vectorizer knows.
        """
        counters = list(map(_row_counter, self.parts))
        if counters and None not in counters:
            return count_row(text, counters, self.starts)
        return *self._transform_parts(text), None

    def _transform_parts(self, text):
        """Return the features by the methods of the vectorizers."""
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


def _row_counter(part):
    """Return what counts the terms of a vectorizer in compiled code, or None."""
    # A subclass may do something else.
    if getattr(type(part), "transform_one", None) is not NgramTfidf.transform_one:
        return None
    return part._fitted().row_counter


def _parts_of_union(vectorizer, *, is_fitting=False):
    """Return the transformers of a union that joblib would call sequentially.

    None if the union does more: drops or passes through columns, uses several jobs, or
    reports its progress.
    """
    if type(vectorizer) is not FeatureUnion or (is_fitting and vectorizer.verbose):
        return []
    names = [name for name, _ in vectorizer.transformer_list]
    parts = [transformer for _, transformer in vectorizer.transformer_list]
    # Threads within each part, one part after the other, are faster than a process per
    # part.
    are_parallel = all(getattr(part, "n_jobs", None) is not None for part in parts)
    is_serial = vectorizer.n_jobs in (None, 1) or are_parallel
    are_weighed = set(vectorizer.transformer_weights or ()) <= set(names)
    are_transformers = all(hasattr(part, "fit_transform") for part in parts)
    return parts if is_serial and are_weighed and are_transformers else []


def _side_by_side(union, outputs):
    """Concatenate the features of the transformers of a union."""
    weights = union.transformer_weights or {}
    matrices = list(map(_as_matrix, outputs))
    for i, (name, _) in enumerate(union.transformer_list):
        if weights.get(name) is not None:
            matrices[i] = matrices[i] * weights[name]
    if any(map(sparse.issparse, matrices)):
        return sparse.hstack(matrices, format="csr")
    return np.hstack(matrices)


def _as_matrix(output):
    """Return the values of a data frame; column names are not feature names."""
    if sparse.issparse(output) or isinstance(output, np.ndarray):
        return check_structure(output, "The result of a vectorizer")
    if hasattr(output, "sparse"):  # a pandas data frame with sparse columns
        return sparse.csr_array(output.sparse.to_coo())
    return np.asarray(output)
