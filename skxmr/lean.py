"""One text at a time, without scikit-learn's checks, which cost as much as a search."""

import numpy as np
from scipy import sparse
from sklearn.pipeline import FeatureUnion

__all__ = ["LeanTransformer"]


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
        self.n_features = int(vectorizer.transform([""]).shape[1])

    def transform_one(self, text):
        """Give the features of a text.

        Returns
        -------
        indices : ndarray of shape (nnz,), int32
        values : ndarray of shape (nnz,), float32
        """
        if not self.parts:
            row = sparse.csr_array(self.vectorizer.transform([text]))
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
