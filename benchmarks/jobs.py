"""Run one stage of one system in a process of its own."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.systems import HERE, OWN

# Equal settings for all; the classifiers minimise the same squared hinge loss.
SETTINGS = {
    "branching_factor": 16,
    "max_leaf_size": 100,
    "C": 1.0,
    "tol": 0.1,
    "max_iter": 100,
    "threshold": 0.1,
    "beam_width": 10,
}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
LAST_LINES = 3


class WorkerFailedError(RuntimeError):
    """A worker ended without a result; the message is the end of its output."""


def environment_variables(system, threads):
    """Return the worker's environment, with the shared code and limits of threads."""
    variables = dict(os.environ)
    path = [str(HERE / "worker")]
    # Peers must not import from the caller's path; skxmr may be on it.
    if system.name == OWN and variables.get("PYTHONPATH"):
        path.append(variables["PYTHONPATH"])
    variables["PYTHONPATH"] = os.pathsep.join(path)
    variables.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    return variables


def last_words(log, returncode):
    """Return the last lines that a failed worker printed."""
    said = log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
    return f"exit {returncode}: " + " | ".join(line.strip()[:200] for line in said)


def run_worker(system, python, job, timeout):
    """Run a stage; return its measurements and, of "predict", the ranked columns.

    Parameters
    ----------
    system : System
    python : Path
    job : dict
        See ``benchworker.job``; "result" and "columns" are set here.
    timeout : float
        Seconds after which the worker is terminated.

    Raises
    ------
    WorkerFailedError
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, name) for name in ("result", "columns", "log")}
        paths["columns"] = paths["columns"].with_suffix(".npy")
        named = {name: str(paths[name]) for name in ("result", "columns")}
        job_file = Path(folder, "job.json")
        job_file.write_text(json.dumps({"settings": SETTINGS, **job, **named}))
        with paths["log"].open("w") as log:
            try:
                done = subprocess.run(
                    [str(python), str(system.worker), str(job_file)],
                    env=environment_variables(system, job["threads"]),
                    stdout=subprocess.DEVNULL,  # Omikuji prints progress bars
                    stderr=log,
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise WorkerFailedError(f"no result after {timeout:.0f} s") from None
        if done.returncode or not paths["result"].exists():
            raise WorkerFailedError(last_words(paths["log"], done.returncode))
        measured = json.loads(paths["result"].read_text())
        columns = np.load(paths["columns"]) if paths["columns"].exists() else None
        return measured, columns


def fit_job(problem_folder, model_folder, threads, seed):
    """The job of training a model into a folder."""
    return {
        "stage": "fit",
        "problem": str(problem_folder),
        "model": str(model_folder),
        "threads": threads,
        "seed": seed,
    }


def predict_job(problem_folder, model_folder, layout, threads, **options):
    """The job of predicting with a trained model.

    Options: predict_threads, repeats, single_rows, k.
    """
    return {
        "stage": "predict",
        "problem": str(problem_folder),
        "model": str(model_folder),
        "layout": layout,
        "threads": threads,
        "seed": 0,
        "k": 10,
        "predict_threads": [1],
        "repeats": 1,
        "single_rows": 0,
        **options,
    }
