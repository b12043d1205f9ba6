"""Shards that are searched together give the results of the whole model."""

import functools
import multiprocessing
import pickle
import subprocess
import sys
from multiprocessing.managers import BaseManager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError

import skxmr
from skxmr import KMeansTree, WordNgramTfidf, XRLinearClassifier
from skxmr._utils._compressed import Compressed
from skxmr.persistence import load, save
from skxmr.sharding import ShardedRanker, merge, split


@functools.cache
def data():
    titles, Y = skxmr.datasets.load_subjects(return_X_y=True)
    Y = sparse.csr_array(Y)[:1000]
    X = WordNgramTfidf().fit_transform(titles[:1000])
    return sparse.csr_array(X), Y[:, np.flatnonzero(Y.sum(axis=0))]


def train(indexer=None, **parameters):
    X, Y = data()
    indexer = KMeansTree(8, 24) if indexer is None else indexer
    return XRLinearClassifier(indexer, random_state=0, **parameters).fit(X, Y)


KINDS = {
    "default": {},
    "logistic": {"loss": "log_loss", "score_transform": "sigmoid"},
    "half": {"weight_precision": "float16"},
    "two trees": {"n_trees": 2},
    "shallow": {"indexer": KMeansTree(50, 100)},
    "one level": {"indexer": KMeansTree(2, 2000)},
}
fitted = functools.cache(lambda kind: train(**KINDS[kind]))


def assert_same(one, other):
    for found, expected in zip(one, other, strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("beam_width", [1, 2, 5, 40, None])
@pytest.mark.parametrize("kind", KINDS)
def test_shards_rank_as_the_whole(kind, beam_width):
    X = data()[0]
    classifier = fitted(kind).set_params(beam_width=beam_width)
    n_nodes = min(tree.level_sizes[1] for tree in classifier.trees_)
    for n_shards in {1, 2, 3, min(n_nodes, 9)}:
        shards = split(classifier, n_shards)
        assert len(shards) == n_shards
        ranker = ShardedRanker(shards)
        for k in (1, 10, 60):
            assert_same(ranker.rank(X[:200], k), classifier.rank(X[:200], k))


def test_a_narrow_beam_of_shards_that_search_alone_differs():
    """Independent searches are not exact: `ShardedRanker` exchanges beams."""
    X = data()[0]
    classifier = fitted("default").set_params(beam_width=2)
    shards = split(classifier, 4)
    rows = Compressed.from_sparse(X)[:3]
    columns, _ = merge((shard.search(rows, 40) for shard in shards), 40)
    expected, _ = classifier.rank(X, 40)
    assert (columns != expected).any(axis=1).mean() > 0.1


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_shards=st.integers(1, 7), k=st.integers(1, 80))
def test_shards_that_search_all_are_merged_to_the_whole(seed, n_shards, k):
    X = data()[0]
    classifier = fitted("default").set_params(beam_width=None)
    rows = X[np.random.default_rng(seed).choice(X.shape[0], 5)]
    found = [
        shard.search(Compressed.from_sparse(rows)[:3], k)
        for shard in split_all()[n_shards - 1]
    ]
    assert_same(merge(found, k), classifier.rank(rows, k))


@functools.cache
def split_all():
    classifier = fitted("default").set_params(beam_width=None)
    return [split(classifier, n_shards) for n_shards in range(1, 8)]


def test_shards_are_a_partition_of_about_equal_parts():
    classifier = fitted("default")
    shards = split(classifier, 3)
    labels = np.concatenate([shard.layouts[0].labels for shard in shards])
    np.testing.assert_array_equal(labels, classifier.layouts_[0].labels)
    sizes = [shard.layouts[0].n_weights for shard in shards]
    assert sum(sizes) == classifier.n_weights_
    assert max(sizes) < 0.5 * sum(sizes)


def test_dense_rows_rank_alike():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 8)).astype(np.float32)
    Y = sparse.csr_array((np.ones(200), (np.arange(200), np.arange(200) % 40)))
    classifier = XRLinearClassifier(KMeansTree(4, 4), C=0.01, random_state=0).fit(X, Y)
    assert_same(ShardedRanker(split(classifier, 3)).rank(X, 5), classifier.rank(X, 5))


def test_many_rows_and_none(monkeypatch):
    X = data()[0]
    classifier = fitted("default").set_params(beam_width=4)
    ranker = ShardedRanker(split(classifier, 2))
    monkeypatch.setattr("skxmr.sharding._ranker._ROWS_AT_ONCE", 300)
    assert_same(ranker.rank(X, 3), classifier.rank(X, 3))
    assert_same(skxmr.rank(ranker, X, 3), classifier.rank(X, 3))
    assert ranker.rank(sparse.csr_array((1, X.shape[1])), 3)[0].shape == (1, 3)


# Some of the labels


