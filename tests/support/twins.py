"""Slow and obvious twins of what the kernels do, and builders of random input."""

import itertools
import unicodedata
from functools import cache

import numpy as np
from scipy import sparse

from skxmr._search._weights import LinearWeights
from skxmr._training._levels import train_levels
from skxmr._utils._compressed import Compressed
from skxmr.text._normalization import END_OF_KEY
from skxmr.tree import LabelTree


def random_sparse(rng, shape, density):
    """CSR array of uniform float32 values; older SciPy has no `rng` for its own."""
    dense = rng.random(shape) * (rng.random(shape) < density)
    return sparse.csr_array(dense, dtype=np.float32)


def compress(X):
    return Compressed.from_sparse(sparse.csr_array(X, dtype=np.float32))


def weights_from_dense(W, intercepts, child_offsets):
    """LinearWeights of one level from a matrix of shape (n_features, n_children)."""
    features, run_lengths, n_rows, children, weights = [], [], [], [], []
    for first, last in itertools.pairwise(child_offsets):
        chunk = W[:, first:last]
        used = np.flatnonzero(chunk.any(axis=1))
        n_rows.append(len(used))
        for feature in used:
            run = np.flatnonzero(chunk[feature])
            features.append(feature)
            run_lengths.append(len(run))
            children.extend(run)
            weights.extend(chunk[feature, run])
    return LinearWeights(
        np.concatenate([[0], np.cumsum(n_rows)]).astype(np.int64),
        np.array(features, dtype=np.int32),
        np.concatenate([[0], np.cumsum(run_lengths)]).astype(np.int64),
        np.array(children, dtype=np.int32),
        np.array(weights, dtype=np.float32),
        np.asarray(intercepts, dtype=np.float32),
    )


def weights_to_dense(weights, child_offsets, n_features):
    W = np.zeros((n_features, child_offsets[-1]))
    for parent, first in enumerate(child_offsets[:-1]):
        for posting in range(*weights.posting_offsets[parent : parent + 2]):
            for entry in range(*weights.run_offsets[posting : posting + 2]):
                child = first + weights.children[entry]
                W[weights.features[posting], child] = weights.weights[entry]
    return W


def levels_from_dense(tree, dense_levels):
    """LinearWeights of every level from (matrix, intercepts) of each."""
    return [
        weights_from_dense(W, intercepts, tree.child_offsets[level])
        for level, (W, intercepts) in enumerate(dense_levels)
    ]


def random_tree(rng):
    n_nodes = int(rng.integers(2, 30))
    parents = [-1] + [int(rng.integers(max(0, i - 6), i)) for i in range(1, n_nodes)]
    return LabelTree.from_parents(parents)


def random_levels(tree, rng, scale, n_features):
    """Dense weights of every level; some models constant, some weights equal."""
    levels = []
    for size in tree.level_sizes[1:]:
        W = rng.integers(-2, 3, size=(n_features, size)) * scale
        W[rng.random(W.shape) < 0.5] = 0
        intercepts = rng.integers(-1, 2, size=size) * scale
        constant = rng.random(size) < 0.2
        W[:, constant] = 0
        intercepts[constant] = rng.choice([-np.inf, np.inf], size=constant.sum())
        levels.append((W.astype(np.float32), intercepts.astype(np.float32)))
    return levels


def log_transform(margins, name):
    with np.errstate(over="ignore", divide="ignore"):
        if name == "sigmoid":
            return -np.logaddexp(0, -margins)
        return -(np.maximum(0, 1 - margins) ** int(name[1]))


def search_twin(
    x, tree, dense_levels, *, k, beam_width, transform, nodes=False, allowed=None
):
    """Best (column, log score) pairs of one row, from dense weights.

    `allowed` has a bool for each node, level by level, the root first.
    """
    if allowed is None:
        allowed = np.ones(sum(tree.level_sizes), dtype=bool)
    beam = [(0.0, 0)] if allowed[0] else []
    kept = []
    starts = np.cumsum([0, *tree.level_sizes])
    for level, (W, intercepts) in enumerate(dense_levels, start=1):
        offsets = tree.child_offsets[level - 1]
        candidates = []
        for score, parent in beam:
            for child in range(offsets[parent], offsets[parent + 1]):
                if not allowed[starts[level] + child]:
                    continue
                margin = x @ W[:, child] + intercepts[child]
                total = score + log_transform(np.float64(margin), transform)
                is_label = level == len(dense_levels) and not nodes
                key = tree.labels[child] if is_label else child
                if total > -np.inf:
                    candidates.append((-total, key, child))
        size = k if level == len(dense_levels) else beam_width
        kept = sorted(candidates)[:size]
        beam = [(-negative, child) for negative, _, child in kept]
    return [(int(key), -negative) for negative, key, _ in kept]


def assert_found(columns, scores, expected):
    """One row of a search has what its twin found, best first, and padding after it."""
    found = columns[columns >= 0].tolist()
    assert found == [column for column, _ in expected]
    np.testing.assert_allclose(
        scores[: len(found)], [score for _, score in expected], rtol=1e-6
    )
    assert (columns[len(found) :] == -1).all()
    assert np.isneginf(scores[len(found) :]).all()


def assert_same_layout(one, other):
    """All arrays are equal, bit by bit; of what else differs, both hold the same."""
    for name, value in one.__getstate__().items():
        if name not in {"by_node", "held_by_feature"}:
            np.testing.assert_array_equal(value, getattr(other, name), strict=True)
    # Models of dense X hold the same weights by node.
    for name, value in vars(one.by_feature).items():
        found = getattr(other.by_feature, name)
        np.testing.assert_array_equal(value, found, strict=True)


