"""Models that are replaced while other objects rank by them."""

import copy
import itertools
import threading
import time

import pytest
from concurrent_cases import CLASSES, LINEAR, X, Y, lists
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threads_together import run_together

import skxmr
from skxmr import Reranker
from skxmr.metrics import precision_at_k_scorer
from skxmr.sharding import ShardedRanker, split
from skxmr.streaming import rank_batches, row_batches

pytestmark = pytest.mark.usefixtures("restless")


def test_shards_that_are_replaced_rank_as_their_whole():
    both = [clone(LINEAR).fit(X[0], one) for one in (Y[0], Y[1][:30])]
    shards = [split(one, 2) for one in both]
    right = [lists(one.rank(X[0], 3)) for one in both]
    ranker = ShardedRanker(shards[0])
    done = threading.Event()

    def write():
        for i in itertools.islice(itertools.cycle((1, 0)), 100):
            ranker.set_params(shards=shards[i])
        done.set()

    def read():
        while not done.is_set():
            assert lists(ranker.rank(X[0], 3)) in right

    run_together(write, *[read] * 3)
    assert lists(ranker.rank(X[0], 3)) == right[0]
    assert clone(ranker).n_labels_ == 5
    with pytest.raises(ValueError, match="in order"):
        ranker.set_params(shards=shards[1][::-1])
    assert lists(ranker.rank(X[0], 3)) == right[0]


def test_batches_are_ranked_by_the_model_that_was_given():
    for model in (clone(LINEAR), make_pipeline(clone(LINEAR))):
        model.fit(X[0], Y[0])
        right = lists(skxmr.rank(model, X[0], 3)[0])
        batches = rank_batches(model, row_batches(X[0], 10), 3)
        found = lists(next(batches)[0])
        model.fit(X[0], Y[1][:30])
        for columns, _ in batches:
            found += lists(columns)
        assert found == right


def test_a_scorer_compares_with_the_classes_of_the_model_that_ranks():
    few, many = (clone(LINEAR).fit(X[0], classes[:30]) for classes in CLASSES)
    scorer = precision_at_k_scorer(1)
    right = [scorer(one, X[0], CLASSES[0]) for one in (few, many)]
    assert right[0] > right[1] == 0
    shared = copy.copy(few)
    done = threading.Event()

    def write():
        for one in itertools.islice(itertools.cycle((many, few)), 200):
            shared.__setstate__(one.__getstate__())
            time.sleep(0)
        done.set()

    def read():
        while not done.is_set():
            assert scorer(shared, X[0], CLASSES[0]) in right

    run_together(write, *[read] * 3)


def test_a_reranker_reads_a_ranker_of_somebody_else_once():
    ranker = clone(LINEAR).fit(X[0], CLASSES[0])
    other = clone(LINEAR).fit(X[0], CLASSES[1][:30])
    model = Reranker(ranker, LogisticRegression(), cv="prefit", n_candidates=3)
    model.fit(X[0], CLASSES[0])
    assert model.ranker_ is ranker
    first = copy.copy(ranker)
    right = []
    for one in (other, first):
        ranker.__setstate__(one.__getstate__())
        right.append(lists(model.rank(X[0], 3)))
    assert right[0] != right[1]
    done = threading.Event()

    def write():
        for one in itertools.islice(itertools.cycle((other, first)), 200):
            ranker.__setstate__(one.__getstate__())
            time.sleep(0)
        done.set()

    def read():
        while not done.is_set():
            assert lists(model.rank(X[0], 3)) in right

    run_together(write, *[read] * 3)
