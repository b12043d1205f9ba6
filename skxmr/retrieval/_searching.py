"""Searches for one text and within a subset of the labels, by any classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skxmr._inputs._label_choice import check_choice, mask_of_choice
from skxmr._inputs._validation import public_csr
from skxmr.ranking import (
    LabelSubset,
    RowFactors,
    RowSubset,
    has_row_masks,
    resolve_row_subset,
    resolve_subset,
    score_pairs,
)
from skxmr.retrieval._pages import lacks_terms, nothing_found
from skxmr.retrieval._state import RetrieverState

__all__ = ["ALL_LABELS", "Choice", "ModelSearch", "choose", "make_subset"]

# Labels whose scores are weighed are at least so many.
_LEAST_WEIGHED = 100


def _subset_method(classifier):
    """Return the method of a classifier that makes subsets.

    Raises
    ------
    TypeError
        If it has none.
    """
    if not hasattr(classifier, "subset"):
        raise TypeError(
            f"classifier must have a method subset to restrict a search; "
            f"got a {type(classifier).__name__}."
        )
    return classifier.subset


class Choice(NamedTuple):
    """The labels that are searched.

    Parameters
    ----------
    allowed : LabelSubset, RowSubset or None
        That of the classifier.
    factors : ndarray of shape (n_labels,), float32, RowFactors or None
        Factors of scores in the lexical search, from 0 to 1; 0 for labels that are not
        allowed.
    is_weighed : bool
        Whether scores are to be weighed: more labels than the best are ranked then.
    """

    allowed: LabelSubset | None = None
    factors: NDArray | None = None
    is_weighed: bool = False

    def weighed(self, label_weights):
        """Return the same with weights of labels in the lexical search."""
        if label_weights is None:
            return self
        if isinstance(self.factors, RowFactors):
            label_weights = self.factors.times(label_weights)
        elif self.factors is not None:
            label_weights = label_weights * self.factors
        return self._replace(factors=label_weights, is_weighed=True)

    def of_rows(self, rows):
        """Return the same for a slice of the rows."""
        allowed, factors = self.allowed, self.factors
        if isinstance(allowed, RowSubset):
            allowed = allowed.between(rows.start, rows.stop)
        if isinstance(factors, RowFactors):
            factors = factors.between(rows.start, rows.stop)
        return self._replace(allowed=allowed, factors=factors)


ALL_LABELS = Choice()


def make_subset(state, allowed, excluded, unknown):
    """Make a subset of labels, as `TextRetriever.subset` does."""
    make = _subset_method(state.classifier)
    if state.fusion is None and not state.renames:
        return make(allowed, excluded, unknown=unknown)
    chosen = check_choice(state.known, allowed, excluded, unknown)
    mask = mask_of_choice(len(state.classes), *chosen)
    of_classifier = make(mask)
    if state.fusion is None:
        return of_classifier
    return LabelSubset((state,), mask, members=(of_classifier, mask.astype(np.float32)))


def choose(state, allowed, excluded, unknown, n_rows=None):
    """Return the labels that the arguments of a search describe.

    Parameters
    ----------
    state : RetrieverState
    allowed : LabelSubset, iterable of labels, mask of rows or None
    excluded : iterable of labels, mask of rows or None
    unknown : {"raise", "ignore"}
    n_rows : int, default=None
        None for a search of one text, which takes no masks of rows.

    Returns
    -------
    Choice
    """
    if allowed is None and excluded is None:
        return ALL_LABELS

    def make(allowed, excluded=None, unknown="raise"):
        return make_subset(state, allowed, excluded, unknown)

    if n_rows is not None and has_row_masks(allowed, excluded):
        return _choose_by_row(
            state,
            resolve_row_subset(make, state.known, n_rows, allowed, excluded, unknown),
        )
    subset = resolve_subset(make, allowed, excluded, unknown)
    if state.fusion is None:
        return Choice(subset)
    subset.check_owner((state,))
    return Choice(*subset.members)


def _choose_by_row(state, subset):
    """Return the labels that each row may find."""
    if state.fusion is None:
        return Choice(subset)
    factors = RowFactors.of(subset)
    if subset.subset is not None:
        subset.subset.check_owner((state,))
        subset = replace(subset, subset=subset.subset.members[0])
    return Choice(subset, factors)


class ModelSearch(NamedTuple):
    """Search by the classifier.

    Parameters
    ----------
    state : RetrieverState
    classifier : estimator
        The fitted classifier, with current parameters of prediction.
    """

    state: RetrieverState
    classifier: Any

    def rank(self, texts, X, k, choice):  # noqa: ARG002 - as of a fused search
        """Rank the labels of texts.

        Parameters
        ----------
        texts : list of str
        X : matrix of shape (n_texts, n_features)
            Their features.
        k : int
        choice : Choice

        Returns
        -------
        columns : ndarray of shape (n_texts, k), int64
            -1 if fewer labels are found. More columns if scores are to be weighed.
        scores : ndarray of shape (n_texts, k)
            0 if fewer labels are found.
        """
        k = self._n_ranked(k, choice)
        columns, scores = self.classifier.rank(X, k, **_restricted(choice))
        return nothing_found(columns, scores, lacks_terms(X))

    def score(self, texts, X, among):  # noqa: ARG002 - as of a fused search
        """Score given labels of texts.

        Parameters
        ----------
        texts : list of str
        X : matrix of shape (n_texts, n_features)
        among : RowSubset
            Of allowed labels.

        Returns
        -------
        ndarray
            The score of each entry of the mask; 0 if no term of its text is known.
        """
        rows, columns = among.mask.nonzero()
        labels = self.classifier.classes_[columns]
        scores = score_pairs(self.classifier, X, rows, labels)
        return np.where(lacks_terms(X)[rows], scores.dtype.type(0), scores)

    def rank_one(self, text, k, choice):
        """Rank the labels of one text, without the overhead of `rank`.

        Returns
        -------
        columns : ndarray of shape (1, k), int64
        scores : ndarray of shape (1, k)
        """
        k = self._n_ranked(k, choice)
        indices, values = self.state.lean.transform_one(text)
        if not len(indices):
            return np.full((1, k), -1), np.zeros((1, k), dtype=np.float32)
        if hasattr(self.classifier, "rank_one"):
            found = self.classifier.rank_one(indices, values, k, **_restricted(choice))
            return found[0][np.newaxis], found[1][np.newaxis]
        ends, shape = [0, len(indices)], (1, self.state.lean.n_features)
        row = public_csr(sparse.csr_array((values, indices, ends), shape=shape))
        return self.classifier.rank(row, k, **_restricted(choice))

    def _n_ranked(self, k, choice):
        """Return how many labels are ranked, of which the best are wanted."""
        if not choice.is_weighed:
            return k
        return min(max(k, _LEAST_WEIGHED), len(self.state.classes))


def _restricted(choice):
    # A custom classifier may not have the argument.
    if isinstance(choice.allowed, RowSubset):
        return choice.allowed.arguments(choice.allowed.subset)
    return {} if choice.allowed is None else {"allowed": choice.allowed}
