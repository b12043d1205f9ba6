"""What completers promise, whatever they have learnt."""

import pickle
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, KFold
from twins import least_edits

from skxmr import KMeansTree, QueryCompleter, TrieTreeHybrid, XRLinearClassifier
from skxmr._matching._prefixes import draw_prefixes
from skxmr.baselines import BigramCompleter, PopularCompleter
from skxmr.text._normalization import Normalizer, normalize_text

COMPLETERS = {
    "popular": PopularCompleter(),
    "bigram": BigramCompleter(),
    "counts": QueryCompleter(classifier_weight=0),
    "all": QueryCompleter(random_state=0),
    "fuzzy": QueryCompleter(match="fuzzy", random_state=0),
    "two trees": QueryCompleter(
        XRLinearClassifier(TrieTreeHybrid(1, 2, 4), n_trees=2, max_iter=1000),
        random_state=0,
    ),
    "k-means": QueryCompleter(
        XRLinearClassifier(KMeansTree(2, 3), max_iter=1000), random_state=0
    ),
    "full trie": QueryCompleter(
        XRLinearClassifier(TrieTreeHybrid(trie_depth=None), max_iter=1000),
        random_state=0,
    ),
}
completers = pytest.mark.parametrize("kind", COMPLETERS)
START_OF = [
    "tea",
    "toast",
    "tin",
    "to",
    "ten",
    "bread",
    "bun",
    "Äpfel",
    "äpfel",
    "日本",
]
PREVIOUS = ["milk", "bread", "sugar", "milk jug", "日本"]


def make_log(n_asked=600, seed=0):
    """Queries of which many begin alike, and which previous one says much of."""
    random = np.random.RandomState(seed)
    previous, queries = [], []
    for _ in range(n_asked):
        before = random.randint(len(PREVIOUS))
        previous.append(PREVIOUS[before])
        start = START_OF[(before * 2 + random.randint(4)) % len(START_OF)]
        queries.append(f"{start} {random.zipf(1.5) % 12}")
    return previous, queries


LOG = make_log()
_fitted = {}


def fitted(kind):
    if kind not in _fitted:
        _fitted[kind] = clone(COMPLETERS[kind]).fit(*LOG)
    return _fitted[kind]


# What is promised


def matches(kind, prefix, query):
    prefix, key = Normalizer().prefix(prefix), Normalizer().key(query)
    n_letters = len(unicodedata.normalize("NFC", prefix.removesuffix(" ")))
    if kind != "fuzzy" or n_letters < 3:
        return least_edits(prefix, key) == 0
    return least_edits(prefix, key) <= (2 if n_letters >= 6 else 1)


def is_joined(prefix, query):
    """Whether a query starts with a prefix, but for spaces beside letters."""
    prefix, key = Normalizer().prefix(prefix), Normalizer().key(query)
    space = re.compile(r"(?<!\d) +| +(?!\d)")
    letters = space.sub("", prefix)
    return bool(letters) and any(
        space.sub("", key[:end]) == letters
        and (not prefix.endswith(" ") or key[end : end + 1] in ("", " "))
        for end in range(len(key) + 1)
    )


prefixes = st.one_of(
    st.sampled_from(
        ["tea1", "t ea", "", "t", "T", "te", "tea ", "tea  1", "ÄPF", "日", "x", "b\0"]
    ),
    st.sampled_from(LOG[1]),
    st.tuples(st.sampled_from(LOG[1]), st.integers(0, 6)).map(lambda s: s[0][: s[1]]),
    st.text("te ao\ud800日", max_size=9),
)
sessions = st.one_of(
    st.sampled_from([*PREVIOUS, "", " ", "never asked", "MILK", "!?"]),
    st.lists(st.sampled_from([*PREVIOUS, "", "x"]), max_size=20),
    st.none(),
)


