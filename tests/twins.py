"""Slow and obvious twins of what the kernels do, and builders of random input."""

import itertools

import numpy as np
from scipy import sparse

from skxmr._compressed import Compressed
from skxmr.weights import LinearWeights


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
        for row in range(weights.row_offsets[parent], weights.row_offsets[parent + 1]):
            for entry in range(weights.run_offsets[row], weights.run_offsets[row + 1]):
                child = first + weights.children[entry]
                W[weights.features[row], child] = weights.weights[entry]
    return W


def log_transform(margins, name):
    with np.errstate(over="ignore", divide="ignore"):
        if name == "sigmoid":
            return -np.logaddexp(0, -margins)
        return -(np.maximum(0, 1 - margins) ** int(name[1]))


def search_twin(x, tree, dense_levels, *, k, beam_width, transform, nodes=False):
    """Best (column, log score) pairs of one row, from dense weights."""
    beam = [(0.0, 0)]
    for level, (W, intercepts) in enumerate(dense_levels, start=1):
        offsets = tree.child_offsets[level - 1]
        candidates = []
        for score, parent in beam:
            for child in range(offsets[parent], offsets[parent + 1]):
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


def objective(w, b, X, y, costs, loss):
    margins = y * (X @ w + b)
    losses = {
        "squared_hinge": np.maximum(0, 1 - margins) ** 2,
        "hinge": np.maximum(0, 1 - margins),
        "log_loss": np.logaddexp(0, -margins),
    }[loss]
    return (w @ w + b * b) / 2 + costs @ losses
