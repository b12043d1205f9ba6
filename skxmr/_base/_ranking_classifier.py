"""Base class of the classifiers."""

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin

from skxmr._base._state import reads
from skxmr._inputs._class_labels import exact_target, find_columns
from skxmr._inputs._validation import check_lengths, check_structure
from skxmr._utils._typing import ArrayLike, MatrixLike, Texts

__all__ = ["Classifier"]


class Classifier(ClassifierMixin):
    """A classifier that validates sparse structure and does not convert labels."""

    @reads
    def score(
        self,
        X: MatrixLike | Texts,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the accuracy on given rows and labels.

        For an indicator, this is the share of rows whose set of labels is predicted
        exactly, which says little of a ranking; see the scorers of `skxmr.metrics`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            The input of the estimator.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            In [0, 1].

        Raises
        ------
        ValueError
            If X or y is invalid, or they do not match.
        """
        X, y = check_structure(X, "X"), exact_target(check_structure(y, "y"))
        if np.ndim(y) == 1 and not sparse.issparse(y):
            return self._accuracy(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def _accuracy(self, X, y, sample_weight):
        """Compare class labels exactly; scikit-learn would convert them."""
        predicted = find_columns(self.predict(X), self.classes_)
        check_lengths(y, predicted, sample_weight)
        is_right = find_columns(y, self.classes_) == predicted
        return float(np.average(is_right, weights=sample_weight))
