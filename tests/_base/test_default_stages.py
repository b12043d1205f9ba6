"""Stages that are None, and settings that stages leave open."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.utils import estimator_checks, estimator_html_repr

from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    NeighborRanker,
    QueryCompleter,
    RankFusion,
    Reranker,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr._base._stage_settings import with_settings
from skxmr.metrics import recall_at_k_scorer
from skxmr.rankers._candidates import CandidateFeatures
from skxmr.text import PrefixWeightedCharTfidf

rng = np.random.default_rng(0)
WORDS = [f"word{i}" for i in range(30)]
TEXTS = [" ".join(rng.choice(WORDS, 5)) for _ in range(120)]
CLASSES = [f"class {i % 20:02}" for i in range(120)]

SKLEARN = tuple(map(int, sklearn.__version__.split(".")[:2]))

# Each estimator, with the class that stands for None in each stage.
DEFAULTS = {
    TextRetriever: {"vectorizer": FeatureUnion, "classifier": XRLinearClassifier},
    XRLinearClassifier: {"indexer": KMeansTree},
    QueryCompleter: {
        "classifier": XRLinearClassifier,
        "previous_vectorizer": WordNgramTfidf,
        "prefix_vectorizer": PrefixWeightedCharTfidf,
    },
    TrieTreeHybrid: {"vectorizer": PrefixWeightedCharTfidf},
    Reranker: {
        "final_estimator": HistGradientBoostingClassifier,
        "features": CandidateFeatures,
    },
}
# A parameter of each default that is a stage.
NESTED = {
    TextRetriever: [
        ("classifier__C", 2.0),
        ("classifier__indexer", KMeansTree(2)),
        ("classifier__indexer__branching_factor", 3),
        ("vectorizer__wordngramtfidf__ngram_range", (1, 3)),
        ("vectorizer__charngramtfidf", "drop"),
    ],
    XRLinearClassifier: [("indexer__max_leaf_size", 7)],
    QueryCompleter: [
        ("classifier__C", 2.0),
        ("classifier__indexer__trie_depth", 2),
        ("classifier__indexer__vectorizer__ngram_range", (1, 2)),
        ("previous_vectorizer__min_df", 2),
        ("prefix_vectorizer__min_df", 2),
    ],
    TrieTreeHybrid: [("vectorizer__min_df", 2)],
    Reranker: [("final_estimator__max_iter", 3)],
}
kinds = pytest.mark.parametrize("kind", DEFAULTS, ids=lambda kind: kind.__name__)
nested = pytest.mark.parametrize(
    ("kind", "name", "value"),
    [(kind, *pair) for kind, pairs in NESTED.items() for pair in pairs],
    ids=lambda one: one if isinstance(one, str) else "",
)


def make(kind, **parameters):
    if kind is Reranker:
        return Reranker(XRLinearClassifier(), **parameters)
    return kind(**parameters)


def find(model, texts=TEXTS[:20]):
    """Give a model's answers as lists."""
    if isinstance(model, QueryCompleter):
        return [model.complete("wo", text) for text in texts]
    columns, scores = model.rank(texts, 5)
    return columns.tolist(), scores.tolist()


@pytest.mark.parametrize(
    "check",
    [
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
        "check_no_attributes_set_in_init",
        "check_estimator_cloneable",
        "check_estimator_repr",
    ],
)
@kinds
def test_checks_of_scikit_learn_of_parameters(kind, check):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(estimator_checks, check)(kind.__name__, make(kind))


@kinds
def test_deep_parameters_are_those_of_the_defaults(kind):
    estimator = make(kind)
    shallow, deep = estimator.get_params(deep=False), estimator.get_params()
    explicit = make(kind)
    for name, default in DEFAULTS[kind].items():
        assert shallow[name] is None
        assert deep[name] is None
        assert getattr(estimator, name) is None
        stage = estimator._clone_stage(name)
        assert type(stage) is default
        assert {f"{name}__{key}" for key in stage.get_params()} <= set(deep)
        setattr(explicit, name, stage)
    # In the order that they would have if they were passed.
    assert list(deep) == list(explicit.get_params())
    assert vars(estimator) == shallow


