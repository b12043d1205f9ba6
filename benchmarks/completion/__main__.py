"""``python -m benchmarks.completion``: completers on pairs of queries, compared."""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.completion.evaluation import evaluate
from benchmarks.completion.names import NAME_SYSTEMS, measure_names, show_names
from benchmarks.completion.report import label, show
from benchmarks.completion.run import WorkerFailedError, interpreter, run_worker
from benchmarks.completion.systems import SYSTEMS
from benchmarks.completion.tasks import TASKS, make_calls, split_for_tuning, write
from benchmarks.datasets import ProblemUnavailableError
from benchmarks.environments import NotInstalledError

NAMES = "catalogue"


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    tasks, systems = [*TASKS, NAMES], [*SYSTEMS, *NAME_SYSTEMS]
    parser.add_argument("--tasks", nargs="+", default=tasks, choices=tasks)
    parser.add_argument("--systems", nargs="+", default=systems, choices=systems)
    parser.add_argument("--names", type=int, help="so many names of the catalogue")
    parser.add_argument("--calls", type=int, default=100_000, help="of names")
    parser.add_argument(
        "--tuning", action="store_true", help="judge by the last of training, not test"
    )
    parser.add_argument(
        "--settings", type=json.loads, default={}, help="JSON, added to the systems'"
    )
    parser.add_argument("--test-rows", type=int, help="a random sample of so many")
    parser.add_argument("--single-calls", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=1800)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--name", default="completion", help="of the JSON file")
    return parser.parse_args(argv)


def read_task(task, options):
    """Return the pairs for training and those for evaluation."""
    train = TASKS[task]("train")
    if options.tuning:
        train, test = split_for_tuning(train)
    else:
        test = TASKS[task]("test")
    if options.test_rows is not None and options.test_rows < len(test):
        rows = np.random.default_rng(0).permutation(len(test))[: options.test_rows]
        test = type(test)(
            [test.previous[row] for row in rows], [test.queries[row] for row in rows]
        )
    return train, test


def measure_system(name, data, judge, options):
    """The records of all variants of a system."""
    system = SYSTEMS[name]
    measured, answers = run_worker(
        system,
        interpreter(system, options.cache),
        data,
        settings=options.settings,
        single_calls=options.single_calls,
        seed=options.seed,
        timeout=options.timeout,
    )
    of_variants = measured.pop("variants")
    for variant, times in of_variants.items():
        yield {
            "system": name,
            "variant": variant,
            "times": measured | times,
            "quality": judge(answers[variant]),
        }


def measure_task(task, options):
    """The records of all systems on a task."""
    if task == NAMES:
        yield from measure_catalogue(options)
        return
    train, test = read_task(task, options)
    calls = make_calls(test)
    data = options.cache / f"completion-{task.replace(' ', '-')}.json"
    known = write(train, test, calls, data)

    def judge(columns):
        return evaluate(columns, known, train, test, calls)

    print(
        f"{task}: {len(train)} pairs to train on, {len(test)} to judge by, "
        f"{len(known)} known queries",
        flush=True,
    )
    for name in filter(SYSTEMS.__contains__, options.systems):
        try:
            yield from measure_system(name, data, judge, options)
        except (NotInstalledError, WorkerFailedError) as error:
            print(f"{name} not measured: {error}", flush=True)


def summary(record):
    """One line on a record."""
    if "quality" in record:
        return f"{label(record)}: {record['quality']['MRR@10']}"
    return f"{record['system']}: {record['p50_s']['0'] * 1e6:.0f} µs, {record['all']}"


def measure_catalogue(options):
    """The records of all completers of names."""
    for name in filter(NAME_SYSTEMS.__contains__, options.systems):
        try:
            yield measure_names(name, options)
        except (NotInstalledError, WorkerFailedError) as error:
            print(f"{name} not measured: {error}", flush=True)


def main(argv=None):
    """Measure all, print tables, write the JSON file after each system."""
    options = arguments(argv)
    tasks = {task: [] for task in options.tasks}
    results = {"machine": machine.facts(), "tasks": tasks}
    path = options.cache / f"{options.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    for task, records in tasks.items():
        try:
            for record in measure_task(task, options):
                print(summary(record), flush=True)
                records.append(record)
                path.write_text(json.dumps(results, indent=1))
        except ProblemUnavailableError as error:
            print(f"{task} not measured: {error}")
    tables = [
        show_names(records) if task == NAMES else show(task, records)
        for task, records in tasks.items()
        if records
    ]
    print("\n\n".join(["", *tables]))


if __name__ == "__main__":
    main()
