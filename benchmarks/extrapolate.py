"""What training takes at sizes that no machine here can hold.

``python -m benchmarks.extrapolate`` measures the constants of this machine on synthetic
problems that fit, checks what they predict against larger real runs, and prints what
10^5 to 10^8 labels with ten rows each would take: time, memory, bytes sent to a
cluster and money. Every rung of the ladder is one process.

The model is arithmetic, a line for each stage; `predict` has it. Constants are CPU
seconds of one thread, so that a busy machine measures the same as an idle one, nearly.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Constants:
    """What one unit of each stage takes on this machine; see `predict`."""

    vectors: float
    index: float
    train: float
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


def depth(n_labels):
    """Levels below the root of a tree of that many labels."""
    return 1 + max(0, math.ceil(math.log(max(1, n_labels / LEAF), BRANCHING) - 1e-9))


def work_of_training(n_rows, n_entries, n_positives, n_labels):
    """Entries of X that are swept over: each level's rows, once a block of siblings."""
    per_row = n_positives / n_rows
    blocks = math.ceil(min(LEAF, n_labels) / LANES)
    levels = depth(n_labels)
    if levels == 1:
        return (n_entries + n_rows) * blocks
    return (n_entries + n_rows) * (1 + per_row * (levels - 2) + per_row * blocks)


def work_of_index(n_vector_entries, n_labels):
    """Entries of label vectors that are looked at: all, once for each halving."""
    return n_vector_entries * max(1.0, math.log2(n_labels / LEAF))


# Measuring
# ---------


def measure(n_rows, n_labels):
    """Train one synthetic problem in this process."""
    import numpy as np  # noqa: PLC0415 - only where it is needed
    from scipy import sparse  # noqa: PLC0415

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
    model = skxmr.XRLinearClassifier(
        skxmr.KMeansTree(BRANCHING, LEAF), random_state=0, beam_width=10
    )
    model.fit(X[:1000], Y[:1000])  # what the first fit loads and compiles
    took.clear()
    # Making the problem took more: only what fit adds counts.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    model.fit(X, Y)
    peak = _status("VmHWM") - before
    start = time.process_time()
    model.rank(problem.X_test, 10)
    predict = (time.process_time() - start) / problem.X_test.shape[0]
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
    )


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
    return Measured(**json.loads(done.stdout))


# Predicting
# ----------


def calibrate(small, large):
    """Constants from the larger of two runs; the growth of prediction from both."""
    work = work_of_training(
        large.n_rows, large.n_entries, large.n_positives, large.n_labels
    )
    growth = math.log(large.predict_us / small.predict_us)
    return Constants(
        vectors=large.vectors_s / (large.n_entries * _per_row(large)),
        index=large.index_s / work_of_index(large.n_vector_entries, large.n_labels),
        train=large.train_s / work,
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
        16 * positives * depth(labels)
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
    levels = depth(n_labels)
    vectors_s = c.vectors * entries * c.positives_per_row
    index_s = c.index * work_of_index(vector_entries, n_labels)
    train_s = c.train * work_of_training(n_rows, entries, positives, n_labels)
    layout_s = c.layout * weights
    total_s = vectors_s + index_s + train_s + layout_s
    # The root, its first cut and the layout are one task each, whatever the cluster.
    alone_s = c.train * (entries + n_rows) + c.index * vector_entries + layout_s
    rounds = 1 + max(0, math.ceil(math.log2(n_labels / LABELS_OF_A_TASK)))
    sent = (
        8 * entries * c.positives_per_row
        + 8 * vector_entries * (rounds + 1)
        + 8 * entries * (1 + c.positives_per_row * (levels - 1))
        + 12 * weights
    )
    cores = options.cores
    return {
        "rows": n_rows,
        "labels": n_labels,
        "depth": levels,
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
        *("peak_bytes", "model_bytes", "predict_us"),
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
    add("--calibrate", type=int, nargs=2, default=(10_000, 30_000), metavar="LABELS")
    add("--check", type=int, nargs="*", default=(100_000,), metavar="LABELS")
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
