"""Arrays in .npy files that grow by rows."""

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0

from skxmr._utils._files import replacing

__all__ = ["GrowingNpy", "growing_npys"]

# Entries that are converted at a time.
_CHUNK = 1 << 20


@contextmanager
def growing_npys(folder, names):
    """Open a .npy file for each name; all are renamed when all are complete.

    Parameters
    ----------
    folder : path-like
        Created if it does not exist. Earlier files are unchanged until then; see
        `replacing`.
    names : sequence of str

    Yields
    ------
    list of GrowingNpy
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        arrays = [
            GrowingNpy(stack.enter_context(replacing(folder / f"{name}.npy")), name)
            for name in names
        ]
        yield arrays
        # None is renamed before all are on the disk.
        for array in arrays:
            array.finish()


class GrowingNpy:
    """An array in a file, with an unknown number of rows.

    Parameters
    ----------
    file : file object, binary, empty, to be written and read
    name : str
        Name of the array, for messages.
    """

    def __init__(self, file, name):
        self._file = file
        self._name = name
        self._like: Any = None  # an empty array with the dtype and shape of the rows
        self._n_rows = 0

    def __len__(self):
        return self._n_rows

    def append(self, rows):
        """Append rows.

        Parameters
        ----------
        rows : ndarray of shape (any, ...)

        Raises
        ------
        ValueError
            If their dtype or shape differs from that of earlier rows.
        """
        if self._like is None:
            self._like = np.empty((0, *rows.shape[1:]), dtype=rows.dtype)
            self._write_header()
            self._start = self._file.tell()
        like = self._like
        if rows.dtype != like.dtype or rows.shape[1:] != like.shape[1:]:
            raise ValueError(
                f"{self._name} of a batch are {rows.dtype} of shape {rows.shape}; "
                f"expected {like.dtype} of shape {('any', *like.shape[1:])}, as before."
            )
        self._file.write(np.ascontiguousarray(rows).data)
        self._n_rows += len(rows)

    def widen(self, dtype):
        """Convert the entries of a vector to a wider dtype in place, from the last one.

        Parameters
        ----------
        dtype : dtype
        """
        narrow, wide = self._like.dtype, np.dtype(dtype)
        for first in reversed(range(0, self._n_rows, _CHUNK)):
            n_rows = min(_CHUNK, self._n_rows - first)
            self._file.seek(self._start + narrow.itemsize * first)
            rows = np.frombuffer(self._file.read(narrow.itemsize * n_rows), narrow)
            self._file.seek(self._start + wide.itemsize * first)
            self._file.write(rows.astype(wide).data)
        self._like = self._like.astype(wide)

    def finish(self):
        """Write the number of rows, and flush the file to the disk.

        Raises
        ------
        ValueError
            If nothing was appended, not even an array of 0 rows.
        """
        if self._like is None:
            raise ValueError(
                f"There is no batch of {self._name}; expected one at least."
            )
        self._file.seek(0)
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write_header(self):
        # NumPy's header has space for a larger number of rows.
        header = {
            "descr": dtype_to_descr(self._like.dtype),
            "fortran_order": False,
            "shape": (self._n_rows, *self._like.shape[1:]),
        }
        write_array_header_1_0(self._file, header)
