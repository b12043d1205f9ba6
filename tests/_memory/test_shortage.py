"""Shortage of memory: work ends well, or in a MemoryError that says what to do."""

import errno
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
from scipy import sparse

from skxmr import XRLinearClassifier
from skxmr._memory import _large, _limits
from skxmr._memory._large import empty, map_memory
from skxmr._memory._shortage import tell_shortage
from skxmr._parallel import _threads
from skxmr._parallel._parallel import run_tasks

linux = pytest.mark.skipif(sys.platform != "linux", reason="counts as Linux does")


# What the system says, in one way


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3.00 GiB for an array"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
    ],
    ids=["MemoryError", "OSError", "RuntimeError"],
)
def test_all_shortages_are_memory_errors(error):
    with pytest.raises(MemoryError, match=r"^Fitting: .*\. Run fewer jobs") as caught:
        tell_shortage(error, "Fitting")
    assert str(error).rstrip(".") in str(caught.value)
    # Told once, whatever was around.
    assert tell_shortage(caught.value, "More") is None


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("other")]
)
def test_other_errors_are_left_alone(error):
    assert tell_shortage(error, "Fitting") is None


@pytest.mark.parametrize("size", [2**40, 2**62])
def test_memory_that_cannot_be_mapped(monkeypatch, size):
    def refuse(*arguments, **named):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    if size == 2**40:  # which systems that promise more than they have would map
        monkeypatch.setattr(_large.mmap, "mmap", refuse)
    with pytest.raises(MemoryError, match=r"^Unable to allocate [\d.,]+ TB$"):
        map_memory(4 * size)
    with pytest.raises(MemoryError, match=r"^Unable to allocate [\d.,]+ TB$"):
        empty(size, np.float32)


def test_an_estimator_says_what_to_do_and_stays_as_it_was(monkeypatch):
    def refuse(*arguments, **named):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    rng = np.random.default_rng(0)
    X = rng.random((3000, 300)).astype(np.float32)
    Y = sparse.csr_array((np.ones(3000), (np.arange(3000), np.arange(3000) % 40)))
    model = XRLinearClassifier(random_state=0, tol=1e9).fit(X[:80], Y[:80])
    before = model.trees_
    monkeypatch.setattr(_large, "LARGE", 1)
    monkeypatch.setattr(_large.mmap, "mmap", refuse)
    with pytest.raises(MemoryError, match=r"^XRLinearClassifier\.fit: Unable.*n_jobs"):
        model.fit(X, Y)
    assert model.trees_ is before


# Threads that cannot start


@pytest.mark.parametrize("n_started", [0, 1, 2])
def test_as_many_threads_as_can_start_do_the_work(monkeypatch, n_started):
    start, started = threading.Thread.start, []

    def start_some(thread):
        if len(started) == n_started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    doers = set()

    def square(number):
        doers.add(threading.get_ident())
        return number**2

    assert run_tasks(square, range(50), n_jobs=4) == [i**2 for i in range(50)]
    monkeypatch.undo()
    if n_started == 0:
        assert doers == {threading.get_ident()}
    else:
        assert threading.get_ident() not in doers
        assert len(started) == n_started


@pytest.mark.parametrize("when", ["at once", "with a task"])
def test_nobody_waits_for_threads_that_have_died(monkeypatch, when):
    """As they do where there is no memory for what surrounds a task."""

    def die(crew):
        if when == "with a task":
            crew.futures.put(Future())

    monkeypatch.setattr(_threads._Crew, "work", die)
    with pytest.raises(MemoryError, match="All threads ended before their tasks did"):
        run_tasks(abs, range(5), n_jobs=2)


def test_no_task_runs_while_threads_start(monkeypatch):
    """It could take the memory that a thread needs to start, for which Python waits."""
    done, seen = [], []
    start = threading.Thread.start

    def start_slowly(thread):
        start(thread)
        time.sleep(0.05)  # the thread would run all tasks
        seen.append(len(done))

    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    run_tasks(done.append, range(5), n_jobs=3)
    assert seen == [0, 0, 0]
    assert sorted(done) == list(range(5))


def test_threads_do_not_start_without_room(monkeypatch):
    monkeypatch.setattr(
        _limits, "process_limits", lambda: [("RLIMIT_AS", 2**30, 2**30 - 2**23)]
    )
    started = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    assert run_tasks(abs, range(-3, 0), n_jobs=2) == [3, 2, 1]
    assert not started


# With limits of the process

