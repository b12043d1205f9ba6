"""What training takes at sizes that no machine here can hold.

``python -m benchmarks.extrapolate`` measures the constants of this machine on synthetic
problems that fit, checks what they predict against larger real runs, and prints what
10^5 to 10^8 labels with ten rows each would take: time, memory, bytes sent to a
cluster and money. Every rung of the ladder is one process.

The model is arithmetic, a line for each stage; `predict` has it. Constants are CPU
seconds of one thread, so that a busy machine measures the same as an idle one, nearly.

Training has no single constant. A parent with more rows needs more sweeps over them,
and its weights and duals lie further from the processor: from a thousand rows to a
million, the time for each of its entries grows five- to sixfold. So it is measured
level by level and interpolated between; beyond the largest it grows by the measured
slope over the logarithm. Rows a label matter as well: measure at the ratio that you
have (`--rows-per-label`).
"""

import argparse
import json
import math
import pickle
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.run import CACHE

BRANCHING = 16
LEAF = 100
LANES = 16
FEATURES = 100_000
# Labels that one task of the index cuts down to its leaves.
LABELS_OF_A_TASK = 2048
MAX_INT32, MAX_UINT32 = 2**31 - 1, 2**32 - 1


@dataclass(frozen=True)
class Level:
    """The training of one level: parents, their rows, entries swept over, seconds."""

    n_parents: int
    n_rows: int  # of all parents: a row counts for each parent that it trains
    work: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """One real run, in CPU seconds and bytes."""

    n_rows: int
    n_labels: int
    n_entries: int  # stored in X
    n_positives: int  # stored in Y
    n_vector_entries: int  # stored in the vectors of the labels
    n_weights: int  # trained and kept
    vectors_s: float
    index_s: float
    train_s: float
    layout_s: float
    predict_us: float  # a row, ten labels, beam 10
    peak_bytes: int  # of fit, beside X and Y
    model_bytes: int
    sent_bytes: int  # what a cluster would be sent and would send back
    levels: tuple  # of Level


@dataclass(frozen=True)
class Constants:
    """What one unit of each stage takes on this machine; see `predict`."""

    vectors: float
    index: float
    train: list  # pairs: rows of a parent, seconds for an entry; ascending
    train_slope: float  # of those seconds, over the natural logarithm of the rows
    spread: list  # pairs: parents of a level, how many of them a row trains; ascending
    layout: float
    memory: float
    entries_per_row: float
    positives_per_row: float
    vector_entries_per_label: float
    weights_per_label: float
    model_bytes_per_weight: float
    predict_us: float
    predict_power: float
    predict_at: float  # bytes of the model at which predict_us was measured


# The size of things
# ------------------


def sizes_of_levels(n_labels):
    """Nodes of each level of k-means' tree, from the root to the labels."""
    from skxmr.clustering import Plan  # noqa: PLC0415 - only where it is needed

    return [1, *Plan.of(n_labels, BRANCHING, LEAF).n_groups, n_labels]


def levels_of_training(n_rows, n_labels, constants):
    """For each level: its parents, their rows, and blocks of siblings of each."""
    sizes = sizes_of_levels(n_labels)
    groups, parents_of_row = zip(*constants.spread, strict=True)
    for n_parents, n_nodes in pairwise(sizes):
        spread = np.interp(math.log(n_parents), np.log(groups), parents_of_row)
        yield n_parents, n_rows * spread, math.ceil(n_nodes / n_parents / LANES)


def seconds_of_entry(n_rows, constants):
    """Time for an entry of a parent with that many rows, and a block of siblings."""
    rows, seconds = zip(*constants.train, strict=True)
    beyond = max(0.0, math.log(n_rows / rows[-1]))
    found = np.interp(math.log(n_rows), np.log(rows), seconds)
    return float(found + constants.train_slope * beyond)


def work_of_index(n_vector_entries, n_labels):
    """Entries of label vectors that are looked at: all, once for each halving."""
    return n_vector_entries * max(1.0, math.log2(n_labels / LEAF))


# Measuring
# ---------


