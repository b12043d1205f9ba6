"""Codes of label vectors, and the search by them, beside plain NumPy."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skxmr._cython._embedding_search import HALVES_LEVEL
from threadpoolctl import threadpool_limits

from skxmr._cython import _embedding_codes as kernel
from skxmr._embeddings import _codes
from skxmr._embeddings._codes import LEAST_CODED, EmbeddingCodes
from skxmr._embeddings._label_embeddings import LabelEmbeddings

LENGTH = 200


def make_vectors(n, length=LENGTH, seed=0):
    """Principal components of decreasing variance, in random directions."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, length)) * np.arange(1, length + 1) ** -0.5
    rotation, _ = np.linalg.qr(random.normal(size=(length, length)))
    return values @ rotation


def make(n, length=LENGTH, n_zero=0, seed=0):
    vectors = make_vectors(n, length, seed).astype(np.float16)
    zero = np.random.default_rng(seed).permutation(n)[:n_zero]
    vectors[zero] = 0
    return vectors


@pytest.fixture
def codes_of_few(monkeypatch):
    monkeypatch.setattr(_codes, "LEAST_CODED", 1)


@pytest.fixture(scope="module")
def many():
    vectors = make(6000, n_zero=100)
    return LabelEmbeddings(vectors, EmbeddingCodes.of(vectors))


def make_queries(n, length=LENGTH, seed=1):
    queries = make_vectors(n, length, seed)
    return (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)


def unpacked(codes):
    """Codes of shape (n_blocks * 8, n_components)."""
    n_blocks, n_pairs, n_together, _ = codes.shape
    both = codes.transpose(0, 2, 1, 3).reshape(n_blocks * n_together, n_pairs, 1, 4)
    return np.concatenate([both & 15, both >> 4], axis=2).reshape(len(both), -1)


def search(embeddings, queries, k, n_compared, factors=None, scale=1.0, level=None):
    codes = embeddings.codes
    searcher = kernel.CodedSearcher(
        embeddings.for_kernels,
        codes.labels,
        codes.codes,
        codes.components.view(np.uint16),
        HALVES_LEVEL if level is None else level,
    )
    labels = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k))
    searcher.find(queries, factors, scale, codes.step, n_compared, labels, scores, None)
    return labels, scores


def test_few_vectors_have_no_codes():
    assert EmbeddingCodes.of(make(LEAST_CODED + 9, 4, n_zero=10)) is None
    assert EmbeddingCodes.of(make(LEAST_CODED + 9, 4, n_zero=9)) is not None


@pytest.mark.parametrize("length", [1, 31, 40, 200])
def test_codes_are_rounded_principal_components(length):
    vectors = make(5003, length, n_zero=3)
    codes = EmbeddingCodes.of(vectors)
    assert codes.labels.tolist() == np.flatnonzero(vectors.any(axis=1)).tolist()
    found = unpacked(codes.codes)[: len(codes.labels)]
    n_found = min(length, 160)
    assert found.shape[1] == len(codes.components) == -(-n_found // 32) * 32
    rows = vectors[codes.labels].astype(np.float64)
    components = codes.components[:n_found].astype(np.float64)
    sizes = np.linalg.norm(components, axis=1)
    directions = components / sizes[:, np.newaxis]
    np.testing.assert_allclose(directions @ directions.T, np.eye(n_found), atol=1e-2)
    steps = rows @ directions.T / (sizes * codes.step)
    expected = np.clip(np.floor(steps) + 8, 0, 15)
    is_sure = np.abs(steps - np.rint(steps)) > 1e-3
    np.testing.assert_array_equal(found[:, :n_found][is_sure], expected[is_sure])
    # Largest first: each step is the same share of its standard deviation.
    np.testing.assert_allclose(
        sizes * codes.step, 0.35 * np.std(rows @ directions.T, axis=0), rtol=0.1
    )


def test_an_exact_search_compares_all(many):
    queries = make_queries(80)
    products = queries.astype(np.float64) @ many.vectors.astype(np.float64).T
    products[:, ~many.vectors.any(axis=1)] = -np.inf
    expected = np.argsort(-products, axis=1, kind="stable")[:, :30]
    assert (many.find(queries, 30) != expected).any()
    np.testing.assert_array_equal(many.find(queries, 30, exact=True), expected)
    removed = expected[0, :3]
    found = many.without(removed).find(queries[:1], 27, exact=True)
    np.testing.assert_array_equal(found, expected[:1, 3:])


def test_codes_do_not_depend_on_threads_of_blas():
    vectors = make(6000)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, "blas"):
            codes = EmbeddingCodes.of(vectors)
            found.append((codes.components, codes.codes, codes.step))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.kernels
