"""``python -m benchmarks.text``: vectorisers of text, interleaved, on real texts."""

import argparse
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

from benchmarks import machine
from benchmarks.datasets import ProblemUnavailableError, read_table
from benchmarks.environments import NotInstalledError, ensure
from benchmarks.report import medians

HERE = Path(__file__).resolve().parent
WORKERS = HERE / "vectorizers"
SYSTEMS = ("skxmr", "sklearn", "pecos")
FEATURES = ("words", "trigrams", "both")
TEXT_COLUMN = {"subjects": 0, "products": 1, "places": 0}
COLUMNS = {
    "fit_s_1": ("fit s, 1 thread", 1.0),
    "fit_s_2": ("2 threads", 1.0),
    "batch_s_1": ("batch µs a text, 1 thread", 1e6),
    "batch_s_2": ("2 threads", 1e6),
    "single_p50_s_1": ("one text µs p50", 1e6),
    "single_p99_s_1": ("p99", 1e6),
}


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", default=list(TEXT_COLUMN))
    parser.add_argument("--features", nargs="+", default=FEATURES, choices=FEATURES)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--rows", type=int, help="at most so many training texts")
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    return parser.parse_args(argv)


def write_texts(problem, rows, cache):
    """Put the texts of a problem into a file that all workers can read."""
    column = TEXT_COLUMN[problem]
    texts = {
        part: [row[column] for row in read_table(problem, part)[:limit]]
        for part, limit in [("train", rows), ("test", None)]
    }
    path = cache / f"texts-{problem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(texts), encoding="utf-8")
    return path


def interpreters(systems, cache):
    """Return the Python of each system that can be installed."""
    found = {}
    for system in systems:
        requirements = HERE / "peers" / system / "requirements.txt"
        try:
            found[system] = (
                ensure(requirements, cache)
                if requirements.exists()
                else Path(sys.executable)
            )
        except NotInstalledError as error:
            print(f"{system} not measured: {error}")
    return found


def run_worker(system, python, job):
    """Run the worker of a system in a separate process."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = os.environ | (one_thread if job["threads"] == 1 else {})
    done = subprocess.run(
        [str(python), str(WORKERS / f"{system}_worker.py")],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{system}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(pythons, texts, features, repetitions):
    """Return the medians of each system; each round starts with another system."""
    records = {system: [] for system in pythons}
    for repetition in range(repetitions):
        order = list(pythons)
        order = order[repetition % len(order) :] + order[: repetition % len(order)]
        for system in order:
            record = {}
            for threads in (1, 2):
                job = {
                    "texts": str(texts),
                    "features": features,
                    "threads": threads,
                }
                measured = run_worker(system, pythons[system], job)
                del measured["version"]
                record |= {f"{key}_{threads}": measured[key] for key in measured}
            records[system].append(record)
    return {system: medians(found) for system, found in records.items()}


def show(problem, features, found):
    """Print a table, and how many times as fast skxmr is as each other."""
    titles = [title for title, _ in COLUMNS.values()]
    print(f"\n{problem}, {features}\n| system | {' | '.join(titles)} |")
    print("|---" * (len(titles) + 1) + "|")
    for system, medians_of in found.items():
        cells = [
            f"{medians_of[key] * scale:,.2f}" for key, (_, scale) in COLUMNS.items()
        ]
        print(f"| {system} | {' | '.join(cells)} |")
    own = found.get("skxmr")
    for system, medians_of in found.items():
        if own is not None and system != "skxmr":
            ratios = [f"{medians_of[key] / own[key]:.1f} times" for key in COLUMNS]
            print(f"| skxmr / {system} | {' | '.join(ratios)} |")


def main(argv=None):
    """Measure all, print tables, write the JSON file."""
    options = arguments(argv)
    pythons = interpreters(options.systems, options.cache)
    results = {"machine": machine.facts(), "measured": []}
    for problem, features in product(options.problems, options.features):
        try:
            texts = write_texts(problem, options.rows, options.cache)
        except ProblemUnavailableError as error:
            print(f"{problem} not measured: {error}")
            continue
        found = measure(pythons, texts, features, options.repetitions)
        show(problem, features, found)
        results["measured"].append(
            {"problem": problem, "features": features, "systems": found}
        )
    (options.cache / "text.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
