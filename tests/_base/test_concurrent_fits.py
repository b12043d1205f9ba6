"""Estimators that are fitted by some threads and asked by others.

A reader gets the answer of one model, never of a mixture.
"""

import itertools
import threading
import time

import pytest
from concurrent_cases import CASES, CLASSES, LINEAR, TEXTS
from sklearn.base import clone
from threads_together import run_together

import skxmr
from skxmr import TextRetriever, WordNgramTfidf, baselines

pytestmark = pytest.mark.usefixtures("restless")

N_READERS = 8
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_no_estimator_is_forgotten():
    public = {getattr(skxmr, name) for name in skxmr.__all__}
    public |= {getattr(baselines, name) for name in baselines.__all__}
    estimators = {
        one for one in public if isinstance(one, type) and hasattr(one, "fit")
    }
    assert {type(case.estimator) for case in CASES.values()} == estimators


@pytest.mark.parametrize("seconds", [0.1, pytest.param(1, marks=pytest.mark.slow)])
@cases
def test_readers_beside_a_fit_get_the_answer_of_one_model(case, seconds):
    both = [case.fit(clone(case.estimator), i) for i in (0, 1)]
    right = [[ask(one) for one in both] for ask in case.asks]
    assert all(first != second for first, second in right)
    shared = case.fit(clone(case.estimator), 0)
    done = threading.Event()

    def write():
        # States that are made already, as often as they can be: a fit takes longer.
        until = time.monotonic() + seconds
        for i in itertools.cycle((1, 0)):
            shared.__setstate__(both[i].__getstate__())
            if time.monotonic() > until:
                break
        for i in (1, 0):
            case.fit(shared, i)
        done.set()

    def read(position):
        number = position % len(case.asks)
        while not done.is_set():
            assert case.asks[number](shared) in right[number]

    run_together(write, *(lambda i=i: read(i) for i in range(N_READERS)))
    assert [ask(shared) for ask in case.asks] == [first for first, _ in right]


@cases
def test_of_two_fits_one_wins_wholly(case):
    right = [
        [ask(case.fit(clone(case.estimator), i)) for ask in case.asks] for i in (0, 1)
    ]
    shared = clone(case.estimator)
    run_together(*(lambda i=i: case.fit(shared, i) for i in (0, 1)))
    assert [ask(shared) for ask in case.asks] in right


def test_a_fit_that_fails_lets_others_fit():
    retriever = TextRetriever(WordNgramTfidf(), LINEAR)
    with pytest.raises(ValueError, match="texts"):
        retriever.fit("text", ["a"])
    run_together(lambda: retriever.fit(TEXTS[0], CLASSES[0]))
    assert retriever.classes_[0] == "few 0"