def measure(n_rows, n_labels):
    """Train one synthetic problem in this process."""
    from scipy import sparse  # noqa: PLC0415 - only where it is needed

    import skxmr  # noqa: PLC0415
    from benchmarks.synthetic import make_problem  # noqa: PLC0415
    from skxmr import classifier as rooms  # noqa: PLC0415
    from skxmr import fitting  # noqa: PLC0415

    problem = make_problem(n_rows, FEATURES, n_labels, n_test=5000)
    X, Y = problem.X_train, problem.Y_train
    took, sizes = {}, {}

    def timed(owner, name, stage):
        function = getattr(owner, name)

        def call(*arguments, **options):
            start = time.process_time()
            result = function(*arguments, **options)
            took[stage] = took.get(stage, 0.0) + time.process_time() - start
            if sparse.issparse(result):
                sizes["vectors"] = result.nnz
            return result

        setattr(owner, name, call)

    timed(fitting, "make_label_vectors", "vectors")
    timed(fitting, "_index", "index")
    timed(fitting, "_train_levels", "train")
    timed(rooms.SearchLayout, "from_levels", "layout")
    levels = watch_levels()
    model = skxmr.XRLinearClassifier(
        skxmr.KMeansTree(BRANCHING, LEAF), random_state=0, beam_width=10
    )
    model.fit(X[:1000], Y[:1000])  # what the first fit loads and compiles
    took.clear()
    levels.clear()
    # Making the problem took more: only what fit adds counts.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    model.fit(X, Y)
    peak = _status("VmHWM") - before
    start = time.process_time()
    model.rank(problem.X_test, 10)
    predict = (time.process_time() - start) / problem.X_test.shape[0]
    levels = tuple(Level(**level) for level in levels.values())
    results = 8 * (sizes["vectors"] + model.n_weights_)
    return Measured(
        n_rows=n_rows,
        n_labels=n_labels,
        n_entries=X.nnz,
        n_positives=Y.nnz,
        n_vector_entries=sizes["vectors"],
        n_weights=model.n_weights_,
        vectors_s=took["vectors"],
        index_s=took["index"] - took["vectors"],
        train_s=took["train"],
        layout_s=took["layout"],
        predict_us=1e6 * predict,
        peak_bytes=peak,
        model_bytes=int(np.sum([layout.nbytes for layout in model.layouts_])),
        sent_bytes=bytes_of_tasks(model, X, Y) + results,
        levels=levels,
    )


def watch_levels():
    """Note what each level's training takes, by the seed that the level has."""
    from skxmr import fitting, training  # noqa: PLC0415

    levels = {}
    train_levels, train_task = fitting.train_levels, training._train_task

    def watched_levels(X, targets, problems, *, n_jobs):
        for one, problem in zip(targets, problems, strict=True):
            levels[problem.seed] = {
                "n_parents": one.rows.n_vectors,
                "n_rows": len(one.rows.indices),
                "work": 0,
                "seconds": 0.0,
            }
        return train_levels(X, targets, problems, n_jobs=n_jobs)

    def watched_task(task, pool):
        start = time.process_time()
        result = train_task(task, pool)
        level = levels[task.problem.seed]
        level["seconds"] += time.process_time() - start
        level["work"] += int(task.items.work.sum())
        return result

    fitting.train_levels, training._train_task = watched_levels, watched_task
    return levels


class _CountedError(Exception):
    """All tasks have been counted; training them again would tell nothing."""


def bytes_of_tasks(model, X, Y):
    """Bytes of all tasks of a fit, as a cluster gets them."""
    from skxmr import clustering, label_vectors, training  # noqa: PLC0415

    n_bytes = 0

    def counting(owner, name):
        function = getattr(owner, name)

        def call(work, tasks, **options):
            return function(work, map(counted, tasks), **options)

        setattr(owner, name, call)

    def counted(task):
        nonlocal n_bytes
        n_bytes += bytes_of(task.detached())
        return task

    def only_count(work, tasks, **options):  # noqa: ARG001
        for task in tasks:
            counted(task)
        raise _CountedError

    counting(label_vectors, "iterate_tasks")
    counting(clustering, "run_tasks")
    # Threads would share their work and get no tasks.
    clustering.count_threads = lambda n_jobs: 0  # noqa: ARG005
    training.iterate_tasks = only_count
    try:
        model.fit(X, Y)
    except _CountedError:
        return n_bytes
    raise AssertionError("nothing was trained")


def bytes_of(task):
    """Bytes of a pickled task, without copying its arrays."""
    arrays = []
    rest = pickle.dumps(task, protocol=5, buffer_callback=arrays.append)
    return len(rest) + sum(array.raw().nbytes for array in arrays)


def _status(name):
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise LookupError(name)


