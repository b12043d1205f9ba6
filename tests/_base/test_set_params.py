"""Parameters that are set after fit: those of prediction act at once, others wait."""

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.utils._param_validation import InvalidParameterError
from twins import random_sparse

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
from skxmr.baselines import BigramCompleter, PopularCompleter

N_LABELS = 12
RNG = np.random.default_rng(0)
X = random_sparse(RNG, (80, 20), density=0.4)
Y = sparse.csr_array(
    (np.ones(160), (np.repeat(np.arange(80), 2), RNG.integers(0, N_LABELS, 160)))
)
Y = sparse.csr_array(Y > 0, dtype=np.int8)
CLASSES = np.array([f"label {i}" for i in range(N_LABELS)])[np.arange(80) % N_LABELS]
TEXTS = [
    " ".join(f"word{column}" for column in row.nonzero()[0]) for row in X.toarray()
]


def linear(**parameters):
    defaults = {"indexer": KMeansTree(2, 2), "C": 0.5, "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


def fused(*prefix):
    return RankFusion([("linear", linear()), ("near", NeighborRanker())])


def answers(model, data):
    if hasattr(model, "complete"):
        return [model.complete(typed, TEXTS[0], 20) for typed in ("", "word1", "wrod")]
    columns, scores = skxmr.rank(model, data, N_LABELS)
    found = [columns.tolist(), scores.tolist()]
    for method in ("predict", "predict_proba"):
        if hasattr(model, method):
            matrix = getattr(model, method)(data)
            matrix = matrix.toarray() if sparse.issparse(matrix) else matrix
            found.append(matrix.tolist())
    if isinstance(model, LexicalRanker):
        one = [model.rank_one(text, N_LABELS) for text in data]
        assert [row.tolist() for row, _ in one] == found[0]
        found += [str(model.explain(data[-1], one)) for one in model.classes_]
    if hasattr(model, "search"):
        found.append([model.search(text, N_LABELS) for text in data[:5]])
    return found


# Each model, its data, and parameters that change its answers.
OF_LINEAR = [{"beam_width": 1}, {"score_transform": "sigmoid"}]
OF_FUSION = [
    {"method": "reciprocal_rank"},
    {"weights": [0.9, 0.1]},
    {"n_candidates": 2},
    {"linear__beam_width": 1},
    {"linear__score_transform": "sigmoid"},
    {"near__n_neighbors": 1},
]
MODELS = {
    "classifier": (linear(), (X, Y), [*OF_LINEAR, {"decision_threshold": 0.01}]),
    "ensemble": (linear(n_trees=2), (X, Y), [*OF_LINEAR, {"max_candidates": 2}]),
    "matcher": (
        linear(matcher=NeighborRanker(), matcher_level=2),
        (X, Y),
        [{"beam_width": 1}, {"matcher__n_neighbors": 1}],
    ),
    "linear matcher": (
        linear(matcher=linear(), matcher_level=2),
        (X, Y),
        [{"matcher__score_transform": "sigmoid"}],
    ),
    "ranker": (
        linear(ranker=linear(), indexer=KMeansTree(2, 6)),
        (X, Y),
        [{"ranker__score_transform": "sigmoid"}],
    ),
    "neighbors": (NeighborRanker(), (X, Y), [{"n_neighbors": 1}]),
    "lexical": (
        LexicalRanker(),
        (TEXTS, CLASSES),
        [
            {"correct_spelling": True},
            {"prefix": True},
            {"field_weights": [0.5]},
            {"n_candidates": 3},
        ],
    ),
    "lexical, of an indicator": (
        LexicalRanker(["word", "char"]),
        (TEXTS, Y),
        [{"decision_threshold": 0.9}, {"correct_spelling": True, "prefix": True}],
    ),
    "fusion": (fused(), (X, Y), OF_FUSION),
    "fusion of pipelines": (
        RankFusion(
            [
                ("one", make_pipeline(WordNgramTfidf(), linear())),
                ("other", make_pipeline(WordNgramTfidf(), NeighborRanker())),
            ]
        ),
        (TEXTS, CLASSES),
        [
            {"one__xrlinearclassifier__beam_width": 1},
            {"other__neighborranker__n_neighbors": 1},
        ],
    ),
    "reranker": (
        Reranker(linear(), LogisticRegression(), n_candidates=9, cv=2, random_state=0),
        (X, Y),
        [
            {"n_candidates": 3},
            {"decision_threshold": 0.1},
            {"ranker__beam_width": 1},
            {"ranker__score_transform": "sigmoid"},
        ],
    ),
    "reranker of a pipeline": (
        Reranker(make_pipeline(WordNgramTfidf(), fused()), LogisticRegression(), cv=2),
        (TEXTS, CLASSES),
        [{"ranker__rankfusion__linear__beam_width": 1, "n_candidates": 4}],
    ),
    "reranker by our classifier": (
        Reranker(linear(), linear(C=0.001), cv=2, random_state=0),
        (X, Y),
        [{"final_estimator__score_transform": "sigmoid"}],
    ),
    "retriever": (
        TextRetriever(classifier=linear()),
        (TEXTS, Y),
        [
            {f"classifier__{name}": value}
            for one in OF_LINEAR
            for name, value in one.items()
        ],
    ),
    "retriever by fusion": (
        TextRetriever(WordNgramTfidf(), fused()),
        (TEXTS, CLASSES),
        [
            {f"classifier__{name}": value}
            for one in OF_FUSION
            for name, value in one.items()
        ],
    ),
    "retriever by reranker": (
        TextRetriever(
            WordNgramTfidf(),
            Reranker(fused(), LogisticRegression(), cv=2, random_state=0),
        ),
        (TEXTS, CLASSES),
        [
            {"classifier__ranker__linear__beam_width": 1},
            {"classifier__ranker__near__n_neighbors": 1},
            {"classifier__n_candidates": 2},
        ],
    ),
    "pipeline": (
        make_pipeline(WordNgramTfidf(), linear()),
        (TEXTS, Y),
        [{"xrlinearclassifier__beam_width": 1}],
    ),
    "completer": (
        QueryCompleter(
            XRLinearClassifier(TrieTreeHybrid(1, 2, 2), max_iter=1000), random_state=0
        ),
        (TEXTS[::-1], TEXTS),
        [
            {"match": "fuzzy"},
            {"match": "fuzzy", "edit_weight": 0.5},
            {"classifier_weight": 0},
            {"popularity_weight": 50.0},
            {"decay": 0.9},
            {"classifier__beam_width": 1},
            {"classifier__score_transform": "sigmoid"},
        ],
    ),
}
changes = pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param(name, change, id=f"{name}-{'-'.join(change)}")
        for name, (_, _, all_changes) in MODELS.items()
        for change in all_changes
    ],
)
_fitted = {}


