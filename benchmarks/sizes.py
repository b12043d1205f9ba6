"""``python -m benchmarks.sizes``: time and memory of a retriever, by number of labels.

Names and summaries of packages and the queries for them, drawn at random, with default
parameters. Each size is measured in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time, thread_time

import numpy as np

from benchmarks import machine
from benchmarks.comparison import say
from benchmarks.report import markdown
from benchmarks.retrieval.tasks import read_catalogue
from benchmarks.run import CACHE
from skxmr import TextRetriever
from skxmr.persistence import load, save

WORKER = Path(__file__).resolve().parent / "worker"
N_SEARCHES = 1_000
COLUMNS = {
    "labels": "labels",
    "rows": "rows",
    "fit_s": "fit, s",
    "fit_cpu_s": "s of CPU",
    "peak_mb": "peak, MB",
    "file_mb": "file, MB",
    "load_ms": "load, ms",
    "search_us": "search, µs",
}


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sizes", description=__doc__
    )
    add = parser.add_argument
    add("--labels", nargs="+", type=int, default=[1_000, 10_000, 100_000, 841_378])
    add("--threads", type=int, default=2)
    add("--cache", type=Path, default=CACHE, help="folder of the results")
    add("--measure", action="store_true", help="measure in this process, as JSON")
    return parser.parse_args(argv)


def measure(n_labels, n_threads):
    """Fit, save, load and search; times, and memory in MB.

    Returns
    -------
    dict of str to float
    """
    from benchworker.memory import Peak  # noqa: PLC0415 - on the path of this process

    task = read_catalogue().cut_labels(n_labels)
    texts = [" ".join(fields) for fields in task.label_texts]
    retriever = TextRetriever(random_state=0, n_jobs=n_threads)
    wall, cpu = perf_counter(), process_time()
    with Peak() as peak:
        retriever.fit(task.texts, task.Y, label_texts=texts)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.joblib")
        save(retriever, path)
        size, start = path.stat().st_size, perf_counter()
        retriever = load(path, mmap_mode="r")
        loading = perf_counter() - start
        searches = [
            seconds_of_search(retriever, text) for text in task.test_texts[:N_SEARCHES]
        ]
    return {
        "labels": n_labels,
        "rows": len(task.texts),
        "fit_s": wall,
        "fit_cpu_s": cpu,
        "peak_mb": peak.added / 1e6,
        "file_mb": size / 1e6,
        "load_ms": 1e3 * loading,
        "search_us": 1e6 * float(np.median(searches)),
    }


def seconds_of_search(retriever, text):
    """CPU seconds of one search for ten labels."""
    start = thread_time()
    retriever.search(text, k=10)
    return thread_time() - start


def measure_apart(n_labels, n_threads):
    """Measure one size in another process."""
    command = [sys.executable, "-m", "benchmarks.sizes", "--measure"]
    sizes = ["--labels", str(n_labels), "--threads", str(n_threads)]
    path = os.pathsep.join([str(WORKER), *filter(None, sys.path)])
    done = subprocess.run(
        [*command, *sizes],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    return json.loads(done.stdout)


def shown(number):
    """Format a number with two digits or more."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def main(argv=None):
    """Measure the sizes and write the results."""
    given = arguments(argv)
    if given.measure:
        print(json.dumps(measure(*given.labels, given.threads)))
        return
    found = [measure_apart(n_labels, given.threads) for n_labels in given.labels]
    rows = [[shown(one[name]) for name in COLUMNS] for one in found]
    say(markdown(list(COLUMNS.values()), rows))
    given.cache.mkdir(parents=True, exist_ok=True)
    written = {"machine": machine.facts(), "sizes": found}
    (given.cache / "sizes.json").write_text(json.dumps(written, indent=1))


if __name__ == "__main__":
    main()
