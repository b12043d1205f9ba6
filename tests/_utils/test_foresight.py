"""Errors and warnings, before the work, if memory cannot or may not suffice."""

import sys

import numpy as np
import pytest
from memory_watch import printed_by
from scipy import sparse
from twins import random_sparse

from skxmr import XRLinearClassifier
from skxmr._memory import _limits
from skxmr._memory._limits import memory_limits, process_limits
from skxmr._utils import _foresight
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr._utils._foresight import foresee, training_memory


@pytest.fixture
def limits(monkeypatch):
    said = {"most": 1e6, "free": 1e5}
    monkeypatch.setattr(_foresight, "SMALL", 0)
    monkeypatch.setattr(
        _foresight, "memory_limits", lambda: (said["most"], said["free"])
    )
    return said


def test_what_fits_is_fine(limits):
    foresee(100_000, "This", "Do less.")


def test_what_may_not_fit_is_warned_of(limits):
    text = r"^This needs 200\.0 kB of memory at least; 100\.0 kB are free\. Do less\.$"
    with pytest.warns(UserWarning, match=text):
        foresee(200_000, "This", "Do less.")


def test_what_cannot_fit_is_refused(limits):
    text = r"^This needs 3\.0 TB of memory at least; there are 1\.0 MB\. Do less\.$"
    with pytest.raises(MemoryError, match=text):
        foresee(3 * 10**12, "This", "Do less.")


def test_limits_are_not_queried_for_small_amounts(monkeypatch):
    monkeypatch.setattr(_foresight, "memory_limits", lambda: 1 / 0)
    foresee(2**27, "This", "Do less.")
    with pytest.raises(ZeroDivisionError):
        foresee(2**27 + 1, "This", "Do less.")


def make_data(n_rows=500):
    rng = np.random.default_rng(0)
    X = random_sparse(rng, (n_rows, 50), density=0.2)
    return X, sparse.csr_array(
        (np.ones(n_rows), (np.arange(n_rows), np.arange(n_rows) % 7))
    )


def test_training_is_foreseen_and_changes_nothing(limits):
    X, Y = make_data()
    classifier = XRLinearClassifier(random_state=0)
    with pytest.warns(UserWarning, match="Training on 500 rows with 500 labels needs"):
        classifier.fit(X, Y)
    trees = classifier.trees_
    limits["most"] = 1e4
    with pytest.raises(MemoryError, match=r"load_csr"):
        classifier.fit(X, Y)
    assert classifier.trees_ is trees


def test_dense_results_are_foreseen(limits):
    X, Y = make_data()
    names = [f"class {i}" for i in np.arange(500) % 7]
    limits["free"] = 1e6
    of_classes = XRLinearClassifier(random_state=0).fit(X, names)
    dense = XRLinearClassifier(random_state=0).fit(X, Y.toarray())
    limits["most"] = 7 * 500 * 4 - 1
    for classifier in (of_classes, dense):
        with pytest.raises(MemoryError, match=r"500 rows and .* use rank, which makes"):
            classifier.predict_proba(X)
        classifier.rank(X, 3)
        assert classifier.predict_proba(X[:50]).shape == (50, 7)


def test_limits_of_this_machine():
    most, free = memory_limits()
    assert 1e8 < free <= most


def test_the_limit_of_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(_limits, "_CGROUP", tmp_path)
    without = memory_limits()
    (tmp_path / "memory.max").write_text("max\n", encoding="utf-8")
    assert memory_limits()[0] == without[0]
    (tmp_path / "memory.max").write_text("1000000\n", encoding="utf-8")
    (tmp_path / "memory.current").write_text("600000\n", encoding="utf-8")
    assert memory_limits() == (1_000_000, 400_000)
    (tmp_path / "memory.swap.max").write_text("500\n", encoding="utf-8")
    (tmp_path / "memory.stat").write_text(
        "inactive_file 200\nactive_file 30\n", encoding="utf-8"
    )
    assert memory_limits() == (1_000_500, 400_230)


