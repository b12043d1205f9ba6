"""Labels of the nearest rows: the lexical search to compare and combine with."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import normalize

from skxmr._compressed import Compressed
from skxmr._documentation import Documented
from skxmr._integrity import CheckedWhenLoaded, check_csr, refuse
from skxmr._sparse import keep_largest
from skxmr._state import Stateful, from_state, reads, writes
from skxmr._typing import Matrix, MatrixLike, Ranking
from skxmr._validation import (
    Features,
    Interval,
    check_k,
    fit_context,
    validate_features,
    validate_features_and_target,
)
from skxmr.ranking import top_k
from skxmr.targets import ClassTarget, IndicatorTarget, logs_of_scores, make_target

__all__ = ["NeighborRanker"]

# The most frequent labels are there for all rows; they count as much as a neighbour of
# that similarity, of which each has the share that it has of all rows.
_N_FREQUENT = 100
_STRENGTH_OF_FREQUENCY = 0.01

# Rows whose neighbours are looked for at a time.
_CHUNK = 512


@dataclass(frozen=True)
class NeighborState:
    """What a `NeighborRanker` has learned.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    classes : ndarray of shape (n_labels,)
    features : Features
    rows_by_feature : csr_array of shape (n_features, n_rows)
        The known rows, each of length 1.
    labels : csr_array of shape (n_rows, n_labels)
    frequent : csr_array of shape (1, n_labels)
        The shares of the most frequent labels.
    """

    target: IndicatorTarget | ClassTarget
    classes: np.ndarray
    features: Features
    rows_by_feature: sparse.csr_array
    labels: sparse.csr_array
    frequent: sparse.csr_array

    @property
    def n_features(self):
        """Number of features."""
        return self.features.n_features

    @property
    def feature_names(self):
        """Names of features, or None."""
        return self.features.names


class NeighborRanker(
    Documented, Stateful, CheckedWhenLoaded, ClassifierMixin, BaseEstimator
):
    """Rank the labels of the training rows that are nearest by cosine.

    With TF-IDF features, this is the lexical search that has no training: what a text
    shares with those known so far. A label's score is the similarity of the neighbours
    that have it as a share of that of all; only sparse products are built. Behind them
    come the most frequent labels, which are all that there is for a row that shares
    nothing with any.

    Parameters
    ----------
    n_neighbors : int, default=10
        How many rows to look at.
    decision_threshold : float, default=0.5
        For indicator targets, `predict` returns the labels whose score is above it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the column numbers of an indicator.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, where X has string column names.

    See Also
    --------
    RankFusion : Combines it with a classifier.
    sklearn.neighbors.KNeighborsClassifier : For dense features and few classes.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skxmr import NeighborRanker, WordNgramTfidf
    >>> model = make_pipeline(WordNgramTfidf(), NeighborRanker(n_neighbors=1))
    >>> model.fit(["red apple", "smart phone"], ["fruit", "phone"])
    Pipeline(steps=[('wordngramtfidf', WordNgramTfidf()),
                    ('neighborranker', NeighborRanker(n_neighbors=1))])
    >>> model.predict(["an apple"]).tolist()
    ['fruit']
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "decision_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    _search_parameters = ("n_neighbors", "decision_threshold")

    def __init__(self, n_neighbors: int = 10, *, decision_threshold: float = 0.5):
        self.n_neighbors = n_neighbors
        self.decision_threshold = decision_threshold

    classes_ = from_state("classes", "Class labels, or column numbers of an indicator.")
    n_features_in_ = from_state("n_features", "Number of features seen during fit.")
    feature_names_in_ = from_state(
        "feature_names", "Names of features seen during fit.", optional=True
    )

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MatrixLike, y: MatrixLike) -> Self:
        """Keep the rows and their labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1, or class labels of any type.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y holds NaN or infinity, or their numbers of rows differ.
        """
        rows, y, features = validate_features_and_target(self, X, y)
        target, Y = make_target(y, None)
        self._state = NeighborState(
            target=target,
            classes=target.classes,
            features=features,
            rows_by_feature=sparse.csr_array(_unit_rows(rows).T),
            labels=Y,
            frequent=_most_frequent(Y),
        )
        return self

    def _check_arrays(self):
        """Refuse what a damaged file may have brought."""
        if not self.__sklearn_is_fitted__():
            return
        state = self._state
        n_rows, n_labels = state.labels.shape
        if not n_labels == len(state.classes) == state.target.n_labels:
            refuse("NeighborRanker.classes_", f"has other than {n_labels} labels")
        for name, shape in {
            "rows_by_feature": (state.n_features, n_rows),
            "labels": (n_rows, n_labels),
            "frequent": (1, n_labels),
        }.items():
            check_csr(getattr(state, name), shape, f"NeighborRanker.{name}")

    @reads
    def rank(self, X: MatrixLike, k: int = 10) -> Ranking:
        """Find the best k labels of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        k : int, default=10
            How many labels to find for each row.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
            Columns of y, or indices into `classes_`, best first; -1 where fewer are
            found.
        scores : ndarray of shape (n_samples, k), float32
            Between 0 and 1; 0 where fewer are found.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X holds NaN or infinity, or has not the features of `fit`, or if `k` is
            not positive.
        """
        state = self._fitted()
        self._check_search_parameters()
        check_k(k, "NeighborRanker.rank")
        rows = _unit_rows(validate_features(self, X, state.features))
        parts = [
            top_k(self._scores(rows[start : start + _CHUNK]), k)
            for start in range(0, rows.shape[0], _CHUNK)
        ]
        columns, scores = zip(*parts, strict=True)
        return np.concatenate(columns), np.concatenate(scores)

    def _scores(self, rows):
        similarity = sparse.csr_array(rows @ self._state.rows_by_feature)
        similarity.data = np.maximum(similarity.data, 0)
        similarity.eliminate_zeros()
        nearest = keep_largest(similarity, self.n_neighbors)
        totals = nearest.sum(axis=1) + _STRENGTH_OF_FREQUENCY
        found = nearest @ self._state.labels
        found = found + _STRENGTH_OF_FREQUENCY * sparse.vstack(
            [self._state.frequent] * rows.shape[0]
        )
        return sparse.csr_array(sparse.diags_array(1 / totals) @ found)

    def _shortlister(self, X):
        def shortlist(k=None):
            state = self._state
            of_neighbors = self.n_neighbors * np.diff(state.labels.indptr).max()
            most = int(of_neighbors + state.frequent.nnz)
            wanted = min(most, len(state.classes)) if k is None else k
            return logs_of_scores(*self.rank(X, wanted))

        return shortlist

    @reads
    def predict(self, X: MatrixLike) -> Matrix:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.predict` returns them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X holds NaN or infinity, or has not the features of `fit`.
        """
        target = self._fitted().target
        return target.predict(self._shortlister(X), self.decision_threshold)

    @reads
    def predict_proba(self, X: MatrixLike) -> Matrix:
        """Return the scores of the labels of the nearest rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.predict_proba` returns them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X holds NaN or infinity, or has not the features of `fit`.
        """
        target = self._fitted().target
        return target.predict_proba(self._shortlister(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags


def _unit_rows(rows):
    """CSR array of the rows, each of length 1."""
    compressed = rows if isinstance(rows, Compressed) else rows.to_compressed()
    return sparse.csr_array(normalize(compressed.to_csr()))


def _most_frequent(Y):
    """CSR array of one row: the shares of the most frequent labels."""
    shares = np.asarray(Y.sum(axis=0)).ravel() / (Y.shape[0] + 1)
    return keep_largest(sparse.csr_array(shares[np.newaxis]), _N_FREQUENT)
