"""Label vectors against their definitions in dense NumPy."""

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from twins import random_sparse

from skxmr.tree._label_vectors import canonical_label_vectors, make_label_vectors, pifa

pytestmark = pytest.mark.kernels


def unit_rows(vectors):
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples, n_labels = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    n_features = draw(st.integers(1, 6) | st.sampled_from([64, 65, 4096, 9000]))
    X = rng.choice([0, 0, -2.0, 1.0, 3.5], (n_samples, n_features))
    Y = rng.choice([0, 0, 1.0, 2.5], (n_samples, n_labels))
    return X, Y


@given(
    problems(),
    st.sampled_from(
        [sparse.csr_array, sparse.csr_matrix, sparse.csc_array, np.asarray]
    ),
    st.sampled_from([np.float32, np.float64]),
)
def test_pifa_is_the_normalized_sum_of_the_rows(problem, kind, dtype):
    X, Y = problem
    Z = pifa(kind(X.astype(dtype)), sparse.csr_array(Y))
    assert Z.dtype == np.float32
    assert isinstance(Z, np.ndarray if kind is np.asarray else sparse.csr_array)
    Z = Z if kind is np.asarray else Z.toarray()
    assert_allclose(Z, unit_rows(Y.T @ X), atol=1e-6)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_label_vectors_do_not_depend_on_tasks(backend, monkeypatch):
    rng = np.random.default_rng(0)
    X, Y = random_sparse(rng, (60, 500), 0.1), random_sparse(rng, (60, 40), 0.1)
    expected = pifa(X, Y)
    assert expected.has_canonical_format
    monkeypatch.setattr("skxmr.tree._label_vectors._TASK_WORK", 50)
    with joblib.parallel_config(backend):
        found = make_label_vectors("pifa", X, Y, n_jobs=2)
    for name in ("indptr", "indices", "data"):
        assert_array_equal(getattr(found, name), getattr(expected, name))


def test_pifa_of_a_label_without_rows_is_zero():
    Y = sparse.csr_array(np.array([[True, False], [True, False]]))
    Z = pifa(sparse.csr_array(np.eye(2)), Y)
    assert_allclose(Z.toarray(), [[0.5**0.5] * 2, [0, 0]])
    assert Z.nnz == 2


def test_pifa_leaves_its_input_alone():
    X = np.array([[3.0, 4.0]], dtype=np.float32)
    Y = sparse.csr_array(np.ones((1, 2), dtype=np.float32))
    for given_X in (X, sparse.csr_array(X)):
        pifa(given_X, Y)
    assert_array_equal(X, [[3, 4]])
    assert_array_equal(given_X.toarray(), [[3, 4]])
    assert_array_equal(Y.toarray(), [[1, 1]])


def test_pifa_refuses_other_numbers_of_rows():
    with pytest.raises(ValueError, match="X has 2 rows and Y has 3"):
        pifa(np.ones((2, 1)), sparse.csr_array((3, 1)))


def test_pifa_never_densifies():
    """A dense result would need 4 TB."""
    n = 1_000_000
    eye = sparse.eye_array(n, format="csr", dtype=np.float32)
    assert pifa(eye, eye).nnz == n


X = sparse.csr_array(np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float32))
Y = sparse.csr_array(np.eye(2, 3, dtype=np.float32))
PIFA = [[0.6, 0.8], [0, 1], [0, 0]]
GIVEN = np.array([[0.0], [2.0], [-4.0]])


def dense(vectors):
    return vectors.toarray() if sparse.issparse(vectors) else vectors


def test_make_pifa():
    assert_allclose(make_label_vectors("pifa", X, Y).toarray(), PIFA)
    assert_allclose(make_label_vectors("pifa", X.toarray(), Y), PIFA)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.coo_array])
def test_make_from_given_vectors(kind):
    """Alone they are taken as they are, not scaled."""
    Z = make_label_vectors(kind(GIVEN), X, Y)
    assert_array_equal(dense(Z), GIVEN)
    assert Z.dtype == np.float32
    assert isinstance(Z, np.ndarray if kind is np.asarray else sparse.csr_array)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.coo_array])
@pytest.mark.parametrize("X", [X, X.toarray()])
@pytest.mark.parametrize("pair", [tuple, list])
def test_make_from_both(kind, X, pair):
    given_vectors = kind(GIVEN.astype(np.float32))
    Z = make_label_vectors(pair(["pifa", given_vectors]), X, Y)
    is_dense = kind is np.asarray and isinstance(X, np.ndarray)
    assert isinstance(Z, np.ndarray if is_dense else sparse.csr_array)
    assert Z.dtype == np.float32
    assert_allclose(dense(Z), np.hstack([PIFA, [[0], [1], [-1]]]))
    assert_array_equal(dense(given_vectors), GIVEN)


def test_no_column_at_all_is_fine():
    Z = make_label_vectors(("pifa", np.empty((3, 0))), X, Y)
    assert_allclose(Z.toarray(), PIFA)


@pytest.mark.parametrize(
    ("label_vectors", "message"),
    [
        ("PIFA", "label_vectors='PIFA' is unknown"),
        (np.ones((2, 5)), r"label_vectors has the shape \(2, 5\); expected 3 rows"),
        (("pifa", np.ones((4, 5))), r"has the shape \(4, 5\); expected 3 rows"),
        ((np.ones((3, 1)), "pifa"), r"pair \(a ndarray of shape \(3, 1\), 'pifa'\)"),
        (("pifa", "pifa"), r"pair \('pifa', 'pifa'\)"),
        (("bow", np.ones((3, 1))), "pair .'bow', a ndarray"),
        ([[np.nan], [1], [2]], "label_vectors contains NaN"),
        (np.ones(3), r"label_vectors is a ndarray of shape \(3,\)"),
        (np.array([[1e300], [1], [2]]), "label_vectors contains infinity"),
        (None, r"label_vectors is a NoneType of shape \(\)"),
        ("", "label_vectors=''"),
    ],
)
def test_errors_name_label_vectors(label_vectors, message):
    with pytest.raises(ValueError, match=message):
        make_label_vectors(label_vectors, X, Y)


def test_canonical_forms_hash_alike():
    """What a cache is asked for does not depend on the container."""
    vectors = np.array([[0, 1.5, 2], [0, 0, 0], [3, 0, 0]])
    messy = sparse.csr_matrix(
        ([1.0, 2.0, 0.5, 3.0], [1, 2, 1, 0], [0, 3, 3, 4]), shape=(3, 3)
    )
    wide = sparse.csr_array(vectors)
    wide.indices, wide.indptr = map(np.int64, (wide.indices, wide.indptr))
    forms = [sparse.csr_matrix(vectors), sparse.coo_array(vectors), messy, wide]
    hashes = {joblib.hash(canonical_label_vectors(form)) for form in forms}
    hashes |= {joblib.hash(canonical_label_vectors(("pifa", x))[1]) for x in forms}
    assert len(hashes) == 1
    assert messy.nnz == 4
    dense_forms = [vectors, vectors.tolist(), np.asfortranarray(vectors)]
    assert len({joblib.hash(canonical_label_vectors(x)) for x in dense_forms}) == 1


def test_canonical_form_is_not_copied_again():
    vectors = canonical_label_vectors(sparse.csr_array(GIVEN))
    again = canonical_label_vectors(vectors)
    assert np.shares_memory(again.data, vectors.data)
    array = canonical_label_vectors(GIVEN)
    assert canonical_label_vectors(array) is array