def test_what_is_listed_is_nobody_elses():
    retriever = TextRetriever()
    listed = retriever.get_params()["vectorizer__wordngramtfidf"]
    listed.set_params(min_df=9)
    assert retriever.get_params()["vectorizer__wordngramtfidf__min_df"] == 1


@pytest.mark.skipif(SKLEARN < (1, 7), reason="displays show no parameters")
@kinds
def test_displays_show_the_parameters_of_stages_that_were_given_only(kind):
    html = estimator_html_repr(make(kind))
    for name in DEFAULTS[kind]:
        assert f"{name}__" not in html
        assert f"'{name}'" in html
    of_kind = {
        TextRetriever: "classifier__C",
        QueryCompleter: "prefix_vectorizer__min_df",
    }
    name = of_kind.get(kind, NESTED[kind][0][0])
    stage, inner = name.split("__")
    html = estimator_html_repr(make(kind).set_params(**{name: 3}))
    assert f"'{inner}'" in html
    assert type(make(kind)._clone_stage(stage)).__name__ in html


@nested
def test_setting_a_parameter_puts_a_fresh_default_in_place(kind, name, value):
    estimator, other = make(kind), make(kind)
    stage = name.split("__")[0]
    assert estimator.set_params(**{name: value}) is estimator
    assert type(getattr(estimator, stage)) is DEFAULTS[kind][stage]
    assert estimator.get_params()[name] == value
    # All else is as in the default, and no other estimator has changed.
    expected = make(kind)._clone_stage(stage)
    expected.set_params(**{name.removeprefix(f"{stage}__"): value})
    assert repr(getattr(estimator, stage)) == repr(expected)
    assert getattr(other, stage) is None
    # Set again, the stage stays as it is but for that.
    stage_before = getattr(estimator, stage)
    estimator.set_params(**{name: value})
    assert getattr(estimator, stage) is stage_before
    assert clone(estimator).get_params()[name].__class__ is value.__class__
    assert type(stage_before).__name__ in repr(estimator)
    assert estimator_html_repr(estimator)


def test_a_stage_and_its_parameters_are_set_at_once():
    retriever = TextRetriever(classifier=XRLinearClassifier(C=9.0, beam_width=3))
    retriever.set_params(classifier__C=2.0, classifier=None)
    assert retriever.classifier.get_params() == XRLinearClassifier(C=2.0).get_params()
    own = NeighborRanker()
    retriever.set_params(classifier__n_neighbors=4, classifier=own)
    assert retriever.classifier is own
    assert own.n_neighbors == 4
    retriever.set_params(classifier=None)
    assert retriever.classifier is None
    retriever.set_params()
    assert retriever.classifier is None


@kinds
def test_a_parameter_that_there_is_not_changes_nothing(kind):
    for stage in DEFAULTS[kind]:
        estimator = make(kind)
        before = estimator.get_params(deep=False)
        for name in (f"{stage}__nonsense", f"{stage}__nonsense__C"):
            with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
                estimator.set_params(**{name: 1})
            assert estimator.get_params(deep=False) == before
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        make(kind).set_params(nonsense__C=1)


@pytest.mark.parametrize("kind", [TextRetriever, QueryCompleter])
def test_an_explicit_default_is_the_same_model(kind):
    data = (TEXTS, CLASSES) if kind is TextRetriever else (TEXTS, TEXTS[::-1])
    expected = find(kind(random_state=0).fit(*data))
    for stage in DEFAULTS[kind]:
        name, value = next(
            (name, value)
            for name, value in kind().get_params().items()
            if name.startswith(f"{stage}__") and name.endswith(("__C", "min_df"))
        )
        model = kind(random_state=0).set_params(**{name: value})
        assert getattr(model, stage) is not None
        assert find(model.fit(*data)) == expected


def test_defaults_of_the_classifier_and_the_reranker_are_the_same_models():
    X = sparse.csr_array(WordNgramTfidf().fit_transform(TEXTS))
    implicit = XRLinearClassifier(random_state=0).fit(X, CLASSES)
    explicit = XRLinearClassifier(random_state=0).set_params(indexer__max_leaf_size=100)
    assert find(implicit, X) == find(explicit.fit(X, CLASSES), X)
    X, y = X[:40], [i % 4 for i in range(40)]
    reranker = Reranker(XRLinearClassifier(), n_candidates=2, cv=2, random_state=0)
    other = clone(reranker).set_params(final_estimator__min_samples_leaf=20)
    assert find(reranker.fit(X, y), X) == find(other.fit(X, y), X)


