"""Everything public refuses corrupt sparse matrices, before anything reads them.

SciPy checks arrays when it makes a matrix, not again when they were changed in place.
"""

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from corrupt_matrices import DENSE, corrupt_matrices
from scipy import sparse

import skxmr
from skxmr import KMeansTree, XRLinearClassifier
from skxmr._utils._sparse_structure import check_structure

FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")


@pytest.mark.slow
def test_everything_public_refuses_corrupt_matrices():
    done = subprocess.run(
        [sys.executable, "walk_public.py"],
        cwd=Path(__file__).parents[1] / "support",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("WRONG")]
    assert not wrong, "\n".join(wrong[:20])
    assert done.returncode == 0, f"{lines[-1]}\n{done.stderr[-2000:]}"
    assert lines[-1] == "done"


def test_everything_public_is_tried():
    """Whatever is new needs a line in CALLS, or a reason to be in EXEMPT."""
    import walk_public  # fits models

    modules = {
        f"skxmr.{name}"
        for name in skxmr.__all__
        if hasattr(skxmr, name) and is_module(name)
    }
    assert modules <= set(walk_public.CALLS)
    for module, calls in walk_public.CALLS.items():
        tried = {name.partition(" ")[0] for name in calls}
        public = set(walk_public.public_callables(module))
        assert public <= tried | walk_public.EXEMPT, module


def is_module(name):
    return type(getattr(skxmr, name)).__name__ == "module"


@pytest.mark.parametrize(
    ("kind", "interface", "dtype"),
    [*product(FORMATS, ("array", "matrix"), (np.float32, np.int8, bool, np.float64))],
)
def test_sound_matrices_are_taken(kind, interface, dtype):
    for dense in (DENSE, DENSE[:, :0], DENSE * 0, DENSE[:0]):
        matrix = getattr(sparse, f"{kind}_{interface}")(dense.astype(dtype))
        before = matrix.copy()
        checked = check_structure(matrix, "X")
        assert checked.dtype == dtype
        assert checked.shape == dense.shape
        assert isinstance(checked, sparse.sparray) == (interface == "array")
        np.testing.assert_array_equal(checked.toarray(), dense.astype(dtype))
        np.testing.assert_array_equal(matrix.toarray(), before.toarray())


def test_what_is_not_sparse_is_returned_as_it_is():
    for given in (DENSE, [[1, 2]], None, "text"):
        assert check_structure(given, "X") is given


def test_entries_are_not_copied():
    for kind in ("csr", "csc", "bsr", "coo"):
        matrix = getattr(sparse, f"{kind}_array")(DENSE)
        checked = check_structure(matrix, "X")
        assert checked.format == kind
        assert np.shares_memory(checked.data, matrix.data)
        if kind != "coo":
            assert np.shares_memory(checked.indices, matrix.indices)
            assert np.shares_memory(checked.indptr, matrix.indptr)


@pytest.mark.parametrize("indices", [np.int8, np.uint16, np.int64, np.uint64, ">i4"])
@pytest.mark.parametrize("offsets", [np.uint8, np.int32, np.uint64, ">i8"])
def test_index_types_that_scipy_does_not_take(indices, offsets):
    for kind in ("csr", "csc", "bsr"):
        matrix = getattr(sparse, f"{kind}_array")(DENSE.astype(np.float32))
        matrix.indices = matrix.indices.astype(indices)
        matrix.indptr = matrix.indptr.astype(offsets)
        checked = check_structure(matrix, "X")
        assert checked.indices.dtype == checked.indptr.dtype
        assert checked.indices.dtype in (np.int32, np.int64)
        np.testing.assert_array_equal(checked.tocoo().toarray(), DENSE)
        assert matrix.indices.dtype == indices
    matrix = sparse.coo_array(DENSE)
    matrix.coords = tuple(one.astype(indices) for one in matrix.coords)
    np.testing.assert_array_equal(check_structure(matrix, "X").tocsr().toarray(), DENSE)


def test_value_types_that_scipy_does_not_take():
    for dtype in (np.float16, ">f4", ">f8", ">i2"):
        matrix = sparse.csr_array(DENSE.astype(np.float32))
        matrix.data = matrix.data.astype(dtype)
        checked = check_structure(matrix, "X")
        np.testing.assert_array_equal(checked.tocsc().toarray(), DENSE)