def fitted(name):
    """Return a copy of a model that is fitted once for all tests."""
    model, data, _ = MODELS[name]
    if name not in _fitted:
        _fitted[name] = pickle.dumps(clone(model).fit(*data))
    return pickle.loads(_fitted[name]), data


def asked(name):
    model, data = fitted(name)
    rows = data[0][:10]
    if name.startswith("lexical"):
        rows = [*rows, "wrod1 word1 word"]  # of words that are not known
    return model, rows


def one_by_one(model, change):
    """Set attributes of nested parameters without set_params."""
    for path, value in change.items():
        *stages, name = path.split("__")
        owner = model
        for stage in stages:
            owner = owner.get_params()[stage]
        setattr(owner, name, value)


@pytest.mark.parametrize("how", ["set_params", "attribute"])
@changes
def test_parameters_of_prediction_act_at_once(name, change, how):
    model, rows = asked(name)
    before = answers(model, rows)
    earlier = {path: model.get_params()[path] for path in change}
    if name == "completer" and "decay" in change:
        rows = None
        before = model.complete("", TEXTS[:2], 20)
        model.set_params(**change)
        assert model.complete("", TEXTS[:2], 20) != before
        return
    # As a model that has been fitted with them; fits do not depend on these.
    right = clone(model).set_params(**change)
    if how == "attribute":
        one_by_one(model, change)
    else:
        model.set_params(**change)
    changed = answers(model, rows)
    assert changed != before
    if not name.startswith("reranker") and "reranker" not in name:
        assert changed == answers(right.fit(*MODELS[name][1]), rows)
    loaded = pickle.loads(pickle.dumps(model))
    assert answers(loaded, rows) == changed
    model.set_params(**earlier)
    assert answers(model, rows) == before


@changes
def test_copies_with_parameters_of_their_own_share_what_was_learned(name, change):
    model, rows = asked(name)
    before = answers(model, rows)
    other = copy.copy(model)
    # The parameters of a shallow copy are those of the original, nested ones too.
    for stage, value in model.get_params(deep=False).items():
        if hasattr(value, "get_params") or isinstance(value, list):
            other.set_params(**{stage: clone(value, safe=False)})
    if isinstance(model, Pipeline):
        return
    other.set_params(**change)
    assert answers(model, rows) == before