def measure_apart(n_rows, n_labels):
    """The same in a process of its own, for the sake of its memory."""
    command = [sys.executable, "-m", "benchmarks.extrapolate", "--measure"]
    done = subprocess.run(
        [*command, str(n_rows), str(n_labels)], stdout=subprocess.PIPE, check=True
    )
    said = json.loads(done.stdout)
    levels = tuple(Level(**level) for level in said.pop("levels"))
    return Measured(**said, levels=levels)


# Predicting
# ----------


def calibrate(small, large):
    """Constants from the larger of two runs; what grows in curves, from both."""
    train = _by_size(
        (level.n_rows / level.n_parents, level.seconds / level.work)
        for run in (small, large)
        for level in run.levels
    )
    spread = _by_size(
        (level.n_parents, level.n_rows / run.n_rows)
        for run in (small, large)
        for level in run.levels
    )
    growth = math.log(large.predict_us / small.predict_us)
    return Constants(
        vectors=large.vectors_s / (large.n_entries * _per_row(large)),
        index=large.index_s / work_of_index(large.n_vector_entries, large.n_labels),
        train=train,
        train_slope=_slope(train),
        spread=spread,
        layout=large.layout_s / large.n_weights,
        memory=large.peak_bytes / _units_of_memory(large),
        entries_per_row=large.n_entries / large.n_rows,
        positives_per_row=_per_row(large),
        vector_entries_per_label=large.n_vector_entries / large.n_labels,
        weights_per_label=large.n_weights / large.n_labels,
        model_bytes_per_weight=large.model_bytes / large.n_weights,
        predict_us=large.predict_us,
        predict_power=growth / math.log(large.model_bytes / small.model_bytes),
        predict_at=large.model_bytes,
    )


def _by_size(pairs):
    """Sort pairs; of equal sizes, take the mean."""
    found = {}
    for size, value in pairs:
        found.setdefault(size, []).append(value)
    return [(size, sum(found[size]) / len(found[size])) for size in sorted(found)]


def _slope(pairs):
    """Fit the growth over the logarithm of the size."""
    sizes, values = np.transpose(pairs)
    return float(np.polyfit(np.log(sizes), values, 1)[0])


def _per_row(run):
    return run.n_positives / run.n_rows


def _units_of_memory(run):
    """Bytes that the pieces of a fit have, were all of them there at once."""
    return memory_pieces(
        run.n_rows,
        run.n_labels,
        run.n_entries,
        run.n_positives,
        run.n_vector_entries,
        run.n_weights,
    )


def memory_pieces(rows, labels, entries, positives, vector_entries, weights):
    """Targets of all levels, a copy of X, 16 lanes of the root, vectors, weights."""
    return (
        16 * positives * (len(sizes_of_levels(labels)) - 1)
        + 8 * entries
        + 8 * LANES * rows
        + 8 * vector_entries
        + 16 * weights
    )


def predict(n_rows, n_labels, constants, options):
    """All that training and prediction take at that size."""
    c = constants
    entries, positives = c.entries_per_row * n_rows, c.positives_per_row * n_rows
    vector_entries = c.vector_entries_per_label * n_labels
    weights = c.weights_per_label * n_labels
    model_bytes = c.model_bytes_per_weight * weights
    levels = list(levels_of_training(n_rows, n_labels, c))
    vectors_s = c.vectors * entries * c.positives_per_row
    index_s = c.index * work_of_index(vector_entries, n_labels)
    per_row = c.entries_per_row + 1
    trained = [
        rows * per_row * blocks * seconds_of_entry(rows / n_parents, c)
        for n_parents, rows, blocks in levels
    ]
    train_s = sum(trained)
    layout_s = c.layout * weights
    total_s = vectors_s + index_s + train_s + layout_s
    # The root, its first cut and the layout are one task each, whatever the cluster.
    alone_s = trained[0] + c.index * vector_entries + layout_s
    # Each row to the labels that it has; the vectors to each halving down to tasks.
    rounds = 1 + max(0, math.ceil(math.log2(n_labels / LABELS_OF_A_TASK)))
    sent = 8 * (entries * c.positives_per_row + vector_entries * (rounds + 1))
    # The rows and targets of all parents; what was trained comes back.
    sent += sum(8 * (rows * per_row + positives) for _, rows, _ in levels) + 8 * weights
    cores = options.cores
    return {
        "rows": n_rows,
        "labels": n_labels,
        "depth": len(levels),
        "X_bytes": 8 * entries,
        "vectors_s": vectors_s,
        "index_s": index_s,
        "train_s": train_s,
        "layout_s": layout_s,
        "cpu_s": total_s,
        "wall_s": alone_s + (total_s - alone_s) / cores,
        "alone_s": alone_s,
        "peak_bytes": c.memory
        * memory_pieces(n_rows, n_labels, entries, positives, vector_entries, weights),
        "weights": weights,
        "model_bytes": model_bytes,
        "sent_bytes": sent,
        "predict_us": c.predict_us * (model_bytes / c.predict_at) ** c.predict_power,
        "cost": total_s / 3600 * options.price,
        "broken": broken(n_rows, n_labels, entries, weights),
    }