@completers
@settings(max_examples=60, deadline=None)
@given(prefix=prefixes, previous=sessions, k=st.integers(1, 40))
def test_as_many_as_match_come_back_best_first_and_none_twice(
    kind, prefix, previous, k
):
    completer = fitted(kind)
    found = completer.complete(prefix, previous, k)
    queries, scores = [query for query, _ in found], [score for _, score in found]
    matching = [one for one in completer.queries_ if matches(kind, prefix, one)]
    if not matching and kind not in ("popular", "bigram"):
        matching = [one for one in completer.queries_ if is_joined(prefix, one)]
    assert len(queries) == min(k, len(matching))
    assert len(set(queries)) == len(queries)
    assert set(queries) <= set(matching)
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 + 1e-6 for score in scores)
    if len(queries) == len(matching) and matching:
        assert sum(scores) == pytest.approx(1, abs=1e-5)


@completers
@pytest.mark.parametrize(
    "prefix",
    [
        "q" * 10_000,
        "tea " * 2500,
        "\0",
        "\ud800",
        "e\u0301" * 100,
        "\u202e\u202eqxq",
        "🫖",
    ],
    ids=["long", "many words", "nul", "surrogate", "accents", "rtl", "emoji"],
)
def test_strange_prefixes_match_nothing(kind, prefix):
    completer = fitted(kind)
    assert completer.complete(prefix) == []
    assert completer.complete(prefix, "milk") == []


@completers
@pytest.mark.parametrize("previous", ["q" * 10_000, "\0\ud800", ["milk"] * 1000])
def test_strange_sessions_change_no_promise(kind, previous):
    assert len(fitted(kind).complete("t", previous, 5)) == 5


@completers
def test_a_batch_gives_the_same_as_single_calls(kind):
    completer = fitted(kind)
    typed = [query[: i % 5] for i, query in enumerate(LOG[1][:40])]
    before = LOG[0][:40]
    batch = completer.complete_batch(typed, before, k=4)
    assert batch == [
        completer.complete(*pair, k=4) for pair in zip(typed, before, strict=True)
    ]
    assert completer.complete_batch(typed) == [completer.complete(one) for one in typed]
    assert completer.complete_batch([]) == []


@completers
def test_containers_of_all_kinds_are_taken(kind):
    previous, queries = LOG[0][:100], LOG[1][:100]
    expected = clone(COMPLETERS[kind]).fit(previous, queries).complete("t", "milk")
    for make in (np.array, pd.Series, tuple, iter):
        other = clone(COMPLETERS[kind]).fit(make(previous), make(queries))
        assert other.complete("t", "milk") == expected
    with_sessions = [[], *([[one] for one in previous[1:]])]
    with_none = [None, *previous[1:]]
    one = clone(COMPLETERS[kind]).fit(with_sessions, queries)
    other = clone(COMPLETERS[kind]).fit(with_none, queries)
    assert one.complete("t", "milk") == other.complete("t", "milk")


@completers
def test_counts_are_repetitions(kind):
    previous, queries = ["a", "b", "a"], ["tea", "toast", "tea time"]
    counts = [3, 1, 2]
    repeated = clone(COMPLETERS[kind]).fit(
        np.repeat(previous, counts), np.repeat(queries, counts)
    )
    counted = clone(COMPLETERS[kind]).fit(previous, queries, counts=counts)
    assert counted.counts_.tolist() == [3, 2, 1]
    for before in ("a", "b", ""):
        assert counted.complete("t", before) == repeated.complete("t", before)


@completers
def test_same_seed_same_answers_and_fit_starts_anew(kind):
    completer = clone(COMPLETERS[kind]).fit(["x"], ["other"]).fit(*LOG)
    for query in LOG[1][:20]:
        assert completer.complete(query[:2], "milk") == fitted(kind).complete(
            query[:2], "milk"
        )


