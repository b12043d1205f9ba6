"""Hashes of fitted models' arrays: ``python tests/tools/fingerprints.py``.

The same matrices and seeds give the same arrays for every number of jobs, backend,
process and version of Python. This prints the hashes of some models as JSON; run it
under each interpreter and compare.
"""

import hashlib
import json
import sys

import numpy as np
from joblib import parallel_config
from scipy import sparse

from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    LexicalRanker,
    PrefixWeightedCharTfidf,
    QueryCompleter,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
)

N_ROWS, N_FEATURES, N_LABELS = 3000, 300, 400


def make_data():
    """Make sparse, dense and text data from integers alone: the same everywhere."""
    state = np.uint64(88172645463325252)
    numbers = np.empty(N_ROWS * 12, dtype=np.uint64)
    # Not NumPy's generators, whose results may change between versions.
    for i in range(len(numbers)):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        numbers[i] = state
    numbers = numbers.reshape(N_ROWS, 12)
    labels = (numbers[:, 0] % np.uint64(N_LABELS)).astype(np.int64)
    noise = (numbers[:, 1:] % np.uint64(N_FEATURES)).astype(np.int64)
    own = (labels[:, np.newaxis] * np.arange(3, 8)) % N_FEATURES
    columns = np.concatenate([own, noise[:, :6]], axis=1)
    rows = np.repeat(np.arange(N_ROWS), columns.shape[1])
    X = sparse.csr_array(
        (np.ones(columns.size, dtype=np.float32), (rows, columns.ravel())),
        shape=(N_ROWS, N_FEATURES),
    )
    X.sum_duplicates()
    both = np.stack([labels, (numbers[:, 8] % np.uint64(N_LABELS)).astype(np.int64)])
    Y = sparse.csr_array(
        (np.ones(2 * N_ROWS), (np.tile(np.arange(N_ROWS), 2), both.ravel())),
        shape=(N_ROWS, N_LABELS),
    )
    Y = sparse.csr_array(Y > 0, dtype=np.int32)
    texts = [" ".join(f"w{column:03}é" for column in row) for row in columns.tolist()]
    return X, Y, texts


def make_models(n_jobs):
    """List models with their names and data; the result must not depend on n_jobs."""
    X, Y, texts = make_data()
    parameters = {"random_state": 0, "n_jobs": n_jobs, "max_iter": 1000}
    dense = X[:600].toarray() / np.float32(8) + np.float32(0.125)
    names = [f"{label % 17:02} label {label}" for label in range(N_LABELS)]
    return {
        "sparse": lambda: XRLinearClassifier(**parameters).fit(X, Y),
        "deep": lambda: XRLinearClassifier(
            KMeansTree(4, 4, n_jobs=n_jobs),
            negative_sampling="matcher",
            loss="log_loss",
            **parameters,
        ).fit(X, Y),
        "half": lambda: XRLinearClassifier(
            n_trees=2, weight_precision="float16", **parameters
        ).fit(X, Y),
        "dense": lambda: XRLinearClassifier(**parameters).fit(dense, Y[:600]),
        "trie": lambda: XRLinearClassifier(
            TrieTreeHybrid(n_jobs=n_jobs), **parameters
        ).fit(X, Y, label_names=names),
        "words": lambda: WordNgramTfidf(ngram_range=(1, 2), n_jobs=n_jobs).fit(texts),
        "sublinear": lambda: WordNgramTfidf(sublinear_tf=True, n_jobs=n_jobs).fit(
            texts
        ),
        "characters": lambda: CharNgramTfidf(n_jobs=n_jobs).fit(texts),
        "prefixes": lambda: PrefixWeightedCharTfidf(n_jobs=n_jobs).fit(texts),
        "completer": lambda: QueryCompleter(n_jobs=n_jobs, random_state=0).fit(
            texts[400:800], texts[:400]
        ),
        "lexical": lambda: LexicalRanker(["word", "char"], n_jobs=n_jobs).fit(
            texts[:600], Y[:600], label_texts=names
        ),
        "retriever": lambda: TextRetriever(
            classifier=XRLinearClassifier(**parameters)
        ).fit(texts[:600], Y[:600]),
    }


def fingerprint(model):
    """Hash all arrays below a model, and where they stand."""
    found = hashlib.sha256()
    for path, array in sorted(_arrays(model, "", set())):
        found.update(f"{path} {array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def array_hashes(model):
    """List kinds, shapes and hashes of the different arrays below a model, in order."""
    return sorted(
        {
            f"{array.dtype.str} {array.shape} "
            + hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
            for _, array in _arrays(model, "", set())
        }
    )


def _arrays(value, path, seen):
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield path, value
        return
    if isinstance(value, (str, bytes, type)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        items = getattr(value, "__dict__", {}).items()
    for key, item in items:
        yield from _arrays(item, f"{path}/{key}", seen)


def fingerprints(n_jobs=1, backend="threading", only=None):
    """Fit models, and give the hash of each."""
    with parallel_config(backend=backend):
        return {
            name: fingerprint(make())
            for name, make in make_models(n_jobs).items()
            if only is None or name in only
        }


if __name__ == "__main__":
    versions = {"python": sys.version.split()[0], "numpy": np.__version__}
    print(json.dumps(versions | fingerprints(), indent=1))
