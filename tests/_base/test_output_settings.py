"""Global settings of scikit-learn, and joblib's, make no difference to answers."""

import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import skxmr
from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    LexicalRanker,
    NeighborRanker,
    QueryCompleter,
    RankFusion,
    Reranker,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.text._single import fit_transform_texts, transform_texts

TEXTS = [f"red{i % 5} apple{i % 3} and pear{i % 4}" for i in range(40)]
CLASSES = [f"label {i % 7}" for i in range(40)]
SETTINGS = ["pandas", "polars"]
ROWS = np.random.default_rng(0).random((40, 6)).astype(np.float32)


def linear():
    return XRLinearClassifier(KMeansTree(2, 2), C=0.1, random_state=0)


def dense_vectorizer(output=None):
    reduction = TruncatedSVD(4, random_state=0).set_output(transform=output)
    return make_pipeline(TfidfVectorizer(), reduction)


def lists(answer):
    if isinstance(answer, (list, tuple)):
        return [lists(one) for one in answer]
    if isinstance(answer, (pd.DataFrame, pd.Series)):
        pytest.fail("a data frame came out")
    return answer.tolist() if hasattr(answer, "tolist") else answer


def of_texts(model):
    model.fit(TEXTS, CLASSES)
    found = [model.rank(TEXTS[:4], 3), model.predict(TEXTS[:4])]
    if hasattr(model, "search"):
        found += [model.search(text, 3) for text in TEXTS[:4]]
    return found


def of_completers(model):
    model.fit(TEXTS[::-1], TEXTS)
    model.update(TEXTS[:3], TEXTS[3:6])
    return [model.complete("red", TEXTS[0]), model.complete("", ["", TEXTS[1]])]


def of_names(model):
    return model.fit(label_names=TEXTS).tree_.to_text()


def of_rows(model):
    model.fit(ROWS, CLASSES)
    return [skxmr.rank(model, ROWS[:4], 3), model.predict(ROWS[:4])]


class Frames(WordNgramTfidf):
    """Gives data frames of sparse columns, as no vectorizer of scikit-learn does."""

    def fit_transform(self, raw_documents, y=None):
        return pd.DataFrame.sparse.from_spmatrix(
            sparse.csr_matrix(super().fit_transform(raw_documents, y))
        )

    def transform(self, raw_documents):
        return pd.DataFrame.sparse.from_spmatrix(
            sparse.csr_matrix(super().transform(raw_documents))
        )


