"""Damaged lexical indices are refused when they are loaded."""

import pickle

import joblib
import numpy as np
import pytest
import skops.io
from damage import DAMAGED, altered_joblib, altered_skops, at, damaged, last_first
from scipy import sparse

from skxmr import LexicalRanker, WordNgramTfidf
from skxmr.persistence import TRUSTED_TYPES, check_arrays

N_FITTED = 12
N_LABELS = N_FITTED + 3
TEXTS = [f"wörd{i % 7} wörd{i % 5} another{i % 3}" for i in range(80)]
LABEL_TEXTS = [(f"näme {i}", "wörd") for i in range(N_FITTED)]
Y = sparse.csr_array((np.ones(80), (np.arange(80), np.arange(80) % N_FITTED)))


def fit():
    model = LexicalRanker(["char", "word"], correct_spelling=True, prefix=True)
    return model.fit(TEXTS, Y, label_texts=LABEL_TEXTS)


@pytest.fixture(scope="module")
def fitted():
    """Return a pickled model without changes since the fit."""
    return pickle.dumps(fit())


@pytest.fixture(scope="module")
def saved():
    """Return a pickled model, so that each test damages a copy."""
    model = fit()
    model.add_labels(["wörd1 more"])
    model.compact().add_labels([("näme more", "and yet more"), "wörd1 yet"])
    return pickle.dumps(model.remove_labels([3]))


def index_of(model):
    return model._state.index


def delta_of(model):
    return model._state.index.delta


def statistics_of(model):
    return model._state.index.statistics


def added_of(model):
    return model._state.terms.added


def terms_of(model):
    return model._state.terms


def expansion_of(model):
    return model._state.terms.word_expansion


# Of each: the object that has the array, the array, the change, and what is said of it.
DAMAGES = [
    *(
        (index_of, name, change, message)
        for name, change, message in [
            ("offsets", lambda a: a[:-1], "n_fields is 3 for"),
            ("offsets", lambda a: a[:-3], "peaks has the shape"),
            ("offsets", lambda a: a[:0], "n_fields is 3 for -1 lists"),
            ("offsets", lambda a: at(a, 1, 10**9), r"offsets goes from"),
            ("offsets", lambda a: at(a, -1, 10**9), r"offsets goes from 0 to 10"),
            ("offsets", lambda a: at(a, 0, -1), r"offsets goes from -1"),
            ("offsets", lambda a: a.astype(np.int32), "offsets has the dtype int32"),
            ("offsets", lambda a: a.tolist(), "offsets is a list"),
            ("labels", lambda a: at(a, 0, N_LABELS), f"labels holds 0 to {N_LABELS}"),
            ("labels", lambda a: at(a, 0, -1), "labels holds -1"),
            ("labels", last_first, "in the middle of a row"),
            ("labels", lambda a: a[:-1], "codes has the shape"),
            ("labels", lambda a: a.astype(np.int64), "labels has the dtype int64"),
            ("codes", lambda a: at(a, 0, 60_000), "codes holds"),
            ("codes", lambda a: a.astype(np.uint8), "codes has the dtype uint8"),
            ("codes", lambda a: a[:-1], "codes has the shape"),
            ("table", lambda a: at(a, 0, np.nan), "table has numbers that are NaN"),
            ("table", lambda a: at(a, 0, 0), "table has a value"),
            ("table", lambda a: a[:1], "table_counts has the shape"),
            ("table", lambda a: a.astype(np.float64), "table has the dtype float64"),
            ("table_counts", lambda a: a[:-1], "table_counts has the shape"),
            ("peaks", lambda a: a[:-1], "peaks has the shape"),
            ("peaks", lambda a: at(a, 0, np.inf), "peaks has numbers that are NaN"),
            ("n_fields", lambda _: 0, "n_fields is 0"),
            ("n_fields", lambda _: 1.0, "n_fields is 1.0; expected an int"),
            ("n_fields", lambda _: 1, "has the postings of other terms"),
            ("n_labels", lambda n: n + 1, f"classes_ has other than {N_LABELS + 1}"),
            ("n_labels", lambda _: -1, "n_labels is -1"),
            ("n_labels", lambda _: 2**40, "classes_ has other than"),
            ("n_labels", lambda _: "12", "n_labels is '12'; expected an int"),
            ("statistics", lambda _: None, "statistics is a NoneType"),
            ("frequencies", lambda a: a[:-1], "frequencies has the shape"),
            ("removed", lambda a: at(a, 0, N_LABELS + 3), "removed holds"),
            ("delta", lambda _: 1, "delta is a int"),
        ]
    ),
    *(
        (delta_of, name, change, message)
        for name, change, message in [
            ("numbers", lambda a: at(a, 0, a[1]), "numbers does not ascend"),
            ("numbers", lambda a: at(a, -1, 10**6), "numbers holds"),
            ("numbers", lambda a: a.astype(np.int32), "numbers has the dtype int32"),
            ("offsets", lambda a: a[:-1], "offsets has the shape"),
            ("offsets", lambda a: at(a, 1, 10**9), r"offsets goes from"),
            ("labels", lambda a: at(a, 0, N_LABELS), f"to {N_LABELS}; expected 0"),
            ("labels", lambda a: a[:-1], r"IndexDelta.offsets goes from"),
            ("counts", lambda a: a[:-1], "counts has the shape"),
            ("values", lambda a: at(a, 0, 0), "has a value that is not positive"),
            ("values", lambda a: at(a, 0, np.nan), "values has numbers that are NaN"),
            ("peaks", lambda a: a[:-1], "peaks has the shape"),
            ("frequencies", lambda a: at(a, 0, -1), "has a value that is not positive"),
            ("replaces", lambda a: a.astype(bool), "replaces has the dtype bool"),
        ]
    ),
    *(
        (statistics_of, name, change, message)
        for name, change, message in [
            ("n_labels", lambda _: -1, "n_labels is -1"),
            ("n_terms", lambda n: n + 1, "has the postings of other terms"),
            ("mean_lengths", lambda a: a[:1], "has statistics other than of"),
            ("mean_lengths", lambda a: at(a, 0, np.nan), "NaN"),
            ("k1", lambda _: -1.0, "k1 and b are"),
        ]
    ),
    (added_of, "n_fitted", lambda n: n + 1, "holds -1"),
    (
        added_of,
        "vocabularies",
        lambda one: one[:1],
        "has not the|has the postings of other|holds",
    ),
    (
        lambda m: added_of(m).vocabularies[1],
        "counts",
        lambda a: at(a, 0, -1),
        "has negative numbers",
    ),
    (
        lambda m: added_of(m).vocabularies[1],
        "numbers",
        lambda a: at(a, 0, a[1]),
        "repeats a number",
    ),
    *(
        (terms_of, name, change, message)
        for name, change, message in [
            ("analyzers", lambda names: names[:1], r"IndexedTerms\.counter"),
            ("analyzers", lambda names: names[::-1], r"IndexedTerms\.counter"),
            ("analyzers", lambda _: ["char", "x"], "an attribute of IndexedTerms"),
            ("counter", lambda _: None, r"IndexedTerms\.counter is None"),
            ("field_names", lambda names: names[1:], "index has not the fields"),
            ("field_names", lambda _: [1, 2, 3], "field_names holds 1"),
            ("field_names", lambda _: "abc", "field_names is a str"),
            ("word_expansion", lambda _: None, "word_expansion is None"),
        ]
    ),
    *(
        (expansion_of, name, change, message)
        for name, change, message in [
            ("counts", lambda a: a[:-1], r"WordExpansion\.counts has the shape"),
            ("counts", lambda a: at(a, 0, -1), r"counts has negative numbers"),
            ("counts", lambda a: a.astype(np.int64), "counts has the dtype int64"),
            ("spelling", lambda _: None, r"WordExpansion\.spelling is a NoneType"),
            ("n_labels", lambda n: n + 1, "n_labels is not the number of labels"),
            ("counter", lambda _: None, "an attribute of WordExpansion"),
        ]
    ),
    *(
        (lambda m: expansion_of(m).spelling, "reversed_order", change, text)
        for change, text in [
            (lambda a: a[:-1], "reversed_order has the shape"),
            (lambda a: at(a, 0, 10**6), "reversed_order holds"),
            (last_first, "does not hold its terms in order"),
            (lambda a: a.astype(np.int64), "reversed_order has the dtype int64"),
        ]
    ),
    (
        lambda m: expansion_of(m).spelling,
        "vocabulary",
        lambda _: WordNgramTfidf().fit(["other words"])._state.terms,
        "reversed_order has the shape",
    ),
    (lambda m: m._state.known, "fitted", lambda a: a[:-1], "LexicalRanker.clas"),
    (lambda m: m._state, "index", lambda _: None, "LexicalRanker is miss"),
]


