"""TextRetriever with label texts: search by the model and by words together."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skxmr import (
    KMeansTree,
    LabelTexts,
    LexicalRanker,
    NeighborRanker,
    TextRetriever,
    XRLinearClassifier,
)
from skxmr._fusion._evidence import FEATURES
from skxmr._fusion._log_linear import LogLinear
from skxmr.retrieval import _fused_fitting
from skxmr.retrieval._held_out import HeldOut
from skxmr.retrieval._retriever import FusedExplanation

ADJECTIVES = ["red", "green", "blue", "small", "large"]
ADJECTIVES += ["round", "flat", "soft", "hard", "old"]
NOUNS = ["apple", "table", "chair", "lamp", "phone"]
NOUNS += ["cable", "shirt", "bottle", "guitar", "bicycle"]
NAMES = [f"{adjective} {noun}" for noun in NOUNS for adjective in ADJECTIVES]


def make_queries(n_texts, seed=0):
    """Queries of one of the two words of a name and a word that tells the other."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(NAMES), n_texts)
    texts = []
    for label in labels:
        adjective, noun = NAMES[label].split()
        code = f"like{ADJECTIVES.index(adjective)}"
        texts.append(f"{code} {noun} {random.integers(0, 10**6)}")
    return texts, labels


@pytest.fixture(scope="module")
def learned():
    texts, labels = make_queries(1200)
    return TextRetriever(random_state=0).fit(texts, labels, label_texts=NAMES)


@pytest.fixture(scope="module")
def small():
    texts, labels = make_queries(150)
    Y = sparse.csr_array(
        (np.ones(150), labels, np.arange(151)), shape=(150, len(NAMES))
    )
    return TextRetriever(random_state=0).fit(texts, Y, label_texts=NAMES)


@pytest.fixture(scope="module", params=["learned", "small"])
def retriever(request):
    return request.getfixturevalue(request.param)


def test_weights_are_learned_from_enough_texts(learned, small):
    default = dict(zip(FEATURES, LogLinear.default().weights.tolist(), strict=True))
    assert set(learned.fusion_weights_) == set(FEATURES)
    assert learned.fusion_weights_ != default
    assert small.fusion_weights_ == default


def test_fused_search_finds_what_either_finds(learned):
    texts, labels = make_queries(300, seed=1)
    assert np.mean(learned.rank(texts, 1)[0][:, 0] == labels) > 0.9
    by_name = learned.rank(NAMES, 1)[0][:, 0]
    assert (by_name == np.arange(len(NAMES))).all()
    misspelt = [name.replace("t", "tt", 1) for name in NAMES]
    model = clone(learned).set_params(fusion=None).fit(*make_queries(1200))
    assert np.mean(model.rank(misspelt, 1)[0][:, 0] == np.arange(len(NAMES))) < 0.5
    assert np.mean(learned.rank(misspelt, 1)[0][:, 0] == np.arange(len(NAMES))) > 0.8


def test_search_is_a_row_of_the_ranking(retriever):
    texts = [*make_queries(40, seed=2)[0], "aple", "red", "", "zzzz"]
    columns, scores = retriever.rank(texts, 7)
    for text, row, of_row in zip(texts, columns, scores, strict=True):
        found = retriever.search(text, 7)
        kept = row[row >= 0]
        assert [label for label, _, _ in found] == retriever.classes_[kept].tolist()
        assert [name for _, name, _ in found] == [NAMES[column] for column in kept]
        assert [score for _, _, score in found] == of_row[row >= 0].tolist()
    assert (columns[-2:] == -1).all()
    assert not scores[-2:].any()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_fits_and_searches_do_not_depend_on_threads(learned):
    texts = make_queries(600, seed=3)[0]
    parallel = clone(learned).set_params(n_jobs=2)
    parallel.fit(*make_queries(1200), label_texts=NAMES)
    assert parallel.fusion_weights_ == learned.fusion_weights_
    for one, other in zip(parallel.rank(texts), learned.rank(texts), strict=True):
        np.testing.assert_array_equal(one, other)