# What makes a model, and what it is asked.
MODELS = {
    "retriever": (lambda: TextRetriever(classifier=linear()), of_texts),
    "by words": (lambda: TextRetriever(WordNgramTfidf(), linear()), of_texts),
    "by a union": (
        lambda: TextRetriever(
            make_union(TfidfVectorizer(), CharNgramTfidf(), HashingVectorizer()),
            linear(),
        ),
        of_texts,
    ),
    "by a weighted union": (
        lambda: TextRetriever(
            FeatureUnion(
                [("words", WordNgramTfidf()), ("characters", CharNgramTfidf())],
                transformer_weights={"words": 2.0},
            ),
            linear(),
        ),
        of_texts,
    ),
    "by dense features": (
        lambda: TextRetriever(dense_vectorizer(), linear()),
        of_texts,
    ),
    "lexical": (lambda: LexicalRanker(["word", "char"], prefix=True), of_texts),
    "fusion of words": (
        lambda: RankFusion(
            [("words", LexicalRanker()), ("texts", TextRetriever(classifier=linear()))]
        ),
        of_texts,
    ),
    "fusion": (
        lambda: RankFusion(
            [
                ("texts", TextRetriever(classifier=linear())),
                ("near", make_pipeline(dense_vectorizer(), NeighborRanker())),
            ]
        ),
        of_texts,
    ),
    "reranker": (
        lambda: Reranker(
            TextRetriever(classifier=linear()),
            LogisticRegression(),
            cv=2,
            random_state=0,
        ),
        of_texts,
    ),
    "completer": (lambda: QueryCompleter(random_state=0), of_completers),
    "completer of unions": (
        lambda: QueryCompleter(
            previous_vectorizer=make_union(WordNgramTfidf(), CharNgramTfidf()),
            prefix_vectorizer=make_union(TfidfVectorizer(analyzer="char")),
            random_state=0,
        ),
        of_completers,
    ),
    "completer of dense features": (
        lambda: QueryCompleter(previous_vectorizer=dense_vectorizer(), random_state=0),
        of_completers,
    ),
    "names": (
        lambda: TrieTreeHybrid(1, 2, 2, vectorizer=dense_vectorizer(), random_state=0),
        of_names,
    ),
    "names of a union": (
        lambda: TrieTreeHybrid(
            1, 2, 2, vectorizer=make_union(CharNgramTfidf()), random_state=0
        ),
        of_names,
    ),
    "pipeline": (lambda: make_pipeline(StandardScaler(), linear()), of_rows),
    "stages": (
        lambda: linear().set_params(
            matcher=make_pipeline(StandardScaler(), NeighborRanker())
        ),
        of_rows,
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_global_output_makes_no_difference(name, setting):
    make, ask = MODELS[name]
    right = lists(ask(make()))
    with sklearn.config_context(transform_output=setting):
        assert lists(ask(make())) == right


@pytest.mark.parametrize("setting", SETTINGS)
def test_models_fitted_before_answer_under_it(setting):
    retriever = TextRetriever(classifier=linear()).fit(TEXTS, CLASSES)
    completer = QueryCompleter(random_state=0).fit(TEXTS[::-1], TEXTS)
    dense = TextRetriever(dense_vectorizer(), linear()).fit(TEXTS, CLASSES)

    def ask():
        return lists(
            [
                completer.complete("red", TEXTS[0]),
                *(one.search_batch(TEXTS, 3) for one in (retriever, dense)),
                *(one.search(TEXTS[0], 3) for one in (retriever, dense)),
            ]
        )

    right = ask()
    with sklearn.config_context(transform_output=setting):
        assert ask() == right
    with sklearn.config_context(transform_output=setting):
        fitted = TextRetriever(dense_vectorizer(), linear()).fit(TEXTS, CLASSES)
    assert lists(fitted.search_batch(TEXTS, 3)) == lists(dense.search_batch(TEXTS, 3))


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_output_set_of_a_vectorizer_makes_no_difference(setting):
    right = of_texts(TextRetriever(dense_vectorizer(), linear()))
    vectorizer = dense_vectorizer(setting)
    assert lists(of_texts(TextRetriever(vectorizer, linear()))) == lists(right)
    union = make_union(dense_vectorizer(setting))
    assert lists(of_texts(TextRetriever(union, linear()))) == lists(right)
    completers = [
        QueryCompleter(previous_vectorizer=one, random_state=0)
        for one in (dense_vectorizer(), vectorizer)
    ]
    first, second = map(of_completers, completers)
    assert first == second


def test_frames_of_sparse_columns_are_read():
    right = of_texts(TextRetriever(WordNgramTfidf(), linear()))
    assert lists(of_texts(TextRetriever(Frames(), linear()))) == lists(right)


@pytest.mark.parametrize("setting", ["default", *SETTINGS])
def test_the_output_of_ours_alone_is_sparse(setting):
    with sklearn.config_context(transform_output=setting):
        for vectorizer in (WordNgramTfidf(), CharNgramTfidf()):
            assert sparse.issparse(vectorizer.fit_transform(TEXTS))
            assert sparse.issparse(vectorizer.transform(TEXTS))


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_union(WordNgramTfidf(), CharNgramTfidf()),
        lambda: make_union(TfidfVectorizer(), dense_vectorizer()),
        lambda: make_union(dense_vectorizer()),
        lambda: make_union(WordNgramTfidf(), n_jobs=2),
        lambda: FeatureUnion([("a", WordNgramTfidf()), ("b", "drop")]),
        lambda: FeatureUnion([("a", WordNgramTfidf())], transformer_weights={"a": 3.0}),
        lambda: FeatureUnion(
            [("a", WordNgramTfidf()), ("b", CharNgramTfidf())],
            transformer_weights={"a": 3.0, "b": None},
        ),
        WordNgramTfidf,
        TfidfVectorizer,
    ],
)
def test_texts_have_the_features_that_the_vectorizer_gives_them(make):
    own, theirs = make(), make()
    for found, expected in (
        (fit_transform_texts(own, TEXTS), theirs.fit_transform(TEXTS)),
        (transform_texts(own, TEXTS[:5]), theirs.transform(TEXTS[:5])),
    ):
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        assert abs(found - expected).max() == 0
    # It is fitted just as by its method `fit`.
    assert abs(own.transform(TEXTS) - theirs.transform(TEXTS)).max() == 0


def test_the_default_vectorizer_is_a_union_that_names_its_features():
    retriever = TextRetriever().fit(TEXTS, CLASSES)
    assert isinstance(retriever.vectorizer_, FeatureUnion)
    names = retriever.vectorizer_.get_feature_names_out()
    assert len(names) == retriever.vectorizer_.transform(TEXTS).shape[1]
    assert names[0].startswith("wordngramtfidf__")


@pytest.mark.parametrize("backend", [None, "threading", "loky", "sequential"])
def test_threads_that_search_and_fit_at_the_same_time_warn_of_nothing(backend):
    union = make_union(WordNgramTfidf(), CharNgramTfidf())
    weighted = FeatureUnion(
        [("a", WordNgramTfidf()), ("b", TfidfVectorizer())],
        transformer_weights={"a": 2},
    )
    models = [
        TextRetriever(one, linear()).fit(TEXTS, CLASSES)
        for one in (None, union, weighted)
    ]
    many = TEXTS * 300  # of more characters than one task takes
    right = [lists(one.search_batch(TEXTS, 3)) for one in models]
    completer = QueryCompleter(previous_vectorizer=union, random_state=0)
    failures = []
    barrier = threading.Barrier(6)

    def work(position):
        try:
            barrier.wait(60)
            for i in range(20):
                model = models[(position + i) % 3]
                assert lists(model.search_batch(TEXTS, 3)) == right[(position + i) % 3]
                model.predict(TEXTS[:3])
            TextRetriever(union, linear()).fit(TEXTS, CLASSES)
            completer.fit(TEXTS[:9], TEXTS[1:10])
            models[position % 3].search_batch(many, 3)
            Reranker(models[0], LogisticRegression(), cv=2).fit(TEXTS, CLASSES)
        except BaseException as error:  # noqa: BLE001 - listed below
            failures.append(error)

    def run():
        if backend is None:
            return [threading.Thread(target=work, args=(i,)) for i in range(6)]

        def within(position):
            with joblib.parallel_config(backend=backend, n_jobs=1):
                work(position)

        return [threading.Thread(target=within, args=(i,)) for i in range(6)]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        threads = run()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert warnings.filters == filters
    assert failures == []
    assert [str(one.message) for one in caught] == []
