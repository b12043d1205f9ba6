"""Compare all systems on all problems in one run on one machine.

Each system trains in a process of its own and predicts in another one. Repetitions are
interleaved (all systems once, then all again, in another order), each with another
seed of the tree; the table shows medians.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine
from benchmarks.comparison import Comparison, Effort, say
from benchmarks.datasets import REAL, ProblemUnavailableError, get_problem
from benchmarks.jobs import SETTINGS
from benchmarks.report import ratios, summarise, table
from benchmarks.systems import SYSTEMS

CACHE = Path(__file__).resolve().parent.parent / ".benchmarks"
# Small enough for one classifier per label on all rows.
SMALL = "synthetic:10000x5000x500"


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "--problems",
        nargs="+",
        default=[*REAL, SMALL],
        help="names, or synthetic:ROWSxFEATURESxLABELS (default: %(default)s)",
    )
    add("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    add("--repetitions", type=int, default=3, help="default: %(default)s")
    add("--threads", type=int, default=2, help="of training (default: %(default)s)")
    add("--passes", type=int, default=3, help="over all queries")
    add("--single-rows", type=int, default=1_000, help="rows predicted one by one")
    add("--timeout", type=float, default=3_600.0, help="seconds for each process")
    add("--rows", type=int, help="use the first training rows only")
    add("--queries", type=int, help="use the first test rows only")
    add("--cache", type=Path, default=CACHE, help="folder of environments and data")
    add("--output", type=Path, help="JSON file (default: comparison.json in the cache)")
    return parser.parse_args(argv)


def effort_of(options):
    """Return the amount of measurements that the command line asks for."""
    return Effort(
        options.threads,
        options.repetitions,
        options.passes,
        options.single_rows,
        options.timeout,
    )


def report_problem(comparison, name, options):
    """Measure one problem; return its part of the JSON and its text."""
    try:
        problem = get_problem(name, options.cache).cut(options.rows, options.queries)
    except ProblemUnavailableError as error:
        why = str(error)
        return {"problem": name, "error": why}, f"## {name} not measured: {why}"
    records = comparison.measure(problem)
    rows, sizes = summarise(records), problem.describe()
    part = {
        "problem": name,
        "sizes": sizes,
        "summary": rows,
        "ratios": ratios(rows),
        "records": records,
    }
    return part, table(name, sizes, rows)


def main(argv=None):
    """Measure, print the tables, write the JSON file."""
    options = arguments(argv)
    effort = effort_of(options)
    comparison = Comparison(options.systems, options.cache, effort)
    results = {
        "machine": machine.facts(),
        "settings": SETTINGS,
        "effort": asdict(effort),
        "problems": [],
    }
    output = options.output or options.cache / "comparison.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    for name in options.problems:
        part, text = report_problem(comparison, name, options)
        results["problems"].append(part)
        print(text, end="\n\n", flush=True)
        # Written after each problem, so that an interrupted run keeps its results.
        output.write_text(json.dumps(results, indent=1))
    say(f"written to {output}")


if __name__ == "__main__":
    main()
