import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skxmr._search._beam_search import average_trees

pytestmark = pytest.mark.kernels


def averages(columns, scores):
    """The plain twin, of one row: the log score of each column that some tree found."""
    sums = {}
    for of_tree, scores_of_tree in zip(columns, scores, strict=True):
        for column, score in zip(of_tree, scores_of_tree, strict=True):
            if column >= 0:
                sums[column] = sums.get(column, 0.0) + math.exp(score)
    return {column: math.log(total / len(columns)) for column, total in sums.items()}


@st.composite
def shortlists(draw):
    """What some trees found for some rows: different columns, best first, then -1."""
    n_samples, n_trees = draw(st.integers(0, 3)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    columns, scores = [], []
    for _ in range(n_trees):
        n_candidates = draw(st.integers(0, 8))
        scale = draw(st.sampled_from([1, 10**9]))
        of_tree = np.full((n_samples, n_candidates), -1, dtype=np.int64)
        for row in range(n_samples):
            n_found = rng.integers(n_candidates + 1)
            of_tree[row, :n_found] = rng.permutation(9)[:n_found] * scale
        columns.append(of_tree)
        shares = rng.integers(1, 5, of_tree.shape) / 16
        scores.append(np.where(of_tree < 0, -np.inf, np.log(shares)))
    return columns, scores, draw(st.integers(1, 40))


@settings(deadline=None)
@given(shortlists())
def test_the_kernel_is_its_twin(found):
    columns, scores, k = found
    best, best_scores = average_trees(columns, scores, k)
    assert best.shape == best_scores.shape == (len(columns[0]), k)
    for row in range(len(best)):
        expected = averages(
            [part[row] for part in columns], [part[row] for part in scores]
        )
        n_found = min(k, len(expected))
        assert (best[row, n_found:] == -1).all()
        assert (best_scores[row, n_found:] == -np.inf).all()
        best_of_all = sorted(expected.values(), reverse=True)[:n_found]
        assert best_scores[row, :n_found].tolist() == pytest.approx(best_of_all)
        # Those of nearly equal scores may have changed places.
        of_found = [expected.pop(column) for column in best[row, :n_found]]
        assert of_found == pytest.approx(best_of_all)


def test_scores_too_small_to_add_up_as_scores():
    columns = [np.array([[0, 1]]), np.array([[1, 2]])]
    scores = [np.array([[-5000.0, -5001.0]]), np.array([[-5000.5, -6000.0]])]
    best, best_scores = average_trees(columns, scores, 3)
    assert best.tolist() == [[0, 1, 2]]
    expected = [-5000.0, -5000.5 + math.log1p(math.exp(-0.5)), -6000.0]
    assert best_scores[0] == pytest.approx(np.array(expected) - math.log(2))


def test_equal_scores_come_by_column():
    columns = [np.array([[7, 3]]), np.array([[3, 7]])]
    scores = [np.log([[0.5, 0.25]]), np.log([[0.5, 0.25]])]
    assert average_trees(columns, scores, 2)[0].tolist() == [[3, 7]]


def test_one_tree_is_cut():
    columns, scores = np.array([[4, 2, -1]]), np.array([[-1.0, -2.0, -np.inf]])
    best, best_scores = average_trees([columns], [scores], 1)
    assert best.tolist() == [[4]]
    assert best_scores.tolist() == [[-1.0]]
