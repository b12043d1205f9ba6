"""Thresholds of other libraries, each in a process and an environment of its own."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from benchmarks.decisions.evaluation import MEASURES
from benchmarks.jobs import fit_job, predict_job, run_worker
from benchmarks.problem import save_problem
from benchmarks.systems import HERE, System

# The most labels that a row can get, as with skxmr.
MOST_LABELS = 100


@dataclass(frozen=True)
class Decided:
    """The decisions of one system.

    Attributes
    ----------
    chosen : dict of str to csr_array of shape (n_rows, n_labels)
        By the measure that they are tuned for.
    train_cpu_s : float
        Seconds of CPU until the thresholds are tuned.
    predict_cpu_s : float
        Seconds of CPU for one row, on one thread.
    """

    chosen: dict[str, sp.csr_array]
    train_cpu_s: float
    predict_cpu_s: float


@dataclass(frozen=True)
class Peer:
    """A library that tunes thresholds.

    Attributes
    ----------
    system : System
        Its layouts are the thresholds that it tunes.
    needs_part : bool
        Whether it keeps dense weights, and so gets no more than a part of the labels.
    """

    system: System
    needs_part: bool = False


PEERS = {
    "LibMultiLabel": Peer(
        System("libmultilabel", HERE / "peers" / "libmultilabel"), needs_part=True
    ),
    "napkinXC": Peer(
        System(
            "napkinxc",
            HERE / "peers" / "napkinxc",
            layouts=("micro", "macro"),
            script="thresholds.py",
        )
    ),
}


def decide(name, problem, seed, options):
    """Train and tune a peer, and let it decide.

    Parameters
    ----------
    name : str
        Of `PEERS`.
    problem : Problem
    seed : int
    options : Namespace
        ``threads``, ``timeout`` and ``cache``.

    Returns
    -------
    dict of str to Decided
        By the name, with the layout if there are several.

    Raises
    ------
    NotInstalledError, WorkerFailedError
    """
    system, found = PEERS[name].system, {}
    python = system.python(options.cache)
    with tempfile.TemporaryDirectory() as path:
        folder, model = Path(path, "problem"), Path(path, "model")
        save_problem(problem, folder)
        job = fit_job(folder, model, options.threads, seed)
        fitted, _ = run_worker(system, python, job, options.timeout)
        for layout in system.layouts:
            job = predict_job(folder, model, layout, 1, k=MOST_LABELS)
            measured, columns = run_worker(system, python, job, options.timeout)
            chosen = as_indicator(columns, problem.Y_test.shape[1])
            key = name if len(system.layouts) == 1 else f"{name}, {layout}"
            found[key] = Decided(
                dict.fromkeys(MEASURES, chosen),
                fitted["fit_cpu_s"],
                measured["batch_cpu_s_1"],
            )
    return found


def as_indicator(columns, n_labels):
    """An indicator of the labels that rows got.

    Parameters
    ----------
    columns : int array of shape (n_rows, any)
        -1 where there is none.
    n_labels : int

    Returns
    -------
    csr_array of shape (n_rows, n_labels)
    """
    rows, positions = np.nonzero(columns >= 0)
    ones = np.ones(len(rows), dtype=np.float32)
    where = rows, columns[rows, positions]
    return sp.csr_array((ones, where), shape=(len(columns), n_labels))
