"""Rankings by the scores that any classifier gives all labels."""

from functools import partial

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite

from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._label_choice import check_choice, mask_of_choice
from skxmr._inputs._row_blocks import RowBlocks
from skxmr._inputs._validation import check_is_fitted, check_structure
from skxmr._utils._padding import check_size, pad_ranking
from skxmr.ranking._pairs import Pairs
from skxmr.ranking._row_subset import has_row_masks, resolve_row_subset, scores_at
from skxmr.ranking._top_k import top_k, top_k_signed

__all__ = ["pair_scorer_of_scores", "ranker_of_scores"]


def ranker_of_scores(final, estimator):
    """Return a function that ranks by the scores of a classifier without `rank`.

    Parameters
    ----------
    final : estimator
    estimator : object
        What leads to it, for messages.

    Returns
    -------
    callable
        Takes X, k and the labels to choose from.
    """
    best, scores_of = _scores_method(final, estimator)
    return partial(_in_blocks, best, scores_of, final)


def pair_scorer_of_scores(final, estimator):
    """Return a function that looks pairs up in the scores of a classifier.

    Parameters
    ----------
    final, estimator
        As in `ranker_of_scores`.

    Returns
    -------
    callable
        Takes X, rows, labels and `unknown`.
    """
    _, scores_of = _scores_method(final, estimator)
    return partial(_pairs_in_blocks, scores_of, final)


def _scores_method(final, estimator):
    """Return how to rank the scores of a classifier, and how to compute them."""
    if hasattr(final, "classes_"):
        if hasattr(final, "predict_proba"):
            return top_k, _probabilities
        if hasattr(final, "decision_function"):
            return top_k_signed, _decisions
    elif isinstance(final, BaseEstimator):
        check_is_fitted(final)
    came = _name(estimator)
    if final is not estimator:
        came += f" that leads to {_name(final)}"
    raise TypeError(
        "estimator must have a method rank(X, k), or be a classifier with "
        "predict_proba or decision_function, or a Pipeline or a search refitted to its "
        f"best parameters that leads to one of these; got {came}."
    )


def _in_blocks(best, scores_of, classifier, X, k, **choice):
    """Rank by scores of all labels, computed for one block of rows at a time."""
    n_labels, blocks = len(classifier.classes_), RowBlocks(X)
    if has_row_masks(choice.get("allowed"), choice.get("excluded")):
        return _in_blocks_by_row(best, scores_of, classifier, blocks, k, choice)
    kept = _columns_of_choice(classifier, **choice) if choice else np.arange(n_labels)
    n_found = check_size(blocks.n_rows, k, len(kept))
    parts = []
    for rows in blocks.split(n_labels):
        scores = scores_of(classifier, rows)
        parts.append(best(scores[:, kept] if choice else scores, n_found))
    columns, scores = map(np.concatenate, zip(*parts, strict=True))
    columns[columns >= 0] = kept[columns[columns >= 0]]
    return pad_ranking(columns, scores, k)


def _in_blocks_by_row(best, scores_of, classifier, blocks, k, choice):
    """Rank labels that differ from row to row by scores of all labels."""
    known = _known_classes(classifier)
    n_labels, n_rows = len(known), blocks.n_rows
    n_found = check_size(n_rows, k, n_labels)
    subset = resolve_row_subset(
        partial(_columns_of_choice, classifier),
        known,
        n_rows,
        choice.get("allowed"),
        choice.get("excluded"),
        choice.get("unknown", "raise"),
    )
    parts, start = [], 0
    for rows in blocks.split(n_labels):
        scores = scores_of(classifier, rows)
        stop = start + scores.shape[0]
        parts.append(best(_keep_allowed(scores, subset.between(start, stop)), n_found))
        start = stop
    columns, scores = map(np.concatenate, zip(*parts, strict=True))
    is_out = np.isneginf(scores)
    columns[is_out], scores[is_out] = -1, 0
    return pad_ranking(columns, scores, k)


def _keep_allowed(scores, subset):
    """Return the scores of a block with -inf, or nothing stored, for other labels."""
    is_allowed = np.ones(scores.shape[1], dtype=bool)
    if subset.subset is not None:
        is_allowed[:] = False
        is_allowed[subset.subset] = True
    if sparse.issparse(scores):
        kept = subset.keep(sparse.csr_array(scores))
        kept.data[~is_allowed[kept.indices]] = 0
        return kept
    is_allowed = (subset.mask.toarray() != subset.is_excluded) & is_allowed
    return np.where(is_allowed, scores, -np.inf)


def _pairs_in_blocks(scores_of, classifier, X, rows, labels, unknown="raise"):
    """Look pairs up in scores of all labels, computed for one block at a time."""
    known, blocks = _known_classes(classifier), RowBlocks(X)
    shape = blocks.n_rows, len(known)
    pairs = Pairs.of(rows, labels, shape, known, unknown)
    parts, start = [], 0
    for block in blocks.split(len(known)):
        scores = scores_of(classifier, block)
        stop = start + scores.shape[0]
        parts.append(scores_at(scores, pairs.among.mask[start:stop]))
        start = stop
    return pairs.spread(np.concatenate(parts))


def _columns_of_choice(classifier, allowed=None, excluded=None, unknown="raise"):
    """List the columns to rank."""
    known = _known_classes(classifier)
    columns = check_choice(known, allowed, excluded, unknown)
    return np.flatnonzero(mask_of_choice(len(known), *columns))


def _known_classes(classifier):
    """Return the labels of a classifier; of an indicator, labels are columns."""
    classes = classifier.classes_
    return KnownClasses(
        np.arange(len(classes)) if isinstance(classes, list) else classes
    )


def _name(thing):
    if isinstance(thing, type):
        return f"the class {thing.__name__} instead of an instance"
    return repr(thing) if isinstance(thing, str) else type(thing).__name__


def _probabilities(classifier, X):
    """Probability of each column, as an ndarray or CSR array (n_samples, n_labels)."""
    scores = classifier.predict_proba(X)
    if isinstance(scores, list):  # one array per label, as forests and neighbors give
        pairs = zip(scores, classifier.classes_, strict=True)
        scores = np.column_stack([_positive(*pair) for pair in pairs])
    return _check_scores(scores, classifier, "predict_proba")


def _positive(probabilities, classes):
    """Return the probability of class 1 of a label; 0 if it was never positive."""
    if not set(np.asarray(classes).tolist()) <= {0, 1}:
        raise ValueError(
            "estimator must have been fitted to an indicator of 0 and 1 to rank its "
            f"labels; got one with the classes {classes}."
        )
    yes = np.flatnonzero(np.asarray(classes) == 1)
    return probabilities[:, yes].sum(axis=1)


def _decisions(classifier, X):
    """Signed score of each column, as an ndarray or CSR array (n_samples, n_labels)."""
    scores = classifier.decision_function(X)
    if np.ndim(scores) == 1:  # of two classes, for the second
        scores = scores[:, np.newaxis]
        if len(classifier.classes_) == 2:
            scores = np.hstack([-scores, scores])
    return _check_scores(scores, classifier, "decision_function")


def _check_scores(scores, classifier, method):
    name = f"{type(classifier).__name__}.{method}"
    scores = check_structure(scores, name)
    if not sparse.issparse(scores):
        scores = np.asarray(scores)
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)
    n_labels = len(classifier.classes_)
    if scores.ndim != 2 or scores.shape[1] != n_labels:
        raise ValueError(
            f"{name} must give one score for each of its "
            f"{n_labels} classes, got an array of shape {scores.shape}."
        )
    assert_all_finite(scores, input_name=method)
    return scores
