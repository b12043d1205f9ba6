"""Texts that are memory-mapped from files: the same models, built in files."""

import os
import pickle
import sys
import tempfile

import numpy as np
import pytest
from memory_watch import printed_by
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skxmr import LexicalRanker, TextRetriever, WordNgramTfidf, XRLinearClassifier
from skxmr._memory._large import is_mapped
from skxmr.datasets import load_places
from skxmr.retrieval import _fitting
from skxmr.streaming import load_csr, load_texts, save_csr, save_texts
from skxmr.text import _single


@pytest.fixture(scope="module")
def places():
    names, Y = load_places(return_X_y=True)
    names, Y = list(names[:1500]), Y[:1500]
    used = np.flatnonzero(np.asarray(Y.sum(axis=0)).ravel())
    Y = Y[:, used].astype(np.int8)
    of_labels = [f"place {i}" for i in range(Y.shape[1])]
    first = Y.tocsc()
    for label in range(Y.shape[1]):
        of_labels[label] = names[first.indices[first.indptr[label]]]
    return names, Y, of_labels


@pytest.fixture
def mapped(places, tmp_path):
    names, Y, _ = places
    assert save_texts(iter(names), tmp_path / "names") == len(names)
    save_csr([Y], tmp_path / "Y")
    return load_texts(tmp_path / "names"), load_csr(tmp_path / "Y")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(_single, "_N_TEXTS", 700)


@pytest.mark.parametrize("fusion", ["learned", None])
def test_a_retriever_is_the_same(places, mapped, fusion, tmp_path, monkeypatch):
    names, Y, of_labels = places
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(temporary))
    retriever = TextRetriever(fusion=fusion, random_state=0)
    expected = TextRetriever(fusion=fusion, random_state=0)
    expected.fit(names, Y, label_texts=of_labels)
    made = []
    monkeypatch.setattr(
        _fitting,
        "fit_transform_large",
        lambda *given: made.append(_single.fit_transform_large(*given)) or made[-1],
    )
    retriever.fit(*mapped, label_texts=of_labels)
    (X,) = made
    assert is_mapped(X.data)
    for one, other in zip(
        retriever.search_batch(names[:300]),
        expected.search_batch(names[:300]),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert len(list(temporary.iterdir())) >= 1
    del X
    made.clear()
    assert list(temporary.iterdir()) == []
    again = pickle.loads(pickle.dumps(retriever))
    assert again.search(names[0]) == expected.search(names[0])


def test_a_lexical_ranker_is_the_same(places, mapped):
    names, Y, of_labels = places
    ranker = LexicalRanker(analyzer=["word", "char"])
    expected = LexicalRanker(analyzer=["word", "char"])
    expected.fit(names, Y, label_texts=of_labels)
    ranker.fit(*mapped, label_texts=of_labels)
    for one, other in zip(
        ranker.rank(names[:300]), expected.rank(names[:300]), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_vectorizers_read_them_twice(places, mapped):
    names, _, _ = places
    X = WordNgramTfidf().fit_transform(names)
    vectorizer = WordNgramTfidf().fit(mapped[0])
    assert (vectorizer.transform(mapped[0]) != X).nnz == 0


def test_dense_features_are_refused(places, mapped):
    _, _, of_labels = places
    dense = make_pipeline(
        TfidfVectorizer(max_features=5),
        FunctionTransformer(lambda X: X.toarray(), accept_sparse=True),
    )
    retriever = TextRetriever(dense, XRLinearClassifier())
    with pytest.raises(ValueError, match="texts in files must get sparse features"):
        retriever.fit(*mapped, label_texts=of_labels)


def test_a_failed_fit_leaves_no_files(mapped, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(temporary))
    with pytest.raises(ValueError, match="C"):
        TextRetriever(classifier=XRLinearClassifier(C=-1)).fit(*mapped)
    assert list(temporary.iterdir()) == []


_FIT = """
import warnings
from skxmr import TextRetriever
from skxmr.streaming import load_csr, load_texts

warnings.simplefilter("ignore")
folder = sys.argv[1]
texts, Y = load_texts(folder + "/texts"), load_csr(folder + "/Y")
names = [f"word{i:05} word{i + 1:05}" for i in range(500)]
TextRetriever(random_state=0).fit(texts[:1000], Y[:1000], label_texts=names)
with Watch() as watch:
    TextRetriever(random_state=0).fit(texts, Y, label_texts=names)
print(watch.added)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_of_a_fit_does_not_grow_with_the_texts(tmp_path):
    words = np.array([f"word{i:05}" for i in range(5000)])
    added = []
    for n_rows in (10_000, 30_000):
        random, folder = np.random.default_rng(0), tmp_path / str(n_rows)
        folder.mkdir()
        chosen = (random.random((n_rows, 40)) ** 2 * 5000).astype(int)
        save_texts((" ".join(words[row]) for row in chosen), folder / "texts")
        labels = np.arange(n_rows), random.integers(500, size=n_rows)
        ones = np.ones(n_rows, dtype=np.int8)
        save_csr([sparse.csr_array((ones, labels), (n_rows, 500))], folder / "Y")
        added += printed_by(_FIT, folder)
    assert added[1] < 1.5 * added[0]