@completers
def test_clones_are_not_fitted_and_say_so(kind):
    completer = clone(fitted(kind))
    for call in (
        lambda: completer.complete("t"),
        lambda: completer.complete_batch(["t"]),
    ):
        with pytest.raises(NotFittedError, match="not fitted"):
            call()


@completers
def test_many_threads_get_the_same_answers(kind):
    completer = fitted(kind)
    requests = [
        (query[: i % 4], before)
        for i, (before, query) in enumerate(zip(*LOG, strict=True))
    ]
    expected = [completer.complete(*request) for request in requests]
    with ThreadPoolExecutor(8) as pool:
        assert (
            list(pool.map(lambda one: completer.complete(*one), requests)) == expected
        )


def test_results_do_not_depend_on_n_jobs():
    one = pickle.dumps(fitted("all").ranker_.classifier.layouts_)
    other = QueryCompleter(random_state=0, n_jobs=2).fit(*LOG)
    assert pickle.dumps(other.ranker_.classifier.layouts_) == one


# What is learnt


def names(completions):
    return [query for query, _ in completions]


def test_popular_comes_first():
    completer = PopularCompleter().fit(None, ["tea"] * 3 + ["toast"] * 2 + ["bread"])
    assert completer.complete("") == [
        ("tea", pytest.approx(1 / 2)),
        ("toast", pytest.approx(1 / 3)),
        ("bread", pytest.approx(1 / 6)),
    ]
    assert completer.complete("t", "anything") == completer.complete("t")


def test_what_followed_comes_before_what_is_popular():
    previous = ["jam", "jam", "jam", "milk"] + [""] * 50
    queries = ["toast", "toast", "tart", "tin"] + ["tea"] * 50
    completer = BigramCompleter().fit(previous, queries)
    assert names(completer.complete("t", "jam")) == ["toast", "tart", "tea", "tin"]
    assert names(completer.complete("t", ["jam", "milk"]))[:2] == ["tin", "tea"]
    assert names(completer.complete("t", "unknown"))[0] == "tea"


@pytest.mark.parametrize("kind", ["counts", "all", "two trees", "k-means", "full trie"])
def test_the_previous_query_decides(kind):
    completer = fitted(kind)
    right = 0
    for before, query in zip(*LOG, strict=True):
        right += names(completer.complete(query[:1], before, 1)) == [query]
    popular = sum(
        names(fitted("popular").complete(query[:1], k=1)) == [query] for query in LOG[1]
    )
    assert right > 1.2 * popular


def test_the_classifier_knows_words_of_unknown_previous_queries():
    previous = [f"{word} {i}" for i in range(30) for word in ("garden", "kitchen")]
    queries = ["butterfly", "butter"] * 30
    completer = QueryCompleter(random_state=0).fit(previous, queries)
    assert names(completer.complete("b", "my garden", 1)) == ["butterfly"]
    assert names(completer.complete("b", "kitchen sink", 1)) == ["butter"]


def test_neighbours_tell_of_queries_that_never_followed():
    # What follows "a" and "b" is the same, but that only "b" was followed by "new".
    previous = ["a"] * 4 + ["b"] * 6 + ["c"] * 10
    queries = ["one", "two"] * 2 + ["one", "two"] * 2 + ["new"] * 2 + ["nought"] * 10
    options = {"classifier_weight": 0, "reversed_weight": 0}
    alone = QueryCompleter(smoothing=0, **options).fit(previous, queries)
    assert names(alone.complete("n", "a", 1)) == ["nought"]
    together = QueryCompleter(**options).fit(previous, queries)
    assert names(together.complete("n", "a", 1)) == ["new"]


def test_pairs_say_something_of_the_other_order():
    # "ab" was followed by "c", and "c" never by "ab"; "aa" is what people ask for.
    previous = ["ab", "c", "z", "z", "z", "z"]
    queries = ["c", "x", "aa", "aa", "aa", "ab"]
    options = {"classifier_weight": 0, "smoothing": 0}
    one_way = QueryCompleter(reversed_weight=0, **options).fit(previous, queries)
    assert names(one_way.complete("a", "c")) == ["aa", "ab"]
    both_ways = QueryCompleter(reversed_weight=1, **options).fit(previous, queries)
    assert names(both_ways.complete("a", "c")) == ["ab", "aa"]