def test_model_alone_takes_effect_at_once(small):
    alone = pickle.loads(pickle.dumps(small)).set_params(fusion=None)
    texts = make_queries(20, seed=4)[0]
    X = alone.vectorizer_.transform(texts)
    expected = alone.classifier_.rank(X, 5)
    for one, other in zip(alone.rank(texts, 5), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(AttributeError, match="fitted without lexical_ranker"):
        _ = TextRetriever().fit(["a b", "c d"], [0, 1]).lexical_ranker_


def test_parameters_of_the_lexical_search_take_effect_at_once(small):
    changed = pickle.loads(pickle.dumps(small))
    changed.set_params(lexical_ranker=LexicalRanker(correct_spelling=False))
    word = "biccycle"
    assert small.lexical_ranker_.rank_one(word, 1)[0][0] >= 0
    assert small.explain(word, 90).lexical.terms
    assert not changed.explain(word, 90).lexical.terms


def test_restricted_searches(retriever):
    text = "red apple"
    some = [3, 7, 50]
    subset = retriever.subset(some)
    for allowed in (some, subset, np.isin(np.arange(len(NAMES)), some)):
        found = retriever.search(text, 10, allowed=allowed)
        assert {label for label, _, _ in found} <= set(some)
        assert found == retriever.search(text, 10, allowed=some)
    assert 0 not in [one for one, _, _ in retriever.search(text, 100, excluded=[0])]
    columns, _ = retriever.search_batch([text], 3, allowed=subset)
    assert set(columns[0].tolist()) <= {*some, -1}
    other = pickle.loads(pickle.dumps(retriever))
    with pytest.raises(ValueError, match="made by another estimator"):
        other.search(text, allowed=subset)
    alone = retriever.set_params(fusion=None)
    try:
        found = alone.search(text, 10, allowed=subset)
    finally:
        retriever.set_params(fusion="learned")
    assert {label for label, _, _ in found} <= set(some)


def test_pages_are_parts_of_one_ranking(retriever):
    text = "red apple like3 lamp"
    everything = retriever.search(text, 12)
    assert retriever.search(text, 4, offset=8) == everything[8:12]
    assert retriever.search(text, 4, offset=10**6) == []
    bound = everything[2][2]
    assert retriever.search(text, 12, min_score=bound) == everything[:3]
    columns, scores = retriever.search_batch([text, "zzzz"], 12, min_score=bound)
    assert (columns[0, 3:] == -1).all()
    assert not scores[0, 3:].any()
    assert (columns[1] == -1).all()
    columns, _ = retriever.search_batch([text], 6, offset=98)
    assert columns.shape == (1, 6)
    assert (columns[0, 2:] == -1).all()


def test_label_weights_multiply_scores(retriever):
    text, weights = "red apple", np.ones(len(NAMES))
    plain = retriever.search(text, 5)
    assert retriever.search(text, 5, label_weights=weights * 2) == [
        (label, name, 2 * score) for label, name, score in plain
    ]
    weights[0] = 0
    found = retriever.search(text, 4, label_weights=weights)
    assert found == [one for one in plain if one[0] != 0][:4]
    columns, _ = retriever.rank([text] * 2, 4, label_weights=weights)
    assert columns.tolist() == [[label for label, _, _ in found]] * 2


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        ({"offset": -1}, ValueError),
        ({"offset": 1.5}, TypeError),
        ({"min_score": -0.1}, ValueError),
        ({"min_score": float("nan")}, ValueError),
        ({"min_score": "high"}, TypeError),
        ({"label_weights": [1.0]}, ValueError),
        ({"label_weights": [-1.0] * len(NAMES)}, ValueError),
    ],
)
def test_invalid_arguments_are_named(small, argument, error):
    (name,) = argument
    for search in (small.search, lambda text, **more: small.rank([text], **more)):
        with pytest.raises(error, match=name):
            search("apple", **argument)


def test_explanation_is_of_the_score_of_the_search(retriever):
    text = "small aple"
    for label, name, score in retriever.search(text, 3):
        why = retriever.explain(text, label)
        assert isinstance(why, FusedExplanation)
        assert (why.label, why.name) == (label, name)
        assert why.score == pytest.approx(score)
        weights = {one.name: one.weight for one in why.features}
        assert weights == retriever.fusion_weights_
        values = {one.name: one.value for one in why.features}
        by_field = np.array([values["text"], values["training"]])
        weights = retriever.lexical_ranker_.field_weights
        assert by_field @ weights == pytest.approx(why.lexical.score, rel=1e-5)
        for part in ("similarity", "level 1", "words:"):
            assert part in str(why)
    sums = [
        sum(one.score for one in retriever.explain(text, label).features)
        for label, _, _ in retriever.search(text, 10)
    ]
    assert sums == sorted(sums, reverse=True)


