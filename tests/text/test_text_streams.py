"""Texts from iterators and files: equal results, in memory of a few blocks."""

import io

import numpy as np
import pytest
from ngram_twins import SENTENCES, TRANSFORMERS, each, same_matrix
from sklearn.pipeline import make_union

from skxmr import CharNgramTfidf, WordNgramTfidf
from skxmr.text import _counting

pytestmark = pytest.mark.kernels

TEXTS = [*SENTENCES, *(f"{a} {b}" for a in SENTENCES[:9] for b in SENTENCES[:9])]


class Text(str):
    """A string that counts how many of its kind there are."""

    __slots__ = ()

    n_alive = 0
    most_alive = 0

    def __new__(cls, text):
        cls.n_alive += 1
        cls.most_alive = max(cls.most_alive, cls.n_alive)
        return super().__new__(cls, text)

    def __del__(self):
        Text.n_alive -= 1


class Container:
    """An iterable without a length that can be read any number of times."""

    def __init__(self, texts):
        self.texts = texts
        self.n_read = 0

    def __iter__(self):
        self.n_read += 1
        yield from self.texts


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(_counting, "MOST_CHARACTERS", 100)


@each
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"min_df": 2, "max_features": 20},
        {"vocabulary": ["a", "an", "th", "the"], "dtype": np.float64},
    ],
    ids=str,
)
@pytest.mark.parametrize("container", [iter, Container])
@pytest.mark.usefixtures("small_blocks")
def test_the_same_as_from_a_list(transformer, n_jobs, parameters, container):
    expected = transformer(**parameters, n_jobs=n_jobs)
    X = expected.fit_transform(TEXTS)
    vectorizer = transformer(**parameters, n_jobs=n_jobs)
    same_matrix(vectorizer.fit_transform(container(TEXTS)), X)
    fitted = transformer(**parameters, n_jobs=n_jobs).fit(container(TEXTS))
    same_matrix(fitted.transform(container(TEXTS)), X)
    for one in (vectorizer, fitted):
        assert one.vocabulary_ == expected.vocabulary_
        np.testing.assert_array_equal(one.idf_, expected.idf_)


@each
def test_an_iterable_is_read_once(transformer):
    texts = Container(TEXTS)
    vectorizer = transformer().fit(texts)
    vectorizer.fit_transform(texts)
    vectorizer.transform(texts)
    assert texts.n_read == 3


@each
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
@pytest.mark.parametrize("parameters", [{}, {"vocabulary": ["a", "th"]}], ids=str)
def test_few_texts_are_in_memory(transformer, method, parameters, monkeypatch):
    monkeypatch.setattr(_counting, "MOST_CHARACTERS", 1000)
    vectorizer = transformer(**parameters).fit(["a thing"])
    most = []
    for n_texts in (1000, 4000):
        Text.n_alive = Text.most_alive = 0
        getattr(vectorizer, method)(Text(f"the {i % 97}") for i in range(n_texts))
        most.append(Text.most_alive)
    # Sixteen parts of at most 1,000 characters, each text 16 and its own; and the last
    # of them may be held by the one that reads the next.
    assert most[0] <= 1000 * 16 / 22 + 32
    assert most[1] <= most[0] + 16


@each
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_open_files_hold_a_text_in_each_line(transformer, end, tmp_path):
    texts = ["a green pear", "", "two  pears ", "the last one has no end"]
    path = tmp_path / "texts.txt"
    path.write_bytes(end.join(texts).encode())
    expected = transformer()
    X = expected.fit_transform(texts)
    with path.open(encoding="utf-8") as file:
        same_matrix(transformer().fit_transform(file), X)
    same_matrix(expected.transform(io.StringIO(end.join(texts), newline="")), X)
    with (
        path.open("rb") as file,
        pytest.raises(TypeError, match=r"_documents\[0\].*b'"),
    ):
        transformer().fit(file)


@each
def test_what_was_read_before_is_refused(transformer):
    vectorizer = transformer().fit(TEXTS)
    texts = (text for text in TEXTS)
    vectorizer.fit(texts)
    message = "raw_documents is a generator that yields no text.*read before"
    for method in ("fit", "fit_transform", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(vectorizer, method)(texts)
    texts = iter(TEXTS)
    vectorizer.fit(texts)
    for method in ("fit", "fit_transform"):
        with pytest.raises(ValueError, match="raw_documents is an iterator that yiel"):
            getattr(vectorizer, method)(texts)
    with pytest.raises(ValueError, match="raw_documents is an iterator that yields"):
        transformer(vocabulary=["a"]).fit(texts)
    # The texts to transform may be none.
    assert vectorizer.transform(texts).shape == (0, len(vectorizer.vocabulary_))
    assert vectorizer.transform([]).shape == (0, len(vectorizer.vocabulary_))


def test_a_union_refuses_an_iterator():
    # scikit-learn reads it for the first of its transformers.
    union = make_union(WordNgramTfidf(), CharNgramTfidf())
    with pytest.raises(ValueError, match=r"raw_documents is a generator.*load_texts"):
        union.fit_transform(text for text in TEXTS)
    same_matrix(union.fit_transform(Container(TEXTS)), union.fit_transform(TEXTS))


@each
@pytest.mark.parametrize("bad", [None, 3, b"bytes"], ids=str)
@pytest.mark.usefixtures("small_blocks")
def test_an_invalid_text_changes_nothing(transformer, bad):
    vectorizer = transformer().fit(TEXTS)
    X = vectorizer.transform(TEXTS)
    for method in ("fit", "fit_transform", "transform"):
        texts = iter([*TEXTS, bad])
        with pytest.raises(TypeError, match=rf"raw_documents\[{len(TEXTS)}\] must be"):
            getattr(vectorizer, method)(texts)
    same_matrix(vectorizer.transform(TEXTS), X)


@each
def test_an_error_of_the_iterator_is_raised(transformer):
    def broken():
        yield "a text"
        raise OSError("the disk is gone")

    vectorizer = transformer().fit(TEXTS)
    X = vectorizer.transform(TEXTS)
    for method in ("fit", "fit_transform", "transform"):
        with pytest.raises(OSError, match="the disk is gone"):
            getattr(vectorizer, method)(broken())
    same_matrix(vectorizer.transform(TEXTS), X)


def test_all_transformers_are_tested():
    assert len(TRANSFORMERS) == 3