def test_older_queries_of_a_session_count_less():
    log = ["a", "b"], ["x of a", "x of b"]
    completer = QueryCompleter(classifier_weight=0, smoothing=0).fit(*log)
    assert names(completer.complete("x", ["a", "b"])) == ["x of b", "x of a"]
    assert names(completer.complete("x", ["b", "a"])) == ["x of a", "x of b"]


def test_a_log_without_previous_queries():
    completer = QueryCompleter().fit(None, ["tea", "tea", "toast"])
    assert completer.classifier_ is None
    assert names(completer.complete("t", "unknown")) == ["tea", "toast"]


def test_previous_queries_without_words():
    completer = QueryCompleter().fit(["!", "?"], ["tea", "toast"])
    assert names(completer.complete("t", "?")) == ["toast", "tea"]


def test_scores_too_small_for_a_float_are_still_shares():
    classifier = XRLinearClassifier(
        TrieTreeHybrid(), C=1e4, tol=10.0, score_transform="l4-hinge", random_state=0
    )
    completer = QueryCompleter(classifier, random_state=0).fit(*LOG)
    # As a row whose features nothing in training comes near.
    ranker = completer.ranker_
    features = ranker._features

    def far(prefix, session):
        indices, values = features(prefix, session)
        return indices, -1000 * values

    ranker._features = far
    ranges = completer.index_.find("t")
    ranks, shares = ranker.rank("t", ("milk",), ranges, 10, classifier)
    assert len(ranks)
    assert shares.sum() == pytest.approx(1)
    scores = [score for _, score in completer.complete("t", "milk")]
    assert np.isfinite(scores).all()


def test_other_vectorizers():
    completer = QueryCompleter(
        previous_vectorizer=TfidfVectorizer(),
        prefix_vectorizer=TfidfVectorizer(analyzer="char", ngram_range=(1, 2)),
        random_state=0,
    ).fit(*LOG)
    assert len(completer.complete("t", "milk", 5)) == 5


def test_one_query_is_shown_as_it_is_mostly_written():
    queries = ["New  York", "new york", "NEW YORK", "new york", "Newark"]
    completer = PopularCompleter().fit(None, queries)
    assert completer.queries_ == ["new york", "Newark"]
    assert completer.complete("NEW y") == [("new york", 1.0)]
    assert completer.counts_.tolist() == [4, 1]


def test_edits():
    completer = QueryCompleter(match="fuzzy").fit(None, ["strawberry", "stream"])
    for typed in ("strxw", "straberr", "strawberyr", "trawberry", "sttrawberry"):
        assert names(completer.complete(typed))[0] == "strawberry"
    assert completer.complete("st") == completer.complete("ST")
    assert completer.complete("sx") == []  # too short to be a slip
    assert completer.complete("sxyawbezry ") == []


def test_what_was_typed_as_meant_comes_first():
    queries = ["bat"] * 50 + ["bet", "bet you"]
    completer = QueryCompleter(match="fuzzy").fit(None, queries)
    assert names(completer.complete("bet"))[:1] == ["bet"]


# Updates


@pytest.mark.parametrize("kind", ["counts", "all"])
def test_counts_that_are_folded_in_change_the_order(kind):
    completer = clone(COMPLETERS[kind]).fit(["a", "a", "b"], ["tea", "toast", "tin"])
    assert names(completer.complete("t"))[0] == "tea"
    completer.update(None, ["TIN", "tin"])
    assert names(completer.complete("t"))[0] == "tin"
    completer.update(["c"], ["toast"], counts=[30])
    assert names(completer.complete("t", "c"))[0] == "toast"
    assert completer.counts_.tolist() == [1, 3, 31]


