"""The same matrices and seeds give the same arrays, wherever and however often."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fingerprints import fingerprint, fingerprints

from skxmr import XRLinearClassifier

SCRIPT = Path(__file__).with_name("fingerprints.py")


@functools.cache
def expected():
    return fingerprints()


def test_models_have_arrays_to_compare():
    found = expected()
    assert len(found) == 9
    assert len(set(found.values())) == len(found)
    assert fingerprint(XRLinearClassifier()) not in found.values()


@pytest.mark.parametrize(
    ("n_jobs", "backend"), [(2, "threading"), (3, "threading"), (2, "loky")]
)
def test_jobs_and_backends_make_no_difference(n_jobs, backend):
    assert fingerprints(n_jobs, backend) == expected()


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_processes_make_no_difference(hash_seed):
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    printed = subprocess.run(
        [sys.executable, SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = json.loads(printed)
    assert {name: found[name] for name in expected()} == expected()
