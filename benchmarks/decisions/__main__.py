"""``python -m benchmarks.decisions``: F1 of thresholds, with those of other libraries.

All systems get the same matrices. skxmr's thresholds are those of `LabelThresholdCV`
on one `XRLinearClassifier`. Libraries that keep dense weights are measured on a random
part of the labels alone (``--labels``).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.comparison import say
from benchmarks.datasets import ProblemUnavailableError
from benchmarks.decisions.evaluation import MEASURES, Counts, difference
from benchmarks.decisions.own import decide_all
from benchmarks.decisions.peers import PEERS, decide
from benchmarks.decisions.report import show
from benchmarks.decisions.tasks import read_problem
from benchmarks.environments import NotInstalledError
from benchmarks.jobs import WorkerFailedError
from benchmarks.run import CACHE

# What the others are compared with: the thresholds that "auto" takes for each measure.
DEFAULT = {"f1_micro": "per_label", "f1_macro": "per_label", "f1_samples": "relative"}


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.decisions", description=__doc__
    )
    add = parser.add_argument
    add("--problems", nargs="+", default=["subjects", "places"])
    add("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    add("--labels", type=int, help="so many of the labels, drawn at random")
    add("--rows", type=int, help="a random sample of so many training rows")
    add("--tuning", action="store_true", help="judge by a part of training, not test")
    add("--seeds", type=int, nargs="+", default=[0, 1], help="of trees and folds")
    add("--folds", type=int, default=5, help="of held-out rows (default: %(default)s)")
    add("--threads", type=int, default=2, help="of training (default: %(default)s)")
    add("--resamples", type=int, default=1_000, help="of the bootstrap")
    add("--timeout", type=float, default=3_600.0, help="seconds for each process")
    add("--cache", type=Path, default=CACHE, help="folder of environments and results")
    add("--name", default="decisions", help="of the JSON file")
    return parser.parse_args(argv)


def measure(name, options):
    """Measure one problem with all systems and seeds; return its section."""
    problem = read_problem(name, options.labels, options.rows, tuning=options.tuning)
    decided, errors = {}, {}
    for seed in options.seeds:
        say(f"{name}: skxmr, seed {seed}")
        for key, one in decide_all(
            problem, seed, options.threads, options.folds
        ).items():
            decided.setdefault(key, []).append(one)
        for key in options.peers:
            if key in errors:
                continue
            if PEERS[key].needs_part and not options.labels:
                errors[key] = dense_size(problem)
                continue
            say(f"{name}: {key}, seed {seed}")
            try:
                found = decide(key, problem, seed, options)
            except (NotInstalledError, WorkerFailedError) as error:
                errors[key] = str(error)
                say(f"{name}: {key} not measured: {error}")
                continue
            for layout, one in found.items():
                decided.setdefault(layout, []).append(one)
    section = judge(decided, problem.Y_test, options.resamples)
    section["systems"] |= {key: {"error": error} for key, error in errors.items()}
    return {"sizes": problem.describe(), **section}


def dense_size(problem):
    """Why a library that keeps dense weights cannot get all labels."""
    size = 8 * problem.X_train.shape[1] * problem.Y_train.shape[1]
    return f"its dense weights alone would take {size / 1e9:,.0f} GB; use --labels"


def judge(decided, Y, n_resamples):
    """Numbers of each system, and differences of the default from the others.

    Parameters
    ----------
    decided : dict of str to list of Decided
        By seed.
    Y : csr_array of shape (n_rows, n_labels)
    n_resamples : int

    Returns
    -------
    dict
        ``systems`` and ``paired``.
    """
    counts = {
        key: {
            measure: [Counts(one.chosen[measure], Y) for one in of_seeds]
            for measure in of_seeds[0].chosen
        }
        for key, of_seeds in decided.items()
    }
    systems = {key: numbers(counts[key], of_seeds) for key, of_seeds in decided.items()}
    paired = {
        f"default minus {key}": {
            measure: difference(
                counts[DEFAULT[measure]][measure],
                counts[key][measure],
                measure,
                n_resamples,
            )
            for measure in MEASURES
            if measure in counts[key] and DEFAULT[measure] != key
        }
        for key in decided
    }
    return {"systems": systems, "paired": paired}


def numbers(counts, of_seeds):
    """The means over seeds of what was measured of a system."""
    found = {
        measure: float(np.mean([one.f1(measure) for one in of_measure]))
        for measure, of_measure in counts.items()
    }
    described = [one.describe() for one in counts["f1_micro"]]
    for name in described[0]:
        found[name] = float(np.mean([one[name] for one in described]))
    found["train_cpu_s"] = float(np.mean([one.train_cpu_s for one in of_seeds]))
    predict_s = np.mean([one.predict_cpu_s for one in of_seeds])
    return found | {"predict_cpu_us": 1e6 * float(predict_s)}


def main(argv=None):
    """Measure, print the tables, write the JSON file."""
    options = arguments(argv)
    path = options.cache / f"{options.name}.json"
    results = {"machine": machine.facts(), "problems": {}}
    for name in options.problems:
        try:
            section = measure(name, options)
        except ProblemUnavailableError as error:
            print(f"## {name} not measured: {error}\n")
            continue
        results["problems"][name] = section
        print(show(name, section), end="\n\n", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    say(f"written to {path}")


if __name__ == "__main__":
    main()
