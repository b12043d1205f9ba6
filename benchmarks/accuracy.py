"""Accuracy of skxmr and PECOS with equal matrices, settings and several tree seeds.

``python -m benchmarks.accuracy`` prints, for each problem, the means of both systems
over the seeds and the paired difference with its 95% interval (see
`benchmarks.paired`: over test rows and seeds), and writes a JSON file. Runs
with the same seed are paired, although their trees differ.
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.comparison import find_pythons, say
from benchmarks.datasets import get_problem
from benchmarks.jobs import SETTINGS, fit_job, predict_job, run_worker
from benchmarks.paired import paired_difference
from benchmarks.problem import save_problem
from benchmarks.quality import NAMES, per_row
from benchmarks.report import markdown
from benchmarks.run import CACHE
from benchmarks.systems import OWN, SYSTEMS

PEER = "pecos"
# The largest acceptable deficit of skxmr, in percentage points.
TOLERANCE = 0.3


def one_model(name, python, problem, folder, seed, options):
    """Train one system with one seed, and return the measures of each test row."""
    system, model = SYSTEMS[name], folder / "model"
    fit = fit_job(folder / "problem", model, options.threads, seed)
    run_worker(system, python, fit, options.timeout)
    layout = system.layouts_for(problem)[0]
    predict = predict_job(folder / "problem", model, layout, options.threads)
    _, columns = run_worker(system, python, predict, options.timeout)
    shutil.rmtree(model)
    return per_row(columns, problem.Y_test)


def rows_of_measures(pythons, problem, options):
    """Measures of each system, seed and test row, in percent.

    Returns
    -------
    dict of str to dict of str to array (n_seeds, n_rows)
        By system and measure.
    """
    found = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as folder:
        save_problem(problem, Path(folder, "problem"))
        for seed in range(options.seeds):
            for name, python in pythons.items():
                say(f"{problem.name}: {name}, seed {seed}")
                found[name].append(
                    one_model(name, python, problem, Path(folder), seed, options)
                )
    return {
        name: {key: 100.0 * np.stack([rows[key] for rows in seeds]) for key in NAMES}
        for name, seeds in found.items()
    }


def compare(measured):
    """Means by system and seed, and the paired difference, of each measure.

    Parameters
    ----------
    measured : dict of str to dict
        The result of `rows_of_measures`, by system.
    """
    own, peer = measured.get(OWN), measured.get(PEER)
    compared = {}
    for name in NAMES:
        entry = {
            system: {
                "mean": float(measures[name].mean()),
                "by_seed": measures[name].mean(axis=1).tolist(),
            }
            for system, measures in measured.items()
        }
        if own and peer:
            difference = paired_difference(own[name], peer[name])
            entry["difference"] = asdict(difference)
            entry["within_tolerance"] = difference.mean >= -TOLERANCE
            entry["interval_within_tolerance"] = difference.low >= -TOLERANCE
        compared[name] = entry
    return compared


def table(compared, systems):
    """Markdown: one row per measure."""
    rows = []
    for name, entry in compared.items():
        cells = [name]
        for system in systems:
            values = entry[system]["by_seed"]
            spread = f" ({min(values):.2f} to {max(values):.2f})"
            cells.append(f"{entry[system]['mean']:.2f}{spread}")
        if "difference" in entry:
            ends = entry["difference"]
            cells.append(
                f"{ends['mean']:+.2f} [{ends['low']:+.2f}, {ends['high']:+.2f}]"
            )
        rows.append(cells)
    header = ["", *(f"{system}, mean (seeds)" for system in systems)]
    if len(systems) > 1:
        header.append("difference [95% interval]")
    return markdown(header, rows)


def measure(name, pythons, options):
    """All seeds of all systems on one problem, and their comparison."""
    problem = get_problem(name, options.cache).cut(options.rows, options.queries)
    return problem.describe(), compare(rows_of_measures(pythons, problem, options))


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description=__doc__
    )
    add = parser.add_argument
    add("--problems", nargs="+", default=["subjects", "products"])
    add("--systems", nargs="+", choices=(PEER, OWN), default=[PEER, OWN])
    add("--seeds", type=int, default=5, help="default: %(default)s")
    add("--threads", type=int, default=2)
    add("--timeout", type=float, default=3_600.0, help="seconds for each process")
    add("--rows", type=int, help="use the first training rows only")
    add("--queries", type=int, help="use the first test rows only")
    add("--cache", type=Path, default=CACHE)
    add("--output", type=Path, help="JSON file (default: accuracy.json in the cache)")
    return parser.parse_args(argv)


def main(argv=None):
    """Measure, print the tables, write the JSON file."""
    options = arguments(argv)
    pythons, missing = find_pythons(options.systems, options.cache)
    results = {
        "machine": machine.facts(),
        "settings": SETTINGS,
        "seeds": options.seeds,
        "missing": missing,
        "problems": {},
    }
    output = options.output or options.cache / "accuracy.json"
    for name in options.problems:
        sizes, compared = measure(name, pythons, options)
        results["problems"][name] = {"sizes": sizes, "measures": compared}
        print(f"## {name}\n\n{table(compared, list(pythons))}\n", flush=True)
        output.write_text(json.dumps(results, indent=1))
    for name, why in missing.items():
        print(f"**{name}** {why}")
    say(f"written to {output}")


if __name__ == "__main__":
    main()
