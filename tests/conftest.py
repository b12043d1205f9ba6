"""What tests share, and the settings that they run with."""

import os
import re
import signal

# Tests run side by side on all processors: more threads of BLAS and OpenMP would wait
# for each other, which took half of the time. OMP_NUM_THREADS=2 in front of the
# command runs them with several.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ["OMP_NUM_THREADS"])

import pytest
from denormals import flush
from hypothesis import settings
from sklearn.base import BaseEstimator

# Hypothesis times no test: a busy machine is not a defect.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")

# As `test_denormals.py` runs the tests of the kernels once more.
if os.environ.get("SKXMR_FLUSH_DENORMALS") == "1":
    flush()


# A program that `test_sparse_structure.py` runs: it has no doctests, and fits models
# when it is imported.
collect_ignore = ["support/walk_public.py"]

# An address in memory, or a set of several strings, whose order varies.
CHANGING = re.compile(r" at 0x\w|\{'[^']*', '")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Refuse models that are fitted while the tests are collected.

    Each process that collects would pay for them, whichever tests it runs. All
    estimators validate their parameters when fitted, scikit-learn's too.
    """

    def refuse(estimator):
        raise RuntimeError(
            f"{type(estimator).__name__} is fitted when a test module is imported; "
            "fit it in a fixture or a cached function"
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseEstimator, "_validate_params", refuse)
        return (yield)


def pytest_collection_modifyitems(items):
    """Refuse names of tests that another process would not give them.

    pytest-xdist collects the tests in every worker, and compares their names.
    """
    changing = [item.nodeid for item in items if CHANGING.search(item.nodeid)]
    if changing:
        raise pytest.UsageError(f"ids that differ between processes: {changing}")


@pytest.fixture
def sigint():
    """Let SIGINT raise KeyboardInterrupt, here and in processes that a test starts.

    A job in the background of a shell starts with the signal ignored, and so do the
    processes that it starts.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