def test_grids_reach_the_stages_of_an_estimator_that_is_all_defaults():
    grid = {
        "classifier__C": [1e-6, 1.0],
        "classifier__indexer__max_leaf_size": [5],
        "vectorizer__wordngramtfidf__ngram_range": [(1, 1)],
    }
    search = GridSearchCV(
        TextRetriever(random_state=0), grid, cv=2, scoring=recall_at_k_scorer(1)
    ).fit(TEXTS, CLASSES)
    best = search.best_estimator_
    assert search.best_params_["classifier__C"] == best.classifier.C
    assert best.classifier.indexer.max_leaf_size == 5
    assert len(best.classifier_.trees_[0].level_sizes) > 2
    right = TextRetriever(
        best._clone_stage("vectorizer"), best._clone_stage("classifier"), random_state=0
    )
    assert find(right.fit(TEXTS, CLASSES)) == find(best)
    assert find(pickle.loads(pickle.dumps(search)).best_estimator_) == find(best)


# Parameters of prediction of a default stage act at once.

CHANGES = [{"classifier__beam_width": 1}, {"classifier__score_transform": "sigmoid"}]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
@pytest.mark.parametrize("kind", [TextRetriever, QueryCompleter])
def test_parameters_of_prediction_of_a_default_act_at_once(kind, change):
    data = (TEXTS, CLASSES) if kind is TextRetriever else (TEXTS, TEXTS[::-1])
    narrow = {"classifier__indexer__max_leaf_size": 2}
    small = {"classifier__indexer__branching_factor": 2}
    model = kind(random_state=0)
    # The tree of the default has one level for so few labels.
    model.set_params(**narrow | small).fit(*data)
    model.classifier = None
    before = find(model)
    model.set_params(**change)
    changed = find(model)
    assert changed != before
    right = clone(model).set_params(**change | narrow | small).fit(*data)
    assert changed == find(right)
    assert find(pickle.loads(pickle.dumps(model))) == changed
    model.set_params(classifier=None)
    assert find(model) == before


def test_parameters_of_prediction_of_a_default_within_a_fusion_act_at_once():
    fusion = RankFusion([("one", TextRetriever()), ("other", TextRetriever())])
    fusion.fit(TEXTS, CLASSES)
    before = find(fusion)
    fusion.set_params(one__classifier__score_transform="sigmoid")
    changed = find(fusion)
    assert changed != before
    assert fusion.estimators[1][1].classifier is None
    outer = TextRetriever(
        WordNgramTfidf(),
        RankFusion([("one", Reranker(XRLinearClassifier(), n_candidates=9, cv=2))]),
    ).fit(TEXTS[:40], [i % 4 for i in range(40)])
    before = find(outer)
    outer.set_params(classifier__one__n_candidates=2)
    assert find(outer) != before


def test_other_defaults_of_a_later_version_change_no_model(monkeypatch):
    def other():
        return XRLinearClassifier(score_transform="sigmoid", beam_width=1, n_jobs=2)

    small = {"classifier__indexer__max_leaf_size": 2}
    retriever = TextRetriever(random_state=0).set_params(**small).fit(TEXTS, CLASSES)
    retriever.classifier = None
    fusion = RankFusion([("one", TextRetriever())]).fit(TEXTS, CLASSES)
    completer = QueryCompleter(random_state=0).fit(TEXTS, TEXTS[::-1])
    models = [retriever, fusion, completer]
    before = list(map(find, models))
    saved = pickle.dumps(models)
    for kind in (TextRetriever, QueryCompleter):
        changed = kind._default_stages | {"classifier": other}
        monkeypatch.setattr(kind, "_default_stages", changed)
    assert list(map(find, models)) == before
    assert list(map(find, pickle.loads(saved))) == before
    retriever.set_params(classifier__max_candidates=7)
    assert find(retriever) != before[0]


# Settings that stages leave open


class Seeded(BaseEstimator):
    """Has all settings, and may hold another."""

    def __init__(self, inner=None, random_state=None, n_jobs=None, verbose=0):
        self.inner = inner
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose


