"""``python -m benchmarks.regret``: defaults compared with other settings.

Only training data are used, split into two parts.

The regret of a setting on a task is how far its score, the mean of P@1 and R@10 (for
completion of success@1 and MRR@10), is below that of the best setting of the table.
Results are written after each fit, to a file that also keeps those of earlier runs.
"""

import argparse
import json
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks import machine
from benchmarks.comparison import say
from benchmarks.regret.report import show
from benchmarks.regret.settings import SETTINGS
from benchmarks.regret.tasks import TASKS, Sessions
from benchmarks.run import CACHE


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.regret", description=__doc__
    )
    add = parser.add_argument
    add("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    add("--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    add("--seeds", type=int, default=1, help="of trees (default: %(default)s)")
    add("--threads", type=int, default=1)
    add("--missing", action="store_true", help="only what the file does not have yet")
    add("--cache", type=Path, default=CACHE, help="folder of the results")
    add("--name", default="regret", help="of the JSON file")
    return parser.parse_args(argv)


def measure(rows, settings, *, seed, n_jobs):
    """Fit one setting; quality, size, and CPU seconds of fit and a query."""
    is_completing = isinstance(rows, Sessions)
    classifier = settings.make_classifier(
        is_completing=is_completing, seed=seed, n_jobs=n_jobs
    )
    start = process_time()
    fitted = rows.fit(classifier, settings.text_weight())
    fit_s = process_time() - start
    start = process_time()
    quality = rows.judge(fitted)
    query_s = (process_time() - start) / quality.shape[1]
    ranker = fitted.classifier_ if is_completing else fitted
    return {
        "quality": quality.mean(axis=1).tolist(),
        "deviation": float(quality.mean(axis=0).std() / np.sqrt(quality.shape[1])),
        "fit_s": fit_s,
        "query_s": query_s,
        "weights": int(ranker.n_weights_),
    }


def main(argv=None):
    """Measure and print the table."""
    options = arguments(argv)
    path = options.cache / f"{options.name}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for task in options.tasks:
        rows = TASKS[task]()
        for name in options.settings:
            for seed in range(options.seeds):
                records = results.setdefault(task, {}).setdefault(name, {})
                if options.missing and str(seed) in records:
                    continue
                records[str(seed)] = measure(
                    rows, SETTINGS[name], seed=seed, n_jobs=options.threads
                )
                say(f"{task}, {name}, seed {seed}: {records[str(seed)]}")
                results["machine"] = machine.facts()
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(results, indent=1))
    print(show({task: results[task] for task in options.tasks}))


if __name__ == "__main__":
    main()
