"""Sorts the weights of all levels of a tree by feature."""

import numpy as np

from skxmr._cython._layout import (
    count_postings,
    fill_blocks,
    place_postings,
    place_runs,
    start_runs,
)
from skxmr._cython._search_inputs import POSTINGS_OF_MARK
from skxmr._search._weights import with_precision

__all__ = ["as_bits", "size_of_entry", "sort_by_feature"]

_MAX_UINT32 = 2**32 - 1
_BITS = 64

# A feature of many parents has a bit for each parent, unless these bits take more than
# twice the memory of a list of its parents: bits are looked up, lists are read through.
_MAX_GROWTH_OF_BITS = 2


def sort_by_feature(child_offsets, levels, n_features, weight_precision):
    """Sort the weights by feature, then parent, then child.

    Parameters
    ----------
    child_offsets : ndarray of shape (n_parents + 1,), int64
    levels : sequence of LinearWeights
    n_features : int
    weight_precision : {"float32", "float16"}

    Returns
    -------
    dict of str to ndarray
        The arrays of `FeatureWeights`.

    Raises
    ------
    OverflowError
        If there are 2**32 weights or more.
    """
    n_weights = sum(level.n_weights for level in levels)
    if n_weights > _MAX_UINT32:
        raise OverflowError(
            f"The tree has {n_weights} weights; expected {_MAX_UINT32} at most. "
            f"Raise threshold to drop more of them."
        )
    n_parents = len(child_offsets) - 1
    parent_type = np.dtype(np.uint16 if n_parents <= 2**16 else np.int32)
    most_children = int(np.diff(child_offsets).max())
    child_type = np.uint8 if most_children <= 2**8 else np.int32
    kept_features = _kept_features(levels, n_features)
    numbers = [_numbered(level.features, kept_features) for level in levels]
    counts = np.zeros(len(kept_features) or n_features, dtype=np.uint32)
    for features in numbers:
        count_postings(features, counts)
    listed, with_bits = _divide(counts, n_parents, parent_type.itemsize)
    posting_starts = _posting_starts(counts, listed, with_bits)
    n_listed = int(posting_starts[len(listed)])

    parents = np.empty(int(posting_starts[-1]), dtype=parent_type)
    run_lengths = np.empty(len(parents), dtype=child_type)
    cursors = np.zeros(len(counts), dtype=np.uint32)
    cursors[np.concatenate([listed, with_bits])] = posting_starts[:-1]
    positions = _place_postings(levels, numbers, cursors, parents, run_lengths)
    starts = np.empty(len(parents), dtype=np.uint32)
    start_runs(run_lengths, starts)
    blocks = np.zeros((len(with_bits), -(-n_parents // _BITS), 2), dtype=np.uint64)
    fill_blocks(posting_starts[len(listed) :], parents, starts, n_weights, blocks)
    return {
        "kept_features": kept_features,
        "words": np.hstack([_bitmap(one, len(counts)) for one in (listed, with_bits)]),
        "posting_starts": posting_starts[: len(listed) + 1].copy(),
        "parents": parents[:n_listed].copy(),
        "blocks": blocks,
        "run_marks": starts[:n_listed:POSTINGS_OF_MARK].copy(),
        "run_lengths": run_lengths,
        "entries": _entries(levels, positions, starts, run_lengths, weight_precision),
    }


def size_of_entry(run_lengths, weight_precision):
    """Return the bytes of a child, which has the type of lengths, and a weight."""
    return run_lengths.itemsize + np.dtype(weight_precision).itemsize


def as_bits(weights):
    """View half-precision weights as integers, since kernels have no such type."""
    return weights.view(np.uint16) if weights.itemsize == 2 else weights


def _kept_features(levels, n_features):
    """List the features that any level uses, unless they are many of all."""
    n_postings = sum(len(level.features) for level in levels)
    if n_features <= 32 * n_postings + 1024:
        return np.empty(0, dtype=np.int32)
    return np.unique(np.concatenate([level.features for level in levels]))


def _numbered(features, kept_features):
    """Return the indices of features in the bitmaps."""
    if len(kept_features) == 0:
        return features
    return np.searchsorted(kept_features, features).astype(np.int32)


def _divide(counts, n_parents, bytes_of_parent):
    """List the features of few parents, and those of many."""
    bytes_of_bits = 16 * -(-n_parents // _BITS)
    bytes_of_list = counts.astype(np.int64) * bytes_of_parent
    has_bits = bytes_of_bits <= _MAX_GROWTH_OF_BITS * bytes_of_list
    return np.flatnonzero((counts > 0) & ~has_bits), np.flatnonzero(has_bits)


def _posting_starts(counts, listed, with_bits):
    """Return the first posting of each used feature, and the end."""
    starts = np.zeros(len(listed) + len(with_bits) + 1, dtype=np.uint32)
    np.cumsum(counts[np.concatenate([listed, with_bits])], out=starts[1:])
    return starts


def _place_postings(levels, numbers, cursors, parents, run_lengths):
    """Fill `parents` and `run_lengths`; return positions by level."""
    first_parent, positions = 0, []
    for level, features in zip(levels, numbers, strict=True):
        of_level = np.empty(len(features), dtype=np.uint32)
        place_postings(
            level.runs(),
            features,
            first_parent,
            cursors,
            parents,
            run_lengths,
            of_level,
        )
        first_parent += level.n_parents
        positions.append(of_level)
    return positions


def _entries(levels, positions, starts, run_lengths, weight_precision):
    """Copy the runs of all levels to their positions."""
    n_weights = sum(level.n_weights for level in levels)
    n_bytes = n_weights * size_of_entry(run_lengths, weight_precision)
    entries = np.empty(n_bytes, dtype=np.uint8)
    for level, of_level in zip(levels, positions, strict=True):
        weights = as_bits(with_precision(level.weights, weight_precision))
        place_runs(level.runs(), weights, of_level, starts, run_lengths, entries)
    return entries


def _bitmap(used, n_features):
    """Return bits of the used features, 64 a word, beside the number of ones before."""
    n_words = -(-n_features // _BITS)
    padded = np.zeros(n_words * _BITS, dtype=bool)
    padded[used] = True
    words = np.empty((n_words, 2), dtype=np.uint64)
    words[:, 0] = np.packbits(padded, bitorder="little").view(np.uint64)
    ones = padded.reshape(n_words, _BITS).sum(axis=1)
    words[:, 1] = np.cumsum(ones) - ones
    return words
