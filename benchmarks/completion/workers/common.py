"""Fitting and timing of one completer: the common part of all workers.

It runs in each system's own environment, so it imports NumPy only.

A job comes as JSON on standard input:

data
    file of ``benchmarks.completion.tasks.write``.
settings
    of the system.
variants
    by name, settings that need no other training.
columns
    folder for the answers of each variant, ``<variant>.npy``.
single_calls
    how many calls are timed one by one.

A system is a class with

``__init__(settings, seed)``
``fit(data)``
    returns seconds of indexing, or None, and of the rest.
``save(folder)``
``vary(settings)``
    makes the fitted system answer as a variant does.
``complete(prefix, previous, k)``
    a list of strings, as a service would call it.

and may have ``complete_batch(prefixes, previous, k)``, a list of such lists.
"""

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np

K = 10
WARM_UP = 50
SINGLE_SECONDS = 15.0


def folder_bytes(folder):
    return sum(path.stat().st_size for path in Path(folder).rglob("*"))


def time_single(complete, prefixes, previous, n_calls):
    """Time a sample of single calls: median and 99th percentile in seconds.

    The percentile is also measured in CPU time, since the wall time depends on other
    processes.
    """
    calls = np.random.default_rng(0).permutation(len(prefixes))[:n_calls]
    for call in calls[:WARM_UP]:
        complete(prefixes[call], previous[call], K)
    seconds, busy = [], []
    limit = perf_counter() + SINGLE_SECONDS
    for call in calls:
        start, start_busy = perf_counter(), thread_time()
        complete(prefixes[call], previous[call], K)
        end, end_busy = perf_counter(), thread_time()
        seconds.append(end - start)
        busy.append(end_busy - start_busy)
        if end > limit:
            break
    return {
        "single_p50_s": float(np.median(seconds)),
        "single_p99_s": float(np.percentile(seconds, 99)),
        "single_busy_p99_s": float(np.percentile(busy, 99)),
    }


def one_by_one(complete):
    def complete_batch(prefixes, previous, k):
        return [complete(*call, k) for call in zip(prefixes, previous)]  # noqa: B905

    return complete_batch


def columns_of(suggestions, known):
    """Convert answers to numbers of known queries, padded with -1."""
    number = {query: place for place, query in enumerate(known)}
    columns = np.full((len(suggestions), K), -1, dtype=np.int32)
    for row, found in enumerate(suggestions):
        columns[row, : len(found)] = [number[query] for query in found]
    return columns


def answer(system, data, job, variant):
    """Complete all calls by a variant; save the answers and return measurements."""
    system.vary(job["variants"][variant])
    prefixes, previous = data["calls"]["prefixes"], data["calls"]["previous"]
    singles = time_single(system.complete, prefixes, previous, job["single_calls"])
    batch = getattr(system, "complete_batch", None) or one_by_one(system.complete)
    start = perf_counter()
    suggestions = batch(prefixes, previous, K)
    seconds = perf_counter() - start
    columns = columns_of(suggestions, data["known"])
    np.save(Path(job["columns"], f"{variant}.npy"), columns)
    return {**singles, "batch_s": seconds / len(prefixes)}


def measure(make, job):
    data = json.loads(Path(job["data"]).read_text(encoding="utf-8"))
    system = make(job["settings"], job["seed"])
    start = perf_counter()
    index, train = system.fit(data)
    measured = {"index_s": index, "train_s": train, "fit_s": perf_counter() - start}
    with tempfile.TemporaryDirectory() as folder:
        system.save(folder)
        measured["disk_bytes"] = folder_bytes(folder)
    measured["facts"] = getattr(system, "facts", {})
    measured["variants"] = {
        variant: answer(system, data, job, variant) for variant in job["variants"]
    }
    return measured


def run(make):
    """Run the job on standard input with a class of completers."""
    measured = measure(make, json.load(sys.stdin))
    print(json.dumps(measured))