TRAINING = {
    "classifier": {"C": 99.0, "threshold": 0.5, "n_trees": 7, "indexer": KMeansTree(4)},
    "retriever": {
        "classifier__C": 99.0,
        "classifier__threshold": 0.9,
        "classifier__indexer__branching_factor": 3,
        "label_text_weight": 9.0,
        "vectorizer": WordNgramTfidf(min_df=3),
    },
    "retriever by fusion": {
        "classifier__linear__C": 99.0,
        "classifier__near": linear(),
        "vectorizer__min_df": 3,
    },
    "fusion": {"linear__threshold": 0.9, "near": LogisticRegression()},
    "reranker": {"cv": 7, "final_estimator__C": 9.0, "ranker__C": 9.0, "features": len},
    "completer": {
        "n_neighbors": 1,
        "smoothing": 1.0,
        "prefixes_per_query": 1,
        "classifier__C": 9.0,
        "classifier__indexer__trie_depth": 5,
    },
    "neighbors": {},
    "lexical": {"k1": 9.0, "b": 0.1, "analyzer": "char", "token_filter": sorted},
    "matcher": {"matcher": LogisticRegression(), "matcher_level": 1},
}


@pytest.mark.parametrize("name", TRAINING)
def test_parameters_of_training_wait_for_the_next_fit(name):
    model, rows = asked(name)
    before = answers(model, rows)
    for path, value in TRAINING[name].items():
        model.set_params(**{path: value})
        assert answers(model, rows) == before


@pytest.mark.parametrize("name", ["retriever", "completer"])
def test_a_stage_replaced_by_another_of_its_class_gives_its_parameters(name):
    model, rows = asked(name)
    right, _ = asked(name)
    right.set_params(classifier__beam_width=1)
    model.set_params(classifier=XRLinearClassifier(beam_width=1, C=99.0))
    assert answers(model, rows) == answers(right, rows)


def test_a_default_stage_replaced_by_one_gives_its_parameters():
    model = TextRetriever().fit(TEXTS, CLASSES)
    before = answers(model, TEXTS[:9])
    model.set_params(classifier=XRLinearClassifier(score_transform="sigmoid"))
    assert answers(model, TEXTS[:9]) != before
    model.set_params(classifier=None)
    assert answers(model, TEXTS[:9]) == before


@pytest.mark.parametrize(
    "stage", [None, LogisticRegression(), NeighborRanker(), "nonsense", 3]
)
@pytest.mark.parametrize("name", ["retriever", "retriever by fusion", "completer"])
def test_a_stage_replaced_by_anything_else_waits(name, stage):
    model, rows = asked(name)
    before = answers(model, rows)
    model.classifier = stage
    assert answers(model, rows) == before


@pytest.mark.parametrize(
    "members", [None, [], [("linear", None)], [("other", linear())], ["linear", 3], 3]
)
def test_members_replaced_by_others_wait(members):
    model, rows = asked("fusion")
    before = model.rank(rows, 5)
    model.estimators = members
    np.testing.assert_array_equal(model.rank(rows, 5), before)
    retriever, texts = asked("retriever by fusion")
    before = answers(retriever, texts)
    retriever.classifier.estimators = members
    assert answers(retriever, texts) == before


def test_parameters_set_on_the_fitted_clone_act_too():
    model, rows = asked("retriever")
    right, _ = asked("retriever")
    right.set_params(classifier__beam_width=1)
    model.classifier_.set_params(beam_width=1)
    assert answers(model, rows) == answers(right, rows)
    # What is set on the parameter itself counts more.
    model.set_params(classifier__beam_width=2)
    right.set_params(classifier__beam_width=2)
    assert answers(model, rows) == answers(right, rows)
    # And is nobody else's.
    assert model.classifier_.beam_width == 1


def test_unions_of_vectorizers_are_followed_into():
    union = make_union(WordNgramTfidf(), CharNgramTfidf())
    model = TextRetriever(union, linear()).fit(TEXTS, CLASSES)
    before = answers(model, TEXTS)
    model.set_params(vectorizer__wordngramtfidf__n_jobs=2)
    assert answers(model, TEXTS) == before
    state = model._state
    followed = state.vectorizing.following(model.vectorizer)
    assert [one.n_jobs for _, one in followed.transformer_list] == [2, None]
    assert [one.n_jobs for _, one in model.vectorizer_.transformer_list] == [None] * 2


