"""Changes to a fitted classifier without another fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.metaestimators import available_if

from skxmr._base._state import merges, writes
from skxmr._growing._changes import (
    add_children,
    drop_labels,
    intercepts_of,
    lead_to_children,
    set_children,
)
from skxmr._growing._new_labels import LabelScale, weights_of_vectors
from skxmr._growing._relearning import Relearning, relearn
from skxmr._inputs._class_labels import exact_labels, find_columns
from skxmr._inputs._features import validate_features, validate_target
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._label_choice import check_labels
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._negatives import check_negatives
from skxmr._inputs._validation import check_lengths, check_structure
from skxmr._search._beam_search import beam_search
from skxmr._search._centering import for_training
from skxmr._search._merging import tree_of
from skxmr._search._pruning import Pruning
from skxmr._search._weights import with_precision
from skxmr._targets import align_rows, make_target
from skxmr._training._centering import center_rows
from skxmr._training._regularization import usual_length
from skxmr._training._solver import SolverParameters
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr._utils._typing import MatrixLike, SomeLabels
from skxmr.linear._tree_search import TreeSearchClassifier
from skxmr.stages._stages import refuse_custom_stages

__all__ = ["GrowingClassifier"]

# The beam in which the parent of a new label is searched, if that of the estimator is
# not wider.
_BEAM_WIDTH = 50


def _is_linear(classifier):
    return classifier.matcher is None and classifier.ranker is None


class GrowingClassifier(TreeSearchClassifier):
    """A classifier of label trees whose labels and weights can change after fit."""

    @writes
    def add_labels(
        self, label_vectors: MatrixLike, labels: SomeLabels | None = None
    ) -> NDArray[np.int64]:
        """Add labels that have a vector, but no training rows.

        A label gets weights in the direction of its vector, of the length and with the
        intercept that are usual among trained labels, and becomes a sibling of the
        labels to which a search for its vector leads. The known labels keep their
        scores. A label whose vector is 0 is not found until `partial_fit` trains it.

        Parameters
        ----------
        label_vectors : {array-like, sparse matrix} of shape (n_new, n_features)
            A row of features for each new label, such as those of its text.
        labels : iterable of length n_new, default=None
            The new class labels or names. Required if the labels of `fit` have names;
            must be None for an indicator without, whose new columns follow the others.

        Returns
        -------
        ndarray of shape (n_new,), int64
            The columns of the new labels: of the indicator, or in `classes_`.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `label_vectors` is invalid or has other features than in `fit`, if a
            label is known already or occurs twice, or if the estimator has a custom
            `matcher` or `ranker`.

        See Also
        --------
        partial_fit : Trains on further rows, and adds their labels.
        """
        state = self._ready()
        refuse_custom_stages(self, "add_labels")
        label_vectors = check_structure(label_vectors, "label_vectors")
        vectors = validate_features(self, label_vectors, state.features, least=0)
        known = _extended(state, labels, vectors.n_vectors)
        self._change(_added, self, vectors, known)
        return np.arange(len(state.known), len(known))

    @writes
    def remove_labels(self, labels: SomeLabels) -> Self:
        """Remove labels, which are never found again.

        Their columns stay empty: `classes_` keeps its length. A class label that is
        added again gets a new column.

        Parameters
        ----------
        labels : iterable of labels, or of bool of length n_labels
            Columns of an indicator, or class labels; or a boolean mask.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a label is not known, or was removed before.
        """
        state = self._fitted()
        columns = check_labels(labels, state.known, "labels")
        if len(columns):
            self._change(_without_labels, columns, state.known.without(columns))
        return self

    @merges
    def compact(self) -> Self:
        """Merge changes into the large arrays, which takes time in their size.

        Results stay the same, and searches become as fast as after a fit. Searches and
        changes in other threads go on meanwhile.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        """
        self._state = self._fitted().compacted
        return self

    @available_if(_is_linear)
    @writes
    def partial_fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        classes: SomeLabels | None = None,
        *,
        relevance: MatrixLike | None = None,
        negatives: MatrixLike | Sequence | None = None,
    ) -> Self:
        """Train on further rows, without those of before.

        The nodes that the rows reach are trained on the rows, with their present
        weights as the mean towards which they are regularised. The tree stays as it is.
        Labels that are not known are added as by `add_labels`, with the mean of their
        rows as their vector. The first call fits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            Labels, of the kind of the first call. An indicator has as many columns as
            labels were ever known, or more; one with names may have any of them.
        classes : iterable of labels, default=None
            Class labels that rows may have later; only used by the first call, for 1-D
            class labels.
        relevance : sparse matrix of y's shape, or array-like of shape (n_samples,), \
                default=None
            As in `fit`.
        negatives : sparse matrix of shape (n_samples, n_labels), or sequence of \
                length n_samples, default=None
            As in `fit`; also of labels that only earlier rows had.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is invalid or the arguments do not match, if X has other
            features than before, or if y has a label that was removed.

        Notes
        -----
        There is no such method with a custom `matcher` or `ranker`.
        """
        if not self.__sklearn_is_fitted__():
            self.fit(X, y, relevance=relevance, negatives=negatives)
            if classes is not None:
                self._state = _with_classes(self._state, classes)
            return self
        state = self._ready()
        X = validate_features(self, X, state.features)
        y, names = read_columns(y)
        target, Y = make_target(validate_target(self, y), relevance, names)
        check_lengths(X.to_matrix(), Y)
        known, Y = align_rows(state.target, state.known, target, Y)
        shown = check_negatives(negatives, target, known, Y)
        self._change(_learned, self, X, (Y, shown), known)
        return self


# Targets
# -------


def _extended(state, labels, n_new):
    """Return the known classes with new ones."""
    if state.target.names is None:
        if labels is not None:
            raise ValueError(
                "labels must be None: new columns of an indicator follow the others."
            )
        return state.known.with_columns(n_new)
    if labels is None:
        raise ValueError("labels is required, since the labels of fit have names.")
    return state.known.with_classes(labels, n_new)


def _with_classes(state, classes):
    """Add classes that no row has, in sorted order, to a state that was just fitted."""
    if state.target.names is None:
        return state
    classes = np.unique(exact_labels(list(classes), "classes"))
    columns = find_columns(state.classes, classes)
    if (columns < 0).any():
        label = state.classes[columns < 0].tolist()[0]
        raise ValueError(f"y has the label {label!r:.50}, which is not in classes.")
    missing = np.setdiff1d(np.arange(len(classes)), columns)
    if len(missing) == 0:
        return state
    columns = np.concatenate([columns, missing])
    layouts = []
    for layout in state.layouts:
        first, stop = layout.level_starts[-2:].tolist()
        parents = first + np.arange(len(missing)) % (stop - first)
        nothing = Compressed(
            np.zeros(len(missing) + 1, dtype=np.int64),
            np.empty(0, dtype=np.int32),
            np.empty(0, dtype=np.float32),
            layout.n_features,
        )
        intercepts = np.full(len(missing), -np.inf, dtype=np.float32)
        delta = add_children(layout, parents, nothing, intercepts)
        layouts.append(layout.with_delta(delta).compacted.relabelled(columns))
    known = KnownClasses(classes)
    return replace(
        state,
        target=state.target.with_labels(known),
        known=known,
        trees=[tree_of(layout) for layout in layouts],
        layouts=layouts,
        samples=None,
    )


# Changes
# -------


def _added(state, classifier, vectors, known):
    return _with_labels(classifier, _measured(state), vectors, known)


def _without_labels(state, columns, known):
    """Remove labels from all trees."""
    state = _measured(state)
    layouts = [
        layout.with_delta(drop_labels(layout, columns)) for layout in state.layouts
    ]
    return replace(
        state,
        known=known,
        target=state.target.with_labels(known),
        layouts=layouts,
        samples=None,
    )


def _learned(state, classifier, X, targets, known):
    """Train on further rows, with labels that are new among the known ones."""
    Y, _ = targets
    state = _measured(state)
    if state.counts is not None:
        state = replace(state, counts=state.counts.with_rows(Y))
    if len(known) > len(state.known):
        vectors = _mean_rows(X, Y[:, len(state.known) :])
        state = _with_labels(classifier, state, vectors, known)
    return _relearned(classifier, _revived(state, X, Y), X, targets)


def _with_labels(classifier, state, vectors, known):
    """Add labels to all trees."""
    if vectors.n_vectors == 0:
        return state
    layouts = []
    for layout, scale in zip(state.layouts, state.scales, strict=True):
        parents = _find_parents(classifier, layout, vectors)
        rows, intercepts = _new_weights(state, scale, layout, vectors)
        grown = layout.with_delta(add_children(layout, parents, rows, intercepts))
        if state.first_new is not None:
            delta = lead_to_children(grown, parents, rows, state.first_new)
            grown = grown.with_delta(delta)
        layouts.append(grown)
    return replace(
        state,
        target=state.target.with_labels(known),
        known=known,
        layouts=layouts,
        samples=None,
        first_new=None,
    )


def _measured(state):
    """Measure the usual weights of labels, if that was not done.

    Once for all changes, so that they do not depend on when others were compacted.
    """
    if state.scales is not None:
        return state
    scales = []
    for layout in state.layouts:
        (weights,) = for_training(layout.to_levels()[-1:], state.centering)
        scales.append(LabelScale.of(weights, state.centering, state.unit_weight))
    return replace(state, scales=scales)


def _find_parents(classifier, layout, vectors):
    """Find the parents of labels to which a search for their vectors leads."""
    first = int(layout.level_starts[-2])
    if layout.n_levels == 1:
        return np.full(vectors.n_vectors, first, dtype=np.int64)
    width = classifier._width()
    found, _ = beam_search(
        vectors,
        layout,
        k=1,
        beam_width=None if width is None else max(width, _BEAM_WIDTH),
        score_transform=classifier.score_transform,
        wanted="parents",
        n_jobs=classifier.n_jobs,
    )
    # None is found if no node has had a training row.
    return first + np.maximum(found[:, 0], 0)


def _new_weights(state, scale, layout, vectors):
    """Make the weights and intercepts of labels from their vectors."""
    vectors = center_rows(vectors, state.centering)
    rows = weights_of_vectors(vectors, scale, _pruning(state), layout.weight_precision)
    # Without any weight, a label is never found, until it has rows.
    intercepts = np.where(rows.sizes > 0, scale.intercept, -np.inf)
    if state.centering is not None:
        values = rows.values * state.centering.factors_of(rows.indices)
        values = with_precision(values, layout.weight_precision).astype(np.float32)
        rows = rows._replace(values=values)
        owners = np.repeat(np.arange(rows.n_vectors), rows.sizes)
        products = rows.values * state.centering.means_of(rows.indices)
        intercepts -= np.bincount(owners, products, rows.n_vectors)
    return rows, intercepts.astype(np.float32)


def _pruning(state):
    return Pruning(**state.pruned_at, unit_weight=state.unit_weight)


def _mean_rows(X, Y):
    """Return the mean of the rows of each label."""
    means = sparse.csr_array(Y.T, dtype=np.float64)
    sums = means.sum(axis=1)
    means = sparse.diags_array(np.divide(1, sums, where=sums > 0, out=sums)) @ means
    rows = means @ X.to_matrix()
    if isinstance(X, DenseRows):
        return DenseRows(np.ascontiguousarray(rows, dtype=np.float32))
    return Compressed.from_sparse(sparse.csr_array(rows))


def _revived(state, X, Y):
    """Give weights to labels that had no rows so far, and have some now."""
    columns = np.unique(Y.indices).astype(np.int64)
    layouts = []
    for layout, scale in zip(state.layouts, state.scales, strict=True):
        missing = columns[intercepts_of(layout, columns) == -np.inf]
        if len(missing):
            vectors = _mean_rows(X, Y[:, missing])
            rows, intercepts = _new_weights(state, scale, layout, vectors)
            delta = set_children(layout, missing, rows, intercepts)
            layouts.append(layout.with_delta(delta))
        else:
            layouts.append(layout)
    return replace(state, layouts=layouts)


def _relearned(classifier, state, X, targets):
    """Train the nodes that rows reach in all trees."""
    centered = center_rows(X, state.centering)
    layouts = []
    for number, layout in enumerate(state.layouts):
        relearning = Relearning(
            _solver(classifier, state, X, number),
            _pruning(state),
            state.centering,
            classifier.n_jobs,
        )
        layouts.append(relearn(layout, centered, targets, relearning))
    return replace(state, layouts=layouts, samples=None, first_new=None)


def _solver(classifier, state, X, number):
    """Return the solver parameters of further training, those of fit if known."""
    is_known = np.isfinite(state.unit_weight)
    length = 1 / state.unit_weight if is_known else usual_length(X)
    C, bias = state.C, float(classifier.fit_intercept)
    if classifier.C == "scale":
        C = length**-2 if C is None else C
        bias *= length
    C = classifier.C if C is None else C
    random = classifier.random_state
    seed = int(random) if isinstance(random, Integral) else 0
    return SolverParameters(
        loss=classifier.loss,
        positive_cost=C * classifier.positive_weight,
        negative_cost=C * classifier.negative_weight,
        bias=bias,
        tol=classifier.tol,
        max_iter=classifier.max_iter,
        weight_floor=0.0,
        seed=seed + number,
        prior_length=1.0,
        unit_weight=state.unit_weight,
    )
