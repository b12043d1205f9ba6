"""Makes the model folders of PECOS that the tests in ``tests/interop`` read.

Run by the Python of PECOS's environment, which ``python -m benchmarks`` builds::

    .benchmarks/environments/pecos/bin/python benchmarks/peers/pecos/make_models.py

Beside each folder goes a file of queries with what PECOS itself predicts for them.
"""

import itertools
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel

N_ROWS, N_FEATURES, N_LABELS, N_QUERIES = 80, 12, 14, 25
OUTPUT = Path(__file__).parents[3] / "tests" / "data"


def random_problem(seed):
    rng = np.random.default_rng(seed)
    rows = rng.random((N_ROWS + N_QUERIES, N_FEATURES)) * (
        rng.random((N_ROWS + N_QUERIES, N_FEATURES)) < 0.4
    )
    prototypes = rng.random((N_FEATURES, N_LABELS))
    affinity = rows[:N_ROWS] @ prototypes
    Y = affinity >= np.sort(affinity, axis=1)[:, [-2]]
    X, queries = np.split(rows.astype(np.float32), [N_ROWS])
    return sp.csr_matrix(X), sp.csr_matrix(Y, dtype=np.float32), sp.csr_matrix(queries)


def chain_of(*parents_of_levels):
    """Cluster matrices from the parent of each node, level by level."""
    chain = []
    n_parents = 1
    for parents in parents_of_levels:
        cells = (np.arange(len(parents)), parents)
        ones = np.ones(len(parents), dtype=np.float32)
        shape = (len(parents), n_parents)
        chain.append(sp.csc_matrix((ones, cells), shape=shape))
        n_parents = len(parents)
    return chain


def train(X, Y, chain, **parameters):
    return XLinearModel.train(
        X, Y.tocsc(), C=chain, only_topk=10, threads=1, **parameters
    )


def one_level():
    """One model a label, the default post-processor."""
    X, Y, queries = random_problem(0)
    return train(X, Y, None, threshold=0.1), queries


def deep():
    """Nodes with a single child, siblings far from each other, a bias other than 1."""
    X, Y, queries = random_problem(1)
    chain = chain_of(
        [0, 0, 0],
        [2, 0, 1, 2],
        [3, 0, 1, 2, 0],
        [4, 0, 3, 1, 2, 0, 4, 2, 2, 0, 0, 3, 4, 2],
    )
    # Else PECOS puts levels of its own above the chain.
    parameters = {"shallow": True, "bias": 2.0, "post_processor": "l2-hinge"}
    return train(X, Y, chain, threshold=0.05, beam_size=3, **parameters), queries


def unbiased():
    """PECOS's own clusters, the logistic post-processor, no bias."""
    X, Y, queries = random_problem(2)
    Z = LabelEmbeddingFactory.create(Y, X, method="pifa", threads=1)
    chain = Indexer.gen(Z, nr_splits=2, max_leaf_size=4, seed=0, threads=1)
    parameters = {"bias": 0.0, "post_processor": "sigmoid", "nr_splits": 2}
    return train(X, Y, chain, threshold=0.0, beam_size=2, **parameters), queries


def constrained():
    """Labels and clusters that PECOS is told never to return."""
    X, Y, queries = random_problem(3)
    chain = chain_of([0, 0, 0], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1])
    parameters = {"shallow": True, "bias": 0.5, "post_processor": "l1-hinge"}
    model = train(X, Y, chain, threshold=0.05, beam_size=2, **parameters)
    model.set_output_constraint([0, 2, 3, 5, 6, 11, 12])
    return model, queries


def write(model, queries, name):
    model.save(str(OUTPUT / name))
    predicted = model.predict(queries, threads=1)
    columns = np.full((queries.shape[0], 10), -1)
    scores = np.zeros(columns.shape, dtype=np.float32)
    for row, (first, last) in enumerate(itertools.pairwise(predicted.indptr)):
        columns[row, : last - first] = predicted.indices[first:last]  # best first
        scores[row, : last - first] = predicted.data[first:last]
    np.savez_compressed(
        OUTPUT / f"{name}.npz",
        queries=queries.toarray(),
        columns=columns,
        scores=scores,
    )


if __name__ == "__main__":
    OUTPUT.mkdir(exist_ok=True)
    write(*one_level(), "pecos-one-level")
    write(*deep(), "pecos-deep")
    write(*unbiased(), "pecos-unbiased")
    write(*constrained(), "pecos-constrained")
