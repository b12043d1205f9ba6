"""Files of text as they come: named or open, compressed or in an archive."""

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import tempfile
import zipfile
import zlib
from contextlib import contextmanager, nullcontext

__all__ = ["damage_named", "open_to_read"]

_GZIP_START = b"\x1f\x8b"
_BZIP2_START = b"BZh"
_XZ_START = b"\xfd7zXZ\x00"
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# Macs put a file of this folder into an archive beside each that was meant.
_OF_MACS = "__MACOSX/"


def open_to_read(source, stack):
    """Open a path or take a binary file; decompress what is in it.

    Parameters
    ----------
    source : str, bytes, path-like or binary file object
        A file object is read from where it stands and left open.
    stack : ExitStack
        Closes what is opened here.

    Returns
    -------
    file : binary file object
        Of the bytes themselves. Errors of decompression come while it is read.
    name : str
        For messages.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If `source` is none of those.
    ValueError
        If it is an archive of several files, or of none.
    """
    if isinstance(source, (str, bytes, os.PathLike)):
        name = os.fsdecode(source)
        raw: io.RawIOBase = io.FileIO(name)
    elif hasattr(source, "read"):
        name = str(getattr(source, "name", type(source).__name__))
        raw = _Readable(source)
    else:
        raise TypeError(
            "path must be a path or a file object opened in binary mode, got "
            f"{type(source).__name__}"
        )
    file = stack.enter_context(io.BufferedReader(raw))
    start = file.peek(len(_XZ_START))
    if start.startswith(_ZIP_STARTS):
        return _open_archive(file, name, stack), name
    return stack.enter_context(_decompressing(file, start)), name


def _decompressing(file, start):
    """Wrap a file to be read as its first bytes ask."""
    if start.startswith(_GZIP_START):
        return gzip.open(file)
    if start.startswith(_BZIP2_START):
        return bz2.open(file)
    if start.startswith(_XZ_START):
        return lzma.open(file)
    return nullcontext(file)


def _open_archive(file, name, stack):
    """Open the only file of a zip archive."""
    if not file.seekable() or file.tell():
        # Its table of contents is at its end.
        copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        shutil.copyfileobj(file, copy)
        file = copy
    with damage_named(name):
        archive = stack.enter_context(zipfile.ZipFile(file))
        members = [
            member
            for member in archive.namelist()
            if not member.endswith("/") and not member.startswith(_OF_MACS)
        ]
        if len(members) == 1:
            return stack.enter_context(archive.open(members[0]))
    raise ValueError(
        f"{name} is an archive of {len(members)} files, {_listed(members)}; expected "
        f"one. Open the one that is meant, zipfile.ZipFile({name!r}).open(...), and "
        "pass that."
    )


def _listed(members):
    few = ", ".join(map(repr, members[:5]))
    return f"[{few}, ...]" if len(members) > 5 else f"[{few}]"


class _Readable(io.RawIOBase):
    """What `io.BufferedReader` needs, of anything that has ``read``.

    Parameters
    ----------
    file : binary file object
        Left open when this is closed.
    """

    def __init__(self, file):
        self.file = file

    def readable(self):
        """Tell that this can be read."""
        return True

    def readinto(self, buffer):
        """Fill the buffer, or as much of it as there is."""
        data = self.file.read(len(buffer))
        if not isinstance(data, bytes):
            raise TypeError(
                "path must be a file object opened in binary mode; its read() gave "
                f"{type(data).__name__}, expected bytes"
            )
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def damage_named(name):
    """Raise ValueError with the file's name where compressed data are damaged.

    Parameters
    ----------
    name : str
    """
    try:
        yield
    except (
        EOFError,
        NotImplementedError,  # an unknown method of compression
        OSError,
        RuntimeError,  # a password is wanted
        lzma.LZMAError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        # Archives may lead to where no file goes.
        if getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise  # the system's error, not the decompressor's
        raise ValueError(f"{name}: the compressed data are damaged: {error}") from error