INVALID = {
    "classifier": [
        {"beam_width": 0},
        {"beam_width": True},
        {"beam_width": -(2**70)},
        {"beam_width": "wide"},
        {"beam_width": 1.5},
        {"score_transform": "nonsense"},
        {"score_transform": ["sigmoid"]},
        {"max_candidates": 0},
        {"decision_threshold": 2},
        {"n_jobs": "all"},
    ],
    "neighbors": [
        {"n_neighbors": 0},
        {"n_neighbors": None},
        {"decision_threshold": -1},
    ],
    "lexical": [
        {"correct_spelling": "x"},
        {"prefix": 3},
        {"field_weights": [-1.0]},
        {"field_weights": [1.0, 1.0]},
        {"field_weights": "x"},
        {"field_weights": {1.0}},
        {"field_weights": [1e300]},
        {"n_candidates": 0},
        {"n_jobs": "all"},
    ],
    "lexical, of an indicator": [{"decision_threshold": 2}],
    "fusion": [
        {"method": "nonsense"},
        {"weights": "x"},
        {"rank_constant": -1},
        {"n_candidates": 0},
        {"decision_threshold": 2},
        {"near__n_neighbors": 0},
    ],
    "reranker": [
        {"n_candidates": 0},
        {"decision_threshold": "x"},
        {"ranker__beam_width": 0},
    ],
    "retriever": [
        {"classifier__beam_width": 0},
        {"classifier__score_transform": 3},
        {"fusion": "nonsense"},
        {"fusion": True},
        {"n_jobs": "all"},
    ],
    "completer": [
        {"match": "nonsense"},
        {"match": None},
        {"classifier_weight": -1},
        {"edit_weight": "x"},
        {"popularity_weight": "x"},
        {"decay": 2},
        {"classifier__beam_width": 0},
        {"classifier__score_transform": "x"},
    ],
}


def calls(model, rows):
    """List all that a model can be asked."""
    if hasattr(model, "complete"):
        yield lambda: model.complete("word", TEXTS[0])
        yield lambda: model.complete_batch(["word"], [TEXTS[0]])
        yield lambda: model.score(TEXTS[:3], TEXTS[1:4])
        return
    yield lambda: model.rank(rows)
    yield lambda: model.predict(rows)
    yield lambda: model.predict_proba(rows)
    if isinstance(model, LexicalRanker):
        yield lambda: model.rank_one(TEXTS[0])
        yield lambda: model.decision_function(rows)
    if hasattr(model, "search"):
        yield lambda: model.search(TEXTS[0])
        yield lambda: model.search_batch(TEXTS[:3])
        yield lambda: model.explain(TEXTS[0], 0)


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, change) for name, all_changes in INVALID.items() for change in all_changes],
)
def test_invalid_ones_are_refused_by_name_when_they_are_used(name, change):
    model, rows = asked(name)
    before = answers(model, rows)
    earlier = {path: model.get_params()[path] for path in change}
    (path,) = change
    model.set_params(**change)
    parameter = path.rpartition("__")[2]
    for call in calls(model, rows):
        with pytest.raises((InvalidParameterError, ValueError), match=parameter):
            call()
    model.set_params(**earlier)
    assert answers(model, rows) == before


@pytest.mark.parametrize("change", [{"beam_width": 0}, {"score_transform": "x"}])
def test_the_call_without_checks_refuses_them_too(change):
    model, rows = asked("classifier")
    row = rows[[0]]
    model.set_params(**change)
    with pytest.raises(InvalidParameterError, match=next(iter(change))):
        model.rank_one(row.indices.astype(np.int32), row.data.astype(np.float32))


@pytest.mark.parametrize("width", [2**31, 2**70, np.int64(3)])
def test_every_integer_is_a_width(width):
    model, rows = asked("ensemble")
    single, _ = asked("classifier")
    retriever, texts = asked("retriever")
    for one, data in ((model, rows), (single, rows), (retriever, texts)):
        nested = "classifier__" if one is retriever else ""
        one.set_params(**{f"{nested}beam_width": width})
        found = answers(one, data)
        one.set_params(**{f"{nested}beam_width": min(int(width), 1000)})
        assert answers(one, data) == found
    row = rows[[0]]
    single.set_params(beam_width=width)
    columns, _ = single.rank_one(
        row.indices.astype(np.int32), row.data.astype(np.float32), 5
    )
    np.testing.assert_array_equal(columns, single.rank(row, 5)[0][0])


def test_completers_without_parameters_have_none_to_check():
    for completer in (PopularCompleter(), BigramCompleter()):
        completer.fit(TEXTS[::-1], TEXTS)
        assert completer.complete("word") == completer.set_params().complete("word")


def test_every_declared_parameter_exists():
    kinds = {type(model) for model, _, _ in MODELS.values()} - {Pipeline}
    for kind in kinds | {WordNgramTfidf, CharNgramTfidf}:
        names = set(kind._get_param_names())
        assert set(kind._search_parameters) <= names
        assert set(kind._stage_parameters) <= names
        assert set(kind._search_parameters) <= set(kind._parameter_constraints)
