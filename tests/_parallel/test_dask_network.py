"""Workers of Dask on machines of their own, with every byte on the wires counted."""

import pickle
import sys

import joblib
import numpy as np
import pytest
from network_namespaces import Network, may_make_namespaces
from scipy import sparse
from twins import assert_same_layout

import skxmr
from skxmr import KMeansTree, WordNgramTfidf, XRLinearClassifier
from skxmr._training import _tasks
from skxmr.tree import _label_vectors
from skxmr.tree._clustering import Segment

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(
    not may_make_namespaces(),
    reason="needs the right to make network namespaces",
)


@pytest.fixture(scope="module")
def network():
    with Network(2) as network:
        yield network


@pytest.fixture(scope="module")
def client(network):
    with (
        distributed.LocalCluster(
            n_workers=0,
            host=network.address,
            protocol="tcp",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        for machine in network.machines:
            network.start(
                machine,
                *(sys.executable, "-m", "distributed.cli.dask_worker"),
                *("--nthreads", "1", "--no-dashboard", "--no-nanny"),
                *("--memory-limit", "0", "--death-timeout", "60"),
                cluster.scheduler_address,
            )
        client.wait_for_workers(len(network.machines), timeout=120)
        network.at_start = network.received()
        yield client


@pytest.fixture
def sent(monkeypatch):
    """Bytes of the tasks that travel, stage by stage, as pickle writes them."""
    sizes = {"label vectors": 0, "index": 0, "train": 0}
    stages = zip(sizes, (_label_vectors._Task, Segment, _tasks.Task), strict=True)
    for stage, task_type in stages:

        def counted(task, stage=stage, detached=task_type.detached):
            travels = detached(task)
            sizes[stage] += len(pickle.dumps(travels, protocol=5))
            return travels

        monkeypatch.setattr(task_type, "detached", counted)
    return sizes


def test_machines_train_the_same_model_from_their_rows(network, client, sent):
    titles, Y = skxmr.datasets.load_subjects(return_X_y=True)
    X = WordNgramTfidf().fit_transform(titles[:4000])
    Y = sparse.csr_array(Y)[:4000]
    Y = Y[:, np.flatnonzero(Y.sum(axis=0))]
    classifier = XRLinearClassifier(KMeansTree(16, 100), random_state=0)
    with joblib.parallel_config(backend="dask"):
        there = classifier.fit(X, Y).layouts_[0]
        received = np.subtract(network.received(), network.at_start)
    n_sent = dict(sent)
    here = classifier.fit(X, Y).layouts_[0]
    assert_same_layout(there, here)

    # Every machine had some of the work, and nothing went beside the tasks.
    assert len(received) == len(network.machines)
    assert (received > 0.1 * received.sum()).all()
    assert sum(n_sent.values()) < received.sum() < 1.25 * sum(n_sent.values())
    # A row goes to the machine that trains a parent of it: once a level for each of
    # its labels at most.
    tree = classifier.trees_[0]
    parents = tree.roll_up(Y)[:-1]
    n_bytes = 8 * np.diff(X.indptr) + 8
    needed = n_bytes.sum() + sum((n_bytes @ level).sum() for level in parents)
    needed += 8 * sum(level.nnz for level in tree.roll_up(Y))
    assert 0.8 * needed < n_sent["train"] < 1.2 * needed
