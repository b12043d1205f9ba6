"""Times of one vectorizer on texts: the common part of all workers.

A job comes as JSON on standard input: the file with the texts, the features, the
number of threads. The measurements go as JSON to standard output.
"""

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter

PASSES = 5
WARM_UP = 100


def seconds(function, *arguments):
    start = perf_counter()
    function(*arguments)
    return perf_counter() - start


def measure(make, job):
    """Seconds: of a fit, of a batch per text, of a call for a single text."""
    texts = json.loads(Path(job["texts"]).read_text(encoding="utf-8"))
    train, test = texts["train"], texts["test"]
    system = make(job["features"], job["threads"])
    measured = {"version": make.version, "fit_s": seconds(system.fit, train)}
    # Warm up: a system may start its threads at the first call.
    system.transform(test)
    batches = [seconds(system.transform, test) for _ in range(PASSES)]
    measured["batch_s"] = statistics.median(batches) / len(test)
    if job["threads"] == 1:
        singles = [seconds(system.transform_one, text) for text in test[:1100]]
        cuts = statistics.quantiles(singles[WARM_UP:], n=100)
        measured |= {"single_p50_s": cuts[49], "single_p99_s": cuts[98]}
    return measured


def run(make):
    """Run the job on standard input with a class of vectorizers."""
    measured = measure(make, json.load(sys.stdin))
    json.dump(measured, sys.stdout)
