"""The same matrices and seeds give the same arrays, wherever and however often."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fingerprints import fingerprint, fingerprints
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from skxmr import XRLinearClassifier

# Pruning lowers P@1 on the training rows of random labels.
pytestmark = pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")

SCRIPT = Path(__file__).parents[1] / "tools" / "fingerprints.py"


@functools.cache
def expected():
    return fingerprints()


def test_models_have_arrays_to_compare():
    found = expected()
    assert len(found) == 12
    assert len(set(found.values())) == len(found)
    assert fingerprint(XRLinearClassifier()) not in found.values()


@pytest.mark.parametrize(
    ("n_jobs", "backend"), [(2, "threading"), (3, "threading"), (2, "loky")]
)
def test_jobs_and_backends_make_no_difference(n_jobs, backend):
    assert fingerprints(n_jobs, backend) == expected()


def assert_same_in_another_process(**changes):
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), **changes}
    printed = subprocess.run(
        [sys.executable, SCRIPT],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = json.loads(printed)
    assert {name: found[name] for name in expected()} == expected()


@pytest.mark.parametrize(
    ("hash_seed", "n_threads"),
    [pytest.param("1", "1", marks=pytest.mark.slow), ("77", "3")],
)
def test_processes_make_no_difference(hash_seed, n_threads):
    """Nor do the threads that BLAS and OpenMP run by themselves."""
    assert_same_in_another_process(
        PYTHONHASHSEED=hash_seed,
        OMP_NUM_THREADS=n_threads,
        OPENBLAS_NUM_THREADS=n_threads,
    )


def test_processors_make_no_difference():
    """NumPy, the C library and OpenBLAS do as on an older one."""
    dispatched = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    assert_same_in_another_process(
        NPY_DISABLE_CPU_FEATURES=" ".join(dispatched),
        GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
        OPENBLAS_CORETYPE="Nehalem",
    )
