"""Small training problems, and their objective in double precision."""

import numpy as np
from scipy import sparse
from twins import random_sparse

from skxmr._training._solver import SolverParameters
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed


def make_problem(loss="squared_hinge", **changes):
    settings = {
        "loss": loss,
        "positive_cost": 1.0,
        "negative_cost": 1.0,
        "bias": 1.0,
        "tol": 1e-4,
        "max_iter": 20_000,
        "weight_floor": 0.0,
        "seed": 5,
    }
    return SolverParameters(**(settings | changes))


def one_parent(Y, *, sampled=None):
    """Targets of children that share all rows."""
    n_rows, n_children = Y.shape
    values = np.ones(n_rows) if sampled is None else sampled
    return LevelTargets(
        child_offsets=np.array([0, n_children]),
        rows=Compressed(
            np.array([0, n_rows]),
            np.arange(n_rows, dtype=np.int32),
            values.astype(np.float32),
            n_rows,
        ),
        positives=Compressed.from_sparse(sparse.csc_array(Y)),
    )


def random_data(seed, n_rows=80, n_features=30, n_children=5, density=0.2):
    rng = np.random.default_rng(seed)
    X = random_sparse(rng, (n_rows, n_features), density).toarray()
    Y = (rng.random((n_rows, n_children)) < 0.3).astype(np.float32)
    Y[0], Y[1] = 1, 0
    return X, Y


def smooth_objective(w_and_b, mean, X, signs, C, loss):
    """Objective and gradient of one child, in double precision."""
    w, b = w_and_b[:-1], w_and_b[-1]
    margins = signs * (X @ w + b)
    if loss == "squared_hinge":
        gap = np.maximum(0, 1 - margins)
        losses, slopes = gap**2, -2 * gap
    else:
        losses, slopes = np.logaddexp(0, -margins), -1 / (1 + np.exp(margins))
    value = ((w - mean) @ (w - mean) + b * b) / 2 + C * losses.sum()
    pull = C * slopes * signs
    return value, np.append(w - mean + X.T @ pull, b + pull.sum())
