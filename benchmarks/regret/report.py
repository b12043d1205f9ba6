"""The table: regret of each setting on each task, and what it costs."""

import numpy as np

from benchmarks.regret.settings import BEYOND, FIELD
from benchmarks.report import markdown


def means(records):
    """Means over the seeds."""
    found = list(records.values())
    return {
        "score": float(np.mean([record["quality"] for record in found])),
        **{
            key: float(np.mean([record[key] for record in found]))
            for key in ("fit_s", "query_s", "weights")
        },
    }


def regrets(results):
    """Return the regret of each setting on each task.

    Returns
    -------
    dict of str to dict of str to float
        By setting and task, in points of the score.
    """
    found = {}
    for task, settings in results.items():
        scores = {name: means(records)["score"] for name, records in settings.items()}
        best = max(score for name, score in scores.items() if name not in BEYOND)
        for name, score in scores.items():
            found.setdefault(name, {})[task] = best - score
    return found


def show(results):
    """Make a table in Markdown."""
    tasks = list(results)
    header = ["setting", *tasks, "mean", "worst", "weights", "fit", "query"]
    lines = []
    for name, by_task in regrets(results).items():
        values = [by_task.get(task) for task in tasks]
        known = [value for value in values if value is not None]
        lines.append(
            [
                name,
                *("" if value is None else f"{value:.1f}" for value in values),
                f"{np.mean(known):.2f}",
                f"{max(known):.1f}",
                *(ratio(results, name, key) for key in ("weights", "fit_s", "query_s")),
            ]
        )
    return markdown(header, lines)


def ratio(results, name, key):
    """Return the geometric mean of the ratios of a cost to that of the field."""
    ratios = [
        means(settings[name])[key] / means(settings[FIELD])[key]
        for settings in results.values()
        if name in settings and FIELD in settings
    ]
    return f"{np.exp(np.mean(np.log(ratios))):.2f}" if ratios else ""