@given(
    n_labels=st.integers(1, 200),
    length=st.integers(1, 70),
    share=st.floats(0.01, 1),
    seed=st.integers(0, 5),
    is_weighed=st.booleans(),
)
@pytest.mark.usefixtures("codes_of_few")
def test_the_largest_sums_of_codes_are_compared(
    n_labels, length, share, seed, is_weighed
):
    vectors = make(n_labels, length, n_zero=n_labels // 9, seed=seed)
    codes = EmbeddingCodes.of(vectors)
    embeddings = LabelEmbeddings(vectors, codes)
    (query,) = queries = make_queries(1, length, seed + 1)
    factors, logs = None, np.zeros(n_labels)
    if is_weighed:
        factors = np.random.default_rng(seed).random(n_labels).astype(np.float32)
        factors[::4] = 0
        with np.errstate(divide="ignore"):
            logs = np.log(factors.astype(np.float64))
    n_compared = max(1, int(share * n_labels))
    (labels,), (scores,) = search(
        embeddings, queries, n_compared, n_compared, factors, 0.5
    )
    products = codes.components.astype(np.float64) @ query
    unit = np.abs(products).max() / 127
    sums = unpacked(codes.codes)[: len(codes.labels)] @ np.rint(products / unit)
    weighed = sums + 0.5 * logs[codes.labels] / (unit * codes.step)
    allowed = np.flatnonzero(weighed > -np.inf)
    n_found = min(n_compared, len(allowed))
    assert (labels >= 0).sum() == n_found
    found = np.isin(codes.labels, labels[:n_found])
    assert found.sum() == n_found
    if n_found < len(allowed):
        # But for sums that differ by rounding.
        others = np.setdiff1d(allowed, np.flatnonzero(found))
        assert weighed[found].min() >= weighed[others].max() - 0.02 * np.ptp(sums) - 2
    exact = vectors.astype(np.float64) @ query + 0.5 * logs
    np.testing.assert_allclose(
        scores[:n_found], exact[labels[:n_found]], rtol=1e-4, atol=1e-4
    )
    assert (np.diff(scores[:n_found]) <= 0).all()


@pytest.mark.kernels
@pytest.mark.parametrize("is_weighed", [False, True])
def test_search_is_exact_if_all_are_compared(many, is_weighed):
    queries = make_queries(20)
    factors = None
    if is_weighed:
        factors = np.random.default_rng(0).random(6000).astype(np.float32)
        factors[::3] = 0
    expected = LabelEmbeddings(many.vectors).find(queries, 30, factors, 0.1)
    labels, _ = search(many, queries, 30, 6000, factors, 0.1)
    np.testing.assert_array_equal(labels, expected)


def test_nearly_all_of_the_best_are_found(many):
    queries = make_queries(100)
    exact = LabelEmbeddings(many.vectors).find(queries, 100)
    found = many.find(queries, 100)
    pairs = list(zip(exact.tolist(), found.tolist(), strict=True))
    assert np.mean([len({*one[:10]} & {*other}) / 10 for one, other in pairs]) > 0.99
    assert np.mean([len({*one} & {*other}) / 100 for one, other in pairs]) > 0.95


def test_searches_among_few_are_exact(many):
    queries, factors = make_queries(20), np.zeros(6000, dtype=np.float32)
    factors[7:6000:30] = 1
    exact = LabelEmbeddings(many.vectors)
    np.testing.assert_array_equal(
        many.find(queries, 100, factors), exact.find(queries, 100, factors)
    )
    np.testing.assert_array_equal(many.find(queries, 5999), exact.find(queries, 5999))


@pytest.mark.kernels
def test_all_levels_of_instructions_find_the_same(many):
    queries = make_queries(10)
    labels, scores = search(many, queries, 50, 150, level=0)
    for level in range(1, HALVES_LEVEL + 1):
        other = search(many, queries, 50, 150, level=level)
        np.testing.assert_array_equal(other[0], labels)
        np.testing.assert_array_equal(other[1], scores)


@pytest.mark.kernels
def test_extreme_codes_do_not_overflow():
    n_components = kernel.ENTRIES_OF_CODES
    vectors = np.ones((20, n_components), dtype=np.float16)
    components = np.eye(n_components, dtype=np.float16)
    codes = np.full((3, n_components // 8, 8, 4), 255, dtype=np.uint8)
    codes[0, :, 5] = 0
    coded = EmbeddingCodes(np.arange(20, dtype=np.int32), codes, components, 1.0)
    embeddings = LabelEmbeddings(vectors, coded)
    for sign, expected in ((1, [0, 1, 2, 3]), (-1, [0, 1, 2, 5])):
        queries = np.full((1, n_components), sign, dtype=np.float32)
        for level in range(HALVES_LEVEL + 1):
            labels, _ = search(embeddings, queries, 4, 4, level=level)
            assert labels.tolist() == [expected]


def test_results_do_not_depend_on_threads_and_other_queries(many):
    queries = make_queries(150)
    queries[3] = 0
    found = many.find(queries, 12)
    np.testing.assert_array_equal(many.find(queries, 12, n_jobs=2), found)
    for row in (0, 70, 149):
        np.testing.assert_array_equal(many.find(queries[[row]], 12)[0], found[row])
    assert (found[3] == -1).all()


def test_kernel_refuses_arrays_that_do_not_match(many):
    with pytest.raises(ValueError, match=f"queries have 5 entries; expected {LENGTH}"):
        many.find(np.ones((1, 5), dtype=np.float32), 3)
    factors = np.ones(9, dtype=np.float32)
    with pytest.raises(ValueError, match="factors has 9 entries; expected 6000"):
        many.find(make_queries(1), 3, factors)


def test_labels_that_do_not_exist_are_not_found():
    """Arrays of a mapped model are not checked when it is loaded."""
    vectors = make(5000)
    codes = EmbeddingCodes.of(vectors)
    codes.labels[::2] = 10**9
    codes.labels[1::4] = -5
    found = LabelEmbeddings(vectors, codes).find(make_queries(3), 50)
    assert (found % 4 == 3).all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", lambda labels: labels[8:].copy()),
        ("labels", lambda labels: labels[:0]),
        ("labels", lambda labels: labels[::-1].copy()),
        ("labels", lambda labels: labels + np.int32(200)),
        ("labels", lambda labels: labels - np.int32(200)),
        ("labels", lambda labels: labels.astype(np.int64)),
        ("codes", lambda codes: codes[1:].copy()),
        ("codes", lambda codes: codes[:, 1:].copy()),
        ("codes", lambda codes: codes.astype(np.int16)),
        ("codes", lambda codes: None),
        ("components", lambda components: components[:32].copy()),
        ("components", lambda components: components[:, 1:].copy()),
        ("components", lambda components: np.full_like(components, np.inf)),
        ("components", lambda components: np.repeat(components, 2, axis=0)),
        ("step", lambda step: 0.0),
        ("step", lambda step: np.nan),
        ("step", lambda step: None),
    ],
)
def test_damaged_codes_are_refused(many, name, change):
    loaded = pickle.loads(pickle.dumps(many))
    queries = make_queries(3)
    np.testing.assert_array_equal(loaded.find(queries, 9), many.find(queries, 9))
    vars(loaded.codes)[name] = change(vars(loaded.codes)[name])
    with pytest.raises(ValueError, match=r"damaged: .*EmbeddingCodes"):
        pickle.loads(pickle.dumps(loaded))


def test_something_else_instead_of_codes_is_refused(many):
    loaded = pickle.loads(pickle.dumps(many))
    loaded.codes = "none"
    with pytest.raises(ValueError, match=r"damaged: LabelEmbeddings.codes is a str"):
        pickle.loads(pickle.dumps(loaded))


@pytest.mark.parametrize("n_known", [4096 + 100, 4200, 4203])
def test_codes_of_more_labels_follow(n_known):
    vectors = make(5000, n_zero=77)
    codes = EmbeddingCodes.of(vectors[:n_known])
    grown = codes.with_more(vectors[: n_known + 30]).with_more(vectors)
    at_once = codes.with_more(vectors)
    assert grown.labels.tolist() == np.flatnonzero(vectors.any(axis=1)).tolist()
    np.testing.assert_array_equal(grown.codes, at_once.codes)
    np.testing.assert_array_equal(grown.labels, at_once.labels)
    n_full = len(codes.labels) // kernel.CODED_TOGETHER
    np.testing.assert_array_equal(grown.codes[:n_full], codes.codes[:n_full])
    queries = make_queries(5)
    exact = LabelEmbeddings(vectors).find(queries, 5)
    np.testing.assert_array_equal(
        LabelEmbeddings(vectors, grown).find(queries, 5), exact
    )
    codes.check(5000, LENGTH)
