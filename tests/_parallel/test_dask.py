"""On a cluster of Dask: the same model, few bytes, and workers may die."""

import os
import signal
from functools import partial

import joblib
import numpy as np
import pytest
from platforms import posix
from scipy import sparse
from twins import assert_same_layout

import skxmr
from skxmr import KMeansTree, TextRetriever, WordNgramTfidf, XRLinearClassifier
from skxmr._parallel import _parallel
from skxmr._training import _items, _levels
from skxmr.streaming import rank_batches, row_batches
from skxmr.tree import _label_vectors

distributed = pytest.importorskip("distributed")

N_ROWS = 600


@pytest.fixture(scope="module")
def cluster_of_two():
    return partial(
        distributed.LocalCluster,
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",  # any free port
    )


@pytest.fixture(scope="module")
def client(cluster_of_two):
    with cluster_of_two() as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture
def on_dask(client):
    with joblib.parallel_config(backend="dask"):
        yield client


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    monkeypatch.setattr(_items, "_TASK_WORK", 3_000)
    monkeypatch.setattr(_label_vectors, "_TASK_WORK", 3_000)


@pytest.fixture(scope="module")
def data():
    titles, Y = skxmr.datasets.load_subjects(return_X_y=True)
    Y = sparse.csr_array(Y)[:N_ROWS]
    Y = Y[:, np.flatnonzero(Y.sum(axis=0))]
    return titles[:N_ROWS], WordNgramTfidf().fit_transform(titles[:N_ROWS]), Y