def test_settings_left_open_are_filled_at_any_depth():
    given = Seeded(Seeded(Seeded(random_state=5, n_jobs=3, verbose=2)))
    before = given.get_params().keys(), repr(given)
    filled = with_settings(given, seed=7, n_jobs=2, verbose=1)
    assert (given.get_params().keys(), repr(given)) == before
    assert filled.random_state == 7
    seeds = {filled.random_state, filled.inner.random_state}
    assert len(seeds) == 2
    assert None not in seeds
    assert (filled.n_jobs, filled.inner.n_jobs) == (2, 2)
    assert (filled.verbose, filled.inner.verbose) == (1, 1)
    innermost = filled.inner.inner
    assert (innermost.random_state, innermost.n_jobs, innermost.verbose) == (5, 3, 2)
    again = with_settings(given, seed=7)
    assert again.inner.random_state == filled.inner.random_state
    assert with_settings(given).get_params(deep=False)["random_state"] is None
    assert with_settings(None, seed=1) is None


def test_stages_that_hand_settings_on_are_left_to_do_so():
    filled = with_settings(
        RankFusion(
            [
                ("linear", XRLinearClassifier(KMeansTree(), matcher=NeighborRanker())),
                ("retriever", TextRetriever()),
            ]
        ),
        seed=3,
        n_jobs=2,
        verbose=1,
    )
    (_, linear), (_, retriever) = filled.estimators
    for one in (linear, retriever):
        assert one.random_state is not None
        assert (one.n_jobs, one.verbose) == (2, 1)
    assert linear.random_state != retriever.random_state
    assert linear.indexer.random_state is None
    assert retriever.classifier is None


def test_others_estimators_take_what_they_can():
    union = make_union(
        WordNgramTfidf(), make_pipeline(CharNgramTfidf(), TruncatedSVD())
    )
    filled = with_settings(union, seed=1, n_jobs=2, verbose=3)
    assert filled.verbose is False
    assert filled.n_jobs == 2
    words, reduced = (one for _, one in filled.transformer_list)
    assert words.verbose == 3
    assert words.n_jobs == 2
    assert reduced[0].n_jobs == 2
    assert reduced[1].random_state is not None
    assert union.transformer_list[1][1][1].random_state is None
    # It warns of n_jobs, for which it has no use.
    assert with_settings(LogisticRegression(), n_jobs=2, verbose=1).n_jobs is None


def test_a_seed_makes_models_that_are_the_same():
    def fitted(seed, **parameters):
        return TextRetriever(random_state=seed, **parameters).fit(TEXTS, CLASSES)

    small = XRLinearClassifier(KMeansTree(2, 2))
    first = find(fitted(0, classifier=small))
    assert find(fitted(0, classifier=small)) == first
    assert find(fitted(np.int64(0), classifier=small)) == first
    assert find(fitted(1, classifier=small)) != first
    # The classifier's parameter takes precedence.
    own = XRLinearClassifier(KMeansTree(2, 2), random_state=0)
    assert find(fitted(1, classifier=own)) == first
    assert small.random_state is None
    generators = [np.random.RandomState(4) for _ in range(2)]
    found = [find(fitted(one, classifier=small)) for one in generators]
    assert found[0] == found[1]
    assert generators[0].randint(2**30) == generators[1].randint(2**30)
    generator = np.random.RandomState(4)
    twice = [find(fitted(generator, classifier=small)) for _ in range(2)]
    assert twice[0] != twice[1]


def n_jobs_in_use(retriever):
    """List the jobs of whatever predicts."""
    state = retriever._state
    classifier = retriever._following_classifier(state)
    vectorizer = state.vectorizing.following(
        retriever._stage_or_default("vectorizer"), retriever.n_jobs
    )
    parts = [one for _, one in vectorizer.transformer_list]
    return [one.n_jobs for one in (classifier, vectorizer, *parts)]


