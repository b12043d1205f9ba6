"""What was learned is one state, which each method takes once or replaces."""

import copy

import numpy as np
import pytest
from concurrent_cases import CASES, CLASSES, LINEAR, TEXTS, X, Y
from sklearn.base import clone

from skxmr import TextRetriever, WordNgramTfidf

# These answer in microseconds: they take the state once by themselves.
FAST = {"search", "rank_one", "transform_one"}
WRITERS = {
    "fit",
    "fit_transform",
    "update",
    "partial_fit",
    "add_labels",
    "remove_labels",
    "add",
    "remove",
    "compact",
    "set_training_state",
}
# Of parameters and of other estimators, not of what was learned.
OTHER = {
    "from_fitted",
    "get_params",
    "set_params",
    "set_output",
    "get_metadata_routing",
    "set_fit_request",
    "set_transform_request",
    "set_score_request",
    "set_predict_request",
    "build_analyzer",
    "build_preprocessor",
    "build_tokenizer",
    "get_stop_words",
}


def public_methods(kind):
    for name in dir(kind):
        method = getattr(kind, name)
        if not name.startswith("_") and callable(method) and name not in OTHER:
            yield name, method


@pytest.mark.parametrize(
    "kind", dict.fromkeys(type(case.estimator) for case in CASES.values())
)
def test_each_method_takes_one_state_or_the_lock(kind):
    for name, method in public_methods(kind):
        if not getattr(method, "__module__", "").startswith("skxmr."):
            continue  # scikit-learn's, which call ours once
        reads, writes = (hasattr(method, mark) for mark in ("__reads__", "__writes__"))
        assert reads + writes + (name in FAST) == 1, name
        assert writes == (name in WRITERS)


def test_a_subset_of_before_is_refused_after_another_fit():
    retriever = TextRetriever(WordNgramTfidf(), LINEAR).fit(TEXTS[0], CLASSES[0])
    subset = retriever.subset(["few 1"])
    retriever.fit(TEXTS[0], CLASSES[0])
    with pytest.raises(ValueError, match="fitted again"):
        retriever.search("red1", allowed=subset)


def test_a_copy_shares_what_was_learned_and_no_more():
    first = TextRetriever(WordNgramTfidf(), LINEAR).fit(TEXTS[0], CLASSES[0])
    copied = copy.copy(first)
    assert copied.classifier_ is first.classifier_
    copied.fit(TEXTS[1], CLASSES[1])
    assert first.classes_[0] == "few 0"
    assert copied.classes_[0] == "many 0"


def test_what_was_learned_cannot_be_set():
    classifier = clone(LINEAR).fit(X[0], Y[0])
    with pytest.raises(AttributeError, match="classes_"):
        classifier.classes_ = np.arange(3)


def test_models_saved_before_there_were_states_are_refused():
    classifier = clone(LINEAR).fit(X[0], Y[0])
    state = classifier.get_params(deep=False) | {"classes_": classifier.classes_}
    with pytest.raises(ValueError, match="fit it again"):
        clone(LINEAR).__setstate__(state)
