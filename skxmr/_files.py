"""Files that are there whole or not at all."""

import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path):
    """Open a file for writing that takes the place of another when it is complete.

    It is written beside the other and renamed when all of it is on the disk. Whatever
    happens before, an error, a kill, a loss of power, the other is as it was, and so
    it stays for the processes that have it open or mapped. What a killed process
    leaves behind is named ``.<random>.unfinished``.

    Parameters
    ----------
    path : str or path-like
        A symbolic link stays one: what it leads to is replaced.

    Yields
    ------
    file object, binary, that can be read as well

    Raises
    ------
    OSError
        If `path` is there but no regular file, or the new file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(f"{path} is not a regular file")
    unfinished = target.with_name(f".{secrets.token_hex(8)}.unfinished")
    try:
        with unfinished.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
        _sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync_folder(folder):
    """Write the new name to the disk, where the system lets folders be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
