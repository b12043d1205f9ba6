"""Files and folders that are there whole or not at all."""

import os
import secrets
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

__all__ = ["creating_folder", "replacing"]

_SUFFIX = ".unfinished"
_ACL = "system.posix_acl_access"
# Where nothing can be locked, what was written within these seconds may be in use.
_RECENT = 60


@contextmanager
def replacing(path):
    """Open a file for writing that takes the place of another when it is complete.

    It is written beside the other and renamed when all of it is on the disk. Whatever
    happens before, an error, a kill, a loss of power, the other is as it was, and so
    it stays for the processes that have it open or mapped. What a killed process
    leaves behind is removed when the same file is written again. Nobody can read the
    new file who could not read the other.

    Parameters
    ----------
    path : str, bytes or path-like
        A symbolic link is replaced itself: what it leads to stays as it is.

    Yields
    ------
    file object, binary, that can be read as well

    Raises
    ------
    OSError
        If `path` is there but no regular file, or the new file cannot be written.
    """
    target = Path(os.fsdecode(path)).absolute()
    earlier = _stat(target)
    if earlier is not None and not stat.S_ISREG(earlier.st_mode):
        raise OSError(f"{target} is not a regular file")
    _remove_leftovers(target)
    unfinished, descriptor = _create(target, 0o666 if earlier is None else 0o600)
    try:
        with open(descriptor, "w+b") as file:  # noqa: PTH123 - a descriptor
            yield file
            file.flush()
            _take_permissions(target, unfinished)
            os.fsync(descriptor)
            if fcntl is not None:
                # While it is locked, so that nobody takes it for a leftover.
                unfinished.replace(target)
        if fcntl is None:
            unfinished.replace(target)
        _sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def creating_folder(path):
    """Make a folder that has its name only when all is in it, on the disk.

    Parameters
    ----------
    path : str or path-like
        May be an empty folder. A symbolic link to one is replaced itself.

    Yields
    ------
    Path
        The folder to write to.

    Raises
    ------
    FileExistsError
        If `path` is there, but no empty folder.
    OSError
        If it cannot be written.
    """
    target = Path(os.fsdecode(path)).absolute()
    _check_free(target)
    _remove_leftovers(target)
    with _new_folder(target, 0o700 if target.is_dir() else 0o777) as unfinished:
        try:
            yield unfinished
            _sync_all(unfinished)
            _take_permissions(target, unfinished)
            _rename_folder(unfinished, target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _stat(path):
    """Describe what a path leads to; None if that is not there."""
    with suppress(FileNotFoundError):
        return path.stat()
    return None


def _check_free(folder):
    taken = folder.is_symlink() or folder.exists()
    if taken and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} exists already and is no empty folder; nothing was written."
        )


def _rename_folder(unfinished, target):
    """Give a folder its name, which may be that of an empty one."""
    _check_free(target)
    if target.is_symlink():
        target.unlink()
    elif os.name == "nt" and target.exists():
        target.rmdir()
    try:
        unfinished.rename(target)
    except OSError:
        _check_free(target)  # another process was faster
        raise


# What is not finished
# --------------------


def _unfinished_name(target):
    return target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}{_SUFFIX}")


def _prefix(target):
    """Tell the files of one target from others; short, however long its name is."""
    return f".{sha256(os.fsencode(target.name)).hexdigest()[:16]}."


def _create(target, mode):
    """Make and lock a file that is to become another."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        unfinished = _unfinished_name(target)
        descriptor = os.open(unfinished, flags, mode)
        _lock(descriptor)
        # Another process may have taken it for a leftover before it was locked.
        if os.name == "nt" or os.fstat(descriptor).st_nlink:
            return unfinished, descriptor
        os.close(descriptor)


@contextmanager
def _new_folder(target, mode):
    """Make and lock a folder that is to become another."""
    while True:
        unfinished = _unfinished_name(target)
        unfinished.mkdir(mode)
        if fcntl is None:
            yield unfinished
            return
        descriptor = os.open(unfinished, os.O_RDONLY)
        try:
            _lock(descriptor)
            if os.fstat(descriptor).st_nlink:
                yield unfinished
                return
        finally:
            os.close(descriptor)


def _lock(descriptor):
    """Show other processes that somebody writes, as far as the disk allows."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_leftovers(target):
    """Remove what killed processes have left of the same target."""
    prefix = _prefix(target)
    with suppress(OSError):
        for entry in os.scandir(target.parent):
            if entry.name.startswith(prefix) and entry.name.endswith(_SUFFIX):
                with suppress(OSError):
                    _remove_leftover(entry.path)


def _remove_leftover(path):
    """Remove a file or folder unless a process still writes it."""
    if fcntl is None:
        if time.time() - os.lstat(path).st_mtime > _RECENT:
            _remove(path)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(descriptor)


def _remove(path):
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path)
    else:
        Path(path).unlink()


# Who may read it
# ---------------


def _take_permissions(target, unfinished):
    """Give a new file the permissions of the one that it replaces, and no others."""
    earlier = _stat(target)
    if earlier is None:
        return
    mode = stat.S_IMODE(earlier.st_mode)
    if not (_take_group(earlier, unfinished) and _take_acl(target, unfinished)):
        # Who was of the group may now be one of the others, or the other way round.
        common = mode & mode >> 3 & stat.S_IRWXO
        mode = mode & stat.S_IRWXU | common << 3 | common
    unfinished.chmod(mode)


def _take_group(earlier, unfinished):
    """Give a file the owner and group of another; tell whether it has the group."""
    if not hasattr(os, "chown"):
        return True
    with suppress(OSError):  # only root may give files away
        os.chown(unfinished, earlier.st_uid, -1)
    with suppress(OSError):
        os.chown(unfinished, -1, earlier.st_gid)
    return unfinished.stat().st_gid == earlier.st_gid


def _take_acl(target, unfinished):
    """Give a file the access list of another, if any; tell whether it has the same."""
    if not hasattr(os, "getxattr"):
        return True
    wanted, given = _acl(target), _acl(unfinished)
    try:
        if wanted is not None:
            os.setxattr(unfinished, _ACL, wanted)
        elif given is not None:  # of the folder's default
            os.removexattr(unfinished, _ACL)
    except OSError:
        return False
    return True


def _acl(path):
    with suppress(OSError):
        return os.getxattr(path, _ACL)
    return None


# What is on the disk
# -------------------


def _sync_all(folder):
    for inner, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync_file(Path(inner, name))
        _sync_folder(inner)


def _sync_file(path):
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _sync_folder(folder):
    """Write the new name to the disk, where the system lets folders be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
