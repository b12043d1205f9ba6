"""All that writes files by `replacing` and folders by `creating_folder`."""

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from platforms import posix
from scipy import sparse
from sklearn.datasets import make_multilabel_classification

from skxmr import XRLinearClassifier
from skxmr._utils import _files
from skxmr._utils._files import creating_folder, replacing
from skxmr.datasets import dump_xmc
from skxmr.demo import Catalogue
from skxmr.interop import load_pecos, save_pecos
from skxmr.persistence import load, save
from skxmr.streaming import save_csr, save_rankings

X, Y = make_multilabel_classification(60, 20, n_classes=12, random_state=0)
X = X / np.linalg.norm(X, axis=1, keepdims=True)
RANKING = np.zeros((3, 2), dtype=np.int64), np.zeros((3, 2))

# Each: what writes into a folder, and the name of a file that it writes there.
WRITERS = {
    "save": (lambda folder: save([1], folder / "model"), "model"),
    "dump_xmc": (lambda folder: dump_xmc(X, Y, folder / "data.txt"), "data.txt"),
    "dump_xmc.gz": (lambda folder: dump_xmc(X, Y, folder / "x.gz"), "x.gz"),
    "save_csr": (lambda folder: save_csr([sparse.csr_array(X)], folder), "data.npy"),
    "save_rankings": (lambda folder: save_rankings([RANKING], folder), "scores.npy"),
    "Catalogue": (lambda folder: Catalogue([1], [2]).save(folder / "demo"), "demo"),
}
writers = pytest.mark.parametrize(
    ("write", "name"), WRITERS.values(), ids=WRITERS.keys()
)


@pytest.fixture(scope="module")
def classifier():
    return XRLinearClassifier(random_state=0).fit(X, Y)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.fixture
def seen(monkeypatch):
    """Collect the modes that files have before they get their name."""
    modes = []
    write = os.fsync

    def looking(descriptor):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        write(descriptor)

    made = os.open

    def looking_when_made(*arguments, **more):
        descriptor = made(*arguments, **more)
        if str(arguments[0]).endswith(".unfinished"):
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "fsync", looking)
    monkeypatch.setattr(os, "open", looking_when_made)
    return modes


# Who may read


@posix
@writers
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o444])
def test_nobody_reads_what_replaces_a_private_file(
    write, name, mode, tmp_path, umask, seen
):
    write(tmp_path)
    (tmp_path / name).chmod(mode)
    seen.clear()
    write(tmp_path)
    assert mode_of(tmp_path / name) == mode
    others = {path: mode_of(path) for path in tmp_path.iterdir() if path.name != name}
    allowed = mode | 0o600 | max(others.values(), default=0)
    assert seen
    assert all(one | allowed == allowed for one in seen if one & 0o111 == 0)


@posix
@writers
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027])
def test_new_files_follow_the_umask(write, name, mask, tmp_path, umask):
    umask(mask)
    write(tmp_path)
    assert mode_of(tmp_path / name) == 0o666 & ~mask
    assert not [one for one in names_in(tmp_path) if "unfinished" in one]


@posix
def test_a_group_that_cannot_be_kept_gets_nothing_new(tmp_path, umask, monkeypatch):
    path = tmp_path / "model"
    save([1], path)

    def refused(*arguments):
        raise PermissionError(errno.EPERM, "not yours")

    monkeypatch.setattr(os, "chown", refused)
    earlier = path.stat()
    monkeypatch.setattr(_files, "_stat", lambda _: _OfAnotherGroup(earlier, path))
    for mode, expected in ((0o640, 0o600), (0o644, 0o644), (0o604, 0o600)):
        path.chmod(mode)
        save([1], path)
        assert mode_of(path) == expected, oct(mode)