LIMITED = """
import os, resource, sys
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
from scipy import sparse
from skxmr import (
    KMeansTree, QueryCompleter, TextRetriever, WordNgramTfidf, XRLinearClassifier
)

what, limit = sys.argv[1], getattr(resource, sys.argv[2])
rng = np.random.default_rng(0)

def matrix(n_rows, n_features, n_entries):
    indices = rng.integers(0, n_features, (n_rows, n_entries), dtype=np.int32)
    X = sparse.csr_array(
        (
            np.ones(indices.size, dtype=np.float32), indices.ravel(),
            np.arange(0, indices.size + 1, n_entries),
        ), shape=(n_rows, n_features),
    )
    X.sum_duplicates()
    return X

def indicator(n_rows, n_labels):
    rows = np.arange(n_rows)
    return sparse.csr_array(
        (np.ones(n_rows, dtype=np.int8), (rows, rows % n_labels)),
        shape=(n_rows, n_labels),
    )

texts = [f"word{i % 7001} word{i % 5003} other{i % 301} last{i}" for i in range(40_000)]
linear = XRLinearClassifier(n_jobs=2, random_state=0, max_iter=3, tol=1.0)
if what == "classifier":
    data = matrix(30_000, 300_000, 40), indicator(30_000, 2_000)
    call = lambda: linear.fit(*data)
elif what == "retriever":
    model, Y = TextRetriever(classifier=linear), indicator(len(texts), 1_000)
    call = lambda: model.fit(texts, Y)
elif what == "tree":
    Z = rng.random((20_000, 300)).astype(np.float32)
    call = lambda: KMeansTree(n_jobs=2, random_state=0).fit(Z)
elif what == "completer":
    call = lambda: QueryCompleter(n_jobs=2, random_state=0).fit(None, texts)
else:
    few = matrix(2_000, 3_000, 10)
    model = XRLinearClassifier(random_state=0).fit(few, indicator(2_000, 500))
    model.set_params(n_jobs=2, beam_width=None)
    X = matrix(60_000, 3_000, 10)
    call = lambda: model.rank(X, 300)

counted = "VmSize" if limit == resource.RLIMIT_AS else "VmData"
for megabytes in (8, 60, 200, 2000):
    with open("/proc/self/status") as file:
        used = next(int(l.split()[1]) << 10 for l in file if l.startswith(counted))
    resource.setrlimit(limit, (used + (megabytes << 20), resource.RLIM_INFINITY))
    try:
        call()
    except MemoryError as error:
        said = str(error)
    else:
        said = "done"
    resource.setrlimit(limit, (resource.RLIM_INFINITY,) * 2)
    print(said, flush=True)
"""


LIMITS = [
    *((what, "RLIMIT_AS") for what in ("classifier", "retriever", "tree", "completer")),
    ("rank", "RLIMIT_DATA"),
    *(
        pytest.param(what, "RLIMIT_DATA", marks=pytest.mark.slow)
        for what in ("classifier", "retriever", "tree", "completer")
    ),
    pytest.param("rank", "RLIMIT_AS", marks=pytest.mark.slow),
]


@linux
@pytest.mark.parametrize(("what", "limit"), LIMITS)
def test_limits_of_the_process_end_in_a_memory_error(what, limit):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED, what, limit],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = done.stdout.splitlines()
    assert len(said) == 4
    # What was too little leaves the process fit for another try.
    assert said[0] != "done"
    assert said[-1] == "done"
    for text in said:
        if text != "done":
            assert f"The limit {limit} of this process is " in text
            assert "n_jobs" in text or "fewer rows" in text


ADDRESSES = """
import os
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
from scipy import sparse
from skxmr import XRLinearClassifier

def peak(name):
    with open("/proc/self/status") as file:
        return next(int(l.split()[1]) << 10 for l in file if l.startswith(name))

rng = np.random.default_rng(0)
n_rows, n_features = 30_000, 4_000_000
indices = rng.integers(0, n_features, (n_rows, 60), dtype=np.int32)
X = sparse.csr_array(
    (
        np.ones(indices.size, dtype=np.float32), indices.ravel(),
        np.arange(0, indices.size + 1, 60),
    ), shape=(n_rows, n_features),
)
X.sum_duplicates()
rows = np.arange(n_rows)
Y = sparse.csr_array((np.ones(n_rows), (rows, rows % 1000)))
before = peak("VmPeak"), peak("VmHWM")
XRLinearClassifier(n_jobs=1, random_state=0, max_iter=2, tol=1e9).fit(X, Y)
print(peak("VmPeak") - before[0], peak("VmHWM") - before[1])
"""


@linux
def test_addresses_are_reserved_for_what_is_needed():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ADDRESSES],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    addresses, resident = map(int, done.stdout.split())
    assert addresses < 2 * resident
