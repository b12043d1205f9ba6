"""Building, loading and timing of a completer of names: common to all workers.

It runs in each system's own environment, so it imports NumPy only. A job comes as JSON
on standard input; its "action" is "build" or "serve". A system is a class with

``build(settings, names, counts)``, ``save(folder)``, ``load(folder)``
    The last one also after another process has built it.
``complete(prefix, k)``
    A list of strings, the most frequent first.

and may have ``without(blocked)``, after which blocked names are not given, and
``updates()``, pairs of a name and a function that changes it.
"""

import json
import sys
from pathlib import Path
from time import perf_counter, process_time, thread_time

import numpy as np

K = 10
N_TIMED = 400  # of each group
WARM_UP = 50
SECONDS = 120.0
REPETITIONS = 5


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def time_groups(complete, prefixes, groups):
    """Time single calls in CPU time: median and 99th percentile of each group."""
    p50, p99 = {}, {}
    for prefix in prefixes[:WARM_UP]:
        complete(prefix, K)
    for group in sorted(set(groups)):
        rows = [i for i, one in enumerate(groups) if one == group][:N_TIMED]
        seconds, end = [], perf_counter() + SECONDS / 10
        for row in rows:
            start = thread_time()
            complete(prefixes[row], K)
            seconds.append(thread_time() - start)
            if perf_counter() > end:
                break
        p50[group] = float(np.median(seconds))
        p99[group] = float(np.percentile(seconds, 99))
    return {"p50_s": p50, "p99_s": p99}


def answer(complete, prefixes, names):
    """Complete all prefixes, or as many as a limited time allows."""
    number = {name: i for i, name in enumerate(names)}
    rows, end = [], perf_counter() + SECONDS
    for prefix in prefixes:
        found = [number.get(name, -1) for name in complete(prefix, K)]
        rows.append(found + [-1] * (K - len(found)))
        if perf_counter() > end:
            break
    return np.array(rows, dtype=np.int32).reshape(-1, K)


def time_updates(system):
    """Time changes in CPU milliseconds."""
    if not hasattr(system, "updates"):
        return None
    found = {}
    for name, change in system.updates():
        times = []
        for repetition in range(REPETITIONS):
            start = process_time()
            change(repetition)
            times.append(1e3 * (process_time() - start))
        found[name] = float(np.median(times))
    return found


def build(system, job, data):
    start = process_time()
    system.build(job["settings"], data["names"], data["counts"])
    seconds = process_time() - start
    system.save(job["folder"])
    files = [path for path in Path(job["folder"]).glob("model*") if path.is_file()]
    return {"fit_s": seconds, "disk_bytes": sum(path.stat().st_size for path in files)}


def serve(system, job):
    before, start = resident_bytes(), perf_counter()
    system.load(job["folder"])
    system.complete("a", K)
    measured = {
        "load_s": perf_counter() - start,
        "memory_bytes": resident_bytes() - before,
    }
    data = json.loads(Path(job["data"]).read_text(encoding="utf-8"))
    prefixes, names = data["prefixes"], data["names"]
    measured |= time_groups(system.complete, prefixes, data["groups"])
    np.save(Path(job["folder"], "all.npy"), answer(system.complete, prefixes, names))
    complete = system.complete
    kept = np.empty((0, K), dtype=np.int32)
    if hasattr(system, "without"):
        complete = system.without(data["blocked"])
        kept = answer(complete, prefixes, names)
    np.save(Path(job["folder"], "kept.npy"), kept)
    return measured | {"updates_ms": time_updates(system)}


def run(make):
    """Run the job on standard input with a class of completers."""
    job = json.load(sys.stdin)
    if job["action"] == "build":
        data = json.loads(Path(job["data"]).read_text(encoding="utf-8"))
        measured = build(make(), job, data)
    else:
        measured = serve(make(), job)
    print(json.dumps(measured))
