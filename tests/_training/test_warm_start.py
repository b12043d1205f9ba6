"""Which nodes of an earlier training are kept, and how they are merged with others."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from skxmr._cython._warm_start import EarlierNodes

from skxmr._search._weights import LinearWeights
from skxmr._training._solver import SolverParameters
from skxmr._training._targets import LevelTargets
from skxmr._training._warm_start import PlacedChildren, _carry_duals, merge_placed
from skxmr._utils._compressed import Compressed

N_ROWS, N_FEATURES, OFFSETS = 30, 12, np.array([0, 4, 4, 9])


@dataclass
class Problem:
    """Three parents, the second without children, in dense arrays."""

    X: np.ndarray
    rows: np.ndarray  # (n_parents, n_rows): NaN for no row, 0 for one left out, or 1
    positives: np.ndarray  # (n_children, n_rows): relevance
    priors: np.ndarray
    duals: np.ndarray
    is_changed: np.ndarray

    @property
    def owners(self):
        return np.repeat(np.arange(3), np.diff(OFFSETS))

    @classmethod
    def random(cls, seed, n_changed):
        random = np.random.default_rng(seed)
        X = random.random((N_ROWS, N_FEATURES)) * (random.random((N_ROWS, 12)) < 0.4)
        kinds = [np.nan, 0, 1]
        rows = random.choice(kinds, (3, N_ROWS), p=[0.3, 0.1, 0.6])
        owners = np.repeat(np.arange(3), np.diff(OFFSETS))
        inside = ~np.isnan(rows[owners])
        positives = inside * (random.random(inside.shape) < 0.2) * 1.5
        is_trained = (rows[owners] == 1) | (positives > 0)
        duals = is_trained * (random.random(inside.shape) < 0.6) * 0.2
        duals *= np.where(positives > 0, 1, -1)
        is_changed = np.zeros(N_ROWS, dtype=bool)
        is_changed[random.permutation(N_ROWS)[:n_changed]] = True
        return cls(X, rows, positives, positives, duals, is_changed)

    def check(self, solver, measures, is_solved):
        positives = compressed(self.positives)
        targets = LevelTargets(
            OFFSETS,
            compressed(np.nan_to_num(self.rows), ~np.isnan(self.rows)),
            positives,
            None if self.priors is self.positives else compressed(self.priors),
            duals=compressed(self.duals),
        )
        changed = ~np.isnan(self.rows) & self.is_changed
        nodes = EarlierNodes(
            compressed(self.X),
            targets,
            compressed(changed * 1.0),
            solver,
            measures=measures,
            is_solved=is_solved,
            features=np.zeros(N_FEATURES, dtype=np.float32),
            products=np.zeros(N_ROWS, dtype=np.float32),
            row_values=np.zeros(N_ROWS, dtype=np.float32),
            of_parent=np.full(N_ROWS, -1),
            of_child=np.full(N_ROWS, -1),
            scales=np.full(len(self.positives), -1, dtype=np.float32),
        )
        nodes.check(0, 2)
        nodes.check(2, 3)

    def slow_check(self, solver, measures, is_solved):
        for child, parent in enumerate(self.owners):
            if is_solved[child]:
                continue
            duals, positives = self.duals[child], self.positives[child] > 0
            is_trained = (self.rows[parent] == 1) | positives
            if (duals != 0)[~is_trained].any() or ((duals > 0) & ~positives).any():
                is_solved[child] = True
                continue
            if (positives & (duals < 0)).any():
                is_solved[child] = True
                continue
            mean = self.priors[child] @ self.X
            length = np.linalg.norm(mean)
            mean = mean * (solver.prior_length / length) if length else mean
            w, b = mean + duals @ self.X, solver.bias**2 * duals.sum()
            for row in np.flatnonzero(self.is_changed & is_trained & (duals == 0)):
                margin = self.X[row] @ w + b
                violation = (margin if positives[row] else -margin) - 1
                if violation < 0 and positives[row]:
                    is_solved[child] = True
                elif violation < 0:
                    norm = self.X[row] @ self.X[row] + solver.bias**2
                    if solver.loss == "squared_hinge":
                        curvature = norm + 0.5 / solver.negative_cost
                        step = -violation / curvature
                    else:
                        curvature = norm
                        step = min(-violation / norm, solver.negative_cost)
                    measures[child, 1] = min(measures[child, 1], violation)
                    measures[child, 2] += curvature * step**2
            highest, lowest, gain, total = measures[child]
            if highest - lowest > solver.tol and gain > (solver.tol / 2) ** 2 * total:
                is_solved[child] = True


def compressed(dense, is_stored=None):
    is_stored = dense != 0 if is_stored is None else is_stored
    rows, columns = np.nonzero(is_stored)
    offsets = np.concatenate([[0], np.cumsum(is_stored.sum(axis=1))])
    values = dense[rows, columns].astype(np.float32)
    return Compressed(offsets, columns.astype(np.int32), values, dense.shape[1])


@pytest.mark.kernels
@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("prior_length", [0.0, 0.7])
@pytest.mark.parametrize("n_changed", [0, 1, 3, 25])
@pytest.mark.parametrize("seed", range(5))
def test_violations_of_changed_rows(loss, prior_length, n_changed, seed):
    random = np.random.default_rng(seed)
    problem = Problem.random(seed, n_changed)
    if seed % 2:  # given prior means
        problem.priors = ~np.isnan(problem.rows[problem.owners]) * random.random(
            (9, 30)
        )
        problem.priors *= random.random((9, 30)) < 0.1
    if seed == 2:  # a row is gone, another one is positive now
        problem.rows[0, np.flatnonzero(problem.duals[0])[:1]] = np.nan
        problem.duals[5] *= -1
    solver = SolverParameters(
        loss, 1.0, 0.8, 0.9, 0.3, 10, 0.0, seed=0, prior_length=prior_length
    )
    measures = random.random((9, 4)).astype(np.float32) * [[0.1, -0.1, 0.01, 1]]
    measures = measures.astype(np.float32)
    measures[3, 3] = 1000.0
    is_solved = np.zeros(9, dtype=np.uint8)
    is_solved[7] = 1
    expected, expected_measures = is_solved.copy(), measures.astype(float)
    problem.slow_check(solver, expected_measures, expected)
    problem.check(solver, measures, is_solved)
    assert is_solved.tolist() == expected.tolist()
    kept = is_solved == 0
    np.testing.assert_allclose(measures[kept], expected_measures[kept], rtol=2e-4)


def test_parents_must_exist():
    problem = Problem.random(0, 0)
    nodes = EarlierNodes(
        compressed(problem.X),
        LevelTargets(
            OFFSETS,
            compressed(np.ones((3, N_ROWS))),
            compressed(problem.positives),
            duals=compressed(problem.duals),
        ),
        compressed(np.zeros((3, N_ROWS))),
        SolverParameters("hinge", 1.0, 1.0, 1.0, 0.1, 10, 0.0, seed=0),
        measures=np.zeros((9, 4), dtype=np.float32),
        is_solved=np.zeros(9, dtype=np.uint8),
        features=np.zeros(N_FEATURES, dtype=np.float32),
        products=np.zeros(N_ROWS, dtype=np.float32),
        row_values=np.zeros(N_ROWS, dtype=np.float32),
        of_parent=np.full(N_ROWS, -1),
        of_child=np.full(N_ROWS, -1),
        scales=np.full(9, -1, dtype=np.float32),
    )
    with pytest.raises(ValueError, match="there are no such parents"):
        nodes.check(0, 4)


# Carrying
# --------


@pytest.mark.kernels
@pytest.mark.parametrize("seed", range(10))
def test_duals_follow_their_nodes_and_rows(seed):
    random = np.random.default_rng(seed)
    duals = random.normal(size=(6, 20)) * (random.random((6, 20)) < 0.4)
    row_after = random.permutation(25)[:20] if seed % 2 else np.arange(20) + seed
    row_after[random.random(20) < 0.2] = -1
    origins = np.array([-1, 3, 0, 5, -1, 2])
    found = _carry_duals(compressed(duals), origins, (row_after, 30))
    expected = np.zeros((6, 30))
    for node, origin in enumerate(origins):
        for row, now in enumerate(row_after):
            if origin >= 0 and now >= 0:
                expected[node, now] = duals[origin, row]
    expected = compressed(expected)
    assert found.length == 30
    for name in ("offsets", "indices", "values"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


# Merging
# -------


def linear_weights(dense, offsets):
    """Weights of (n_children, n_features), grouped by parent."""
    features, sizes, children, weights, postings = [], [], [], [], [0]
    for start, stop in pairwise(offsets):
        for feature in np.flatnonzero(dense[start:stop].any(axis=0)):
            found = np.flatnonzero(dense[start:stop, feature])
            features.append(feature)
            sizes.append(len(found))
            children += found.tolist()
            weights += dense[start:stop][found, feature].tolist()
        postings.append(len(features))
    return LinearWeights(
        np.array(postings),
        np.array(features, dtype=np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.array(children, dtype=np.int32),
        np.array(weights, dtype=np.float32),
        np.zeros(len(dense), dtype=np.float32),
    )


@pytest.mark.kernels
@pytest.mark.parametrize("seed", range(10))
def test_merged_children_are_those_of_both(seed):
    random = np.random.default_rng(seed)

    def draw(n_children):
        weights = sparse.random_array((n_children, 6), density=0.4, rng=random)
        return weights.toarray().astype(np.float32)

    # The first parent is new, the others were in another order.
    origins, before_offsets = np.array([-1, 2, 0]), np.array([0, 3, 5, 9])
    offsets = np.array([0, 2, 7, 10])
    earlier = draw(9)
    children = np.array([-1, -1, 5, 6, 7, 8, -1, 0, 1, 2])
    is_solved = (children < 0) | (random.random(10) < 0.4)
    solved = draw(is_solved.sum())
    expected = np.zeros((10, 6), dtype=np.float32)
    expected[is_solved] = solved
    expected[~is_solved] = earlier[children[~is_solved]]
    local = (np.arange(10) - np.repeat(offsets[:-1], np.diff(offsets))).astype(np.int32)
    numbers = np.full(9, -1, dtype=np.int32)
    numbers[children[~is_solved]] = local[~is_solved]
    solved_offsets = np.concatenate([[0], np.cumsum(is_solved)])[offsets]
    before = linear_weights(earlier, before_offsets)
    others = linear_weights(solved, solved_offsets)
    intercepts = np.zeros(10, dtype=np.float32)
    merged = merge_placed(
        origins,
        PlacedChildren(before, before_offsets, numbers),
        PlacedChildren(others, solved_offsets, local[is_solved]),
        intercepts,
    )
    wanted = linear_weights(expected, offsets)
    assert merged.intercepts is intercepts
    for name in ("posting_offsets", "features", "run_offsets", "children", "weights"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(wanted, name))
