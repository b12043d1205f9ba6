"""Ranking by the labels of nearest neighbours, a lexical baseline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from skxmr._base._documentation import Documented
from skxmr._base._ranking_classifier import RankingClassifier
from skxmr._base._state import from_state, writes
from skxmr._cython import _inverted_index as kernel
from skxmr._cython._cluster_vectors import normalize_rows
from skxmr._inputs._features import (
    Features,
    validate_features,
    validate_features_and_target,
)
from skxmr._inputs._label_choice import mask_of_choice
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._row_blocks import split_by_size, split_by_sizes
from skxmr._inputs._validation import Interval, fit_context
from skxmr._parallel._parallel import current_stop
from skxmr._search._subset import MakesSubsets
from skxmr._targets import (
    ClassTarget,
    IndicatorTarget,
    Shortlists,
    logs_of_scores,
    make_target,
)
from skxmr._utils._compressed import Compressed
from skxmr._utils._loaded_state import (
    CheckedWhenLoaded,
    check_ascending,
    check_compressed,
    check_csr,
    check_finite,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._utils._pool import Pool
from skxmr._utils._sparse import keep_largest
from skxmr._utils._typing import MatrixLike
from skxmr.ranking import LabelSubset, RowSubset, scores_at, scores_to_csr, top_k

__all__ = ["NeighborRanker"]

# The most frequent labels are candidates of every row. Together they have the weight of
# a neighbour with this similarity, divided in proportion to their frequencies.
_N_FREQUENT = 100
_STRENGTH_OF_FREQUENCY = 0.01

# Terms of an inverted index may be in several fields of a label; features are not.
_ONE_FIELD = np.ones(1, dtype=np.float32)


@dataclass(frozen=True)
class NeighborState:
    """The fitted state of a `NeighborRanker`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    classes : ndarray of shape (n_labels,)
    features : Features
    used_features : ndarray of shape (n_used,), int32
        The features that occur in training rows, ascending.
    rows_by_feature : Compressed, a vector for each used feature
        The training rows that have it, scaled to unit length.
    peaks : ndarray of shape (n_used,), float32
        The largest value of each used feature.
    is_signed : bool
        Whether any value is negative.
    labels : csr_array of shape (n_rows, n_labels)
    frequent : csr_array of shape (1, n_labels)
        The frequencies of the most frequent labels.
    """

    target: IndicatorTarget | ClassTarget
    classes: np.ndarray
    features: Features
    used_features: np.ndarray
    rows_by_feature: Compressed
    peaks: np.ndarray
    is_signed: bool
    labels: sparse.csr_array
    frequent: sparse.csr_array

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("searchers", None)
        return state

    @cached_property
    def searchers(self):
        """The pool of searchers."""
        offsets, rows, values, n_rows = self.rows_by_feature
        index = kernel.InvertedIndex(offsets, rows, self.peaks, 1, n_rows)
        index = index.with_values(values, self.is_signed)
        return Pool(partial(kernel.IndexSearcher, index))

    @property
    def n_features(self):
        """Number of features."""
        return self.features.n_features

    @property
    def feature_names(self):
        """Names of features, or None."""
        return self.features.names


class NeighborRanker(
    Documented, CheckedWhenLoaded, MakesSubsets, RankingClassifier, BaseEstimator
):
    """Rank the labels of the nearest training rows by cosine similarity.

    With TF-IDF features, this is a lexical search without training. The score of a
    label is the sum of the similarities of the neighbours that have it, divided by that
    of all neighbours; only sparse products are computed. The most frequent labels
    follow; they are the only ones for a row that shares no feature with a training row.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours.
    decision_threshold : float, default=0.5
        For indicator targets, `predict` returns the labels whose score is above it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the names of the labels, if rows of names or
        a data frame were given; or the column indices of an indicator.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if X has string column names.

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

    classes_ = from_state("classes", "Classes, names of labels, or column numbers.")
    n_features_in_ = from_state("n_features", "Number of features seen during fit.")
    feature_names_in_ = from_state(
        "feature_names", "Names of features seen during fit.", optional=True
    )

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MatrixLike, y: MatrixLike) -> Self:
        """Store the rows and their labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1; or a list, tuple or set of label names for each
            row, such as ``[["web", "api"], ["django"]]``; or class labels of any type.
            The columns of a data frame name the labels.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y contains NaN or infinity, or their numbers of rows differ.
        """
        y, names = read_columns(y)
        rows, y, features = validate_features_and_target(self, X, y)
        target, Y = make_target(y, None, names)
        used_features, by_feature = _index(rows)
        values = by_feature.values
        self._state = NeighborState(
            target=target,
            classes=target.classes,
            features=features,
            used_features=used_features,
            rows_by_feature=by_feature,
            peaks=_peaks(by_feature),
            is_signed=bool(values.min(initial=0) < 0),
            labels=Y,
            frequent=_most_frequent(Y),
        )
        return self

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if not self.__sklearn_is_fitted__():
            return
        state = self._state
        n_rows, n_labels = state.labels.shape
        if not n_labels == len(state.classes) == state.target.n_labels:
            refuse("NeighborRanker.classes_", f"has other than {n_labels} labels")
        used = state.used_features
        check_vector(used, (np.int32,), None, "NeighborRanker.used_features")
        if len(used) and to_be_read(used):
            check_ascending(used, used[0], used[-1], "NeighborRanker.used_features")
        rows, name = state.rows_by_feature, "NeighborRanker.rows_by_feature"
        check_compressed(rows, len(used), n_rows, name)
        peaks, name = state.peaks, "NeighborRanker.peaks"
        check_vector(peaks, (np.float32,), len(used), name)
        if to_be_read(peaks):
            check_finite(peaks, name)
        for name, shape in {
            "labels": (n_rows, n_labels),
            "frequent": (1, n_labels),
        }.items():
            check_csr(getattr(state, name), shape, f"NeighborRanker.{name}")

    def _rank_in_blocks(self, X, *choice):
        X = validate_features(self, X, self._state.features)
        subset = self._restricted(*choice, n_rows=X.n_vectors)

        def find(k):
            return (top_k(scores, k) for scores in self._allowed_scores(X, subset))

        return X.n_vectors, find

    def _pair_scorer(self, X):
        X = validate_features(self, X, self._state.features)

        def score(among):
            start, parts = 0, [np.empty(0, dtype=np.float32)]
            for scores in self._scores(X):
                part = among.between(start, start + scores.shape[0])
                parts.append(scores_at(scores, part.mask))
                start += scores.shape[0]
            return np.concatenate(parts)

        return X.n_vectors, score

    def _subset_of(self, state, allowed, excluded):
        mask = mask_of_choice(len(state.classes), allowed, excluded)
        return LabelSubset((state,), mask)

    def _allowed_scores(self, X, subset):
        """Yield the scores of blocks of rows, 0 for labels that may not be found."""
        by_row = subset if isinstance(subset, RowSubset) else None
        common = subset if by_row is None else by_row.subset
        if common is not None:
            common.check_owner((self._state,))
        start = 0
        for scores in self._scores(X):
            if common is not None:
                scores.data *= common.mask[scores.indices]
            stop = start + scores.shape[0]
            yield scores if by_row is None else by_row.between(start, stop).keep(scores)
            start = stop

    def _scores(self, X):
        """Yield the scores of blocks of rows as CSR arrays."""
        ends = self._state.labels.indptr
        n_neighbors = min(int(self.n_neighbors), self._state.rows_by_feature.length)
        for rows in split_by_size(X.n_vectors, n_neighbors):
            block = X.between(rows.start, rows.stop)
            nearest = self._nearest(block, n_neighbors)
            n_labels = ends[nearest.indices + 1] - ends[nearest.indices]
            entries = np.concatenate([[0], np.cumsum(n_labels)])
            sizes = np.diff(entries[nearest.indptr]) + self._state.frequent.nnz
            for part in split_by_sizes(sizes):
                yield self._vote(nearest[part])

    def _nearest(self, X, n_neighbors):
        """Find the similarities of the nearest rows, as CSR."""
        queries = self._known_features(X)
        n_known = self._state.rows_by_feature.length
        rows = np.empty((X.n_vectors, n_neighbors), dtype=np.int64)
        similarities = np.empty((X.n_vectors, n_neighbors))
        with self._state.searchers.lend() as searcher:
            searcher.find(
                *queries[:3], _ONE_FIELD, None, rows, similarities, current_stop()
            )
        return scores_to_csr(rows, similarities.astype(np.float32), n_known)

    def _known_features(self, X):
        """Scale rows to unit length; keep the features of training rows."""
        rows = _unit_rows(X)
        places = np.searchsorted(self._state.used_features, rows.indices)
        known = places < len(self._state.used_features)
        known[known] = self._state.used_features[places[known]] == rows.indices[known]
        before = np.concatenate([[0], np.cumsum(known)])
        return Compressed(
            before[rows.offsets],
            places[known].astype(np.int32),
            rows.values[known],
            len(self._state.used_features),
        )

    def _vote(self, nearest):
        """Score the labels of the nearest rows, and the frequent labels.

        Only these labels are columns of the products, for which SciPy allocates arrays
        over all columns.
        """
        labels, frequent = self._state.labels[nearest.indices], self._state.frequent
        columns = np.unique(np.concatenate([frequent.indices, labels.indices]))
        n_rows, n_columns = nearest.shape[0], len(columns)
        neighbors = sparse.csr_array(
            (nearest.data, np.arange(nearest.nnz), nearest.indptr),
            shape=(n_rows, nearest.nnz),
        )
        found = neighbors @ sparse.csr_array(
            (labels.data, np.searchsorted(columns, labels.indices), labels.indptr),
            shape=(nearest.nnz, n_columns),
        )
        totals = nearest.sum(axis=1) + _STRENGTH_OF_FREQUENCY
        found = found + sparse.csr_array(
            (
                np.tile(_STRENGTH_OF_FREQUENCY * frequent.data, n_rows),
                np.tile(np.searchsorted(columns, frequent.indices), n_rows),
                np.arange(n_rows + 1) * frequent.nnz,
            ),
            shape=found.shape,
        )
        found.data = found.data / np.repeat(totals, np.diff(found.indptr))
        return sparse.csr_array(
            (found.data, columns[found.indices], found.indptr),
            shape=(n_rows, self._state.labels.shape[1]),
        )

    def _shortlists(self, X):
        X = validate_features(self, X, self._state.features)

        def find(k=None):
            for scores in self._scores(X):
                most = int(np.diff(scores.indptr).max(initial=1))
                yield logs_of_scores(*top_k(scores, most if k is None else k))

        return Shortlists(X.n_vectors, find)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags


def _unit_rows(rows):
    """Compressed rows, scaled to unit length."""
    compressed = rows if isinstance(rows, Compressed) else rows.to_compressed()
    values = compressed.values.copy()
    normalize_rows(compressed.offsets, values)
    return compressed._replace(values=values)


def _index(rows):
    """Return the features that occur, and the unit rows that have each.

    Memory grows with the entries, not with the number of columns.
    """
    rows = _unit_rows(rows)
    features = np.unique(rows.indices)
    by_feature = sparse.csr_array(rows.keep_indices(features).to_csr().T)
    return features, Compressed.from_sparse(by_feature)


def _peaks(by_feature):
    """Return the largest value of each vector, none of which is empty."""
    if not by_feature.n_vectors:
        return np.empty(0, dtype=np.float32)
    return np.maximum.reduceat(by_feature.values, by_feature.offsets[:-1])


def _most_frequent(Y):
    """CSR array of one row: the frequencies of the most frequent labels."""
    shares = np.asarray(Y.sum(axis=0)).ravel() / (Y.shape[0] + 1)
    return keep_largest(sparse.csr_array(shares[np.newaxis]), _N_FREQUENT)
