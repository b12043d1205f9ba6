"""Run the worker of a system."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.environments import ensure

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class WorkerFailedError(RuntimeError):
    """A worker ended without a result; the message is the end of its output."""


def interpreter(system, cache):
    """Return the Python of a system; its environment is built at the first use."""
    if system.requirements is None:
        return Path(sys.executable)
    return ensure(system.requirements, cache)


def run_worker(system, python, data, *, settings, single_calls, seed, timeout):
    """Fit a system, and complete the test prefixes with its variants.

    Returns
    -------
    measured : dict
        What ``workers/common.py`` measures.
    columns : dict of str to ndarray
        The answers of each variant.

    Raises
    ------
    WorkerFailedError
    """
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "data": str(data),
            "settings": system.settings | settings,
            "variants": system.variants,
            "columns": folder,
            "single_calls": single_calls,
            "seed": seed,
        }
        measured = run_script(system.script, python, job, timeout)
        answers = {
            name: np.load(Path(folder, f"{name}.npy")) for name in system.variants
        }
    return measured, answers


def run_script(script, python, job, timeout):
    """Run a script with a job on standard input; return what it prints last, as JSON.

    Raises
    ------
    WorkerFailedError
    """
    try:
        done = subprocess.run(
            [str(python), str(script)],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            env=os.environ | ONE_THREAD,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WorkerFailedError(f"no result after {timeout:.0f} s") from None
    if done.returncode:
        raise WorkerFailedError(" | ".join(done.stderr.splitlines()[-3:]))
    return json.loads(done.stdout.splitlines()[-1])
