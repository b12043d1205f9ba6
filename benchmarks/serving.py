"""``python -m benchmarks.serving``: time of single calls, from a text to ten names."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.datasets import (
    TEXT_PROBLEMS,
    ProblemUnavailableError,
    columns_of,
    read_table,
    texts_and_labels,
)
from benchmarks.environments import NotInstalledError, ensure
from benchmarks.report import medians

HERE = Path(__file__).resolve().parent
WORKERS = HERE / "endtoend"
SYSTEMS = ("skxmr", "pecos")
COLUMNS = {
    "p50_s": ("call µs p50", 1e6),
    "p99_s": ("p99", 1e6),
    "fit_s": ("fit s, texts included", 1.0),
    "recall_at_10": ("recall@10 %", 100.0),
}


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", default=list(TEXT_PROBLEMS))
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--rows", type=int, help="at most so many training texts")
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    return parser.parse_args(argv)


def write_data(problem, rows, cache):
    """Put texts, columns of labels and names into a file for all workers."""
    text, labels, name = TEXT_PROBLEMS[problem]
    column_of = columns_of(problem)
    data = {"names": [row[name] for row in read_table(problem, "labels")]}
    for part, limit in (("train", rows), ("test", None)):
        texts, ids = texts_and_labels(problem, part, text, labels, limit=limit)
        columns = [sorted({column_of[one] for one in row}) for row in ids]
        data[part] = {"texts": texts, "labels": columns}
    path = cache / f"endtoend-{problem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def interpreter(system, cache):
    requirements = HERE / "peers" / system / "requirements.txt"
    return ensure(requirements, cache) if requirements.exists() else sys.executable


def run_worker(system, python, data):
    """Run the worker of a system in a separate process."""
    done = subprocess.run(
        [str(python), str(WORKERS / f"{system}_worker.py")],
        input=json.dumps({"data": str(data)}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{system}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def show(problem, found):
    """Print a table, and the ratios of the first system to the others."""
    print(f"\n{problem}\n| system | {' | '.join(t for t, _ in COLUMNS.values())} |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for system, numbers in found.items():
        cells = [f"{numbers[key] * scale:,.1f}" for key, (_, scale) in COLUMNS.items()]
        print(f"| {system} | {' | '.join(cells)} |")
    own = found.get("skxmr")
    for system, numbers in found.items():
        if own and system != "skxmr":
            ratios = [
                f"{numbers[key] / own[key]:.1f} times" if key.endswith("_s") else ""
                for key in COLUMNS
            ]
            print(f"| {system} / skxmr | {' | '.join(ratios)} |")


def main(argv=None):
    """Measure all, print tables, write the JSON file."""
    options = arguments(argv)
    pythons = {}
    for system in options.systems:
        try:
            pythons[system] = interpreter(system, options.cache)
        except NotInstalledError as error:
            print(f"{system} not measured: {error}")
    results = {"machine": machine.facts(), "measured": []}
    for problem in options.problems:
        try:
            data = write_data(problem, options.rows, options.cache)
        except ProblemUnavailableError as error:
            print(f"{problem} not measured: {error}")
            continue
        records = {system: [] for system in pythons}
        for _ in range(options.repetitions):
            for system, python in pythons.items():
                record = run_worker(system, python, data)
                del record["version"]
                records[system].append(record)
        found = {system: medians(listed) for system, listed in records.items()}
        show(problem, found)
        results["measured"].append({"problem": problem, "systems": found})
    (options.cache / "serving.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
