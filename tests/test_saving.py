"""Whatever happens while a model is saved, the earlier file is whole."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification

from skxmr import XRLinearClassifier
from skxmr.persistence import load, save

X, Y = make_multilabel_classification(60, 20, n_classes=12, random_state=0)
X = X / np.linalg.norm(X, axis=1, keepdims=True)


def fitted(**parameters):
    return XRLinearClassifier(random_state=0, **parameters).fit(X, Y)


def assert_same(one, other):
    for found, expected in zip(one.rank(X, 5), other.rank(X, 5), strict=True):
        np.testing.assert_array_equal(found, expected)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("mmap_mode", [None, "r", "c"])
def test_what_is_saved_is_loaded(tmp_path, mmap_mode):
    model = fitted()
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model", mmap_mode=mmap_mode)
    assert_same(loaded, model)
    weights = loaded.layouts_[0].by_node.weights  # of dense rows
    assert isinstance(weights, np.memmap) == (mmap_mode is not None)
    assert names_in(tmp_path) == ["model"]


def test_saving_again_leaves_those_who_map_the_earlier_file_alone(tmp_path):
    earlier, later = fitted(), fitted(threshold=1.0)
    save(earlier, tmp_path / "model")
    mapped = load(tmp_path / "model", mmap_mode="r")
    save(later, tmp_path / "model")
    assert_same(mapped, earlier)
    assert_same(load(tmp_path / "model"), later)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "model", tmp_path / "current"
    save(fitted(), path)
    path.chmod(0o640)
    link.symlink_to(path)
    save(fitted(threshold=1.0), link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert_same(load(path), fitted(threshold=1.0))


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    events = []
    for owner, name in ((os, "fsync"), (Path, "replace")):
        function = getattr(owner, name)

        def recorded(*arguments, name=name, function=function):
            events.append(name)
            return function(*arguments)

        monkeypatch.setattr(owner, name, recorded)
    save(fitted(), tmp_path / "model")
    assert events == ["fsync", "replace", "fsync"][: 2 if os.name == "nt" else 3]


class Unpicklable:
    def __reduce__(self):
        raise pickle.PicklingError("not me")


def test_an_error_in_the_middle_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "model"
    model = fitted()
    save(model, path)
    before = path.read_bytes()
    with pytest.raises(pickle.PicklingError, match="not me"):
        save([model, Unpicklable()], path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["model"]


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(OSError, match="not a regular file") as refused:
        save(fitted(), tmp_path)
    assert refused.value.__notes__ == [
        f"The model was not saved; {tmp_path} is as it was."
    ]
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"mmap_mode='w\+' must be"):
        load(tmp_path / "nothing", mmap_mode="w+")


# Disks that are full

SAVE_TOO_MUCH = """
import sys
import numpy as np
from skxmr.persistence import load, save
path = sys.argv[1]
save([1, 2, 3], path)
if sys.argv[2]:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    save(np.zeros(10_000_000), path)
except OSError as error:
    print(error.errno, *error.__notes__)
print(load(path))
"""


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits")
def test_a_file_that_cannot_grow(tmp_path):
    path = tmp_path / "model"
    said = run(sys.executable, "-c", SAVE_TOO_MUCH, str(path), "1000000")
    assert said.splitlines() == [
        f"27 The model was not saved; {path} is as it was.",
        "[1, 2, 3]",
    ]
    assert names_in(tmp_path) == ["model"]


ON_A_TINY_DISK = """
set -e
mount -t tmpfs -o size=4m tiny "$1"
"$2" -c "$3" "$1/model" ""
ls -A "$1"
"""


def may_mount():
    tried = ("unshare", "--mount", "mount", "-t", "tmpfs", "tiny", "/mnt")
    if not all(map(shutil.which, ("unshare", "mount"))):
        return False
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a tiny disk")
def test_a_disk_that_is_full(tmp_path):
    said = run(
        *("unshare", "--mount", "sh", "-c", ON_A_TINY_DISK, "sh"),
        *(str(tmp_path), sys.executable, SAVE_TOO_MUCH),
    )
    assert said.splitlines() == [
        f"28 The model was not saved; {tmp_path}/model is as it was.",
        "[1, 2, 3]",
        "model",
    ]


# Processes that die

SAVE_SLOWLY = """
import sys, time
import numpy as np
from skxmr.persistence import save

class Slow:
    def __reduce__(self):
        print("in the middle", flush=True)
        time.sleep(600)

save([np.zeros(1_000_000), Slow()], sys.argv[1])
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_process_killed_in_the_middle(tmp_path):
    path = tmp_path / "model"
    model = fitted()
    save(model, path)
    before = path.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_SLOWLY, str(path)], stdout=subprocess.PIPE
    ) as saving:
        assert saving.stdout.readline() == b"in the middle\n"
        saving.send_signal(signal.SIGKILL)
    # It was killed with much of the file written.
    (unfinished,) = set(tmp_path.iterdir()) - {path}
    assert unfinished.stat().st_size > 4_000_000
    assert unfinished.suffix == ".unfinished"
    assert path.read_bytes() == before
    assert_same(joblib.load(path), model)
