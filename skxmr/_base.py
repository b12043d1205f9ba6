"""What the classifiers of this package share."""

from sklearn.base import ClassifierMixin

from skxmr._state import reads
from skxmr._typing import ArrayLike, MatrixLike, Texts
from skxmr._validation import check_structure

__all__ = ["Classifier"]


class Classifier(ClassifierMixin):
    """A scikit-learn classifier that reads no corrupt sparse matrix."""

    @reads
    def score(
        self,
        X: MatrixLike | Texts,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the accuracy on given rows and labels.

        For an indicator, that is the share of rows whose labels are all predicted and
        no others, which says little of a ranking: see the scorers of `skxmr.metrics`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            What the estimator predicts from.
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
            If X or y is malformed, or they do not fit together.
        """
        return super().score(
            check_structure(X, "X"), check_structure(y, "y"), sample_weight
        )
