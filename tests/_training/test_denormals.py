"""Denormal numbers taken for 0: kernels neither crash nor lose count.

Another library in the process may have set the mode; see `denormals.py`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from denormals import can_flush, flushed
from guarded import Guarded
from scipy import sparse
from skxmr._cython._placing import WeightsWriter
from twins import compress, weights_to_dense

import skxmr
from skxmr._memory._growing import GrowingArray
from skxmr._search._pruning import prune
from skxmr._search._weights import LinearWeights
from skxmr._training import _tasks
from skxmr._training._levels import train_levels
from skxmr._training._solver import SolverParameters
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

TESTS = Path(__file__).parents[1]

needs_mode = pytest.mark.skipif(not can_flush(), reason="how to set it is not known")

KERNEL_TESTS = [
    "test_compaction.py",
    "test_dense.py",
    "test_ensembles.py",
    "test_clustering.py",
    "test_inverted_index.py",
    "test_kmeans_tree.py",
    "test_label_vectors.py",
    "test_pruning.py",
    "test_subset.py",
    "test_search.py",
    "test_training.py",
]


@needs_mode
@pytest.mark.slow
@pytest.mark.parametrize("name", KERNEL_TESTS)
def test_tests_of_kernels_pass_in_the_mode(name):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--no-header", "-k", "not loky", str(next(TESTS.rglob(name)))]
    done = subprocess.run(
        command,
        cwd=TESTS.parent,
        env=os.environ | {"SKXMR_FLUSH_DENORMALS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]


# Nothing is written beyond what there is room for


def make_problem(loss, floor):
    return SolverParameters(
        loss=loss,
        positive_cost=1.0,
        negative_cost=1.0,
        bias=1.0,
        tol=0.1,
        max_iter=100,
        weight_floor=floor,
        seed=1,
    )


def one_parent(n_rows, n_children, rng):
    Y = (rng.random((n_rows, n_children)) < 0.3).astype(np.float32)
    return LevelTargets(
        np.array([0, n_children]),
        Compressed(
            np.array([0, n_rows]),
            np.arange(n_rows, dtype=np.int32),
            np.ones(n_rows, dtype=np.float32),
            n_rows,
        ),
        Compressed.from_sparse(sparse.csc_array(Y)),
    )


@needs_mode
@pytest.mark.parametrize("n_children", [1, 2, 3, 4, 5, 15, 17, 31, 33, 37, 64, 113])
@pytest.mark.parametrize("floor", [0.0, 1e-40])
@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("level", range(len(_tasks.SIMD_LEVELS)))
def test_training_stays_within_its_memory(monkeypatch, n_children, floor, kind, level):
    rng = np.random.default_rng(n_children)
    # Half of the values are 0, and some features are in no row.
    X = rng.normal(size=(40, 30)) * (rng.random((40, 30)) < 0.5)
    X[:, 25:] = 0
    X = X.astype(np.float32)
    rows = compress(X) if kind == "sparse" else DenseRows(X)
    targets = one_parent(40, n_children, rng)
    Guarded.behind.clear()
    monkeypatch.setattr(_tasks, "GrowingArray", Guarded)
    monkeypatch.setattr(_tasks, "SIMD_LEVELS", _tasks.SIMD_LEVELS[: level + 1])
    problem = make_problem("squared_hinge", floor)
    with flushed():
        (result,) = train_levels(rows, [targets], [problem])
    Guarded.check()
    weights = result.weights
    assert (weights.children < n_children).all()
    assert weights.weights.all()
    # No weight was lost either.
    expected = train_levels(rows, [targets], [problem])[0].weights
    assert weights.n_weights == expected.n_weights
    np.testing.assert_allclose(
        weights_to_dense(weights, targets.child_offsets, 30),
        weights_to_dense(expected, targets.child_offsets, 30),
        rtol=1e-5,
    )


@needs_mode
@pytest.mark.parametrize("floor", [0.0, 1e-40])
@pytest.mark.parametrize("level", range(len(_tasks.SIMD_LEVELS)))
def test_padding_is_never_kept(floor, level):
    """Whatever it holds: children share their block with up to 31 lanes of padding."""
    n_features, n_children = 6, 17
    writer = WeightsWriter(GrowingArray, floor=floor, simd_level=level)
    with flushed():
        writer.add(
            np.ones((1, n_features, 32), np.float32),
            np.zeros((1, 1, 32), np.float32),
            features=np.arange(n_features, dtype=np.int32),
            sources=np.arange(n_features, dtype=np.int32),
            scales=np.ones(n_features, np.float32),
            first_child=0,
            n_children=n_children,
        )
    assert writer.n_weights == n_features * n_children
    _, _, children, _ = writer.finish()
    np.testing.assert_array_equal(children, np.tile(np.arange(n_children), n_features))


FITS = """
import warnings
import numpy as np
from denormals import flush