def test_without_training_texts():
    retriever = TextRetriever().fit([], np.zeros((0, 100)), label_texts=NAMES)
    for query in ("blue guitar", "guitar, blue", "blue guitr"):
        assert retriever.search(query)[0][1] == "blue guitar"
    assert retriever.search("zzzz") == []
    assert "log_count" in retriever.fusion_weights_
    texts = LabelTexts({name: name for name in NAMES})
    of_classes = TextRetriever().fit([], np.array([], dtype=str), label_texts=texts)
    assert of_classes.search("blue guitar")[0][0] == "blue guitar"
    assert of_classes.predict(["blue guitar"]).tolist() == ["blue guitar"]


def test_predictions_are_those_of_the_ranking(small, learned):
    texts = make_queries(30, seed=5)[0]
    scores = small.predict_proba(texts)
    assert sparse.issparse(scores)
    assert scores.dtype == np.float32
    columns, best = small.rank(texts, 3)
    rows = np.arange(30)[:, np.newaxis]
    np.testing.assert_allclose(scores.toarray()[rows, columns], best, rtol=1e-6)
    assert (small.predict(texts) != (scores > 0.5)).nnz == 0
    of_classes = learned.predict_proba(texts)
    np.testing.assert_allclose(of_classes.sum(axis=1), 1)
    best = learned.classes_[learned.rank(texts, 1)[0][:, 0]]
    np.testing.assert_array_equal(learned.predict(texts), best)


def test_any_classifier_with_rank_can_be_fused():
    texts, labels = make_queries(150)
    names = LabelTexts(dict(enumerate(NAMES)))
    model = TextRetriever(classifier=NeighborRanker(), label_text_weight=1.0)
    model.fit(texts, labels, label_texts=names)
    assert model.search("blue guitar")[0][1] == "blue guitar"
    assert model.search("blue guitar") == model.search("blue guitar", excluded=[])
    assert model.explain("blue guitar", 82).model is None


def test_did_you_mean(small):
    assert small.did_you_mean("blue guitr") == "blue guitar"
    assert small.did_you_mean("blue guitar") is None
    with pytest.raises(NotFittedError):
        TextRetriever().did_you_mean("a")
    without = TextRetriever().fit(["a b", "c d"], [0, 1])
    with pytest.raises(ValueError, match="label_texts"):
        without.did_you_mean("a")


def test_held_out_texts_are_distinct_and_have_searchable_labels():
    texts = [f"text {row % 1000}" for row in range(1500)]
    Y = sparse.csr_array(np.eye(4)[np.arange(1500) % 4], dtype=np.float32)
    has_text = np.array([True, True, True, False])
    held_out = HeldOut.draw(texts, Y, has_text, seed=0)
    assert len(held_out.texts) == len(set(held_out.texts)) == 250
    left = {text for text, kept in zip(texts, held_out.is_kept, strict=True) if kept}
    assert not left & set(held_out.texts)
    assert [texts[row] for row in held_out.rows] == held_out.texts
    assert not held_out.Y[:, [3]].nnz
    both = next(row for row, text in enumerate(held_out.texts) if int(text[5:]) < 500)
    assert held_out.Y[[both]].nnz == len({int(held_out.texts[both][5:]) % 4})
    again = HeldOut.draw(texts, Y, has_text, seed=0)
    assert again.texts == held_out.texts
    assert HeldOut.draw(texts[:799], Y[:799], has_text, seed=0) is None
    assert HeldOut.draw(texts, Y, ~has_text, seed=0) is not None
    assert HeldOut.draw(texts, Y, np.zeros(4, dtype=bool), seed=0) is None


def test_classifier_lacks_a_negligible_share_of_rows():
    """With many rows, the classifier is fitted once."""

    class Counting(XRLinearClassifier):
        fits = 0

        def fit(self, X, y, *, relevance=None):
            Counting.fits += 1
            return super().fit(X, y, relevance=relevance)

    texts, labels = make_queries(900)
    TextRetriever(classifier=Counting()).fit(texts, labels, label_texts=NAMES)
    assert Counting.fits == 2
    many = [[f"{name} {i}" for i in range(300)] for name in NAMES]
    TextRetriever(classifier=Counting()).fit(texts, labels, label_texts=many)
    assert Counting.fits == 3


