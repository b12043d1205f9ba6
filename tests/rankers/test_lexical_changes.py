"""Labels that are added to a lexical index and removed, against a slow twin."""

import pickle
import re
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skxmr import LabelTexts, LexicalRanker

KNOWN = ["tea", "rye", "a", "lemon", "öl"]
NEW = ["oolong", "taiwan", "dates", "gren", "oolon", "tae"]
FITTED = [("tea rye lemon", "a öl"), ("tea tea", "a"), ("rye a", "")]
ROWS = ["tea with lemon", "rye rye", "öl"]  # of training: one for each label
TEXTS = st.lists(st.sampled_from(KNOWN + NEW), max_size=5).map(" ".join)
LABELS = st.lists(st.tuples(TEXTS, TEXTS), max_size=4)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), LABELS),
        st.tuples(
            st.just("learn"),
            st.lists(st.tuples(TEXTS, st.integers(0, 5)), min_size=1, max_size=4),
        ),
        st.tuples(st.just("remove"), st.lists(st.integers(0, 30), max_size=3)),
        st.tuples(st.sampled_from(["compact", "pickle"]), st.none()),
    ),
    max_size=8,
)
QUERIES = [" ".join(KNOWN + NEW), "tea", "oolong tea", "dates gren tea", "olong te"]


def words_of(text):
    return re.findall(r"\w+", text.lower())


class Twin:
    """The texts of all labels ever, scored by the formula with frozen statistics.

    The last of the fields holds the training texts.
    """

    def __init__(self, texts):
        self.n_fitted = len(texts)
        self.texts = [list(fields) for fields in texts]
        self.removed = set()
        fitted = [text for fields in texts for text in fields]
        self.known = {word for text in fitted for word in words_of(text)}
        by_field = list(zip(*texts, strict=True))
        self.frequencies = [
            Counter(word for text in field for word in set(words_of(text)))
            for field in by_field
        ]
        self.means = [
            np.mean([len(words_of(text)) for text in field]) for field in by_field
        ]

    def add(self, texts):
        n_fields = len(self.means)
        self.texts += [[*fields, *[""] * (n_fields - len(fields))] for fields in texts]

    def learn(self, texts, Y):
        self.add([[]] * (Y.shape[1] - len(self.texts)))
        for row, text in enumerate(texts):
            for column in Y[[row]].indices:
                self.texts[column][-1] += f" {text}"

    def scores(self, query, k1=1.2, b=0.75):
        scores = np.zeros(len(self.texts))
        for field, mean in enumerate(self.means):
            counts = [Counter(words_of(texts[field])) for texts in self.texts]
            lengths = np.array([sum(count.values()) for count in counts])
            relative = lengths / mean if mean else np.ones(len(lengths))
            for word in words_of(query):
                tf = np.array([count[word] for count in counts])
                df = (tf > 0).sum()
                if word in self.known:
                    df = self.frequencies[field][word]
                df = min(df, self.n_fitted)
                idf = np.log(1 + (self.n_fitted - df + 0.5) / (df + 0.5))
                norm = k1 * (1 - b + b * relative)
                scores += idf * tf * (k1 + 1) / np.where(tf, tf + norm, 1)
        scores[list(self.removed)] = 0
        return scores


def fit(*, has_rows=False, **parameters):
    Y = sparse.csr_array(np.eye(len(FITTED), dtype=np.int8))
    rows = (ROWS, Y) if has_rows else ([], Y[:0])
    return LexicalRanker(**parameters).fit(*rows, label_texts=FITTED)


def alive_of(ranker):
    known = ranker._state.known
    return np.setdiff1d(np.arange(len(known)), known.removed)


def rows_of(ranker, labels):
    """Make an indicator of some labels, which are counted among those that are left."""
    alive = [*alive_of(ranker).tolist(), len(ranker.classes_)]
    columns = [alive[label % len(alive)] for label in labels]
    shape = len(labels), max(len(ranker.classes_), max(columns) + 1)
    ones = np.ones(len(labels), dtype=np.int8)
    return sparse.csr_array((ones, (np.arange(len(labels)), columns)), shape=shape)


def change(ranker, kind, what):
    """Apply a change, of labels that there are; return the ranker."""
    if kind == "add":
        ranker.add_labels(what)
    elif kind == "remove":
        # At least one label is left.
        ranker.remove_labels(np.intersect1d(what, alive_of(ranker)[1:]))
    elif kind == "learn":
        texts, labels = map(list, zip(*what, strict=True))
        ranker.partial_fit(texts, rows_of(ranker, labels))
    elif kind == "compact":
        ranker.compact()
    else:
        ranker = pickle.loads(pickle.dumps(ranker))
    return ranker


