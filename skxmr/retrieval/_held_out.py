"""Texts that are held out of training, to learn from how well they are searched.

Their features are those that a vectorizer would find that was not fitted to them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.frozen import FrozenEstimator

from skxmr.text._normalization import normalize_text
from skxmr.text._single import parts_and_starts

__all__ = ["HeldOut", "drop_unseen"]

MOST = 2000
LEAST = 200
_SHARE = 4  # at most one text in so many is held out

_POWERS = {"l1": 1, "l2": 2}


class HeldOut(NamedTuple):
    """Distinct texts with all their labels, and where they are among all texts.

    Parameters
    ----------
    texts : list of str
    rows : ndarray of shape (n_held_out,), int64
        The first copy of each among all texts.
    Y : csr_array of shape (n_held_out, n_labels)
        The labels of all copies of a text.
    is_kept : ndarray of shape (n_samples,), bool
        Which of all texts are neither held out nor copies of one that is.
    """

    texts: list
    rows: NDArray
    Y: sparse.csr_array
    is_kept: NDArray

    @classmethod
    def draw(cls, texts, Y, has_text, seed) -> Self | None:
        """Draw at most 2,000 distinct texts, and at most a quarter of them.

        Only labels with a text of their own can be searched without the held-out texts;
        texts of other labels are not held out.

        Parameters
        ----------
        texts : list of str
        Y : csr_array of shape (n_samples, n_labels)
        has_text : ndarray of shape (n_labels,), bool
        seed : int

        Returns
        -------
        HeldOut or None
            None if there would be fewer than 200.
        """
        if len(texts) < LEAST * _SHARE:
            return None
        first, of_distinct = _distinct(texts)
        pooled = sparse.csr_array(_pooling(of_distinct, len(first)) @ Y)
        n_unsearchable = pooled @ (~has_text).astype(np.float32)
        drawable = np.flatnonzero((n_unsearchable == 0) & (np.diff(pooled.indptr) > 0))
        n_drawn = min(MOST, len(first) // _SHARE, len(drawable))
        if n_drawn < LEAST:
            return None
        drawn = np.random.default_rng(seed).permutation(drawable)[:n_drawn]
        drawn.sort()
        is_drawn = np.zeros(len(first), dtype=bool)
        is_drawn[drawn] = True
        rows = first[drawn]
        chosen = [texts[row] for row in rows.tolist()]
        return cls(chosen, rows, pooled[drawn], ~is_drawn[of_distinct])


def _distinct(texts):
    """Return the first row of each distinct text, and which of these each row is."""
    # Digests, since the texts may be in a file and larger than memory.
    digests = np.fromiter(map(_digest, texts), dtype="S16", count=len(texts))
    _, first, of_distinct = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first)
    numbers = np.empty_like(order)
    numbers[order] = np.arange(len(order))
    return first[order], numbers[of_distinct.ravel()]


def _digest(text):
    return blake2b(
        normalize_text(text).encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()


def _pooling(of_distinct, n_distinct):
    """Make a matrix that adds the rows of equal texts."""
    n_rows = len(of_distinct)
    ones = np.ones(n_rows, dtype=np.float32)
    return sparse.csr_array(
        (ones, (of_distinct, np.arange(n_rows))), shape=(n_distinct, n_rows)
    )


def drop_unseen(vectorizer, X, is_seen):
    """Drop the features that a vectorizer knows only because it was fitted to the rows.

    Without them in its vocabulary, the other features of a normalized row are larger.
    Inverse document frequencies stay those of the vectorizer.

    Parameters
    ----------
    vectorizer : transformer
        Fitted to the texts of X and to others.
    X : ndarray or sparse matrix of shape (n_texts, n_features)
    is_seen : ndarray of shape (n_features,), bool
        Whether another text has the feature.

    Returns
    -------
    ndarray or sparse matrix of shape (n_texts, n_features)
        X itself unless all its features are n-grams of skxmr's vectorizers, with
        vocabularies that were learned from these texts.
    """
    parts, starts = _learned_parts(vectorizer)
    if not parts:
        return X
    X = sparse.csr_array(X, copy=True)
    stops = [*starts[1:], X.shape[1]]
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    for part, start, stop in zip(parts, starts, stops, strict=True):
        own = np.flatnonzero((X.indices >= start) & (X.indices < stop))
        is_kept = is_seen[X.indices[own]]
        X.data[own] *= _factors(X.data[own], is_kept, rows[own], part.norm)
    X.eliminate_zeros()
    return X


def _learned_parts(vectorizer):
    """Return the vectorizers of a union and their starts, if all have learned."""
    if isinstance(vectorizer, FrozenEstimator):
        return [], []
    parts, starts = parts_and_starts(vectorizer)
    if any(isinstance(part, FrozenEstimator) for part in parts):
        return [], []
    # Other classes, and given vocabularies, do not depend on the texts.
    have_learned = not any(getattr(part, "fixed_vocabulary_", True) for part in parts)
    return (parts, starts) if have_learned else ([], [])


def _factors(values, is_kept, rows, norm):
    """Return the factors that drop values, and give the rows their lengths again."""
    if norm is None or not len(values):
        return is_kept.astype(values.dtype)
    powers = np.abs(values.astype(np.float64)) ** _POWERS[norm]
    before = np.bincount(rows, powers)
    after = np.bincount(rows, powers * is_kept)
    ratio = np.divide(before, after, where=after > 0, out=np.zeros(len(before)))
    return (is_kept * ratio[rows] ** (1 / _POWERS[norm])).astype(values.dtype)