def test_a_default_tree_of_very_many_labels_is_narrower(monkeypatch):
    monkeypatch.setattr(_fused_fitting, "_MOST_IN_WIDE_TREE", len(NAMES) - 1)
    texts, labels = make_queries(150)
    names = LabelTexts(dict(enumerate(NAMES)))
    for classifier in (None, XRLinearClassifier()):
        retriever = TextRetriever(classifier=classifier)
        retriever.fit(texts, labels, label_texts=names)
        assert retriever.classifier is classifier
        indexer = retriever.classifier_.indexer
        assert (indexer.branching_factor, indexer.max_iter) == (512, 5)
        assert retriever.classifier_.tol == 0.3
    own = XRLinearClassifier(tol=0.2)
    retriever = TextRetriever(classifier=own).fit(texts, labels, label_texts=names)
    assert retriever.classifier_.indexer.branching_factor == 512
    assert retriever.classifier_.tol == 0.2
    own = XRLinearClassifier(indexer=KMeansTree())
    retriever = TextRetriever(classifier=own).fit(texts, labels, label_texts=names)
    assert retriever.classifier_.indexer.branching_factor == 1024
    monkeypatch.setattr(_fused_fitting, "_MOST_IN_WIDE_TREE", len(NAMES))
    retriever = TextRetriever().fit(texts, labels, label_texts=names)
    assert retriever.classifier_.indexer is None


def test_field_weights_of_the_user_are_kept(learned):
    ranker = LexicalRanker(field_weights=(2.0, 0.5))
    own = clone(learned).set_params(lexical_ranker=ranker)
    own.fit(*make_queries(1200), label_texts=NAMES)
    assert own.lexical_ranker_.field_weights == (2.0, 0.5)
    assert learned.lexical_ranker_.field_weights in ((1, 1), (1, 0.3), (1, 0))
    assert learned.lexical_ranker is None
    with pytest.raises(ValueError, match="lexical_ranker"):
        own.set_params(lexical_ranker="BM25").fit(*make_queries(9))


def test_all_candidates_are_weighed():
    names = [f"thing{number} sofa" for number in range(1000)]
    retriever = TextRetriever().fit([], np.zeros((0, 1000)), label_texts=names)
    candidates = sparse.csr_array(retriever.predict_proba(["sofa thing7"]))
    assert candidates.nnz > 100
    worst = candidates.indices[candidates.data.argmin()]
    weights = np.full(1000, 1e-6)
    weights[worst] = 1
    (found, *_) = retriever.search("sofa thing7", 3, label_weights=weights)
    assert found[0] == worst


def test_candidates_have_the_same_scores_however_many_are_returned(learned):
    text = "green apple"
    few = learned.search(text, 3)
    assert learned.search(text, 50)[:3] == few
    stored = learned.predict_proba([text])
    for column, _, score in few:
        assert stored[0, column] == pytest.approx(score, rel=1e-6)


# Propensities


@pytest.mark.parametrize("exponent", [0.5, 2])
def test_scores_are_weighed_by_a_power_of_the_counts(retriever, exponent):
    weighed = pickle.loads(pickle.dumps(retriever))
    weighed.set_params(propensity_weight=exponent)
    text = make_queries(1, seed=3)[0][0]
    columns, _ = weighed.rank([text], len(NAMES))
    found = columns[0][columns[0] >= 0].tolist()
    sums = []
    for column in found:
        before, after = (
            {one.name: one for one in each.explain(text, column).features}
            for each in (retriever, weighed)
        )
        total = sum(one.score for one in before.values())
        log_count = before["log_count"].value
        total -= 0.55 * exponent * log_count
        sums.append(total)
        np.testing.assert_allclose(sum(one.score for one in after.values()), total)
    assert len(found) > 20
    assert (np.diff(sums) <= 1e-9).all()
    np.testing.assert_array_equal(
        [column for column, _, _ in weighed.search(text, 5)], found[:5]
    )


def test_propensities_know_of_later_texts(small):
    texts, _ = make_queries(1, seed=4)
    weighed = pickle.loads(pickle.dumps(small)).set_params(propensity_weight=3.0)
    columns, _ = weighed.rank(texts, 2)
    Y = np.zeros((40, len(NAMES)), dtype=int)
    Y[:, columns[0, 0]] = 1
    weighed.partial_fit(["entirely different words"] * 40, Y)
    assert weighed.rank(texts, 2)[0][0, 0] == columns[0, 1]
