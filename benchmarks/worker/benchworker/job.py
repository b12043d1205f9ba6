"""Run one stage of a job with one system, and write the measurements.

A job is a JSON file with: stage ("fit" or "predict"), problem (folder of matrices),
model (folder), layout, threads (of training), predict_threads (list), seed, k,
settings, single_rows, repeats, result (file to write), columns (file to write).
Timed calls return k labels; the saved answers have columns_k labels (default: k).
"""

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from benchworker import memory
from benchworker.matrices import read

WARM_UP_ROWS = 64
FIRST_CALLS = 10
SINGLE_SECONDS = 20.0
# Seconds after which no further pass over all queries starts.
PASSES_SECONDS = 30.0


def folder_bytes(folder):
    """Bytes of all files below a folder."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def fit(system, job):
    """Train and save: seconds, CPU time, peak memory added, bytes on disk."""
    system.prepare(read(job["problem"], "X_train"), read(job["problem"], "Y_train"))
    with memory.Peak() as peak:
        start = process_time()
        index, train = system.fit()
        cpu = process_time() - start
    system.save(job["model"])
    return {
        "index_s": index,
        "train_s": None if index is None else train,
        "fit_s": train + (index or 0.0),
        "fit_cpu_s": cpu,
        "resident_before": peak.before,
        "peak_added": peak.added,
        "disk_bytes": folder_bytes(job["model"]),
    }


def loaded_bytes(system, job, first_row):
    """Return the memory that the model takes after its first query."""
    before = memory.settle()
    system.load(job["model"], job["layout"])
    system.predict(system.queries(first_row), job["k"], 1)
    return memory.settle() - before


def time_batch(system, queries, n_rows, job, threads):
    """Median times per query of whole passes, and the last pass's answer."""
    seconds, cpu_seconds = [], []
    for _ in range(job["repeats"]):
        cpu_start = process_time()
        start = perf_counter()
        predicted = system.predict(queries, job["k"], threads)
        seconds.append(perf_counter() - start)
        cpu_seconds.append(process_time() - cpu_start)
        if sum(seconds) > PASSES_SECONDS:
            break
    found = {
        f"batch_s_{threads}": statistics.median(seconds) / n_rows,
        f"batch_cpu_s_{threads}": statistics.median(cpu_seconds) / n_rows,
    }
    return found, predicted


def time_single(system, X, job):
    """Median and 99th percentile of the time and of the CPU time of one row's call.

    Slow systems answer fewer rows, to bound the time.
    """
    X = X[: job["single_rows"]]
    call = system.one_by_one(X, job["k"])
    for row in range(min(FIRST_CALLS, X.shape[0])):
        call(row)
    seconds, cpu_seconds = [], []
    limit = perf_counter() + SINGLE_SECONDS
    for row in range(X.shape[0]):
        # The CPU clock outside, since it is a system call and the other is not.
        cpu_start = process_time()
        start = perf_counter()
        call(row)
        end = perf_counter()
        cpu_seconds.append(process_time() - cpu_start)
        seconds.append(end - start)
        if end > limit:
            break
    return {
        f"{name}_p{percent}_s": float(np.percentile(values, percent))
        for name, values in (("single", seconds), ("single_cpu", cpu_seconds))
        for percent in (50, 99)
    }


def predict(system, job):
    """Load and predict: memory of the model, seconds per query, the answers."""
    X = read(job["problem"], "X_test")
    measured = {"model_bytes": loaded_bytes(system, job, X[:1])}
    queries = system.queries(X)
    system.predict(system.queries(X[:WARM_UP_ROWS]), job["k"], 1)
    for threads in job["predict_threads"]:
        found, predicted = time_batch(system, queries, X.shape[0], job, threads)
        measured |= found
    k = job.get("columns_k", job["k"])
    if k != job["k"]:
        predicted = system.predict(queries, k, max(job["predict_threads"]))
    np.save(job["columns"], system.columns(predicted, k))
    if job["single_rows"]:
        measured |= time_single(system, X, job)
    return measured


def run(system_class):
    """Entry point of a worker: its only argument is the job's file."""
    job = json.loads(Path(sys.argv[1]).read_text())
    system = system_class(job["settings"], job["threads"], job["seed"])
    measured = {"fit": fit, "predict": predict}[job["stage"]](system, job)
    measured["version"] = system.version
    measured["facts"] = getattr(system, "facts", {})
    Path(job["result"]).write_text(json.dumps(measured))