def test_updated_counts_equal_those_of_a_fit():
    previous, queries = LOG
    options = {"classifier_weight": 0, "smoothing": 0, "reversed_weight": 0}
    completer = QueryCompleter(**options).fit(previous[:300], queries[:300])
    completer.update(previous[300:], queries[300:])
    known = {normalize_text(query) for query in queries[:300]}
    assert known < {normalize_text(query) for query in queries}
    whole = QueryCompleter(**options).fit(previous, queries)
    np.testing.assert_array_equal(completer.counts_, whole.counts_)
    for before in (*PREVIOUS, ""):
        for prefix in ("", "t", "te", "bread"):
            found = completer.complete(prefix, before, 30)
            expected = whole.complete(prefix, before, 30)
            assert list(map(normalize_text, names(found))) == list(
                map(normalize_text, names(expected))
            )
            np.testing.assert_allclose(
                [score for _, score in found], [score for _, score in expected]
            )


def test_queries_that_are_not_known_are_added():
    completer = QueryCompleter(classifier_weight=0).fit(["a"], ["tea"])
    completer.update(["a", "a"], ["unheard of", " "])
    assert completer.n_added_ == 1
    assert names(completer.complete("", "a")) == ["tea", "unheard of"]
    before = completer.complete("", "a")
    completer.update(None, [])
    assert completer.n_added_ == 0
    assert completer.complete("", "a") == before


def test_an_update_that_fails_changes_nothing():
    completer = clone(COMPLETERS["counts"]).fit(*LOG)
    before = pickle.dumps(completer)
    for arguments in ((["a"], ["tea", "tea"]), (None, [1]), ("a", ["tea"])):
        with pytest.raises((ValueError, TypeError)):
            completer.update(*arguments)
    with pytest.raises(ValueError, match="counts must be positive; got 0"):
        completer.update(None, ["tea 1"], counts=[0])
    assert pickle.dumps(completer) == before


def test_updates_and_answers_at_once():
    completer = clone(COMPLETERS["counts"]).fit(*LOG)
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(completer.complete, "t", "milk", 5) for _ in range(300)]
        for _ in range(20):
            completer.update(*LOG)
        assert all(len(answer.result()) == 5 for answer in answers)
    assert completer.counts_.sum() == 21 * len(LOG[0])


# Search over parameters


def test_completers_tune():
    search = GridSearchCV(
        QueryCompleter(classifier_weight=0),
        {"smoothing": [0, 10], "match": ["prefix", "fuzzy"]},
        cv=KFold(2),
        error_score="raise",
    ).fit(*LOG)
    assert set(search.best_params_) == {"smoothing", "match"}
    assert 0 < search.best_score_ <= 1


def test_score_is_the_mean_reciprocal_rank_of_prefixes():
    completer = PopularCompleter().fit(None, ["aa", "aa", "ab"])
    assert completer.score(None, ["aa", "aa"]) == 1
    assert completer.score(None, ["unknown"]) == 0
    assert 0.5 <= completer.score(None, ["ab"] * 50) <= 1