@pytest.mark.parametrize(("where", "name", "change", "message"), DAMAGES)
def test_a_damaged_index_is_refused(saved, where, name, change, message):
    model = damaged(pickle.loads(saved), where, name, change)
    with pytest.raises(ValueError, match=message) as caught:
        pickle.loads(pickle.dumps(model))
    assert str(caught.value).startswith(DAMAGED)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (index_of, "labels"),
        (index_of, "n_labels"),
        (terms_of, "field_names"),
        (terms_of, "word_expansion"),
        (expansion_of, "spelling"),
        (lambda m: expansion_of(m).spelling, "reversed_order"),
        (lambda m: m._state, "terms"),
    ],
)
def test_what_lacks_an_attribute_is_refused(saved, where, name):
    model = pickle.loads(saved)
    del vars(where(model))[name]
    with pytest.raises(ValueError, match=rf"{DAMAGED}an attribute .* missing.*{name}"):
        pickle.loads(pickle.dumps(model))


ARRAYS = {
    "offsets": (index_of, lambda a: at(a, 1, 10**9)),
    "labels": (index_of, lambda a: at(a, 0, 10**6)),
    "codes": (index_of, lambda a: at(a, 0, 60_000)),
    "peaks": (index_of, lambda a: at(a, 0, np.nan)),
    "table": (index_of, lambda a: at(a, 0, np.nan)),
    "counts": (expansion_of, lambda a: at(a, 0, -1)),
    "reversed_order": (lambda m: expansion_of(m).spelling, last_first),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_altered_files_of_a_lexical_index_are_refused(fitted, tmp_path, name):
    model = pickle.loads(fitted)
    where, change = ARRAYS[name]
    altered_joblib(model, getattr(where(model), name), change, tmp_path / "model")
    with pytest.raises(ValueError, match=DAMAGED):
        joblib.load(tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    with pytest.raises(ValueError, match=DAMAGED):
        check_arrays(mapped)
    if name == "offsets":  # vocabularies have some too
        return
    content = altered_skops(model, name, change)
    with pytest.raises(ValueError, match=DAMAGED):
        skops.io.loads(content, trusted=TRUSTED_TYPES)


def test_a_mapped_lexical_index_completes_and_corrects(saved, tmp_path):
    model = pickle.loads(saved)
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    check_arrays(mapped)
    for text in ("wörd1 anotherr", "wörd9", "nä"):
        np.testing.assert_array_equal(mapped.rank_one(text), model.rank_one(text))
        assert mapped.did_you_mean(text) == model.did_you_mean(text)
