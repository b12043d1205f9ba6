"""``python -m benchmarks.living``: labels that come and go, beside full fits.

Each day, labels are added to and removed from a fitted `TextRetriever`. A fit to all
labels of the day, with the same training texts, tells what that costs in recall.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import scipy.sparse as sp

from benchmarks import machine
from benchmarks.living.days import Catalogue, recall_at_10
from benchmarks.living.readers import read_while_writing
from benchmarks.living.relearning import relearn_days
from benchmarks.living.tantivy import days_of_tantivy
from benchmarks.retrieval.tasks import read_task
from benchmarks.run import CACHE
from skxmr import TextRetriever
from skxmr.persistence import save, save_changes


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.living", description=__doc__
    )
    add = parser.add_argument
    add("--problems", nargs="+", default=["products", "catalogue"])
    add("--labels", type=int, help="so many of the labels, drawn at random")
    add("--days", type=int, default=7)
    add("--added", type=int, default=1_000, help="labels a day")
    add("--removed", type=int, default=500, help="labels a day")
    add("--refits", type=int, nargs="*", help="days of full fits (default: last)")
    add("--readers", type=int, default=16, help="threads that search")
    add("--seconds", type=float, default=10.0, help="of reading")
    add("--skip-tantivy", action="store_true")
    add(
        "--relearning", action="store_true", help="warm starts alone, all nodes checked"
    )
    add("--threads", type=int, default=2, help="of fits")
    add("--cache", type=Path, default=CACHE)
    return parser.parse_args(argv)


def fit(texts, Y, label_texts, options):
    """Fit a retriever with its defaults; return it, and the seconds of CPU."""
    start = process_time()
    retriever = TextRetriever(random_state=0, n_jobs=options.threads)
    retriever.fit(texts, Y, label_texts=label_texts)
    return retriever, process_time() - start


def timed(function, *args):
    """Call a function; return its result, and the milliseconds of wall and of CPU."""
    wall, cpu = perf_counter(), process_time()
    result = function(*args)
    return result, 1e3 * (perf_counter() - wall), 1e3 * (process_time() - cpu)


def pass_day(retriever, catalogue, day):
    """Add and remove the labels of a day; return milliseconds."""
    added = catalogue.added(day)
    texts = catalogue.texts_of(added.start, added.stop)

    def add():
        columns = retriever.add_labels(texts)
        retriever.search(texts[0][0])
        return columns

    columns, wall, cpu = timed(add)
    if columns.tolist() != list(added):
        raise ValueError(f"the labels {added} got the columns {columns}")
    _, removal, removal_cpu = timed(retriever.remove_labels, catalogue.removed(day))
    return {
        "add_ms": wall,
        "add_cpu_ms": cpu,
        "remove_ms": removal,
        "remove_cpu_ms": removal_cpu,
    }


def judge(retriever, catalogue, day, column_of=None):
    """Recall@10 of all labels that have come, and of those from the start."""
    added = range(catalogue.n_first, catalogue.added(day).stop)
    gone = [catalogue.removed(one) for one in range(day + 1)]
    alive = np.setdiff1d(np.arange(catalogue.n_first), np.concatenate(gone))
    names = [fields[0] for fields in catalogue.texts_of(added.start, added.stop)]
    asked = {
        "new names": (names, np.array(added)),
        "new queries": catalogue.queries(added),
        "old queries": catalogue.test_queries(alive),
    }
    return {
        name: recall_at_10(retriever, texts, labels, column_of)
        for name, (texts, labels) in asked.items()
    }


def fit_again(catalogue, day, options):
    """Fit to the labels that are there after a day; return what it finds and costs."""
    gone = np.concatenate([catalogue.removed(one) for one in range(day + 1)])
    stop = catalogue.added(day).stop
    alive = np.setdiff1d(np.arange(stop), gone)
    column_of = np.full(stop, -2)
    column_of[alive] = np.arange(len(alive))
    texts, Y = catalogue.training()
    Y = sp.hstack([Y, sp.csr_array((Y.shape[0], stop - Y.shape[1]), dtype=Y.dtype)])
    Y = Y.tocsr()[:, alive]
    kept = np.flatnonzero(np.diff(Y.indptr))
    names = catalogue.texts_of(0, stop)
    retriever, cpu = fit(
        [texts[row] for row in kept.tolist()],
        Y[kept],
        [names[label] for label in alive.tolist()],
        options,
    )
    return judge(retriever, catalogue, day, column_of) | {"fit_cpu_s": cpu}


def live(catalogue, options):
    """Pass all days; return the record of each, and of the readers."""
    texts, Y = catalogue.training()
    first = catalogue.texts_of(0, catalogue.n_first)
    retriever, cpu = fit(texts, Y, first, options)
    refits = [catalogue.n_days - 1] if options.refits is None else options.refits
    record = {"fit_cpu_s": cpu, "days": []}
    with tempfile.TemporaryDirectory() as folder:
        save(retriever, folder)
        record["base_bytes"] = Path(folder, "0001", "base.joblib").stat().st_size
        for day in range(catalogue.n_days):
            passed = pass_day(retriever, catalogue, day)
            _, passed["save_ms"], _ = timed(save_changes, retriever, folder)
            delta = Path(folder, "0001", f"delta-{day + 1:06}.skxmr")
            passed |= {"bytes": delta.stat().st_size}
            passed |= judge(retriever, catalogue, day)
            if day in refits:
                passed["refit"] = fit_again(catalogue, day, options)
            record["days"].append(passed)
            show_day(day, passed)
    record["readers"] = read_while_writing(retriever, catalogue, options)
    _, record["compact_ms"], _ = timed(retriever.compact)
    return record


def show_day(day, passed):
    """Print a line of a day, and one of the full fit."""
    recall = ("new names", "new queries", "old queries")
    print(
        f"day {day + 1}: "
        f"+{passed['add_ms']:.0f} ms ({passed['add_cpu_ms']:.0f} CPU), "
        f"-{passed['remove_ms']:.0f} ms, saved {passed['bytes'] / 1e6:.2f} MB; "
        + ", ".join(f"{name} {passed[name]:.4f}" for name in recall),
        flush=True,
    )
    if "refit" in passed:
        again = passed["refit"]
        print(
            f"    full fit, {again['fit_cpu_s']:.0f} s CPU: "
            + ", ".join(f"{name} {again[name]:.4f}" for name in recall),
            flush=True,
        )


def main(argv=None):
    """Run the benchmark; results go to ``living.json`` in the cache."""
    options = arguments(argv)
    path = options.cache / "living.json"
    results = {"machine": machine.facts(), "problems": {}}
    for name in options.problems:
        task = read_task(name)
        sizes = options.labels, options.days, options.added, options.removed
        catalogue = Catalogue.of(task, *sizes)
        print(f"\n{name}: {catalogue.n_first:,} labels at first")
        if options.relearning:
            results["problems"][name] = {"relearning": relearn_days(catalogue, options)}
            _write(path, results)
            continue
        record = live(catalogue, options)
        print({key: value for key, value in record.items() if key != "days"})
        if not options.skip_tantivy:
            record["tantivy"] = days_of_tantivy(catalogue, options.cache)
            print(f"tantivy: {record['tantivy']}")
        results["problems"][name] = record
        _write(path, results)


def _write(path, results):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