# Prefixes to train on


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.integers(1, 6))
def test_drawn_prefixes_are_of_all_queries_and_of_different_lengths(lengths, n_drawn):
    random = np.random.RandomState(0)
    positions, drawn = draw_prefixes(np.array(lengths), n_drawn, random)
    assert sorted(set(positions.tolist())) == list(range(len(lengths)))
    pairs = list(zip(positions.tolist(), drawn.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert all(1 <= length <= lengths[place] for place, length in pairs)


def test_all_prefixes_are_drawn():
    positions, drawn = draw_prefixes(np.array([2, 1, 3]), "all", None)
    assert positions.tolist() == [0, 0, 1, 2, 2, 2]
    assert drawn.tolist() == [1, 2, 1, 1, 2, 3]


def test_short_prefixes_are_drawn_more_often():
    _, drawn = draw_prefixes(np.full(20_000, 9), 1, np.random.RandomState(0))
    shares = np.bincount(drawn, minlength=10)[1:] / len(drawn)
    lengths = np.arange(1, 10)
    np.testing.assert_allclose(shares, np.log1p(1 / lengths) / np.log(10), atol=0.01)


# Bad input


@completers
@pytest.mark.parametrize(
    ("previous", "queries", "counts", "error", "message"),
    [
        (["a"], ["b", "c"], None, ValueError, "previous has 1 sessions and queries"),
        ("ab", ["b", "c"], None, ValueError, "previous must be an iterable"),
        (3, ["b"], None, ValueError, "previous must be an iterable"),
        ([1], ["b"], None, TypeError, r"previous\[0\] must be a str, or a list"),
        ([["a", 2]], ["b"], None, TypeError, r"previous\[0\]\[1\] must be a str"),
        ([b"a"], ["b"], None, TypeError, r"previous\[0\] must be a str"),
        (None, "tea", None, ValueError, "queries must be an iterable"),
        (None, ["tea", None], None, TypeError, r"queries\[1\] must be a str"),
        (None, [], None, ValueError, "queries holds 0 texts"),
        (None, [" ", ""], None, ValueError, "queries holds 2 texts, all of them blank"),
        (None, ["a"], [1, 2], ValueError, r"counts has the shape \(2,\)"),
        (None, ["a"], [0], ValueError, "counts must be positive; got 0"),
        (None, ["a"], [-1.5], ValueError, "counts must be positive; got -1.5"),
        (None, ["a"], [np.nan], ValueError, "counts contains NaN"),
        (None, ["a"], [[1]], ValueError, "counts has the shape"),
    ],
)
def test_a_fit_on_bad_input_says_what_is_wrong(
    kind, previous, queries, counts, error, message
):
    completer = clone(COMPLETERS[kind]).fit(["x"], ["known"])
    with pytest.raises(error, match=message):
        completer.fit(previous, queries, counts=counts)
    assert names(completer.complete("k")) == ["known"]


@completers
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None,), TypeError, "prefix must be a str; got None"),
        ((b"t",), TypeError, "prefix must be a str"),
        ((["t"],), TypeError, "complete_batch"),
        (("t", 3), TypeError, "previous must be a str, or a list or tuple"),
        (("t", ["a", 3]), TypeError, r"previous\[1\] must be a str"),
        (("t", {"a"}), TypeError, "previous must be a str, or a list or tuple"),
        (("t", "", 0), ValueError, "'k' parameter"),
        (("t", "", 1.5), TypeError, "'k' parameter"),
    ],
)
def test_a_bad_request_says_what_is_wrong(kind, arguments, error, message):
    with pytest.raises(error, match=message):
        fitted(kind).complete(*arguments)


@completers
def test_bad_batches_say_what_is_wrong(kind):
    completer = fitted(kind)
    with pytest.raises(ValueError, match="previous has 1 sessions and prefixes has 2"):
        completer.complete_batch(["a", "b"], ["c"])
    with pytest.raises(TypeError, match=r"prefixes\[1\] must be a str"):
        completer.complete_batch(["a", 2])
    with pytest.raises(ValueError, match="prefixes must be an iterable"):
        completer.complete_batch("ab")


