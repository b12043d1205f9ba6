"""Atomic writes of files and folders."""

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
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

__all__ = ["creating_folder", "replacing"]

_SUFFIX = ".unfinished"
_ACL = "system.posix_acl_access"
# Without locks, files that were modified within these seconds may be in use.
_RECENT = 60


@contextmanager
def replacing(path):
    """Open a file for writing that replaces another one when it is complete.

    It is written under a temporary name in the same folder and renamed when it is on
    the disk. Before that, an error, a kill or a power failure leaves the other file
    unchanged, and processes that have it open or mapped keep it. Files that a killed
    process has left are removed by the next write of the same file. The new file can
    only be read by users who could read the other one.

    Parameters
    ----------
    path : str, bytes or path-like
        A symbolic link is replaced itself; the file that it points to is unchanged.

    Yields
    ------
    file object, binary, that can be read as well

    Raises
    ------
    OSError
        If `path` exists and is not a regular file, or the new file cannot be written.
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
                # While it is locked, so that no process considers it a leftover.
                unfinished.replace(target)
        if fcntl is None:
            unfinished.replace(target)
        _sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def creating_folder(path):
    """Create a folder that gets its name when all its files are on the disk.

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
        If `path` exists and is not an empty folder.
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
    """Return the status of a path; None if it does not exist."""
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
    """Rename a folder, possibly to replace an empty one."""
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


# Unfinished files
# --------------------


def _unfinished_name(target):
    return target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}{_SUFFIX}")


def _prefix(target):
    """Return a prefix that identifies the files of one target, of bounded length."""
    return f".{sha256(os.fsencode(target.name)).hexdigest()[:16]}."


def _create(target, mode):
    """Create and lock the temporary file of a target."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        unfinished = _unfinished_name(target)
        descriptor = os.open(unfinished, flags, mode)
        _lock(descriptor)
        # Another process may have removed it as a leftover before it was locked.
        if os.name == "nt" or os.fstat(descriptor).st_nlink:
            return unfinished, descriptor
        os.close(descriptor)


@contextmanager
def _new_folder(target, mode):
    """Create and lock the temporary folder of a target."""
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
    """Lock a file for other processes, if the file system supports it."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_leftovers(target):
    """Remove the files that killed processes have left for the same target."""
    prefix = _prefix(target)
    with suppress(OSError):
        for entry in os.scandir(target.parent):
            if entry.name.startswith(prefix) and entry.name.endswith(_SUFFIX):
                with suppress(OSError):
                    _remove_leftover(entry.path)


def _remove_leftover(path):
    """Remove a file or folder unless a process is still writing it."""
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


# Permissions
# ---------------


def _take_permissions(target, unfinished):
    """Give a new file the permissions of the one that it replaces."""
    earlier = _stat(target)
    if earlier is None:
        return
    mode = stat.S_IMODE(earlier.st_mode)
    if not (_take_group(earlier, unfinished) and _take_acl(target, unfinished)):
        # The group may have changed, so members of one may be others now, and vice
        # versa.
        common = mode & mode >> 3 & stat.S_IRWXO
        mode = mode & stat.S_IRWXU | common << 3 | common
    unfinished.chmod(mode)


def _take_group(earlier, unfinished):
    """Copy owner and group of another file; return whether the group is set."""
    if not hasattr(os, "chown"):
        return True
    with suppress(OSError):  # only root may change the owner
        os.chown(unfinished, earlier.st_uid, -1)
    with suppress(OSError):
        os.chown(unfinished, -1, earlier.st_gid)
    return unfinished.stat().st_gid == earlier.st_gid


def _take_acl(target, unfinished):
    """Copy the access list of another file; return whether that worked."""
    if not hasattr(os, "getxattr"):
        return True
    wanted, given = _acl(target), _acl(unfinished)
    try:
        if wanted is not None:
            os.setxattr(unfinished, _ACL, wanted)
        elif given is not None:  # inherited from the folder's default
            os.removexattr(unfinished, _ACL)
    except OSError:
        return False
    return True


def _acl(path):
    with suppress(OSError):
        return os.getxattr(path, _ACL)
    return None


# Flushing
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
    """Flush a renaming to the disk, if the system can open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