def check_ranking(found, expected):
    columns, scores = found
    n_found = (expected > 0).sum()
    assert (columns[:n_found] >= 0).all()
    assert (columns[n_found:] == -1).all()
    np.testing.assert_allclose(
        scores[:n_found], np.sort(expected)[::-1][:n_found], 1e-5
    )
    np.testing.assert_allclose(scores[:n_found], expected[columns[:n_found]], 1e-5)


def assert_same(one, other):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@settings(deadline=None, max_examples=30)
@given(CHANGES)
def test_scores_are_those_of_frozen_statistics(changes):
    ranker = fit(has_rows=True)
    twin = Twin([(*texts, row) for texts, row in zip(FITTED, ROWS, strict=True)])
    for kind, what in changes:
        if kind == "add":
            twin.add(what)
        elif kind == "learn":
            texts, labels = map(list, zip(*what, strict=True))
            twin.learn(texts, rows_of(ranker, labels))
        ranker = change(ranker, kind, what)
        twin.removed = set(ranker._state.known.removed.tolist())
        for query in QUERIES:
            check_ranking(ranker.rank_one(query, 60), twin.scores(query))


@pytest.mark.parametrize("has_rows", [False, True])
@pytest.mark.parametrize("analyzer", ["word", ["char", "word"]])
@settings(deadline=None, max_examples=10)
@given(CHANGES)
def test_results_do_not_depend_on_compaction(analyzer, has_rows, changes):
    parameters = {"correct_spelling": True, "prefix": True, "has_rows": has_rows}
    one, other = (fit(analyzer=analyzer, **parameters) for _ in range(2))
    for kind, what in changes:
        one = change(one, kind, what)
        if kind in ("add", "learn", "remove"):
            change(other, kind, what)
        for k in (1, 3, 20):
            assert_same(one.rank(QUERIES, k), other.rank(QUERIES, k))
        for query in QUERIES:
            columns, scores = one.rank([query], 5)
            assert_same(one.rank_one(query, 5), (columns[0], scores[0]))
            assert one.did_you_mean(query) == other.did_you_mean(query)
            for column in one.rank_one(query, 2)[0].tolist():
                if column >= 0:
                    assert one.explain(query, column) == other.explain(query, column)
        for method in ("decision_function", "predict_proba"):
            first, second = (getattr(each, method)(QUERIES) for each in (one, other))
            np.testing.assert_array_equal(first.toarray(), second.toarray())


def test_large_indices_are_searched_exactly_with_a_delta():
    rng = np.random.default_rng(0)
    words = [
        "w" + str(i).translate(str.maketrans("0123456789", "abcdefghij"))
        for i in range(300)
    ]
    frequencies = 1 / np.arange(1, 301)
    frequencies /= frequencies.sum()

    def draw(n_labels):
        return [
            (" ".join(rng.choice(words, rng.integers(1, 9), p=frequencies)), "")
            for _ in range(n_labels)
        ]

    texts = draw(3_000)
    ranker = LexicalRanker().fit([], np.zeros((0, 3_000)), label_texts=texts)
    twin = Twin(texts)
    weights = np.zeros(4_000)
    for n_labels in (1, 900, 99):
        more = draw(n_labels)
        ranker.add_labels(more)
        twin.add(more)
        removed = rng.choice(len(twin.texts), 30, replace=False)
        removed = [one for one in removed.tolist() if one not in twin.removed]
        ranker.remove_labels(removed)
        twin.removed |= set(removed)
        for k in (1, 10, 200):
            for _ in range(5):
                query = " ".join(rng.choice(words, 4, replace=False))
                expected = twin.scores(query)
                columns, scores = ranker.rank_one(query, k)
                n_found = min(k, (expected > 0).sum())
                best = np.sort(expected)[::-1][:n_found]
                np.testing.assert_allclose(scores[:n_found], best, 1e-5)
                assert not set(columns.tolist()) & twin.removed
        weights = rng.choice([0, 0.5, 1], len(twin.texts))
        expected = twin.scores(words[0] + " " + words[5]) * weights
        _, scores = ranker.rank_one(
            words[0] + " " + words[5], 20, label_weights=weights
        )
        np.testing.assert_allclose(scores, np.sort(expected)[::-1][:20], 1e-5)
    query, before = " ".join(words[:5]), pickle.loads(pickle.dumps(ranker))
    assert_same(before.rank_one(query, 500), ranker.compact().rank_one(query, 500))
    assert ranker._state.index.delta is None


