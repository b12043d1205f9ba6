"""What every text transformer does, whatever its n-grams."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from ngram_twins import (
    SENTENCES,
    TRANSFORMERS,
    counting,
    each,
    same_matrix,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler

from skxmr.text import (
    WordNgramTfidf,
)

pytestmark = pytest.mark.kernels


@each
@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        iter,
        lambda texts: (text for text in texts),
        lambda texts: np.array(texts, dtype=object),
        np.array,
        pd.Series,
        lambda texts: pd.Series(texts, index=range(5, 5 + len(texts)), dtype="string"),
        pl.Series,
    ],
)
def test_containers(transformer, container):
    # NumPy's strings cannot end in NUL, and polars' hold no surrogates.
    sentences = [s for s in SENTENCES if "\ud800" not in s]
    expected = transformer().fit_transform(sentences)
    same_matrix(transformer().fit_transform(container(sentences)), expected)
    fitted = transformer().fit(container(sentences))
    same_matrix(fitted.transform(container(sentences)), expected)


@each
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
@pytest.mark.parametrize(
    ("documents", "error", "message"),
    [
        (
            "one text",
            ValueError,
            "raw_documents must be an iterable of str.*single str",
        ),
        (b"bytes", ValueError, "raw_documents.*single bytes"),
        (None, TypeError, "raw_documents.*NoneType"),
        (3, TypeError, "raw_documents.*int"),
        (["a", None], TypeError, r"raw_documents\[1\] must be a str; got None"),
        (["a", "b", np.nan], TypeError, r"raw_documents\[2\].*nan of type float"),
        ([b"a"], TypeError, r"raw_documents\[0\].*b'a' of type bytes"),
        ([["a"]], TypeError, r"raw_documents\[0\].*list"),
        (pd.Series(["a", None]), TypeError, r"raw_documents\[1\]"),
        (pl.Series(["a", None]), TypeError, r"raw_documents\[1\].*None"),
        (pd.DataFrame({"text": ["a"]}), ValueError, "one dimension.*DataFrame"),
        (pl.DataFrame({"text": ["a"]}), ValueError, "one dimension.*DataFrame"),
        (np.array([["a"]]), ValueError, r"one dimension.*\(1, 1\)"),
        (np.array("a"), ValueError, "one dimension"),
    ],
    ids=str,
)
def test_bad_documents(transformer, method, documents, error, message):
    vectorizer = transformer().fit(SENTENCES)
    with pytest.raises(error, match=message):
        getattr(vectorizer, method)(documents)
    # Nothing is half-changed.
    same_matrix(vectorizer.transform(SENTENCES), transformer().fit_transform(SENTENCES))


@each
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ngram_range": (2, 1)}, "ngram_range"),
        ({"ngram_range": (0, 1)}, "ngram_range"),
        ({"ngram_range": (1,)}, "ngram_range"),
        ({"ngram_range": (1, 2, 3)}, "ngram_range"),
        ({"ngram_range": (1.0, 2)}, "ngram_range"),
        ({"ngram_range": [1, 2]}, "ngram_range"),
        ({"min_df": -1}, "min_df"),
        ({"min_df": 1.5}, "min_df"),
        ({"max_df": 0}, "max_df"),
        ({"max_features": 0}, "max_features"),
        ({"vocabulary": []}, "empty vocabulary"),
        ({"vocabulary": {}}, "empty vocabulary"),
        ({"vocabulary": ["a", "b", "a"]}, "Duplicate term in vocabulary: 'a'"),
        ({"vocabulary": {"a": 0, "b": 2}}, "vocabulary.*0 to 1"),
        ({"vocabulary": {"a": 0, "b": 0}}, "vocabulary.*0 to 1"),
        ({"vocabulary": 3}, "vocabulary"),
        ({"lowercase": "yes"}, "lowercase"),
        ({"strip_accents": "utf"}, "strip_accents"),
        ({"preprocessor": "lower"}, "preprocessor"),
        ({"norm": "l3"}, "norm"),
        ({"use_idf": None}, "use_idf"),
        ({"smooth_idf": 2}, "smooth_idf"),
        ({"dtype": np.float16}, "dtype must be float32 or float64"),
        ({"n_jobs": "all"}, "n_jobs"),
    ],
    ids=str,
)
def test_bad_parameters(transformer, parameters, message):
    vectorizer = transformer(**parameters)
    with pytest.raises(ValueError, match=message):
        vectorizer.fit(SENTENCES)
    with pytest.raises(ValueError, match=message):
        vectorizer.fit_transform(SENTENCES)
    with pytest.raises(NotFittedError):
        vectorizer.transform(SENTENCES)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"token_pattern": None}, ValueError, "token_pattern"),
        ({"token_pattern": r"(\w)(\w)"}, ValueError, "More than 1 capturing group"),
        ({"stop_words": "finnish"}, ValueError, "stop_words"),
        ({"tokenizer": "split"}, ValueError, "tokenizer"),
        ({"vocabulary": [1, 2]}, TypeError, "vocabulary"),
    ],
    ids=str,
)
def test_bad_word_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        WordNgramTfidf(**parameters).fit(SENTENCES)


@each
@pytest.mark.parametrize("documents", [[], [""], [" ", "\n"]])
def test_no_ngram_at_all(transformer, documents):
    with pytest.raises(ValueError, match="empty vocabulary"):
        transformer().fit(documents)


@counting
@pytest.mark.parametrize("parameter", ["sublinear_tf", "binary"])
def test_bad_parameters_of_counts(transformer, parameter):
    with pytest.raises(ValueError, match=parameter):
        transformer(**{parameter: "no"}).fit(SENTENCES)


@counting
@pytest.mark.parametrize("parameter", ["sublinear_tf", "binary"])
def test_transform_one_equals_transform_of_counts(transformer, parameter):
    vectorizer = transformer(ngram_range=(1, 4), norm=None, **{parameter: True})
    X = vectorizer.fit_transform(SENTENCES)
    for sentence, row in zip(SENTENCES, X, strict=True):
        np.testing.assert_array_equal(vectorizer.transform_one(sentence)[1], row.data)


@each
def test_no_ngram_left(transformer):
    with pytest.raises(ValueError, match="no terms remain"):
        transformer(min_df=2).fit(["six", "kuu"])
    with pytest.raises(ValueError, match=r"max_df.*min_df"):
        transformer(min_df=3, max_df=1).fit(["six", "kuu"])


@each
def test_a_term_without_a_finite_weight(transformer):
    vectorizer = transformer(vocabulary=["the", "nowhere"], smooth_idf=False)
    with pytest.raises(ValueError, match=r"smooth_idf=False.*'nowhere'"):
        vectorizer.fit(["the the"])
    with pytest.raises(ValueError, match="no document"):
        transformer(vocabulary=["the"]).fit([])


@each
def test_a_vocabulary_that_lower_case_cannot_match(transformer):
    with pytest.warns(UserWarning, match="upper-case"):
        transformer(vocabulary=["Abc"]).fit(SENTENCES)


def test_stop_words_that_the_tokens_cannot_match():
    with pytest.warns(UserWarning, match="stop_words may be inconsistent"):
        vectorizer = WordNgramTfidf(stop_words=["don't"]).fit(SENTENCES)
    vectorizer.transform(SENTENCES)


@each
def test_not_fitted(transformer):
    vectorizer = transformer(vocabulary=["abc"])
    for use in [
        lambda: vectorizer.transform(SENTENCES),
        vectorizer.get_feature_names_out,
        lambda: vectorizer.vocabulary_,
    ]:
        with pytest.raises(NotFittedError, match=transformer.__name__):
            use()


@each
def test_fit_returns_self_and_leaves_parameters_alone(transformer):
    parameters = {"vocabulary": {"the": 0, "ab": 1}, "ngram_range": (1, 2)}
    vectorizer = transformer(**parameters)
    before = {**vectorizer.get_params()}
    assert vectorizer.fit(SENTENCES) is vectorizer
    assert vectorizer.get_params() == before
    assert vectorizer.fixed_vocabulary_
    assert parameters["vocabulary"] == {"the": 0, "ab": 1}
    copy = clone(vectorizer)
    assert copy.get_params() == before
    with pytest.raises(NotFittedError):
        copy.transform(SENTENCES)


@each
def test_input_is_not_changed(transformer):
    sentences = list(SENTENCES)
    transformer().fit(sentences).transform(sentences)
    assert sentences == SENTENCES


@each
def test_refit_forgets(transformer):
    vectorizer = transformer().fit(["something else altogether"])
    assert "something"[:3] in "".join(vectorizer.vocabulary_)
    vectorizer.set_params(use_idf=False).fit(SENTENCES)
    expected = transformer(use_idf=False).fit(SENTENCES)
    assert vectorizer.vocabulary_ == expected.vocabulary_
    assert vectorizer.idf_ is None
    same_matrix(vectorizer.transform(SENTENCES), expected.transform(SENTENCES))


@each
@pytest.mark.parametrize("n_jobs", [2, 3, -1])
def test_the_result_does_not_depend_on_n_jobs(transformer, n_jobs):
    sentences = SENTENCES * 20
    one = transformer(ngram_range=(1, 3))
    many = transformer(ngram_range=(1, 3), n_jobs=n_jobs)
    same_matrix(many.fit_transform(sentences), one.fit_transform(sentences))
    same_matrix(many.transform(sentences), one.transform(sentences))
    assert many.vocabulary_ == one.vocabulary_


@each
def test_processes_give_the_same(transformer):
    one = transformer(ngram_range=(1, 2)).fit(SENTENCES * 20)
    many = transformer(ngram_range=(1, 2), n_jobs=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skxmr.text._counting.MOST_CHARACTERS", 20_000)
        with joblib.parallel_config(backend="loky"):
            X = many.fit_transform(SENTENCES * 20)
            same_matrix(many.transform(SENTENCES * 20), X)
    same_matrix(one.transform(SENTENCES * 20), X)
    assert many.vocabulary_ == one.vocabulary_


@each
def test_a_failed_fit_leaves_the_estimator_as_it_was(transformer):
    vectorizer = transformer().fit(SENTENCES)
    expected = vectorizer.transform(SENTENCES)

    def fail(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vectorizer.set_params(preprocessor=fail).fit(["another text"])
    same_matrix(vectorizer.transform(SENTENCES), expected)


@each
def test_pickle(transformer, tmp_path):
    vectorizer = transformer(ngram_range=(1, 3), strip_accents="unicode").fit(SENTENCES)
    expected = vectorizer.transform(SENTENCES)
    before = pickle.dumps(vectorizer)
    assert len(vectorizer.vocabulary_) == expected.shape[1]
    assert len(pickle.dumps(vectorizer)) == len(before)  # the dict stays behind
    path = tmp_path / "model.joblib"
    joblib.dump(vectorizer, path)
    for copy in [
        pickle.loads(before),
        pickle.loads(pickle.dumps(vectorizer, protocol=2)),
        joblib.load(path),
        joblib.load(path, mmap_mode="r"),
    ]:
        same_matrix(copy.transform(SENTENCES), expected)
        assert copy.vocabulary_ == vectorizer.vocabulary_


@each
def test_skops(transformer):
    skops = pytest.importorskip("skops.io")
    sentences = [s for s in SENTENCES if "\ud800" not in s]
    vectorizer = transformer().fit(sentences)
    dump = skops.dumps(vectorizer)
    untrusted = skops.get_untrusted_types(data=dump)
    assert all(name.startswith("skxmr.") for name in untrusted)
    copy = skops.loads(dump, trusted=untrusted)
    same_matrix(copy.transform(sentences), vectorizer.transform(sentences))
    assert copy.vocabulary_ == vectorizer.vocabulary_


@each
def test_dtype_is_kept(transformer):
    for dtype in [np.float32, np.float64]:
        vectorizer = transformer(dtype=dtype).fit(SENTENCES)
        assert vectorizer.idf_.dtype == dtype
        assert vectorizer.transform(SENTENCES).dtype == dtype
        assert vectorizer.fit_transform(SENTENCES).dtype == dtype
        named = transformer(dtype=np.dtype(dtype).name)
        assert named.fit_transform(SENTENCES).dtype == dtype
    assert transformer().fit_transform(SENTENCES).dtype == np.float32


@each
def test_sparse_interface_follows_the_configuration(transformer):
    vectorizer = transformer()
    assert isinstance(vectorizer.fit_transform(SENTENCES), sparse.csr_matrix)
    if "sparse_interface" in sklearn.get_config():
        with sklearn.config_context(sparse_interface="sparray"):
            assert isinstance(vectorizer.fit_transform(SENTENCES), sparse.csr_array)
            assert isinstance(vectorizer.transform(SENTENCES), sparse.csr_array)


@each
def test_indices_are_int32(transformer):
    X = transformer().fit_transform(SENTENCES)
    assert X.indices.dtype == np.int32
    assert transformer().fit(SENTENCES).transform([]).shape == (0, X.shape[1])


@each
def test_tags_and_output(transformer):
    tags = transformer().__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert not hasattr(transformer(), "set_output")  # pandas frames are not sparse
    names = transformer().fit(SENTENCES).get_feature_names_out()
    assert names.dtype == object
    assert all(isinstance(name, str) for name in names)


@each
def test_in_a_union_a_pipeline_and_a_column_transformer(transformer):
    sentences = SENTENCES[:20]
    single = transformer().fit(sentences)
    union = make_union(*(made() for made in TRANSFORMERS))
    pipeline = make_pipeline(union, MaxAbsScaler()).fit(sentences)
    assert pipeline.transform(sentences).shape[0] == len(sentences)
    prefix = transformer.__name__.lower() + "__"
    names = [n for n in union.get_feature_names_out() if n.startswith(prefix)]
    assert names == [prefix + name for name in single.get_feature_names_out()]
    for frame in [
        pd.DataFrame({"title": sentences, "n": range(20)}),
        pl.DataFrame({"title": sentences, "n": range(20)}),
    ]:
        columns = ColumnTransformer([("title", transformer(), "title")])
        same_matrix(
            sparse.csr_matrix(columns.fit_transform(frame)),
            single.transform(sentences),
        )