def test_the_limit_of_an_older_container(tmp_path, monkeypatch):
    monkeypatch.setattr(_limits, "_CGROUP", tmp_path)
    folder = tmp_path / "memory"
    folder.mkdir()
    without = memory_limits()
    (folder / "memory.limit_in_bytes").write_text(
        "9223372036854771712\n", encoding="utf-8"
    )
    assert memory_limits()[0] == without[0]
    (folder / "memory.limit_in_bytes").write_text("1000000\n", encoding="utf-8")
    (folder / "memory.usage_in_bytes").write_text("600000\n", encoding="utf-8")
    (folder / "memory.stat").write_text(
        "inactive_file 200\nactive_file 30\n", encoding="utf-8"
    )
    assert memory_limits() == (1_000_000, 400_230)


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_group_within_others(tmp_path, monkeypatch, version):
    """As of a job of Slurm or a unit of systemd."""
    monkeypatch.setattr(_limits, "_CGROUP", tmp_path / "groups")
    monkeypatch.setattr(_limits, "_PROCESS", tmp_path)
    line = "0::/jobs/one\n" if version == 2 else "5:cpu:/x\n4:memory:/jobs/one\n"
    (tmp_path / "cgroup").write_text(line, encoding="utf-8")
    top = tmp_path / "groups" if version == 2 else tmp_path / "groups" / "memory"
    limit, used = (
        ("memory.max", "memory.current")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    (top / "jobs" / "one").mkdir(parents=True)
    for folder, most, current in (("jobs", 5000, 4500), ("jobs/one", 3000, 100)):
        (top / folder / limit).write_text(f"{most}\n", encoding="utf-8")
        (top / folder / used).write_text(f"{current}\n", encoding="utf-8")
    assert memory_limits() == (3000, 500)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_limits_of_the_process(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    limits = {resource.RLIMIT_AS: 9_000_000, resource.RLIMIT_DATA: 8_000_000}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], -1))
    monkeypatch.setattr(_limits, "_PROCESS", tmp_path)
    (tmp_path / "status").write_text(
        "Name:\tpython\nVmSize:\t 2000 kB\nVmData:\t 3000 kB\nThreads:\t1\n",
        encoding="utf-8",
    )
    assert process_limits() == [
        ("RLIMIT_AS", 9_000_000, 2_048_000),
        ("RLIMIT_DATA", 8_000_000, 3_072_000),
    ]
    assert memory_limits() == (4_928_000, 4_928_000)
    monkeypatch.setattr(_foresight, "SMALL", 0)
    text = r"there are 4\.9 MB\. Do less\. .*RLIMIT_DATA of this process is 8\.0 MB"
    with pytest.raises(MemoryError, match=text):
        foresee(5_000_000, "This", "Do less.")
    limits[resource.RLIMIT_DATA] = resource.RLIM_INFINITY
    assert process_limits() == [("RLIMIT_AS", 9_000_000, 2_048_000)]


MEASURE = """
import numpy as np
from scipy import sparse
import skxmr
from skxmr import XRLinearClassifier
from skxmr._utils._compressed import Compressed
from skxmr._utils._foresight import training_memory

rng = np.random.default_rng(0)
n_rows, n_entries, n_labels = 40_000, int(sys.argv[1]), 1_000
columns = np.sort(rng.integers(0, 5_000, (n_rows, n_entries), dtype=np.int32))
X = sparse.csr_array(
    (
        rng.random(columns.size, dtype=np.float32), columns.ravel(),
        np.arange(n_rows + 1, dtype=np.int32) * n_entries,
    ), shape=(n_rows, 5_000),
)
X.sum_duplicates()
labels = rng.integers(0, n_labels, n_rows)
Y = sparse.csr_array((np.ones(n_rows), (np.arange(n_rows), labels)))
classifier = XRLinearClassifier(random_state=0, C=0.001, threshold=0.3)
classifier.fit(X[:100], Y[:100])
with Watch() as watch:
    classifier.fit(X, Y)
print(training_memory(Compressed.from_sparse(X), Y), watch.added)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_more_is_foreseen_than_is_needed():
    foreseen, needed = printed_by(MEASURE, 30)
    assert 0.3 * needed < foreseen < needed


def test_dense_and_mapped_rows_are_not_copied(tmp_path):
    X, Y = make_data()
    rows = Compressed.from_sparse(X)
    np.save(tmp_path / "values.npy", rows.values)
    mapped = rows._replace(values=np.load(tmp_path / "values.npy", mmap_mode="r"))
    dense = DenseRows(X.toarray())
    alone = training_memory(mapped, Y)
    assert training_memory(dense, Y) == alone
    assert training_memory(rows, Y) == alone + 8 * X.nnz
