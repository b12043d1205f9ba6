"""Times of a fit on texts and of single calls: the common part of all workers.

A job comes as JSON on standard input: the file with texts, labels and names. The
measurements go as JSON to standard output.
"""

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter

N_CALLS = 2_000
WARM_UP = 200


def seconds(function, *arguments):
    start = perf_counter()
    function(*arguments)
    return perf_counter() - start


def measure(make, job):
    """Seconds: of a fit on all, and of a call for a single text; recall@10."""
    data = json.loads(Path(job["data"]).read_text(encoding="utf-8"))
    system = make(data["names"])
    measured = {
        "version": make.version,
        "fit_s": seconds(system.fit, data["train"]["texts"], data["train"]["labels"]),
    }
    texts, truths = data["test"]["texts"], data["test"]["labels"]
    recalls, times = [], []
    for call, (text, labels) in enumerate(zip(texts, truths, strict=True)):
        if call == N_CALLS + WARM_UP:
            break
        start = perf_counter()
        found = system.search(text)
        times.append(perf_counter() - start)
        assert all(isinstance(name, str) for _, name in found)
        recalls.append(len({label for label, _ in found} & set(labels)) / len(labels))
    cuts = statistics.quantiles(times[WARM_UP:], n=100)
    return measured | {
        "p50_s": cuts[49],
        "p99_s": cuts[98],
        "recall_at_10": statistics.mean(recalls),
    }


def run(make):
    """Run the job on standard input with a class of systems."""
    json.dump(measure(make, json.load(sys.stdin)), sys.stdout)