@pytest.mark.parametrize(
    "parameters",
    [
        {"classifier": KMeansTree()},
        {"match": "infix"},
        {"edit_weight": 0},
        {"edit_weight": 1.5},
        {"strip_accents": "latin"},
        {"preprocessor": "lower"},
        {"prefixes_per_query": 0},
        {"prefixes_per_query": "some"},
        {"classifier_weight": -1},
        {"popularity_weight": 0},
        {"n_neighbors": -1},
        {"smoothing": "much"},
        {"reversed_weight": -0.1},
        {"decay": 2},
        {"max_transitions": 0},
        {"half_life": 0},
        {"previous_vectorizer": "words"},
    ],
)
def test_parameters_are_checked(parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        QueryCompleter(**parameters).fit(*LOG)


def test_words_complete_however_they_are_joined():
    queries = ["t-shirt red", "A-12/3 valve", "tea", "B-12/3", "wi fi router"]
    completer = QueryCompleter(random_state=0).fit([""] * 5, queries)
    for prefix, query in [
        ("tshirt", "t-shirt red"),
        ("t shi", "t-shirt red"),
        ("T.SHIRT ", "t-shirt red"),
        ("a12/3", "A-12/3 valve"),
        ("a12/3v", "A-12/3 valve"),
        ("wifi ", "wi fi router"),
        ("tea", "tea"),
    ]:
        assert names(completer.complete(prefix)) == [query]
    assert completer.complete("tshir ") == []
    assert completer.complete("a13") == completer.complete("a123") == []
    fuzzy = completer.set_params(match="fuzzy")
    assert names(fuzzy.complete("a12/3va")) == ["A-12/3 valve"]


def test_previous_queries_share_pairs_of_letters_where_words_have_no_spaces():
    previous = ["東京都の天気", "大阪の地図"] * 20
    completer = QueryCompleter(random_state=0).fit(previous, ["rain", "map"] * 20)
    assert names(completer.complete("", "東京都", k=1)) == ["rain"]
    assert names(completer.complete("", "地図", k=1)) == ["map"]


NOTHING = [None, "", " \u200b", float("nan"), np.nan, pd.NA, pd.NaT, [], [None, ""]]
SAME_SESSIONS = [
    ["Milk Jug", "BREAD"],
    ("milk jug", "bread"),
    np.array(["\uff4d\uff49lk jug", "bread"]),
    np.array(["milk  jug", " bread"], dtype=object),
    pd.Series(["milk jug", "bread"], index=[7, 3]),
    pd.Index(["milk jug", "bread"]),
    pd.array(["milk jug", None, "bread"], dtype="string"),
    ["milk jug", float("nan"), "bread", pd.NA],
]


@pytest.mark.parametrize("kind", ["popular", "bigram", "counts", "all"])
@pytest.mark.parametrize("previous", NOTHING, ids=repr)
def test_a_missing_session_is_none(kind, previous):
    completer = fitted(kind)
    assert completer.complete("t", previous) == completer.complete("t")
    batch = completer.complete_batch(["t", "t"], [previous, "milk"])
    assert batch == [completer.complete("t"), completer.complete("t", "milk")]
    learned = clone(COMPLETERS[kind]).fit([previous, *LOG[0]], ["tea", *LOG[1]])
    expected = clone(COMPLETERS[kind]).fit([None, *LOG[0]], ["tea", *LOG[1]])
    assert learned.complete("t", "milk") == expected.complete("t", "milk")


@pytest.mark.parametrize("kind", ["bigram", "counts", "all"])
@pytest.mark.parametrize("previous", SAME_SESSIONS, ids=lambda one: type(one).__name__)
def test_sessions_of_any_container_are_normalised_as_queries(kind, previous):
    completer = fitted(kind)
    expected = completer.complete("t", ["milk jug", "bread"])
    assert expected != completer.complete("t")
    assert completer.complete("t", previous) == expected
    assert completer.complete_batch(["t"], [previous]) == [expected]
    assert completer.complete("t", iter(previous)) == expected
    learned = clone(COMPLETERS[kind]).fit([previous, *LOG[0]], ["tin 1", *LOG[1]])
    first = clone(COMPLETERS[kind]).fit(
        [["milk jug", "bread"], *LOG[0]], ["tin 1", *LOG[1]]
    )
    assert learned.complete("t", "bread") == first.complete("t", "bread")