def test_jobs_of_prediction_can_be_set_after_fit():
    retriever = TextRetriever(random_state=0, n_jobs=2).fit(TEXTS, CLASSES)
    assert retriever.classifier_.n_jobs == 2
    assert [one.n_jobs for _, one in retriever.vectorizer_.transformer_list] == [2, 2]
    expected = find(retriever), retriever.search(TEXTS[0])
    for n_jobs in (None, 1, 3, 2, -1):
        retriever.set_params(n_jobs=n_jobs)
        assert n_jobs_in_use(retriever) == [n_jobs] * 4
        assert (find(retriever), retriever.search(TEXTS[0])) == expected
    # What a stage says itself comes first.
    retriever.set_params(n_jobs=3, classifier__n_jobs=1)
    assert n_jobs_in_use(retriever) == [1, 3, 3, 3]
    retriever.set_params(classifier=None)
    assert n_jobs_in_use(retriever) == [3, 3, 3, 3]
    retriever.set_params(n_jobs="all")
    for call in (retriever.rank, retriever.predict, retriever.predict_proba):
        with pytest.raises(sklearn.utils._param_validation.InvalidParameterError):
            call(TEXTS)


def test_jobs_reach_the_members_of_a_fusion_after_fit():
    fusion = RankFusion([("linear", XRLinearClassifier()), ("other", TextRetriever())])
    del fusion.estimators[1]
    retriever = TextRetriever(classifier=fusion, random_state=0).fit(TEXTS, CLASSES)
    expected = find(retriever)
    retriever.set_params(n_jobs=2)
    followed = retriever._following_classifier(retriever._state)
    assert followed.estimators[0][1].n_jobs == 2
    assert fusion.estimators[0][1].n_jobs is None
    assert find(retriever) == expected


def test_nothing_is_copied_for_a_search_where_nothing_was_set():
    stages = XRLinearClassifier(
        KMeansTree(2, 6), matcher=NeighborRanker(), matcher_level=1
    )
    for classifier in (None, XRLinearClassifier(), stages):
        for n_jobs in (None, 2):
            retriever = TextRetriever(
                classifier=classifier, random_state=0, n_jobs=n_jobs
            )
            retriever.fit(TEXTS, CLASSES)
            state = retriever._state
            assert retriever._following_classifier(state) is state.classifier
    completer = QueryCompleter(n_jobs=2, random_state=0).fit(TEXTS, TEXTS[::-1])
    parameter = completer._stage_or_default("classifier")
    ranking = completer.ranker_.ranking
    assert ranking.following(parameter, 2) is completer.classifier_


def test_jobs_of_a_union_whose_parts_have_threads_are_no_processes(monkeypatch):
    retriever = TextRetriever(random_state=0).fit(TEXTS, CLASSES)
    expected = find(retriever)

    def refuse(*args, **kwargs):
        raise AssertionError("called by joblib")

    for method in ("fit", "fit_transform", "transform"):
        monkeypatch.setattr(FeatureUnion, method, refuse)
    retriever = clone(retriever).set_params(n_jobs=2).fit(TEXTS, CLASSES)
    assert retriever.vectorizer_.n_jobs == 2
    assert find(retriever) == expected
    retriever.set_params(n_jobs=3, vectorizer__verbose=True)
    assert find(retriever) == expected


def test_verbose_retrievers_report(capsys):
    TextRetriever().fit(TEXTS, CLASSES)
    assert capsys.readouterr().out == ""
    retriever = TextRetriever(verbose=1).fit(TEXTS, CLASSES)
    assert retriever.classifier_.verbose == 1
    assert capsys.readouterr().out.count("\n") >= 1


def test_settings_of_retrievers_are_checked():
    for bad in ({"random_state": "x"}, {"n_jobs": 1.5}, {"verbose": -1}):
        (name,) = bad
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            TextRetriever(**bad).fit(TEXTS, CLASSES)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_jobs_reach_the_matcher_of_a_classifier(n_jobs):
    X = sparse.csr_array(WordNgramTfidf().fit_transform(TEXTS))
    matcher = XRLinearClassifier(random_state=0)
    model = XRLinearClassifier(
        KMeansTree(2, 6),
        matcher=matcher,
        matcher_level=1,
        n_jobs=n_jobs,
        random_state=0,
    )
    retriever = TextRetriever(WordNgramTfidf(), model, n_jobs=2)
    expected = find(clone(model).fit(X, CLASSES), X[:20])
    retriever.fit(TEXTS, CLASSES)
    for now in (n_jobs, 3):
        retriever.set_params(n_jobs=now)
        classifier = retriever._following_classifier(retriever._state)
        (tree,) = classifier._trees(None)
        assert tree[1].matcher.estimator.n_jobs == (n_jobs or now)
        assert find(retriever) == expected
    assert matcher.n_jobs is None
