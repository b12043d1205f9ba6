"""Ctrl-C in another process: the fit ends soon and changes nothing.

Each stage in turn is made to take minutes, some in very many tasks, some in a single
call of a kernel; so a process that ends within the limit has stopped early each time.
"""

import os
import signal
import subprocess
import sys
import threading

import pytest

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="needs SIGINT"),
    pytest.mark.usefixtures("sigint"),
]

# Far above what it takes, far below what the fits would.
LIMIT = 300

SCRIPT = """
import functools, sys, time
import numpy as np
from scipy import sparse
from skxmr import KMeansTree, XRLinearClassifier
from skxmr._training import _items, _tasks
from skxmr.tree import _bisection, _clustering, _kmeans_tree, _label_vectors

rng = np.random.default_rng(0)

def data(n_rows, n_labels):
    X = sparse.csr_array(rng.random((n_rows, 30)) * (rng.random((n_rows, 30)) < 0.3))
    rows = np.arange(n_rows)
    Y = sparse.csr_array((np.ones(n_rows), (rows, rows % n_labels)))
    return X.astype(np.float32), Y

X, Y = data(100, 20)
more = data(2000, 400)
indexer = KMeansTree(branching_factor=4, max_leaf_size=8, random_state=0)
classifier = XRLinearClassifier(indexer=indexer, random_state=0)
before = classifier.fit(X, Y).predict_proba(X).toarray()
state = dict(vars(classifier))

def interrupted(stage, module, name, seconds=0.0):
    # Says once that its stage has begun. Every call is slow by itself, or sleeps.
    kernel = getattr(module, name)
    silent = [stage]
    def announced(*arguments):
        if silent:
            print(silent.pop(), flush=True)
        result = kernel(*arguments)
        time.sleep(seconds)
        return result
    setattr(module, name, announced)
    try:
        classifier.fit(*more)
    except KeyboardInterrupt:
        now = vars(classifier)
        assert now.keys() == state.keys()
        assert now["_state"] is state["_state"]
        classifier.set_params(n_jobs=None)
        assert (classifier.predict_proba(X).toarray() == before).all()
        print("unchanged", flush=True)
    setattr(module, name, kernel)

n_jobs = int(sys.argv[1])
_label_vectors._TASK_WORK = _items._TASK_WORK = 10
classifier.set_params(n_jobs=n_jobs)
interrupted("tasks of label vectors", _label_vectors, "add_rows", 0.3)
classifier.set_params(n_jobs=n_jobs)
# Iterations without end: no number of moved rows is small enough.
def endless(max_iter, tol, *others, **named):
    return _bisection.Rule(2**31 - 1, -1.0, *others, **named)

_kmeans_tree.Rule = endless
interrupted("a call of k-means", _clustering, "cut_to_leaves")
classifier.set_params(n_jobs=n_jobs)
_kmeans_tree.Rule = functools.partial(_bisection.Rule, labels_per_task=8)
interrupted("a step of a large cut", _bisection, "score_rows", 0.3)
classifier.set_params(n_jobs=n_jobs)
interrupted("tasks of training", _tasks.kernel, "train_items", 0.3)
# Sweeps without end.
classifier.set_params(n_jobs=n_jobs, tol=1e-300, max_iter=2**31 - 1, C=1e9)
state = dict(vars(classifier))
interrupted("a call of the solver", _tasks.kernel, "train_items")
"""

STAGES = [
    "tasks of label vectors",
    "a call of k-means",
    "a step of a large cut",
    "tasks of training",
    "a call of the solver",
]


def interrupt(script, argument, stages):
    """Run a script and send SIGINT as each stage begins; give its lines and errors."""
    with subprocess.Popen(
        [sys.executable, "-c", script, argument],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = []
        timer = threading.Timer(LIMIT, process.kill)
        timer.start()
        try:
            for line in process.stdout:
                said.append(line.strip())
                if said[-1] in stages:
                    process.send_signal(signal.SIGINT)
            errors = process.stderr.read()
            process.wait()
        finally:
            timer.cancel()
            process.kill()
    return said, errors, process.returncode


@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_interrupted_fit_stops_and_changes_nothing(n_jobs):
    expected = [line for stage in STAGES for line in (stage, "unchanged")]
    assert interrupt(SCRIPT, str(n_jobs), STAGES) == (expected, "", 0)


# A single call of a kernel that would take minutes, on one text or one task of rows

LONG_CALLS = """
import sys
import numpy as np
from scipy import sparse
from skxmr import (
    CharNgramTfidf, LexicalRanker, NeighborRanker, PrefixWeightedCharTfidf,
    WordNgramTfidf, XRLinearClassifier,
)
from skxmr._lexical import _searching as lexical
from skxmr._lexical import _index as index
from skxmr._search import _beam_search as search
from skxmr.text import _counting as ngrams

n_jobs = int(sys.argv[1])
calls = []

def announce(module, name):
    # Says once that a kernel is about to be called.
    kernel = getattr(module, name)
    def announced(*arguments):
        if calls:
            print(calls.pop(), flush=True)
        return kernel(*arguments)
    setattr(module, name, announced)

announce(ngrams.kernel, "count")
announce(search, "_search_task")
announce(index.kernel, "IndexSearcher")

def interrupted(name, call, *arguments):
    calls.append(name)
    try:
        call(*arguments)
    except KeyboardInterrupt:
        print("heard", flush=True)

texts = ["ab " * 100_000] * n_jobs
for make in (CharNgramTfidf, PrefixWeightedCharTfidf, WordNgramTfidf):
    model = make(ngram_range=(1, 10**6), n_jobs=n_jobs).fit(["ab"])
    # Of the characters of words, only a long word has many n-grams.
    mine = ["a" * 300_000] * n_jobs if make is CharNgramTfidf else texts
    interrupted(make.__name__, model.transform, mine)

rng = np.random.default_rng(0)
X = rng.random((600, 300)).astype(np.float32)
Y = sparse.csr_array((np.ones(600), (np.arange(600), np.arange(600))))
many = np.arange(400_000) % 600
for X, name in ((sparse.csr_array(X), "sparse rows"), (X, "dense rows")):
    model = XRLinearClassifier(n_jobs=n_jobs, threshold=0, beam_width=None, tol=1e9)
    interrupted(name, model.fit(X, Y).predict, X[many])
model = NeighborRanker(5).fit(X, Y)
interrupted("neighbours", model.predict, X[many[:50_000]])

# Every label has every word: a query takes a millisecond, a task minutes.
lexical._ROWS_OF_TASK = 200_000
words = " ".join(f"word{i}" for i in range(50))
names = [words] * 20_000
model = LexicalRanker(n_jobs=n_jobs)
model.fit([], sparse.csr_array((0, len(names))), label_texts=names)
queries = model._state.terms.of_texts([words]).part(0, 1)
many = type(queries)(
    np.arange(200_000 * n_jobs + 1) * 50,
    np.tile(queries.terms, 200_000 * n_jobs),
    np.tile(queries.counts, 200_000 * n_jobs),
)
announce(lexical, "_find")
interrupted("words", model._search().find, many, 10)
assert model.rank([words], 2)[0].tolist() == [[0, 1]]
"""

LONG = [
    "CharNgramTfidf",
    "PrefixWeightedCharTfidf",
    "WordNgramTfidf",
    "sparse rows",
    "dense rows",
    "neighbours",
    "words",
]


@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_long_calls_of_kernels_are_interrupted(n_jobs):
    expected = [line for name in LONG for line in (name, "heard")]
    assert interrupt(LONG_CALLS, str(n_jobs), LONG) == (expected, "", 0)
