"""Compare two checkouts: has a change that should alter nothing altered nothing?

Record each of them, with `PYTHONPATH` set to it, then compare the two records::

    PYTHONPATH=before python tests/tools/same.py record before.json
    PYTHONPATH=after python tests/tools/same.py record after.json
    python tests/tools/same.py compare before.json after.json

A record holds

- hashes of the arrays of fitted models, for one thread and for two;
- the names that public modules export, and their signatures;
- what models like those of `saved_models.py` answer;
- the instructions that a search, a completion, a ranking of many rows and a small fit
  take, counted by Valgrind's callgrind. ``record --quick`` leaves them out.

The comparison fails where anything differs, but for instructions within 1%. Only
public names of skxmr are imported, so that one script serves both checkouts.
"""

import argparse
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import fingerprints
import saved_models

MODULES = [
    "skxmr",
    "skxmr.baselines",
    "skxmr.datasets",
    "skxmr.demo",
    "skxmr.interop",
    "skxmr.metrics",
    "skxmr.persistence",
    "skxmr.sharding",
    "skxmr.stages",
    "skxmr.streaming",
    "skxmr.text",
]
REPEATS = 20
TOLERANCE = 0.01


def arrays(n_jobs):
    """Hash the arrays of fitted models, whatever the names of their attributes."""
    return {
        name: fingerprints.array_hashes(make())
        for name, make in fingerprints.make_models(n_jobs).items()
    }


def signatures():
    """List what public modules export."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for exported in module.__all__:
            found.update(_members(f"{name}.{exported}", getattr(module, exported)))
    return found


def _members(path, value):
    if inspect.ismodule(value) or not callable(value):
        yield path, type(value).__name__
        return
    yield path, _signature(value)
    if inspect.isclass(value):
        for name in dir(value):
            member = inspect.getattr_static(value, name)
            if not name.startswith("_"):
                yield f"{path}.{name}", _signature(getattr(value, name, member))


def _signature(value):
    try:
        # Not where a class is defined: modules may move.
        return re.sub(r"skxmr(\.\w+)*\.(\w+)", r"\2", str(inspect.signature(value)))
    except (TypeError, ValueError):
        return type(value).__name__


def answers():
    """Collect what models answer, as JSON holds it."""
    found = {
        kind: saved_models.answers(kind, saved_models.make(kind))
        for kind in saved_models.KINDS
    }
    return json.loads(json.dumps(found))


def instructions():
    """Count the instructions of some tasks in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            "--dump-before=getppid",
            f"--callgrind-out-file={folder}/counts",
            sys.executable,
            __file__,
            "tasks",
        ]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        )
        # The first part is what came before the first task.
        counts = [_total(Path(folder, f"counts.{i + 2}")) for i in range(len(TASKS))]
    return dict(zip(done.stdout.split(), counts, strict=True))


def _total(path):
    lines = path.read_text().splitlines()
    return int(next(line for line in lines if line.startswith("summary:")).split()[1])


def search(models):
    """Search for one text at a time."""
    for _ in range(REPEATS):
        models["retriever"].search("w003é w012é w099é w120é", 10)


def complete(models):
    """Complete one prefix at a time."""
    for _ in range(REPEATS):
        models["completer"].complete("w0", "w003é w012é", 10)


def rank(models):
    """Rank the labels of some hundred rows."""
    models["sparse"].rank(fingerprints.make_data()[0][:300], 10)


def fit(_):
    """Fit a small model."""
    fingerprints.make_models(n_jobs=1)["sparse"]()


TASKS = [search, complete, rank, fit]


def run_tasks():
    """Run the tasks for callgrind, each once before its instructions count."""
    makers = fingerprints.make_models(n_jobs=1)
    models = {name: makers[name]() for name in ("retriever", "completer", "sparse")}
    for task in TASKS[:-1]:
        task(models)
    for task in TASKS:
        # A system call that nothing else makes: callgrind dumps its counters there.
        os.getppid()
        task(models)
        print(task.__name__)
    os.getppid()


def record(path, quick):
    """Write the record of the checkout that is imported."""
    found = {
        "arrays of one thread": arrays(1),
        "arrays of two threads": arrays(2),
        "signatures": signatures(),
        "answers": answers(),
    }
    if not quick:
        found["instructions"] = instructions()
    Path(path).write_text(json.dumps(found, indent=1) + "\n")


def differences(before, after):
    """List what differs between two records."""
    for part in sorted({*before, *after} - {"instructions"}):
        first, second = before.get(part, {}), after.get(part, {})
        for key in sorted({*first, *second}):
            if first.get(key) != second.get(key):
                yield f"{part}: {key}: {first.get(key)} -> {second.get(key)}"
    first, second = before.get("instructions", {}), after.get("instructions", {})
    for task in first.keys() & second.keys():
        ratio = second[task] / first[task]
        print(f"instructions of {task}: {first[task]:,} -> {second[task]:,}")
        if ratio > 1 + TOLERANCE:
            yield f"instructions: {task}: {ratio:.3f} times as many"


def compare(before, after):
    """Print the differences of two records; exit with 1 if there are any."""
    records = (json.loads(Path(path).read_text()) for path in (before, after))
    found = list(differences(*records))
    print(*found, sep="\n")
    print(f"{len(found)} differences")
    sys.exit(bool(found))


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("record", help="write a record to a file")
    one.add_argument("path")
    one.add_argument("--quick", action="store_true", help="count no instructions")
    two = commands.add_parser("compare", help="compare two records")
    two.add_argument("before")
    two.add_argument("after")
    commands.add_parser("tasks", help="what callgrind runs")
    options = parser.parse_args()
    # Models of made-up data lose by pruning, and their training says so.
    warnings.simplefilter("ignore", importlib.import_module("skxmr").PruningWarning)
    if options.command == "record":
        record(options.path, options.quick)
    elif options.command == "compare":
        compare(options.before, options.after)
    else:
        run_tasks()


if __name__ == "__main__":
    main()