flush()
warnings.filterwarnings("ignore", message="The value of the smallest subnormal")
from scipy import sparse
from skxmr import XRLinearClassifier

for n_labels in (3, 5, 17, 33, 37, 113):
    rng = np.random.default_rng(n_labels)
    X = sparse.random_array((250, 60), density=0.1, rng=rng, format="csr")
    Y = sparse.csr_array((rng.random((250, n_labels)) < 0.1).astype(int))
    for changes in {changes!r}:
        if "memory" in changes:
            changes = changes | {{"memory": {memory!r}}}
        model = XRLinearClassifier(n_jobs=2, **changes).fit(X, Y)
        scores = model.predict_proba(X[:20])
        assert np.isfinite(scores.data).all()
        assert ((scores.data > 0) & (scores.data <= 1)).all()
        levels = model.layouts_[0].to_levels()
        assert sum(weights.n_weights for weights in levels)
        if "weight_precision" not in changes:  # halves may be 0
            assert all(weights.weights.all() for weights in levels)
        scores = model.fit(X.toarray(), Y).predict_proba(X[:20].toarray())
        assert np.isfinite(scores.data).all()
print("fitted")
"""


FITTED = {
    "threshold": [{"threshold": 0}, {"threshold": 1e-40}],
    "matcher": [{"negative_sampling": "matcher"}, {"negative_sampling": "both"}],
    "memory": [{"memory": None, "weight_floor": 0}],
    "losses": [{"threshold": 0, "loss": "log_loss"}, {"threshold": 0, "loss": "hinge"}],
    "float16": [{"weight_precision": "float16", "threshold": 0}],
}
SOON = {"threshold", "float16"}


@needs_mode
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(changes, id=name, marks=[] if name in SOON else pytest.mark.slow)
        for name, changes in FITTED.items()
    ],
)
def test_models_are_fitted(tmp_path, changes):
    """In a separate process, which would crash on a write out of bounds."""
    code = FITS.format(changes=changes, memory=str(tmp_path / "cache"))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*sys.path, str(TESTS / "support")])
    }
    # The C library looks at what is behind an array that it frees.
    environment |= {"MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "fitted\n"), done.stderr[-3000:]


# What else takes small numbers


@needs_mode
@pytest.mark.parametrize("unit", ["absolute", "relative"])
@pytest.mark.parametrize("threshold", [0.0, 1e-45, 1e-40, 1e-38, 0.5])
def test_pruning_drops_the_same_weights(threshold, unit):
    values = [0.0, -0.0, 1e-45, 1e-41, 1e-37, 1.0]
    values = np.array(values, dtype=np.float32)
    weights = LinearWeights(
        np.array([0, 1]),
        np.array([4], dtype=np.int32),
        np.array([0, len(values)]),
        np.arange(len(values), dtype=np.int32),
        values,
        np.zeros(len(values), dtype=np.float32),
    )
    with flushed():
        kept = prune(weights, threshold, unit).weights
    # Zeros never; of denormal weights nobody can say.
    assert 0 not in np.abs(kept.view(np.int32)) << 1
    assert set(values[values >= max(threshold, 1e-37)]) <= set(kept)


@needs_mode
def test_rows_of_the_largest_costs_count():
    """The squared hinge stores 1 / (2 cost), which is denormal for the largest C."""
    X = sparse.csr_array(np.eye(2, dtype=np.float32) / 2)
    Y = sparse.csr_array(np.array([[1, 0], [0, 1]]))
    model = skxmr.XRLinearClassifier(C=1.2e38, threshold=0)
    expected = model.fit(X, Y).predict(X).toarray()
    with flushed():
        np.testing.assert_array_equal(model.fit(X, Y).predict(X).toarray(), expected)


# How kernels are compiled


@pytest.mark.parametrize("option", ["-ffast-math", "-Ofast", "-ffinite-math-only"])
def test_fast_math_is_refused(tmp_path, option):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no compiler")
    header = Path(skxmr.__file__).parent / "_cython" / "include" / "strict.h"
    if not header.exists():
        pytest.skip("wheels have no headers")
    empty = tmp_path / "empty.c"
    empty.write_text("int nothing;\n", encoding="utf-8")
    command = [compiler, "-fsyntax-only", "-include", str(header), str(empty)]
    assert subprocess.run(command, check=False).returncode == 0
    done = subprocess.run(
        [*command, option], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "skxmr must be compiled without" in done.stderr
