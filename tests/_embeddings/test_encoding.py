"""What encoders may return, and what is refused."""

import numpy as np
import pytest
from encoders import Recorded, encode
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skxmr._embeddings._encoding import Encoder

TEXTS = ["green tea", "rye bread", "tea"]


def returning(result):
    return Encoder(lambda _: result, "encoder_labels")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, list])
def test_vectors_are_of_unit_length(kind):
    values = [[3, 4, 0], [0, 0, 0], [0, -2, 0]]
    result = values if kind is list else np.array(values, dtype=kind)
    vectors = returning(result).of(TEXTS, 3)
    assert vectors.dtype == np.float32
    expected = [[0.6, 0.8, 0], [0, 0, 0], [0, -1, 0]]
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_extreme_vectors_are_of_unit_length(scale):
    vectors = returning(np.full((3, 4), scale)).of(TEXTS)
    np.testing.assert_allclose(vectors, 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (sparse.csr_array(np.eye(3)), "csr_array; expected a dense array of shape"),
        (np.ones(3), r"shape \(3,\) for 3 texts"),
        (np.ones((2, 3)), r"shape \(2, 3\) for 3 texts"),
        (np.ones((3, 0)), r"shape \(3, 0\) for 3 texts"),
        (np.ones((3, 2)), r"length 2; expected a dense array of shape \(n_texts, 3\)"),
        (np.full((3, 3), np.nan), "NaN or infinity"),
        (np.full((3, 3), np.inf), "NaN or infinity"),
        ([["a", "b", "c"]] * 3, "dtype <U1"),
        (np.ones((3, 3), dtype=complex), "dtype complex128"),
        (None, "dtype object"),
    ],
)
def test_what_is_no_array_of_vectors_is_refused(result, message):
    with pytest.raises(ValueError, match=f"encoder_labels returned .*{message}"):
        returning(result).of(TEXTS, 3)


def test_blank_texts_are_not_encoded():
    recorded = Recorded()
    vectors = Encoder(recorded, "encoder").of(["", "tea", " \n"])
    assert recorded.calls == [["tea"]]
    assert vectors.any(axis=1).tolist() == [False, True, False]
    assert Encoder(recorded, "encoder").of([" "], 7).shape == (1, 7)
    assert len(recorded.calls) == 1


def test_many_texts_are_encoded_in_batches():
    recorded = Recorded()
    texts = [f"text {number}" for number in range(600)]
    vectors = list(Encoder(recorded, "encoder").in_batches(texts))
    assert list(map(len, recorded.calls)) == [256, 256, 88]
    expected = encode(texts)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.concatenate(vectors), expected, rtol=1e-5, atol=1e-7)


def test_vectors_of_all_batches_have_one_length():
    def changing(texts):
        return np.ones((len(texts), len(texts)))

    with pytest.raises(ValueError, match=r"length 44; expected .*\(n_texts, 256\)"):
        list(Encoder(changing, "encoder").in_batches(["a"] * 300))


def test_transformers_are_to_be_fitted():
    steps = TfidfVectorizer(), TruncatedSVD(2)
    with pytest.raises(NotFittedError, match=r"encoder is a Pipeline .*FrozenEst"):
        Encoder(make_pipeline(*steps), "encoder").check_fitted()
    fitted = make_pipeline(*steps).fit(TEXTS)
    Encoder(fitted, "encoder").check_fitted()
    assert Encoder(fitted, "encoder").of(TEXTS).shape == (3, 2)
    Encoder(HashingVectorizer(), "encoder").check_fitted()
    Encoder(encode, "encoder").check_fitted()


def test_errors_of_encoders_are_their_own():
    def failing(_):
        raise LookupError("no such model")

    with pytest.raises(LookupError, match="no such model"):
        Encoder(failing, "encoder").of(TEXTS)