def test_a_removed_label_leaves_its_position_to_others():
    ranker = LexicalRanker().fit([], np.zeros((0, 50)), label_texts=["tea"] * 50)
    ranker.remove_labels(range(10))
    assert ranker.rank_one("tea", 3)[0].tolist() == [10, 11, 12]
    mask = np.arange(50) >= 5
    assert ranker.rank_one("tea", 2, allowed=mask)[0].tolist() == [10, 11]
    assert ranker.rank_one("tea", 60)[0].tolist() == [*range(10, 50), *[-1] * 20]


def test_new_words_are_corrected_and_completed():
    ranker = fit(correct_spelling=True, prefix=True)
    ranker.add_labels(["oolong from taiwan", "oolong"])
    assert ranker.rank_one("olong ", 1)[0].tolist() == [4]
    assert ranker.rank_one("tai", 1)[0].tolist() == [3]
    assert ranker.did_you_mean("olong lemno") == "oolong lemon"
    assert str(ranker.explain("oolong", 4)).splitlines()[1].split()[1] == "oolong"


def test_classes_are_added_removed_and_come_back():
    ranker = LexicalRanker().fit(
        ["tea", "bread"], ["m", "c"], label_texts={"m": "green tea", "c": "rye"}
    )
    assert ranker.add_labels(["oolong"], labels=["a"]).tolist() == [2]
    assert ranker.classes_.tolist() == ["c", "m", "a"]
    assert ranker.predict(["oolong", "rye", "green"]).tolist() == ["a", "c", "m"]
    ranker.remove_labels(["m", "c"])
    columns = ranker.add_labels(LabelTexts({"m": "white tea"}), labels=["m"])
    assert columns.tolist() == [3]
    assert ranker.rank_one("tea", 5)[0].tolist() == [3, -1, -1, -1, -1]
    # What is predicted where nothing is found was not removed either.
    assert ranker.predict(["white tea", "nothing"]).tolist() == ["m", "a"]
    assert ranker.predict_proba(["nothing"]).tolist() == [[0, 0, 1, 0]]
    with pytest.raises(ValueError, match="'c', which is no label"):
        ranker.explain("rye", "c")
    assert ranker.explain("white tea", "m").score > 0


@pytest.mark.parametrize(
    ("label_texts", "labels", "message"),
    [
        (["x"], None, "labels is None"),
        (["x"], ["c"], "'c', which is a label already"),
        (["x", "y"], ["d", "d"], "more than once"),
        (["x", "y"], ["d"], "expected .*1"),
        ([("x", "y")], ["d"], "2 texts for a label; expected at most 1"),
        (["x"], [1], "must hold class labels of one type"),
    ],
)
def test_invalid_additions_change_nothing(label_texts, labels, message):
    ranker = LexicalRanker().fit(["tea", "bread"], ["c", "m"], label_texts=["t", "r"])
    state = ranker._state
    with pytest.raises((ValueError, TypeError), match=message):
        ranker.add_labels(label_texts, labels)
    for labels in (["x"], ["c", "x"]):
        with pytest.raises(ValueError, match="no label of this classifier"):
            ranker.remove_labels(labels)
    assert ranker._state is state


def test_an_indicator_refuses_names_and_removed_columns():
    ranker = fit()
    with pytest.raises(ValueError, match="labels must be None"):
        ranker.add_labels(["x"], ["d"])
    with pytest.raises(TypeError, match="must be a str"):
        ranker.add_labels([1])
    ranker.remove_labels([1])
    for call in (ranker.remove_labels, lambda one: ranker.explain("tea", one[0])):
        with pytest.raises(ValueError, match="no label of this classifier"):
            call([1])
    assert ranker.add_labels([]).tolist() == []
    assert ranker.rank_one("tea", 3)[0].tolist() == [0, -1, -1]


def test_the_target_keeps_its_form():
    Y = sparse.csr_array(np.eye(3, dtype=np.int8))
    ranker = LexicalRanker().fit(["tea", "rye", "a"], Y, label_texts=["x", "y", "z"])
    ranker.add_labels(["white tea"])
    predicted = ranker.predict(["white tea", "rye"])
    assert sparse.issparse(predicted)
    assert predicted.shape == (2, 4)
    assert ranker.classes_.tolist() == [0, 1, 2, 3]


