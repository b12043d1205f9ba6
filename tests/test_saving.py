"""Whatever happens while a model is saved, the earlier file is whole."""

import gzip
import os
import pickle
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from platforms import posix
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


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
def test_saving_again_leaves_those_who_map_the_earlier_file_alone(tmp_path):
    path = tmp_path / "model"
    earlier, later = fitted(), fitted(threshold=1.0)
    save(earlier, path)
    mapped = load(path, mmap_mode="r")
    if os.name == "nt":  # where nobody replaces a mapped file
        with pytest.raises(PermissionError) as refused:
            save(later, path)
        assert refused.value.__notes__ == [
            f"The model was not saved; {path} is unchanged."
        ]
        assert names_in(tmp_path) == ["model"]
    else:
        save(later, path)
        assert_same(load(path), later)
    assert_same(mapped, earlier)


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


@posix
def test_what_is_neither_file_nor_folder_is_refused(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file") as refused:
        save(fitted(), path)
    assert refused.value.__notes__ == [f"The model was not saved; {path} is unchanged."]


def test_what_does_not_exist_is_not_loaded(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"mmap_mode='w\+' must be"):
        load(tmp_path / "nothing", mmap_mode="w+")


# Files that hold no model


def junk_of(model, path):
    """Make bytes of many kinds that are no model."""
    save(model, path)
    whole = path.read_bytes()
    joblib.dump(model, path, compress=3)
    compressed = path.read_bytes()
    return {
        "empty": b"",
        "text": b"Dear colleague,\nsee the model attached.\n",
        "digits": b"123\n",
        "blanks": b"   \n",
        "HTML": b"<!DOCTYPE html><html><body>404</body></html>",
        "JSON": b'{"model": []}',
        "zeros": bytes(1000),
        "random": np.random.RandomState(0).bytes(1000),
        "cut": whole[: len(whole) // 2],
        "cut early": whole[:3],
        "cut late": whole[:-1],
        "altered": whole[:200] + b"?" * 20 + whole[220:],
        "compressed and cut": compressed[: len(compressed) // 2],
        "gzip of junk": gzip.compress(b"junk"),
        "gzip of nothing": gzip.compress(b""),
        "gzip and cut": gzip.compress(whole)[:-2000],
        "no gzip": b"\x1f\x8b" + b"junk" * 10,
        "no zlib": b"\x78\x9c" + b"junk" * 10,
        "no bz2": b"BZh9" + b"junk" * 10,
        "no xz": b"\xfd7zXZ\0" + b"junk" * 10,
        "old joblib": b"ZF0x10" + b"junk" * 10,
        "pickle of a name that is not there": b"cskxmr\nNothing\n.",
        "pickle that calls wrongly": b"cbuiltins\nint\n(S'x'\ntR.",
    }


def test_junk_is_refused_with_the_name_of_the_file(tmp_path):
    path = tmp_path / "some model"
    for what, data in junk_of(fitted(), path).items():
        path.write_bytes(data)
        for mmap_mode in (None, "r"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of compressed files that are mapped
                with pytest.raises(ValueError, match="some model") as refused:
                    load(path, mmap_mode=mmap_mode)
            assert str(path) in str(refused.value), what
    for kind in (Path, str, os.fsencode):
        with pytest.raises(ValueError, match="some model"):
            load(kind(os.fspath(path)))


def test_folders_and_missing_files_and_packages_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load(tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        load(tmp_path / "folder")
    (tmp_path / "model").write_bytes(b"cno_such_package\nModel\n.")
    with pytest.raises(ModuleNotFoundError, match="no_such_package") as refused:
        load(tmp_path / "model")
    assert refused.value.__notes__ == [f"While loading {tmp_path / 'model'}."]


def test_a_damaged_model_is_named(tmp_path):
    model = fitted()
    layout = model.layouts_[0]
    layout.labels = layout.labels[:3]
    save(model, tmp_path / "model")
    with pytest.raises(ValueError, match=r"model cannot be .*labels has 3"):
        load(tmp_path / "model")


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


@posix
def test_a_file_that_cannot_grow(tmp_path):
    path = tmp_path / "model"
    said = run(sys.executable, "-c", SAVE_TOO_MUCH, str(path), "1000000")
    assert said.splitlines() == [
        f"27 The model was not saved; {path} is unchanged.",
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
        f"28 The model was not saved; {tmp_path}/model is unchanged.",
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


@posix
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
    save(model, tmp_path / "another")
    assert unfinished.exists()
    save(model, path)
    assert not unfinished.exists()
