"""Text input from paths or open files, compressed or in an archive."""

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
# macOS adds a file in this folder to an archive for each other file.
_OF_MACS = "__MACOSX/"


def open_to_read(source, stack):
    """Open a path or a binary file object, and decompress its contents.

    Parameters
    ----------
    source : str, bytes, path-like or binary file object
        A file object is read from its current position and not closed.
    stack : ExitStack
        Closes what is opened here.

    Returns
    -------
    file : binary file object
        The decompressed bytes. Errors of decompression are raised when it is read.
    name : str
        For messages.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If `source` is none of these.
    ValueError
        If it is an archive with several files, or none.
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
    """Wrap a file in the decompressor that its first bytes require."""
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
        # Its table of contents is at the end.
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
    """The interface of `io.BufferedReader` for any object with ``read``.

    Parameters
    ----------
    file : binary file object
        Not closed when this is closed.
    """

    def __init__(self, file):
        self.file = file

    def readable(self):
        """Return True."""
        return True

    def readinto(self, buffer):
        """Fill the buffer, as far as there are data."""
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
    """Convert errors of corrupt compressed data to ValueError with the file's name.

    Parameters
    ----------
    name : str
    """
    try:
        yield
    except (
        EOFError,
        NotImplementedError,  # an unknown compression method
        OSError,
        RuntimeError,  # a password is required
        lzma.LZMAError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        # Offsets in archives may be out of range.
        if getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise  # from the system, not the decompressor
        raise ValueError(f"{name}: the compressed data are damaged: {error}") from error