class _OfAnotherGroup:
    """The status of a file as if another group had it."""

    def __init__(self, earlier, path):
        self.st_mode = path.stat().st_mode
        self.st_uid = earlier.st_uid
        self.st_gid = earlier.st_gid + 1


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")
def test_owner_and_group_stay(tmp_path):
    path = tmp_path / "model"
    save([1], path)
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    save([2], path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)
    assert mode_of(path) == 0o640


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_access_lists_stay(tmp_path):
    # Version 2; owner rw, user 1234 r, group none, mask r, others none.
    entries = [(1, 6, -1), (2, 4, 1234), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
    acl = b"\x02\0\0\0" + b"".join(
        tag.to_bytes(2, "little")
        + permissions.to_bytes(2, "little")
        + (who % 2**32).to_bytes(4, "little")
        for tag, permissions, who in entries
    )
    path = tmp_path / "model"
    save([1], path)
    try:
        os.setxattr(path, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this disk keeps no access lists")
    save([2], path)
    assert os.getxattr(path, "system.posix_acl_access") == acl
    path.unlink()
    save([1], path)
    path.chmod(0o640)
    os.setxattr(tmp_path, "system.posix_acl_default", acl)
    save([2], path)
    with pytest.raises(OSError, match="No data"):
        os.getxattr(path, "system.posix_acl_access")


# Links


@posix
@writers
def test_a_link_is_replaced_and_not_what_it_leads_to(write, name, tmp_path, umask):
    store, current = tmp_path / "store", tmp_path / "current"
    store.mkdir()
    current.mkdir()
    released = store / "version 1"
    released.write_bytes(b"rolled out")
    released.chmod(0o640)
    (current / name).symlink_to(released)
    write(current)
    assert released.read_bytes() == b"rolled out"
    assert not (current / name).is_symlink()
    assert mode_of(current / name) == 0o640
    assert names_in(store) == ["version 1"]


@posix
def test_links_in_the_way_and_links_to_nothing(tmp_path):
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    save([1], link / "model")
    assert load(folder / "model") == [1]
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nothing")
    save([2], dangling)
    assert load(dangling) == [2]
    assert not (tmp_path / "nothing").exists()
    save([3], link)
    assert link.is_symlink()
    assert load(link) == load(folder / "0001") == [3]


# Leftovers


HOLD = """
import sys
from pathlib import Path
from skxmr._utils._files import creating_folder, replacing
with {what}(sys.argv[1]) as new:
    if isinstance(new, Path):
        (new / "part").write_text("theirs")
    else:
        new.write(b"theirs")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def start_holding(what, path):
    started = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(what=what), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert started.stdout.readline().strip() == b"writing"
    return started


@posix
@pytest.mark.parametrize("what", ["replacing", "creating_folder"])
def test_a_killed_process_leaves_what_the_next_save_removes(what, tmp_path):
    with start_holding(what, tmp_path / "target") as holding:
        holding.kill()
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".unfinished"
    with replacing(tmp_path / "another"):
        pass
    assert left.exists()
    with replacing(tmp_path / "target") as file:
        file.write(b"ours")
    assert names_in(tmp_path) == ["another", "target"]


def test_two_processes_may_save_at_once(tmp_path):
    path = tmp_path / "target"
    with start_holding("replacing", path) as theirs:
        with replacing(path) as file:
            file.write(b"ours")
        assert path.read_bytes() == b"ours"
        theirs.communicate(b"\n")
        assert theirs.returncode == 0
    assert path.read_bytes() == b"theirs"
    assert names_in(tmp_path) == ["target"]


@posix
def test_of_two_folders_one_is_whole(tmp_path):
    path = tmp_path / "target"
    with start_holding("creating_folder", path) as theirs:
        with creating_folder(path) as folder:
            (folder / "part").write_text("ours", encoding="utf-8")
        theirs.stdin.close()
        assert theirs.wait() == 1
    assert (path / "part").read_text(encoding="utf-8") == "ours"
    assert names_in(tmp_path) == ["target"]


def test_many_threads_save_to_one_name(tmp_path):
    path, failed = tmp_path / "target", []

    def write(number):
        try:
            for _ in range(50):
                with replacing(path) as file:
                    file.write(bytes([number]) * 1000)
        except OSError as error:
            # Windows replaces nothing that is being replaced.
            if os.name != "nt":
                failed.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(set(path.read_bytes())) == 1
    assert names_in(tmp_path) == ["target"]


@posix
def test_traps_beside_the_target_are_left_alone(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept", encoding="utf-8")
    prefix = _files._prefix(tmp_path / "target")
    (tmp_path / f"{prefix}link.unfinished").symlink_to(precious)
    os.mkfifo(tmp_path / f"{prefix}pipe.unfinished")
    (tmp_path / f"{prefix}finished").write_text("another's", encoding="utf-8")
    with replacing(tmp_path / "target") as file:
        file.write(b"ours")
    assert precious.read_text(encoding="utf-8") == "kept"
    assert (tmp_path / f"{prefix}finished").exists()


def test_where_nothing_can_be_locked_what_is_recent_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "fcntl", None)
    prefix = _files._prefix(tmp_path / "target")
    old, recent = (tmp_path / f"{prefix}{i}.unfinished" for i in range(2))
    for path in (old, recent):
        path.write_bytes(b"left")
    long_ago = time.time() - 1000
    os.utime(old, (long_ago, long_ago))
    with replacing(tmp_path / "target") as file:
        file.write(b"ours")
    assert names_in(tmp_path) == sorted([recent.name, "target"])


@posix
def test_names_as_long_as_the_disk_takes(tmp_path):
    path = tmp_path / ("n" * 255)
    save([1], path)
    assert load(path) == [1]


# Folders


def test_a_model_goes_into_an_empty_folder(tmp_path, umask, classifier):
    folder = tmp_path / "model"
    folder.mkdir()
    if os.name != "nt":
        folder.chmod(0o750)
    save_pecos(classifier, folder)
    found, expected = load_pecos(folder).rank(X), classifier.rank(X)
    np.testing.assert_array_equal(found[0], expected[0])
    if os.name != "nt":
        assert mode_of(folder) == 0o750
    before = sorted(folder.rglob("*"))
    with pytest.raises(FileExistsError, match="is no empty folder"):
        save_pecos(classifier, folder)
    assert sorted(folder.rglob("*")) == before
    assert names_in(tmp_path) == ["model"]


@posix
def test_a_link_to_an_empty_folder_is_replaced(tmp_path, classifier):
    empty, full, link = (tmp_path / name for name in ("empty", "full", "link"))
    empty.mkdir()
    full.mkdir()
    (full / "model").touch()
    link.symlink_to(full)
    with pytest.raises(FileExistsError):
        save_pecos(classifier, link)
    assert names_in(full) == ["model"]
    link.unlink()
    link.symlink_to(empty)
    save_pecos(classifier, link)
    assert not link.is_symlink()
    assert load_pecos(link).n_features_in_ == 20
    assert names_in(empty) == []
    link = tmp_path / "dangling"
    link.symlink_to(tmp_path / "nothing")
    with pytest.raises(FileExistsError):
        save_pecos(classifier, link)


def test_every_file_of_a_folder_is_on_the_disk(tmp_path, monkeypatch, classifier):
    n_synced, sync = [], os.fsync

    def counted(descriptor):
        n_synced.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    save_pecos(classifier, tmp_path / "model")
    inside = list((tmp_path / "model").rglob("*"))
    n_folders = 2 + sum(path.is_dir() for path in inside)
    n_files = sum(path.is_file() for path in inside)
    assert len(n_synced) == n_files + (0 if os.name == "nt" else n_folders)


def test_an_error_leaves_no_folder(tmp_path):
    def fail():
        with creating_folder(tmp_path / "model") as folder:
            (folder / "part").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names_in(tmp_path) == []


def test_files_may_be_named_by_bytes_and_relative_to_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with replacing(b"bytes") as file:
        file.write(b"1")
        monkeypatch.chdir(Path(tmp_path.anchor))
    assert (tmp_path / "bytes").read_bytes() == b"1"