def test_entries_beyond_the_last_offset_are_left_out():
    matrix = sparse.csr_array(DENSE)
    matrix.data = np.append(matrix.data, 7)
    matrix.indices = np.append(matrix.indices, 2**30).astype(np.int32)
    checked = check_structure(matrix, "X")
    assert len(checked.indices) == len(checked.data) == DENSE.sum()
    np.testing.assert_array_equal(checked.toarray(), DENSE)
    assert len(matrix.data) == DENSE.sum() + 1


def test_shapes_of_any_size():
    wide = sparse.coo_array(([1.0], ([1], [2**39])), shape=(3, 2**40)).tocsr()
    assert check_structure(wide, "X")[1, 2**39] == 1
    wide.indices[0] = -1
    with pytest.raises(ValueError, match="X is a corrupt csr_array"):
        check_structure(wide, "X")
    for give in (
        lambda: XRLinearClassifier().fit(np.eye(3), wide.tocsr().astype(bool) * 0),
        lambda: KMeansTree().fit(sparse.csr_array((3, 2**40))),
        lambda: skxmr.metrics.propensities(sparse.csr_array((3, 2**40))),
    ):
        with pytest.raises(ValueError, match=r"2147483647|corrupt"):
            give()


def test_diagonals_beyond_the_matrix_hold_nothing():
    matrix = sparse.dia_array((np.ones((3, 4)), [0, 2**30, -(2**30)]), shape=(6, 4))
    np.testing.assert_array_equal(check_structure(matrix, "X").toarray(), np.eye(6, 4))


# What is cached about the order of indices


def with_lies(matrix):
    """A matrix that says of itself that it is sorted and without duplicates."""
    matrix.has_canonical_format = True
    if matrix.format != "coo":
        matrix.has_sorted_indices = True
    return matrix


def make_classifier():
    return XRLinearClassifier(KMeansTree(2, 2), random_state=0)


def unsorted(matrix):
    """Each row backwards, and its first entry in two halves."""
    rows, columns, values = [], [], []
    for i, row in enumerate(matrix):
        kept = [(j, value) for j, value in enumerate(row) if value][::-1]
        kept = [(j, value) for j, value in kept for _ in range(1 + (j == kept[0][0]))]
        rows += [i] * len(kept)
        columns += [j for j, _ in kept]
        values += [value / (1 + (j == kept[0][0])) for j, value in kept]
    return np.array(values), np.array(rows), np.array(columns)


def lying(matrix, kind):
    values, rows, columns = unsorted(matrix)
    if kind == "coo":
        return with_lies(sparse.coo_array((values, (rows, columns)), matrix.shape))
    if kind == "csc":
        rows, columns = columns, rows
    order = np.argsort(rows, kind="stable")
    shape = matrix.shape if kind == "csr" else matrix.shape[::-1]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    make = sparse.csr_array if kind == "csr" else sparse.csc_array
    return with_lies(make((values[order], columns[order], indptr), matrix.shape))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_what_a_matrix_says_of_its_order_is_not_believed(kind):
    X, Y = DENSE + np.eye(6, 4), DENSE
    matrix = lying(X, kind)
    assert matrix.has_canonical_format
    np.testing.assert_array_equal(matrix.toarray(), X)
    checked = check_structure(matrix, "X")
    assert not checked.has_canonical_format
    assert matrix.has_canonical_format
    weights = np.where(Y, 1.0 + np.arange(4), 0)
    expected = make_classifier().fit(sparse.csr_array(X), Y, relevance=weights)
    found = make_classifier().fit(lying(X, kind), Y, relevance=lying(weights, kind))
    for one in (X, lying(X, kind)):
        for ours, theirs in zip(found.rank(one, 4), expected.rank(X, 4), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        for ours, theirs in zip(
            skxmr.rank(found, one, 4), expected.rank(X, 4), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    found = skxmr.metrics.precision_at_k(lying(Y.astype(float), kind), X + 0.0, 2)
    assert found == skxmr.metrics.precision_at_k(Y, X + 0.0, 2)


def test_corrupt_matrices_are_what_they_say():
    names = [name for name, _ in corrupt_matrices()]
    assert len(set(names)) == len(names) > 100
    for kind in FORMATS:
        assert any(name.startswith(kind) for name in names)