def broken(n_rows, n_labels, entries, weights):
    """Limits of number types that a size is beyond."""
    found = []
    if entries > MAX_INT32:
        found.append("X: int64 indices")
    if weights > MAX_UINT32:
        found.append("layout: 2^32 weights")
    if n_rows > MAX_INT32:
        found.append("int32 row numbers")
    if n_labels > MAX_INT32:
        found.append("int32 labels")
    return found


# Reporting
# ---------


def check(run, constants, options):
    """Predicted and real, of one run."""
    predicted = predict(run.n_rows, run.n_labels, constants, options)
    real = asdict(run)
    real["cpu_s"] = run.vectors_s + run.index_s + run.train_s + run.layout_s
    names = (
        *("vectors_s", "index_s", "train_s", "layout_s", "cpu_s"),
        *("peak_bytes", "model_bytes", "sent_bytes", "predict_us"),
    )
    return {name: (predicted[name], real[name]) for name in names}


def table(header, rows):
    """Markdown."""
    lines = [header, ["--:"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def amount(value, unit):
    """Three digits with a prefix."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def report(constants, checks, predictions):
    """Print both tables."""
    print("Predicted / real\n")
    names = list(next(iter(checks.values())))
    rows = [
        [size, *(f"{p:.3g} / {r:.3g}" for p, r in (found[name] for name in names))]
        for size, found in checks.items()
    ]
    print(table(["rows x labels", *names], rows))
    print("\nPredicted\n")
    header = (
        *("labels", "rows", "X", "CPU h", "wall h", "alone h", "peak", "weights"),
        *("model", "sent", "us a row", "cost", "beyond"),
    )
    rows = [
        [
            f"{one['labels']:.0e}",
            f"{one['rows']:.0e}",
            amount(one["X_bytes"], "B"),
            f"{one['cpu_s'] / 3600:.3g}",
            f"{one['wall_s'] / 3600:.3g}",
            f"{one['alone_s'] / 3600:.3g}",
            amount(one["peak_bytes"], "B"),
            amount(one["weights"], ""),
            amount(one["model_bytes"], "B"),
            amount(one["sent_bytes"], "B"),
            f"{one['predict_us']:.3g}",
            f"{one['cost']:.3g}",
            "; ".join(one["broken"]) or "-",
        ]
        for one in predictions
    ]
    print(table(header, rows))
    print(f"\nConstants: {json.dumps(asdict(constants))}")


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.extrapolate", description=__doc__
    )
    add = parser.add_argument
    add("--calibrate", type=int, nargs=2, default=(10_000, 100_000), metavar="LABELS")
    add("--check", type=int, nargs="*", default=(300_000,), metavar="LABELS")
    add("--predict", type=int, nargs="+", default=[10**i for i in range(5, 9)])
    add("--rows-per-label", type=int, default=10)
    add("--cores", type=int, default=64, help="of the cluster; default: %(default)s")
    add("--price", type=float, default=0.05, help="of a core hour, in any currency")
    add("--output", type=Path, default=CACHE / "extrapolate.json")
    add("--measure", type=int, nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    """Measure, check, predict."""
    options = arguments(argv)
    if options.measure:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        print(json.dumps(asdict(measure(*options.measure))))
        return
    ratio = options.rows_per_label
    small, large = (
        measure_apart(ratio * n_labels, n_labels) for n_labels in options.calibrate
    )
    constants = calibrate(small, large)
    runs = [small, *(measure_apart(ratio * n, n) for n in options.check)]
    checks = {
        f"{run.n_rows:.0e} x {run.n_labels:.0e}": check(run, constants, options)
        for run in runs
    }
    predictions = [
        predict(ratio * n_labels, n_labels, constants, options)
        for n_labels in options.predict
    ]
    report(constants, checks, predictions)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    results = {
        "machine": machine.facts(),
        "runs": [asdict(run) for run in (small, large, *runs[1:])],
        "constants": asdict(constants),
        "checks": checks,
        "predictions": predictions,
    }
    options.output.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
