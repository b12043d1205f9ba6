"""``python -m benchmarks.negatives``: what negatives that were shown are worth.

Only training data are used, split into two parts. Two earlier models, each of half the
rows, rank the labels of the other half, which they have not seen. What is wrong among
their first answers stands for labels that were shown and not chosen: a simulation of a
log of impressions, in which the right label is always chosen.
"""

import argparse
import json
from pathlib import Path
from time import process_time

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import KFold

from benchmarks.comparison import say
from benchmarks.paired import paired_difference
from benchmarks.regret.tasks import TASKS
from benchmarks.run import CACHE
from skxmr import XRLinearClassifier

MEASURES = ("P@1", "R@10")
DEFAULT_TASKS = ("products", "products, no label texts", "subjects", "places")


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.negatives", description=__doc__
    )
    add = parser.add_argument
    add("--tasks", nargs="+", default=list(DEFAULT_TASKS), choices=TASKS)
    add("--shown", nargs="+", type=int, default=[1, 5, 10], help="answers of a row")
    add("--seeds", type=int, default=3, help="of trees (default: %(default)s)")
    add("--threads", type=int, default=1)
    add("--cache", type=Path, default=CACHE, help="folder of the results")
    return parser.parse_args(argv)


def wrong_answers(rows, n_shown, seed=0):
    """Find the wrong ones among the first answers of models of other rows.

    Parameters
    ----------
    rows : benchmarks.regret.tasks.Rows
    n_shown : int
        Answers of each row. Texts of labels, the last rows, were shown nothing.
    seed : int

    Returns
    -------
    csr_array of shape of rows.Y, bool
    """
    n_rows = rows.Y.shape[0] - rows.n_label_rows
    of_labels = np.arange(n_rows, rows.Y.shape[0])
    shown = sp.lil_array(rows.Y.shape, dtype=bool)
    for others, new in KFold(2, shuffle=True, random_state=seed).split(range(n_rows)):
        known = np.concatenate([others, of_labels])
        earlier = XRLinearClassifier(random_state=seed + 100)
        earlier.fit(rows.X[known], rows.Y[known].astype(np.int8))
        columns, _ = earlier.rank(rows.X[new], n_shown)
        of_row, rank = np.nonzero(columns >= 0)
        shown[new[of_row], columns[of_row, rank]] = True
    return sp.csr_array(shown > rows.Y.astype(bool))


def measure(rows, negatives, *, n_seeds, n_jobs):
    """Fit with several seeds; P@1 and R@10 of each query, and CPU seconds of a fit."""
    start, quality = process_time(), []
    fitted = [
        XRLinearClassifier(random_state=seed, n_jobs=n_jobs).fit(
            rows.X, rows.Y.astype(np.int8), negatives=negatives
        )
        for seed in range(n_seeds)
    ]
    seconds = (process_time() - start) / n_seeds
    quality = np.stack([rows.judge(one) for one in fitted], axis=1)
    return quality, seconds


def compare(rows, shown, *, n_seeds, n_jobs):
    """Compare fits with negatives with one without.

    Returns
    -------
    dict of int to dict
        For 0 and each number of answers: measures, differences to that without, with
        their intervals, CPU seconds of a fit, and negatives of a row.
    """
    found, n_rows, before = {}, rows.Y.shape[0] - rows.n_label_rows, None
    for n_shown in (0, *shown):
        negatives = wrong_answers(rows, n_shown) if n_shown else None
        quality, seconds = measure(rows, negatives, n_seeds=n_seeds, n_jobs=n_jobs)
        before = quality if before is None else before
        found[n_shown] = {
            "quality": quality.mean(axis=(1, 2)).tolist(),
            "differences": [
                vars(paired_difference(*pair)) if n_shown else None
                for pair in zip(quality, before, strict=True)
            ],
            "fit_s": seconds,
            "negatives_per_row": negatives.nnz / n_rows if n_shown else 0.0,
        }
    return found


def show(task, found):
    """Lines of the table of a task."""
    for n_shown, one in found.items():
        cells = [f"{task}: {n_shown} shown", f"{one['negatives_per_row']:.1f} wrong"]
        for name, mean, difference in zip(
            MEASURES, one["quality"], one["differences"], strict=True
        ):
            cell = f"{name} {mean:.2f}"
            if difference:
                low, high = difference["low"], difference["high"]
                cell += f" ({difference['mean']:+.2f} [{low:.2f}, {high:.2f}])"
            cells.append(cell)
        yield " | ".join([*cells, f"{one['fit_s']:.1f} s of CPU"])


def main(argv=None):
    """Measure the tasks and write the results."""
    given = arguments(argv)
    results = {}
    for task in given.tasks:
        results[task] = compare(
            TASKS[task](), given.shown, n_seeds=given.seeds, n_jobs=given.threads
        )
        for line in show(task, results[task]):
            say(line)
        given.cache.mkdir(parents=True, exist_ok=True)
        (given.cache / "negatives.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