CHOICES = {
    "a few": lambda n: {"allowed": np.arange(0, n, 9)},
    "one": lambda n: {"allowed": [n // 2]},
    "none": lambda n: {"allowed": []},
    "mask": lambda n: {"allowed": np.arange(n) % 3 > 0},
    "without some": lambda n: {"excluded": np.arange(0, n, 2)},
    "without all": lambda n: {"excluded": range(n)},
    "both": lambda n: {"allowed": range(n // 2), "excluded": range(9)},
    "unknown": lambda n: {"allowed": [3, 5, n], "unknown": "ignore"},
}


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("kind", KINDS)
def test_shards_rank_some_labels_as_the_whole(kind, choice):
    X = data()[0][:50]
    for beam_width in (2, 10):
        classifier = fitted(kind).set_params(beam_width=beam_width)
        how = choice(len(classifier.classes_))
        ranker = ShardedRanker(split(classifier, 2))
        expected = classifier.rank(X, 7, **how)
        assert_same(ranker.rank(X, 7, **how), expected)
        assert_same(ranker.rank(X, 7, allowed=ranker.subset(**how)), expected)
        assert_same(skxmr.rank(ranker, X, 7, **how), expected)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n_shards=st.integers(1, 7), k=st.integers(1, 20))
def test_a_restricted_search_finds_what_a_filter_keeps(seed, n_shards, k):
    """With all nodes in the beam, other labels make no difference."""
    rng = np.random.default_rng(seed)
    X = data()[0][rng.choice(1000, 5)]
    classifier = fitted("default").set_params(beam_width=None)
    n_labels = len(classifier.classes_)
    is_allowed = rng.random(n_labels) < rng.random()
    columns, scores = ShardedRanker(split_all()[n_shards - 1]).rank(
        X, k, allowed=is_allowed
    )
    ranked = zip(*classifier.rank(X, n_labels), strict=True)
    for row, (all_columns, all_scores) in enumerate(ranked):
        kept = (all_columns >= 0) & is_allowed[all_columns]
        n_found = min(k, kept.sum())
        np.testing.assert_array_equal(columns[row, :n_found], all_columns[kept][:k])
        np.testing.assert_array_equal(scores[row, :n_found], all_scores[kept][:k])
        assert (columns[row, n_found:] == -1).all()


def test_class_labels_are_chosen_by_name():
    X, Y = data()
    names = np.char.add("label ", Y[:, :30].argmax(axis=1).astype(str))
    for n_trees in (1, 2):
        classifier = XRLinearClassifier(
            KMeansTree(4, 4), n_trees=n_trees, random_state=0
        ).fit(X, names)
        ranker = ShardedRanker(split(classifier, 3))
        np.testing.assert_array_equal(ranker.classes_, classifier.classes_)
        how = {"allowed": ["label 3", "label 12", "label 7"], "excluded": ["label 7"]}
        assert_same(ranker.rank(X[:50], 5, **how), classifier.rank(X[:50], 5, **how))
        with pytest.raises(ValueError, match="'label 99', which is no label"):
            ranker.rank(X[:1], allowed=["label 99"])
    indicator = ShardedRanker(split(fitted("default"), 2))
    np.testing.assert_array_equal(indicator.classes_, np.arange(Y.shape[1]))


def test_shards_that_search_some_labels_alone_are_merged():
    X = data()[0][:20]
    classifier = fitted("default").set_params(beam_width=None)
    rows, allowed = Compressed.from_sparse(X)[:3], np.arange(0, 60, 7)
    found = [
        shard.search(rows, 9, allowed=shard.restrict(allowed, np.array([7])))
        for shard in split(classifier, 3)
    ]
    expected = classifier.rank(X, 9, allowed=allowed, excluded=[7])
    assert_same(merge(found, 9), expected)


def test_subsets_of_other_shards_are_refused():
    X = data()[0][:1]
    shards, others = split(fitted("default"), 2), split(fitted("default"), 2)
    subset = ShardedRanker(shards).subset([1, 2])
    assert_same(
        ShardedRanker(shards).rank(X, allowed=subset),
        fitted("default").rank(X, allowed=[1, 2]),
    )
    with pytest.raises(ValueError, match="made by another estimator"):
        ShardedRanker(others).rank(X, allowed=subset)
    with pytest.raises(ValueError, match="excluded cannot be combined"):
        ShardedRanker(shards).rank(X, allowed=subset, excluded=[1])


# In separate processes

SERVE = """
import sys
from multiprocessing.managers import BaseManager
from skxmr.persistence import load

shard = load(sys.argv[1], mmap_mode="r")
BaseManager.register("shard", lambda: shard)
server = BaseManager(("127.0.0.1", 0), authkey=b"tests").get_server()
print(server.address[1], flush=True)
server.serve_forever()
"""


def test_shards_in_separate_processes(tmp_path):
    X = data()[0]
    classifier = fitted("default").set_params(beam_width=5)
    multiprocessing.current_process().authkey = b"tests"
    servers, proxies, managers = [], [], []
    try:
        for i, shard in enumerate(split(classifier, 2)):
            save(shard, tmp_path / str(i))
            servers.append(
                subprocess.Popen(
                    [sys.executable, "-c", SERVE, str(tmp_path / str(i))],
                    stdout=subprocess.PIPE,
                )
            )
        for server in servers:
            BaseManager.register("shard")
            port = int(server.stdout.readline())
            manager = BaseManager(("127.0.0.1", port), authkey=b"tests")
            manager.connect()
            managers.append(manager)
            proxies.append(manager.shard())
        ranker, allowed = ShardedRanker(proxies), range(0, 50, 3)
        assert_same(ranker.rank(X, 7), classifier.rank(X, 7))
        assert_same(
            ranker.rank(X, 7, allowed=allowed), classifier.rank(X, 7, allowed=allowed)
        )
    finally:
        del proxies, managers, ranker
        for server in servers:
            server.kill()
            server.wait()
            server.stdout.close()


def test_shards_pickle_and_map(tmp_path):
    X = data()[0]
    classifier = fitted("two trees").set_params(beam_width=5)
    shards = [pickle.loads(pickle.dumps(shard)) for shard in split(classifier, 2)]
    for i, shard in enumerate(shards):
        save(shard, tmp_path / str(i))
    mapped = [load(tmp_path / str(i), mmap_mode="r") for i in range(2)]
    assert isinstance(mapped[0].layouts[0].held_by_feature.entries, np.memmap)
    for some in (shards, mapped):
        assert_same(ShardedRanker(some).rank(X, 7), classifier.rank(X, 7))


# What is refused


def test_what_cannot_be_split_is_refused():
    classifier = fitted("default")
    n_nodes = classifier.trees_[0].level_sizes[1]
    with pytest.raises(ValueError, match=f"more than the {n_nodes} nodes of the first"):
        split(classifier, n_nodes + 1)
    for n_shards in (0, 1.5, True):
        with pytest.raises(ValueError, match=r"n_shards=.* must be a positive integer"):
            split(classifier, n_shards)
    with pytest.raises(NotFittedError):
        split(XRLinearClassifier(), 2)


def test_shards_that_are_not_all_are_refused():
    shards = split(fitted("default"), 3)
    for some in (shards[:2], shards[1:], shards[::-1]):
        with pytest.raises(ValueError, match="all shards of one classifier, in order"):
            ShardedRanker(some)
    with pytest.raises(ValueError, match="empty"):
        ShardedRanker([])
    with pytest.raises(ValueError, match="features"):
        ShardedRanker(shards).rank([[1.0, 2.0]])


def test_nodes_that_are_elsewhere_are_refused():
    X = data()[0]
    shards = split(fitted("default"), 2)
    rows = Compressed.from_sparse(X[:1])[:3]
    scores = np.zeros((1, 1))
    stop = shards[0].describe()["ranges"][0][1][1]
    shards[0].expand(0, 1, rows, np.array([[stop - 1]]), scores, 5)
    with pytest.raises(ValueError, match="Level 1 has"):
        shards[0].expand(0, 1, rows, np.array([[stop]]), scores, 5)
    with pytest.raises(ValueError, match="Level 0 has 1 nodes; got 0 at position 1"):
        shards[0].expand(0, 0, rows, np.zeros((1, 2), int), np.zeros((1, 2)), 5)
    for level in (-1, 10):
        with pytest.raises((ValueError, IndexError)):
            shards[0].expand(0, level, rows, np.array([[0]]), scores, 5)


def test_a_shard_refuses_labels_and_nodes_of_another_form():
    classifier = XRLinearClassifier(KMeansTree(4, 2), C=0.01, random_state=0)
    X = sparse.csr_array(np.eye(20, dtype=np.float32))
    (shard,) = split(classifier.fit(X, np.eye(20, dtype=int)), 1)
    nothing = np.empty(0, dtype=np.int64)
    for wrong in (sparse.csr_array([[1]]), [1], np.array([0.5]), np.array([[1]])):
        with pytest.raises(ValueError, match="allowed must be a vector"):
            shard.restrict(wrong, nothing)
        with pytest.raises(ValueError, match="excluded must be a vector"):
            shard.restrict(None, wrong)
    (bits,) = shard.restrict(np.array([3]), nothing)
    rows = Compressed.from_sparse(X)[:3]
    assert set(shard.search(rows, 2, allowed=[bits])[0].ravel()) <= {3, -1}
    for wrong in (bits[:0], bits.astype(np.int64), bits.tolist()):
        with pytest.raises(ValueError, match=r"result of TreeShard\.restrict"):
            shard.search(rows, 2, allowed=[wrong])