def objective(w, b, X, y, costs, loss):
    margins = y * (X @ w + b)
    losses = {
        "squared_hinge": np.maximum(0, 1 - margins) ** 2,
        "hinge": np.maximum(0, 1 - margins),
        "log_loss": np.logaddexp(0, -margins),
    }[loss]
    return (w @ w + b * b) / 2 + costs @ losses


def train_level(X, targets, problem):
    """Train one level, as `skxmr._training._levels.train_levels` does many."""
    return train_levels(X, [targets], [problem])[0]


def nearest_neighbor_scores(known, labels, queries, n_neighbors):
    """Scores of `NeighborRanker`, row by row: dense arrays throughout."""

    def unit(rows):
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths > 0, lengths, 1)

    # As the ranker does, which compares sums of float32.
    known, queries = (unit(rows).astype(np.float32) for rows in (known, queries))
    shares = labels.sum(axis=0) / (len(labels) + 1)
    scores = []
    for query in queries:
        similarities = np.zeros(len(known), dtype=np.float32)
        for feature in np.flatnonzero(query):
            similarities += query[feature] * known[:, feature]
        order = np.lexsort((np.arange(len(known)), -similarities))[:n_neighbors]
        nearest = [row for row in order if similarities[row] > 0]
        votes = similarities[nearest] @ labels[nearest] + 0.01 * shares
        scores.append(votes / (similarities[nearest].sum() + 0.01))
    return np.array(scores)


# Completion


def letters_of(text):
    """Cut a text into code points, each with the combining marks behind it."""
    letters = []
    for one in text:
        if letters and unicodedata.combining(one):
            letters[-1] += one
        else:
            letters.append(one)
    return letters


def begins(typed, letter):
    """Tell whether a letter of a key may be what becomes of the last one typed."""
    # At the start, there may be accents without a letter.
    bases = [one[0] for one in (typed, letter) if not unicodedata.combining(one[0])]
    if bases and bases != [typed[0], typed[0]]:
        return False
    left = list(typed[1:] if bases else typed)
    for mark in letter[1:] if bases else letter:
        if left and mark == left[0]:
            left.pop(0)
        elif left and unicodedata.combining(mark) >= unicodedata.combining(left[0]):
            return False
    return not left


def least_edits(prefix, key):
    """Least edits that make the beginning of a key of what was typed."""
    whole_words = prefix.endswith(" ")
    typed = letters_of(prefix.removesuffix(" "))
    key = letters_of(key.split(END_OF_KEY)[0])
    edits = _Edits(typed, key, str.__eq__ if whole_words else begins)
    ends = range(len(key) + 1)
    if whole_words:
        ends = [i for i in ends if i == len(key) or key[i][0] == " "]
    return min(edits.least(i, len(typed)) for i in ends)


def string_alignment(one, other):
    """Least edits between two strings: insert, delete, replace, or swap neighbours.

    No part is edited twice (optimal string alignment).
    """
    rows = [list(range(len(other) + 1))]
    for i in range(1, len(one) + 1):
        rows.append([i])
        for j in range(1, len(other) + 1):
            replaced = rows[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            least = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced)
            if i > 1 and j > 1 and one[i - 2 : i] == other[j - 1] + other[j - 2]:
                least = min(least, rows[i - 2][j - 2] + 1)
            rows[i].append(least)
    return rows[-1][-1]


class _Edits:
    """Edits between the first letters typed and the first of a key, by definition."""

    def __init__(self, typed, key, last_is):
        self.typed = typed
        self.key = key
        self.last_is = last_is
        self.least = cache(self._least)

    def _least(self, i, j):
        if i == j == 0:
            return 0
        ways = [*self._left_out(i, j), *self._inserted(i, j)]
        if i and j:
            ways += [*self._replaced(i, j), *self._swapped(i, j)]
        return min(ways, default=99)

    def _left_out(self, i, j):
        between = is_digit(self.key, i - 1) and is_digit(self.key, i)
        if j and not is_in_number(self.typed, j - 1) and not between:
            yield self.least(i, j - 1) + 1

    def _inserted(self, i, j):
        between = is_digit(self.typed, j - 1) and is_digit(self.typed, j)
        if i and not is_digit(self.key, i - 1) and not between:
            yield self.least(i - 1, j) + 1

    def _replaced(self, i, j):
        if self._same(j - 1, i - 1, len(self.typed)):
            yield self.least(i - 1, j - 1)
        elif not is_digit(self.key, i - 1) and not is_in_number(self.typed, j - 1):
            yield self.least(i - 1, j - 1) + 1

    def _swapped(self, i, j):
        if i < 2 or j < 2 or is_digit(self.key, i - 1) or is_digit(self.key, i - 2):
            return
        # The last letters of both, although those typed were typed before.
        last = j - 1 if j == len(self.typed) else None
        if self.typed[j - 1] == self.key[i - 2] and self._same(j - 2, i - 1, last):
            yield self.least(i - 2, j - 2) + 1

    def _same(self, j, i, n_typed):
        compare = self.last_is if j + 1 == n_typed else str.__eq__
        return compare(self.typed[j], self.key[i])


def is_digit(letters, place):
    return 0 <= place < len(letters) and letters[place][0] in "0123456789"


def is_in_number(letters, place):
    between = is_digit(letters, place - 1) and is_digit(letters, place + 1)
    return is_digit(letters, place) or between
