"""Hashes by which rows, and the problems of nodes, are recognised in a later fit."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = ["LevelKeys", "RowKeys", "match_rows", "row_keys"]

# Entries that are hashed at a time.
_BLOCK = 2**20

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class RowKeys:
    """Hashes by which rows are recognised.

    Parameters
    ----------
    features : ndarray of shape (n_rows,), uint64
        Of the entries of X.
    all : ndarray of shape (n_rows,), uint64
        Of the entries of X, of the labels, and of those that were shown.
    """

    features: np.ndarray
    all: np.ndarray


def row_keys(X, Y, negatives=None):
    """Hash the content of rows.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : csr_array of shape (n_trained_rows, n_labels)
        Relevance of the first rows; the others, which are prior means, have no labels.
    negatives : csr_array of shape (n_rows_of_user, n_labels), bool, or None
        The labels that the first of these rows were shown.

    Returns
    -------
    RowKeys
    """
    features = _hash_dense(X.values) if isinstance(X, DenseRows) else _hash_rows(X)
    labels = _hash_rows(Compressed.from_sparse(Y))
    both = features.copy()
    both[: len(labels)] ^= _mix(labels + np.uint64(1))
    if negatives is not None:
        shown = _hash_rows(Compressed.from_sparse(negatives))
        # A row that was shown nothing has the same key as without the argument.
        both[: len(shown)] ^= np.where(shown, _mix(shown + np.uint64(2)), np.uint64(0))
    return RowKeys(features, both)


def _hash_rows(vectors):
    """Hash sparse vectors; the order of the entries does not matter."""
    hashes = np.zeros(vectors.n_vectors, dtype=np.uint64)
    for start, stop in _blocks(vectors.offsets):
        first, last = vectors.offsets[start], vectors.offsets[stop]
        bits = _bits(vectors.values[first:last])
        terms = _mix(
            bits | vectors.indices[first:last].astype(np.uint64) << np.uint64(32)
        )
        hashes[start:stop] = _sums(terms, vectors.offsets[start : stop + 1] - first)
    return hashes


def _blocks(offsets):
    """Split vectors into ranges with about equal numbers of entries."""
    ends = np.arange(_BLOCK, offsets[-1] + _BLOCK, _BLOCK)
    stops = np.searchsorted(offsets, ends, side="left")
    cuts = np.unique(np.concatenate([[0], np.minimum(stops, len(offsets) - 1)]))
    if cuts[-1] < len(offsets) - 1:
        cuts = np.append(cuts, len(offsets) - 1)
    return pairwise(cuts.tolist())


def _hash_dense(values):
    hashes = np.empty(len(values), dtype=np.uint64)
    columns = np.arange(values.shape[1], dtype=np.uint64) << np.uint64(32)
    step = max(1, _BLOCK // max(1, values.shape[1]))
    for start in range(0, len(values), step):
        bits = _bits(values[start : start + step])
        hashes[start : start + step] = _mix(bits | columns).sum(axis=1, dtype=np.uint64)
    return hashes


def _bits(values):
    """Return the bits of float32 numbers, with a single zero."""
    return (values + np.float32(0)).view(np.uint32).astype(np.uint64)


def _sums(terms, offsets):
    """Sum consecutive terms, modulo 2^64."""
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms)])
    return sums[offsets[1:]] - sums[offsets[:-1]]


def _mix(z):
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = (z + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def match_rows(before, now):
    """Find each earlier row among the present ones.

    Parameters
    ----------
    before, now : RowKeys

    Returns
    -------
    found : ndarray of shape (n_rows_before,), int64
        The present row with the same entries and, if there is one, the same labels; a
        different one for each; -1 for rows that are gone or have other entries.
    is_same : ndarray of shape (n_rows_before,), bool
        Whether that row has the same labels.
    """
    found = np.full(len(before.all), -1)
    _match(
        before.all, now.all, np.arange(len(before.all)), np.arange(len(now.all)), found
    )
    is_same = found >= 0
    lost = np.flatnonzero(~is_same)
    is_free = np.ones(len(now.all), dtype=bool)
    is_free[found[is_same]] = False
    free = np.flatnonzero(is_free)
    _match(before.features[lost], now.features[free], lost, free, found)
    return found, is_same


def _match(first, second, first_rows, second_rows, found):
    _, i, j = np.intersect1d(
        _distinct(first), _distinct(second), assume_unique=True, return_indices=True
    )
    found[first_rows[i]] = second_rows[j]


def _distinct(keys):
    """Make keys differ from all before with the same value."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    positions = np.arange(len(keys))
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(keys)]
    firsts = np.maximum.accumulate(np.where(is_first, positions, 0))
    distinct = np.empty_like(keys)
    distinct[order] = ordered + (positions - firsts).astype(np.uint64) * _GOLDEN
    return distinct


@dataclass(frozen=True)
class LevelKeys:
    """Hashes of the problems of one level; the order of the rows does not matter.

    Parameters
    ----------
    children : ndarray of shape (n_children,), uint64
        Of the positive rows of each child, and of the rows that are its prior mean.
    parents : ndarray of shape (n_parents,), uint64
        Of the rows of each parent, and of all its children.
    """

    children: np.ndarray
    parents: np.ndarray

    @classmethod
    def of(cls, targets, keys):
        """Hash the problems of a level.

        Parameters
        ----------
        targets : LevelTargets
        keys : ndarray of shape (n_rows,), uint64
            Hashes of the entries of the rows.

        Returns
        -------
        LevelKeys
        """
        offsets = targets.child_offsets
        n_children = np.diff(offsets)
        children = _hash_entries(targets.positives, keys, 2)
        if targets.given_priors is not None:
            children ^= _mix(_hash_entries(targets.given_priors, keys, 3))
        numbers = np.arange(offsets[-1]) - np.repeat(offsets[:-1], n_children)
        numbered = _mix(children ^ _mix(numbers.astype(np.uint64)))
        parents = _hash_entries(targets.rows, keys, 1) + _sums(numbered, offsets)
        return cls(children, _mix(parents) + n_children.astype(np.uint64))


def _hash_entries(vectors, keys, salt):
    """Hash vectors of rows with their values."""
    terms = _mix(keys[vectors.indices] ^ (_bits(vectors.values) << np.uint64(salt)))
    return _sums(terms, vectors.offsets)