def test_training_texts_are_learned_without_another_fit():
    ranker = fit()
    ranker.partial_fit(["breakfast tea", "breakfast"], np.eye(3, dtype=int)[[0, 2]])
    assert set(ranker.rank_one("breakfast", 3)[0].tolist()) == {0, 2, -1}
    explanation = ranker.explain("breakfast", 2)
    assert [one.field for one in explanation.terms] == ["training"]
    before = ranker.rank_one("rye tea", 3)
    ranker.partial_fit(["breakfast oolong"], np.eye(5, dtype=int)[[4]])
    assert_same(ranker.rank_one("rye tea", 3), before)
    assert ranker.rank_one("oolong", 1)[0].tolist() == [4]
    assert ranker.classes_.tolist() == [0, 1, 2, 3, 4]
    ranker.set_params(field_weights=[1, 1, 0])
    assert ranker.rank_one("oolong", 1)[0].tolist() == [-1]


def test_the_first_call_fits_and_later_ones_add_classes():
    ranker = LexicalRanker().partial_fit(["tea", "rye"], ["t", "r"])
    assert ranker.partial_fit([], []) is ranker
    ranker.partial_fit(["oolong", "black tea"], ["o", "t"])
    assert ranker.classes_.tolist() == ["r", "t", "o"]
    assert ranker.predict(["black", "oolong"]).tolist() == ["t", "o"]
    ranker.remove_labels(["t"])
    state = ranker._state
    for y, message in [
        (["t"], "'t', which was removed"),
        (["o", "r"], "inconsistent numbers of samples"),
        (np.eye(3)[:1], "y has an indicator; expected class labels"),
    ]:
        with pytest.raises(ValueError, match=message):
            ranker.partial_fit(["tea"], y)
    with pytest.raises(TypeError, match=r"must be a str|type str"):
        ranker.partial_fit([1], ["r"])
    assert ranker._state is state
    with pytest.raises(ValueError, match="y has 2 columns; expected 3 or more"):
        fit().partial_fit(["tea"], np.eye(2)[:1])


def reverse(words):
    return [word[::-1] for word in words]


@pytest.mark.parametrize("analyzer", ["char", ["word", "char"]])
def test_added_texts_are_cut_as_those_of_the_fit(analyzer):
    ranker = LexicalRanker(analyzer, token_filter=reverse)
    ranker.fit([], np.zeros((0, 1)), label_texts=["tea"])
    strange = "\ud800 \0 \u8336\u9053 Ⅷ" + "long" * 10_000
    columns = ranker.add_labels(["oolong", "", (), " \t", strange, "10mm pipe"])
    assert columns.tolist() == [1, 2, 3, 4, 5, 6]
    assert ranker.rank_one("oolong", 1)[0].tolist() == [1]
    assert ranker.rank_one("茶道", 1)[0].tolist() == [5]
    assert ranker.rank_one(strange, 1)[0].tolist() == [5]
    assert ranker.rank_one("pipe of 10 mm", 1)[0].tolist() == [6]
    texts = ["oolong", strange, "tea"]
    before = ranker.rank(texts, 7)
    assert_same(pickle.loads(pickle.dumps(ranker)).compact().rank(texts, 7), before)
    for row, text in enumerate(texts):
        assert_same(ranker.rank_one(text, 7), (before[0][row], before[1][row]))


def test_readers_never_see_half_of_a_change():
    ranker = LexicalRanker(prefix=True).fit(
        [], np.zeros((0, 2)), label_texts=["a", "b"]
    )
    errors, is_over = [], threading.Event()

    def read():
        while not is_over.is_set():
            columns, scores = ranker.rank_one("pair of new oolon", 50)
            found = columns[columns >= 0].tolist()
            # Labels are added and removed in pairs of an even column and the next.
            if any(column ^ 1 not in found for column in found):
                errors.append(found)
            if (scores[columns >= 0] <= 0).any():
                errors.append(scores)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(40):
        columns = ranker.add_labels(["pair oolong", "pair oolong"])
        if number % 3 == 2:
            ranker.compact()
        if number > 10:
            ranker.remove_labels(columns - 20)
    is_over.set()
    for thread in threads:
        thread.join()
    assert not errors
