"""``skxmr evaluate``."""

import json
import time

import numpy as np

from skxmr._cli._models import load_model
from skxmr._inputs._named_columns import named_rows
from skxmr._row_files import format_of, read_rows
from skxmr.datasets import load_xmc
from skxmr.metrics import ndcg_at_k, precision_at_k, recall_at_k

__all__ = ["run"]

_METRICS = {"P": precision_at_k, "R": recall_at_k, "nDCG": ndcg_at_k}


def run(options):
    """Print the metrics of a model on a file of rows."""
    parts = load_model(options.model)
    is_of_features = format_of(options.rows, options.format) == "xmc"
    name = "classifier" if is_of_features else "retriever"
    if name not in parts:
        raise ValueError(
            f"{options.model} has no {name}: it was trained on rows of another kind "
            f"than those of {options.rows}."
        )
    if is_of_features:
        X, truth = load_xmc(options.rows)
    else:
        X, labels = read_rows(options)
        classes = parts[name].classes_.tolist()
        rows, _ = named_rows(labels, str(options.rows))
        column_of = {label: column for column, label in enumerate(classes)}
        truth = rows.columns_of(column_of)
    start = time.perf_counter()
    ranking = parts[name].rank(X, max(options.k))
    seconds = time.perf_counter() - start
    n_unknown = int(truth[:, len(parts[name].classes_) :].sum())
    counts = {"labels unknown to the model": n_unknown} if n_unknown else {}
    _print(_report(truth, ranking, options.k, seconds) | counts, options.json)


def _report(truth, ranking, ks, seconds):
    n_rows = truth.shape[0]
    has_labels = np.diff(truth.indptr) > 0
    report = {"rows": n_rows, "rows without labels": int((~has_labels).sum())}
    for k in sorted(set(ks)):
        cut = ranking[0][:, :k], ranking[1][:, :k]
        for name, metric in _METRICS.items():
            report[f"{name}@{k}"] = round(float(metric(truth, cut, k)), 4)
    report["microseconds per row"] = round(1e6 * seconds / n_rows)
    return report


def _print(report, as_json):
    if as_json:
        print(json.dumps(report))
        return
    for name, value in report.items():
        shown = f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
        print(f"{name:<28}{shown:>12}")
