"""TextRetriever with an encoder: embeddings beside the model and the words."""

import pickle

import joblib
import numpy as np
import pytest
from encoders import Recorded, encode
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

import skxmr
from skxmr import LabelTexts, NeighborRanker, TextRetriever
from skxmr._embeddings import _codes, _label_embeddings
from skxmr._embeddings._label_embeddings import LabelEmbeddings
from skxmr._fusion._evidence import ALL_FEATURES, FEATURES
from skxmr._fusion._log_linear import LogLinear

MEANINGS = {
    "sofa": "couch",
    "lamp": "light",
    "rug": "carpet",
    "cup": "mug",
    "bin": "trash",
    "robe": "gown",
}
COLOURS = [f"colour{letter}" for letter in "abcdefghijklmnop"]
NAMES = [f"{colour} {noun}" for colour in COLOURS for noun in MEANINGS]
N_LABELS = len(NAMES)


def encode_meanings(texts):
    """An encoder that knows synonyms."""
    for noun, synonym in MEANINGS.items():
        texts = [text.replace(synonym, noun) for text in texts]
    return encode(texts)


def encode_labels(texts):
    """As it encodes texts, but for the case of letters."""
    return encode_meanings([text.lower() for text in texts])


def make_queries(n_texts, seed=0):
    """Queries of the colour of a label, a synonym of its noun and a number."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, N_LABELS, n_texts)
    texts = []
    for label in labels.tolist():
        colour, noun = NAMES[label].split()
        texts.append(f"{colour} {MEANINGS[noun]}ish {random.integers(0, 10**6)}")
    return texts, labels


@pytest.fixture(scope="module")
def learned():
    retriever = TextRetriever(random_state=0, encoder=encode_meanings)
    return retriever.fit(*make_queries(1200), label_texts=NAMES)


def fit_to_few(retriever):
    """Fit to so few texts that the weights of the features are the default."""
    texts, labels = make_queries(60)
    Y = sparse.csr_array(
        (np.ones(60), labels, np.arange(61)), shape=(60, N_LABELS), dtype=np.int32
    )
    return retriever.fit(texts, Y, label_texts=NAMES)


@pytest.fixture(scope="module")
def small():
    return fit_to_few(TextRetriever(random_state=0, encoder=encode_meanings))


@pytest.fixture(scope="module", params=["learned", "small"])
def retriever(request):
    return request.getfixturevalue(request.param)


def test_cosine_is_one_of_the_features(learned, small):
    assert tuple(learned.fusion_weights_) == ALL_FEATURES
    assert learned.fusion_weights_["cosine"] > 0
    default = LogLinear.default(ALL_FEATURES).by_feature
    assert small.fusion_weights_ == default
    plain = TextRetriever().fit([], np.zeros((0, N_LABELS)), label_texts=NAMES)
    assert tuple(plain.fusion_weights_) == FEATURES


def test_embeddings_find_what_words_cannot():
    empty = np.zeros((0, N_LABELS))
    words = TextRetriever().fit([], empty, label_texts=NAMES)
    both = TextRetriever(encoder=encode_meanings).fit([], empty, label_texts=NAMES)
    for colour in COLOURS:
        for noun, synonym in MEANINGS.items():
            assert both.search(f"{colour} {synonym}", 1)[0][1] == f"{colour} {noun}"
    assert words.search("couch") == []
    found = both.search("couch", len(COLOURS))
    assert {name.split()[1] for _, name, _ in found} == {"sofa"}
    assert both.search("couch", min_score=1.0) == []
    assert both.did_you_mean("sofe") == "sofa"


def test_search_is_a_row_of_the_ranking(retriever):
    texts = [*make_queries(40, seed=2)[0], "couch", "", "zzzz", " \n"]
    columns, scores = retriever.rank(texts, 7)
    for text, row, of_row in zip(texts, columns, scores, strict=True):
        found = retriever.search(text, 7)
        kept = row[row >= 0]
        assert [label for label, _, _ in found] == retriever.classes_[kept].tolist()
        assert [score for _, _, score in found] == of_row[row >= 0].tolist()
    assert (columns[[-3, -1]] == -1).all()
    assert (columns[-2] >= 0).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_fits_and_searches_do_not_depend_on_threads(learned):
    texts = make_queries(900, seed=3)[0]
    parallel = clone(learned).set_params(n_jobs=2)
    parallel.fit(*make_queries(1200), label_texts=NAMES)
    assert parallel.fusion_weights_ == learned.fusion_weights_
    for one, other in zip(parallel.rank(texts), learned.rank(texts), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_texts", [60, 1200])
def test_without_the_encoder_nothing_tells_that_there_was_one(learned, small, n_texts):
    fitted = small if n_texts == 60 else learned
    without = pickle.loads(pickle.dumps(fitted)).set_params(encoder=None)
    texts, y = make_queries(n_texts)
    if fitted is small:
        y = sparse.csr_array(
            (np.ones(60), y, np.arange(61)), shape=(60, N_LABELS), dtype=np.int32
        )
    plain = TextRetriever(random_state=0).fit(texts, y, label_texts=NAMES)
    assert without.fusion_weights_ == plain.fusion_weights_
    texts = [*make_queries(50, seed=4)[0], "couch", "zzzz"]
    for one, other in zip(without.rank(texts), plain.rank(texts), strict=True):
        np.testing.assert_array_equal(one, other)
    assert without.explain("sofa", 0) == plain.explain("sofa", 0)
    alone = pickle.loads(pickle.dumps(fitted)).set_params(fusion=None)
    X = alone.vectorizer_.transform(texts)
    expected = alone.classifier_.rank(X, 5)[0]
    has_terms = np.diff(X.indptr) > 0
    np.testing.assert_array_equal(
        alone.rank(texts, 5)[0][has_terms], expected[has_terms]
    )


def test_another_encoder_takes_effect_at_once(small):
    changed = pickle.loads(pickle.dumps(small)).set_params(encoder=encode)
    assert changed.search("couch") != small.search("couch")
    changed.set_params(encoder=lambda texts: encode(texts)[:, :7])
    message = r"encoder returned vectors of length 7; expected .* \(n_texts, 48\)"
    for search in (changed.search, lambda text: changed.rank([text])):
        with pytest.raises(ValueError, match=message):
            search("couch")
    with pytest.raises(ValueError, match="encoder"):
        changed.set_params(encoder=3).rank(["couch"])


def test_an_exact_search_of_embeddings_reads_no_codes(monkeypatch, small, learned):
    class CodesAreReadError(Exception):
        pass

    def refuse(embeddings):
        raise CodesAreReadError

    retriever = make_coded(monkeypatch, small)
    monkeypatch.setattr(LabelEmbeddings, "coded_searcher", property(refuse))
    texts = ["couch", "a light", "mugs"]
    with pytest.raises(CodesAreReadError):
        retriever.rank(texts, 20)
    retriever.set_params(encoder_search="exact")
    for found, wanted in zip(
        retriever.rank(texts, 20), small.rank(texts, 20), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    exact = clone(learned).set_params(encoder_search="exact")
    exact.fit(*make_queries(1200), label_texts=NAMES)
    assert exact.fusion_weights_ == learned.fusion_weights_
    retriever.set_params(encoder_search="all")
    with pytest.raises(ValueError, match="'encoder_search' parameter of TextRetriever"):
        retriever.search("couch")


def make_coded(monkeypatch, retriever):
    """Fit a copy whose few embeddings have codes, which choose some of them."""
    monkeypatch.setattr(_codes, "LEAST_CODED", 1)
    monkeypatch.setattr(_label_embeddings, "_LEAST_SAVING", 0.1)
    return fit_to_few(clone(retriever))


def test_restricted_searches(retriever):
    text, some = "couch", [3, 7, 50]
    subset = retriever.subset(some)
    for allowed in (some, subset, np.isin(np.arange(N_LABELS), some)):
        found = retriever.search(text, 10, allowed=allowed)
        assert {label for label, _, _ in found} == set(some)
    best = retriever.search(text, 1)[0][0]
    assert best not in [
        one for one, _, _ in retriever.search(text, 96, excluded=[best])
    ]


def test_pages_are_parts_of_one_ranking(retriever):
    everything = retriever.search("couch", 12)
    assert retriever.search("couch", 4, offset=8) == everything[8:12]
    bound = everything[2][2]
    kept = [one for one in everything if one[2] >= bound]
    assert retriever.search("couch", 12, min_score=bound) == kept


def test_label_weights_multiply_scores_and_choose_candidates():
    names = [f"thing{number} sofa" for number in range(1000)]
    retriever = TextRetriever(encoder=encode_meanings)
    retriever.fit([], np.zeros((0, 1000)), label_texts=names)
    weights = np.full(1000, 1e-6)
    ranked = retriever.search_batch(["couch"], 1000)[0][0]
    last = int(ranked[ranked >= 0][-1])
    weights[last] = 1
    (label, _, score), *_ = retriever.search("couch", 3, label_weights=weights)
    assert label == last
    assert 0 < score <= 1
    columns, _ = retriever.rank(["couch"], 3, label_weights=weights)
    assert columns[0, 0] == last
    weights[last] = 0
    assert last not in retriever.rank(["couch"], 1000, label_weights=weights)[0]


def test_explanation_shows_the_cosine(retriever):
    text = "coloura couch"
    for label, name, score in retriever.search(text, 3):
        why = retriever.explain(text, label)
        assert (why.label, why.name) == (label, name)
        assert why.score == pytest.approx(score)
        assert {one.name: one.weight for one in why.features} == (
            retriever.fusion_weights_
        )
        values = {one.name: one.value for one in why.features}
        units = encode_meanings([text, *NAMES])
        units /= np.linalg.norm(units, axis=1, keepdims=True)
        mean = units[1:].mean(axis=0)
        expected = units[0] @ (units[1 + label] - mean) / (1 - mean @ mean)
        assert values["cosine"] == pytest.approx(expected, abs=5e-3)
        assert "cosine" in str(why)


def test_predictions_are_those_of_the_ranking(small, learned):
    texts = make_queries(30, seed=5)[0]
    scores = small.predict_proba(texts)
    columns, best = small.rank(texts, 3)
    rows = np.arange(30)[:, np.newaxis]
    np.testing.assert_allclose(scores.toarray()[rows, columns], best, rtol=1e-6)
    np.testing.assert_allclose(learned.predict_proba(texts).sum(axis=1), 1)
    best = learned.classes_[learned.rank(texts, 1)[0][:, 0]]
    np.testing.assert_array_equal(learned.predict(texts), best)


def test_labels_and_texts_are_encoded_as_seldom_as_possible():
    of_texts, of_labels = Recorded(encode_meanings), Recorded(encode_labels)
    retriever = TextRetriever(
        random_state=0, encoder=of_texts, encoder_labels=of_labels
    )
    names = LabelTexts({label: (name, "Sofa") for label, name in enumerate(NAMES)})
    texts, labels = make_queries(1200)
    retriever.fit(texts, labels, label_texts=names)
    assert of_labels.calls == [[f"{name} Sofa" for name in NAMES]]
    assert of_texts.calls[0] == texts[:1]
    held_out = [text for call in of_texts.calls[1:] for text in call]
    assert len(held_out) == len(set(held_out)) == 300
    assert set(held_out) <= set(texts)
    of_texts.calls.clear()
    retriever.search("couch")
    assert of_texts.calls == [["couch"]]
    retriever.rank(["sofa", "", "lamp"])
    assert of_texts.calls[1:] == [["sofa", "lamp"]]
    retriever.rank([f"sofa {number}" for number in range(300)])
    assert list(map(len, of_texts.calls[2:])) == [256, 44]
    assert len(of_labels.calls) == 1


def test_a_memory_saves_encoding_label_texts_again(tmp_path):
    counted = Recorded(encode)
    memory = joblib.Memory(tmp_path, verbose=0)

    def encode_and_count(texts):
        return counted(texts)

    cached = memory.cache(encode_and_count)
    retriever = TextRetriever(encoder=encode, encoder_labels=cached)
    for _ in range(2):
        retriever.fit([], np.zeros((0, N_LABELS)), label_texts=NAMES)
    assert counted.calls == [NAMES]


def test_transformers_are_encoders():
    svd = make_pipeline(
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 3), n_features=2**10),
        TruncatedSVD(16, random_state=0),
    )
    empty = np.zeros((0, N_LABELS))
    unfitted = TextRetriever(encoder=svd)
    with pytest.raises(NotFittedError, match="encoder is a Pipeline that is not"):
        unfitted.fit([], empty, label_texts=NAMES)
    assert not hasattr(unfitted, "classes_")
    svd.fit(NAMES)
    frozen = TextRetriever(encoder=FrozenEstimator(svd))
    for retriever in (TextRetriever(encoder=svd), frozen, clone(frozen)):
        retriever.fit([], empty, label_texts=NAMES)
        assert retriever.search("colourb robes", 1)[0][1] == "colourb robe"
    with pytest.raises(NotFittedError, match="encoder is a Pipeline that is not"):
        clone(unfitted).fit([], empty, label_texts=NAMES)


def test_a_failed_fit_changes_nothing(small):
    fitted = pickle.loads(pickle.dumps(small))
    before = fitted.search("couch")
    for broken, error in (
        (lambda texts: np.ones(len(texts)), "encoder_labels returned an array"),
        (lambda texts: encode(texts)[:, 1:], "encoder returned vectors of length 48"),
        (lambda texts: np.full((len(texts), 48), np.nan), "encoder_labels .* NaN"),
    ):
        fitted.set_params(encoder_labels=broken)
        with pytest.raises(ValueError, match=error):
            fitted.fit(["a", "b"], [0, 1], label_texts=["c", "d"])
    assert fitted.search("couch") == before
    with pytest.raises(ValueError, match="encoder_labels"):
        fitted.set_params(encoder_labels="e5").fit([], [], label_texts=[])


def test_errors_of_the_encoder_pass(small):
    def failing(_):
        raise LookupError("no such model")

    broken = pickle.loads(pickle.dumps(small)).set_params(encoder=failing)
    for search in (broken.search, lambda text: broken.rank([text])):
        with pytest.raises(LookupError, match="no such model"):
            search("couch")


def test_labels_without_text_are_neutral():
    texts = ["coloura couch", "xyz", "xyz couch"]
    names = {0: "sofa", 1: "", 2: "lamp"}
    retriever = TextRetriever(encoder=encode_meanings)
    retriever.fit(texts, [0, 1, 1], label_texts=LabelTexts(names))
    assert retriever.search("xyz", 1)[0][0] == 1
    values = {one.name: one.value for one in retriever.explain("xyz", 1).features}
    assert values["cosine"] == 0
    without = TextRetriever(encoder=encode_meanings)
    without.fit(texts, [0, 1, 1], label_texts=LabelTexts({}))
    assert tuple(without.fusion_weights_) == FEATURES


def test_an_encoder_without_use():
    """Without label texts, or without fusion, there is nothing to compare with."""
    recorded = Recorded(encode)
    texts, labels = make_queries(20)
    names = LabelTexts(dict(enumerate(NAMES)))
    model = TextRetriever(encoder=recorded).fit(texts, labels)
    alone = TextRetriever(encoder=recorded, fusion=None)
    alone.fit(texts, labels, label_texts=names)
    for retriever in (model, alone, alone.set_params(fusion="learned")):
        assert retriever.search(texts[0])
        with pytest.raises(AttributeError, match="fitted without"):
            _ = retriever.fusion_weights_
    assert recorded.calls == []


def test_any_classifier_with_rank_can_be_fused():
    texts, labels = make_queries(60)
    names = LabelTexts(dict(enumerate(NAMES)))
    retriever = TextRetriever(classifier=NeighborRanker(), encoder=encode_meanings)
    retriever.fit(texts, labels, label_texts=names)
    assert retriever.search("colourc couch")[0][1] == "colourc sofa"


def test_saving(small, tmp_path):
    skxmr.persistence.save(small, tmp_path / "model")
    loaded = skxmr.persistence.load(tmp_path / "model", mmap_mode="r")
    vectors = loaded._state.fusion.evidence.embeddings.vectors
    assert isinstance(vectors, np.memmap)
    assert vectors.dtype == np.float16
    skxmr.persistence.check_arrays(loaded)
    for text in ("couch", "coloura lamp", "zzzz"):
        assert loaded.search(text) == small.search(text)
    loaded.fit([], np.zeros((0, N_LABELS)), label_texts=NAMES)
    unpicklable = pickle.loads(pickle.dumps(small)).set_params(encoder=lambda t: t)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(unpicklable)
    later = pickle.loads(pickle.dumps(unpicklable.set_params(encoder=None)))
    later.set_params(encoder=encode_meanings)
    assert later.search("couch") == small.search("couch")


def test_damaged_models_are_refused(small):
    def damaged(change):
        model = pickle.loads(pickle.dumps(small))
        change(model._state.fusion)
        with pytest.raises(ValueError, match="damaged"):
            pickle.loads(pickle.dumps(model))

    def fewer(fusion):
        embeddings = fusion.evidence.embeddings
        embeddings.vectors = embeddings.vectors[1:].copy()

    damaged(fewer)
    damaged(lambda fusion: vars(fusion.evidence).update(embeddings="none"))
    damaged(lambda fusion: vars(fusion.evidence).update(embeddings=None))
    damaged(lambda fusion: vars(fusion).update(with_embeddings=None))
    damaged(lambda fusion: vars(fusion).update(with_embeddings=fusion.log_linear))