def make_classifier(**parameters):
    defaults = {"indexer": KMeansTree(4, 8), "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


def assert_same_model(one, other):
    for found, expected in zip(one.layouts_, other.layouts_, strict=True):
        assert_same_layout(found, expected)


KINDS = {
    "default": {},
    "matcher": {"negative_sampling": "matcher"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_the_same(client, data, kind):
    _, X, Y = data
    here = make_classifier(**KINDS[kind]).fit(X, Y)
    with joblib.parallel_config(backend="dask"):
        there = make_classifier(**KINDS[kind]).fit(X, Y)
    assert_same_model(there, here)


def test_the_model_of_dense_rows_is_the_same(client, data):
    Y = data[2]
    X = np.random.default_rng(0).normal(size=(N_ROWS, 12)).astype(np.float32)
    here = make_classifier(C=0.01).fit(X, Y)
    with joblib.parallel_config(backend="dask"):
        there = make_classifier(C=0.01).fit(X, Y)
    assert_same_model(there, here)


def test_texts_are_searched_alike(client, data):
    titles, _, Y = data
    here = TextRetriever(classifier=make_classifier()).fit(titles, Y)
    with joblib.parallel_config(backend="dask"):
        there = TextRetriever(classifier=make_classifier()).fit(titles, Y)
        found = there.rank(titles[:50], 5)
    assert_same_model(there.classifier_, here.classifier_)
    for one, other in zip(found, here.rank(titles[:50], 5), strict=True):
        np.testing.assert_array_equal(one, other)


# Workers that lack something

LACKING = {
    "the package": ("sys.modules['skxmr'] = None", "ModuleNotFoundError: .*skxmr"),
    "the version": ("import skxmr._version as v; v.__version__ = '0.0.1'", "0.0.1"),
}


@pytest.mark.parametrize(
    "what", ["the package", pytest.param("the version", marks=pytest.mark.slow)]
)
def test_workers_without_this_package_are_named(cluster_of_two, data, tmp_path, what):
    code, named = LACKING[what]
    preload = tmp_path / "preload.py"
    preload.write_text(f"import sys\n{code}\n", encoding="utf-8")
    _, X, Y = data
    classifier = make_classifier()
    with (
        cluster_of_two(preload=[str(preload)]) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
        pytest.raises(RuntimeError, match=f"worker tcp://.* said: {named}.* Install"),
    ):
        classifier.fit(X, Y)
    assert not hasattr(classifier, "classes_")


# What travels


@pytest.fixture
def written(monkeypatch):
    """Bytes that this process has written: the client's and the scheduler's."""
    sent = [0]
    write = distributed.comm.tcp.TCP.write

    async def counting_write(*arguments, **options):
        n_bytes = await write(*arguments, **options)
        sent[0] += n_bytes
        return n_bytes

    monkeypatch.setattr(distributed.comm.tcp.TCP, "write", counting_write)
    return sent


def bytes_of_rows(X, rows):
    return int(8 * X.sizes[rows].sum()) + 8 * len(rows)


def test_fit_sends_the_rows_that_matter(on_dask, data, written, monkeypatch):
    """All that is written, beside what each parent's models are made of."""
    _, X, Y = data
    X = sparse.vstack([X] * 10, format="csr")
    Y = sparse.vstack([Y] * 10, format="csr")
    monkeypatch.setattr(_items, "_TASK_WORK", 100_000)
    train_levels = _levels.train_levels
    needed, sent = [], []

    def measured(X, levels, solvers, *, n_jobs):
        written[0] = 0
        results = train_levels(X, levels, solvers, n_jobs=n_jobs)
        sent.append(written[0])
        for targets, result in zip(levels, results, strict=True):
            # The rows of every parent with several children, once.
            several = np.flatnonzero(np.diff(targets.child_offsets) > 1)
            needed.append(bytes_of_rows(X, targets.rows.take(several).indices))
            needed.append(8 * len(targets.positives.indices))
            needed.append(result.weights.nbytes)
        return results

    monkeypatch.setattr("skxmr.linear._fitting.train_levels", measured)
    make_classifier(indexer=KMeansTree(16, 16)).fit(X, Y)
    # Everything goes by way of the scheduler, so twice.
    assert 1.5 * sum(needed) < sent[0] < 2 * 1.1 * sum(needed)


def test_prediction_sends_the_model_once(client, data, written, monkeypatch):
    _, X, Y = data
    classifier = make_classifier(threshold=0).fit(X, Y)
    expected = classifier.rank(X, 5)
    monkeypatch.setattr("skxmr._search._beam_search._MIN_ROWS_OF_A_TASK", 50)
    travels = sum(one.nbytes for one in expected) + 2 * X.data.nbytes
    assert classifier.nbytes_ > 4 * travels
    written[0] = 0
    with joblib.parallel_config(backend="dask"):
        found = classifier.rank(X, 5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    # To the scheduler and on to a worker, which hands it to the others.
    assert written[0] < 2 * 1.1 * (classifier.nbytes_ + 2 * travels)


def test_batches_find_the_model_where_it_was_sent(client, data, written, monkeypatch):
    _, X, Y = data
    classifier = make_classifier(threshold=0).fit(X, Y)
    monkeypatch.setattr("skxmr._search._beam_search._MIN_ROWS_OF_A_TASK", 50)
    with joblib.parallel_config(backend="dask", scatter=classifier.layouts_):
        written[0] = 0
        for columns, _ in rank_batches(classifier, row_batches(X, 100), k=5):
            assert len(columns) == 100
    assert written[0] < classifier.nbytes_


# Workers that die


class Killer:
    """Kills a worker when some of the results have come."""

    def __init__(self, client, module, monkeypatch, after=3):
        self.client, self.after, self.n_results = client, after, 0
        self.killed = None
        monkeypatch.setattr(module, "iterate_tasks", self)

    def __call__(self, *arguments, **options):
        for result in _parallel.iterate_tasks(*arguments, **options):
            self.n_results += 1
            if self.n_results == self.after:
                self.killed = self.pids()[0]
                os.kill(self.killed, signal.SIGKILL)
            yield result

    def pids(self):
        # A worker that has just died answers with an error.
        said = self.client.run(os.getpid, on_error="return").values()
        return [answer for answer in said if isinstance(answer, int)]


@posix
@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        pytest.param(_label_vectors, _label_vectors, marks=pytest.mark.slow),
        (_levels, _items),
    ],
)
def test_a_worker_killed_in_the_middle_changes_nothing(
    on_dask, data, module, sizes, monkeypatch
):
    _, X, Y = data
    with joblib.parallel_config(backend="threading", n_jobs=1):
        here = make_classifier().fit(X, Y)
    monkeypatch.setattr(sizes, "_TASK_WORK", 500)
    killer = Killer(on_dask, module, monkeypatch)
    there = make_classifier().fit(X, Y)
    assert killer.n_results > 2 * killer.after
    on_dask.wait_for_workers(2, timeout=60)
    assert killer.killed not in killer.pids()
    assert_same_model(there, here)


class Deadly:
    """A task that travels as the status to exit with."""

    def detached(self):
        return 1


@pytest.mark.slow
def test_a_task_that_kills_its_workers_ends_with_an_error(cluster_of_two):
    # With one worker left, joblib would run the tasks here.
    with cluster_of_two() as cluster, distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        cluster.scheduler.allowed_failures = 0
        with (
            joblib.parallel_config(backend="dask"),
            pytest.raises(distributed.scheduler.KilledWorker),
        ):
            _parallel.run_tasks(os._exit, [Deadly()] * 4, n_jobs=None)
