"""Reader of untrusted files: nothing is executed, and all sizes are checked.

The sizes, dtypes and offsets that a file declares are compared with its contents before
memory is allocated, so that reading needs at most a few times the size of the file. Any
error is a ValueError that names the file.
"""

import json
import math
import re
import stat
import zipfile
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from skxmr._utils._compressed import Compressed

__all__ = ["ForeignFolder", "Settings"]

_MOST_JSON_BYTES = 1 << 20
_MAX_INT32 = np.iinfo(np.int32).max

# The magic bytes of a .npy file, the length of its header, and the header as NumPy
# writes it. Parsed by a pattern: NumPy would evaluate the text.
_NPY_START = b"\x93NUMPY"
_NPY_LENGTHS = {(1, 0): 2, (2, 0): 4}
_LONGEST_NPY_HEADER = 4096
_NPY_HEADER = re.compile(
    r"\{'descr': '(?P<descr>[^']{1,16})', 'fortran_order': (?:False|True), "
    r"'shape': \((?P<shape>[0-9, ]{0,64})\), \}\s*"
)

# The arrays of a sparse matrix as saved by SciPy, with their dtypes and dimensions.
_SPARSE_PARTS = {
    "format.npy": ({"|S3", "<U3"}, 0),
    "shape.npy": ({"<i4", "<i8"}, 1),
    "indptr.npy": ({"<i4", "<i8"}, 1),
    "indices.npy": ({"<i4", "<i8"}, 1),
    "data.npy": ({"<f4"}, 1),
}


class ForeignFolder:
    """A folder of which only files with given names are read.

    Parameters
    ----------
    path : str or path-like

    Raises
    ------
    ValueError
        If the folder does not exist.
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise ValueError(f"{self.path} is no folder; expected that of a model.")
        self._root = self.path.resolve()

    def _find(self, name):
        """Return the path of a regular file inside the folder."""
        path = self.path / name
        try:
            resolved = path.resolve(strict=True)
            kind = resolved.stat().st_mode
        except (OSError, RuntimeError) as error:  # RuntimeError: circular links
            raise ValueError(f"{path} cannot be read, or is missing.") from error
        if not resolved.is_relative_to(self._root):
            raise ValueError(f"{path} is a link that leads out of the folder.")
        # Opening a pipe would block; a device may be endless.
        if not stat.S_ISREG(kind):
            raise ValueError(f"{path} is no regular file.")
        return path

    def read_settings(self, name):
        """Read a JSON object.

        Parameters
        ----------
        name : str
            Path inside the folder.

        Returns
        -------
        Settings

        Raises
        ------
        ValueError
            If the file is missing, too large, invalid JSON, or not an object.
        """
        path = self._find(name)
        with path.open("rb") as file:
            text = file.read(_MOST_JSON_BYTES + 1)
        if len(text) > _MOST_JSON_BYTES:
            raise ValueError(
                f"{path} is larger than {_MOST_JSON_BYTES} bytes; expected a short "
                f"JSON file."
            )
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no JSON file: {error}.") from error
        if not isinstance(values, dict):
            raise ValueError(
                f"{path} holds a JSON {type(values).__name__}; expected an object."
            )
        return Settings(str(path), values)

    def read_columns(self, name):
        """Read a sparse matrix by columns, as written by ``scipy.sparse.save_npz``.

        Parameters
        ----------
        name : str
            Path inside the folder.

        Returns
        -------
        Compressed
            A vector for each column. Indices are in bounds, but may be unsorted and
            have duplicates; values are finite.

        Raises
        ------
        ValueError
            If the file is missing, corrupt, compressed, or has other contents.
        """
        path = self._find(name)
        try:
            with zipfile.ZipFile(path) as archive:
                parts = _read_parts(archive, path)
        except _DAMAGE as error:
            raise ValueError(f"{path} is damaged, or no NPZ file: {error}.") from error
        return _check_columns(path, parts)


_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError)


class Settings:
    """A JSON object with the name of its file, for messages.

    Parameters
    ----------
    name : str
    values : dict
    """

    def __init__(self, name, values):
        self.name = name
        self.values = values

    def __contains__(self, key):
        return key in self.values

    def section(self, key):
        """Return the object of a key."""
        return Settings(self.name, self._get(key, dict, "an object"))

    def text(self, key):
        """Return the string of a key."""
        return self._get(key, str, "a string")

    def integer(self, key, lowest, highest=_MAX_INT32):
        """Return the integer of a key."""
        number = self._get(key, Integral, "an integer")
        if not lowest <= number <= highest:
            self._refuse(key, f"{lowest} to {highest}")
        return number

    def number(self, key):
        """Return the finite number of a key."""
        number = self._get(key, Real, "a number")
        try:
            number = float(number)
        except OverflowError:  # an integer with hundreds of digits
            number = math.inf
        if not math.isfinite(number):
            self._refuse(key, "a finite number")
        return number

    def expect(self, key, wanted):
        """Raise ValueError for any other value of a key."""
        if self._get(key, object, repr(wanted)) != wanted:
            self._refuse(key, repr(wanted))

    def _get(self, key, kind, expected):
        if key not in self.values:
            raise ValueError(f"{self.name} lacks {key!r}; expected {expected}.")
        value = self.values[key]
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not isinstance(value, kind) or (issubclass(kind, Real) and not is_number):
            self._refuse(key, expected)
        return value

    def _refuse(self, key, expected):
        got = repr(self.values[key])
        got = got if len(got) <= 60 else got[:57] + "..."
        raise ValueError(f"{self.name} has {key!r}: {got}; expected {expected}.")


def _read_parts(archive, path):
    """Read the arrays of a sparse matrix; other members are ignored."""
    n_bytes = path.stat().st_size
    members: dict = {}
    for member in archive.infolist():
        if members.setdefault(member.filename, member) is not member:
            raise ValueError(f"{path} holds {member.filename!r} more than once.")
    parts = {}
    for name, (types, n_dimensions) in _SPARSE_PARTS.items():
        if name not in members:
            raise ValueError(f"{path} lacks {name!r}; expected a sparse matrix.")
        member = members[name]
        _check_stored(member, n_bytes, path)
        with archive.open(member) as file:
            array = _read_npy(file, member.file_size, types, f"{path}, {name}")
        if array.ndim != n_dimensions:
            raise ValueError(
                f"{path}, {name} has the shape {array.shape}; expected "
                f"{n_dimensions} dimensions."
            )
        parts[name.removesuffix(".npy")] = array
    return parts


def _check_stored(member, n_bytes, path):
    """Raise ValueError for members that would be larger than the file when read."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError(
            f"{path} is compressed or encrypted; expected plain arrays, as PECOS "
            f"writes them."
        )
    stop = member.header_offset + member.file_size
    if member.file_size != member.compress_size or stop > n_bytes:
        raise ValueError(
            f"{path} says that {member.filename!r} has {member.file_size} bytes, more "
            f"than there are."
        )


def _read_npy(file, n_bytes, types, name):
    """Read an array with an allowed dtype from a .npy file of a known size."""
    start = file.read(len(_NPY_START) + 2)
    length_bytes = _NPY_LENGTHS.get(tuple(start[-2:]))
    if not start.startswith(_NPY_START) or length_bytes is None:
        raise ValueError(f"{name} is no NPY array of format 1.0 or 2.0.")
    header_length = int.from_bytes(file.read(length_bytes), "little")
    header = None
    if header_length <= _LONGEST_NPY_HEADER:
        header = _NPY_HEADER.fullmatch(file.read(header_length).decode("latin-1"))
    if header is None:
        raise ValueError(f"{name} has a header that NumPy would not write.")
    descr = header["descr"]
    if descr not in types:
        raise ValueError(
            f"{name} holds {descr!r}; expected {' or '.join(sorted(types))}."
        )
    dtype = np.dtype(descr)
    shape = tuple(int(size) for size in re.findall("[0-9]+", header["shape"]))
    n_left = n_bytes - len(start) - length_bytes - header_length
    if math.prod(shape) * dtype.itemsize != n_left:
        raise ValueError(
            f"{name} says that its shape is {shape}, but holds {n_left} bytes of "
            f"numbers."
        )
    # The archive compares the checksum at its end.
    return np.frombuffer(file.read(), dtype=dtype).reshape(shape)


def _check_columns(path, parts):
    """Build columns from the arrays of a sparse matrix, if they are consistent."""
    matrix_format = parts["format"].item()
    if matrix_format not in (b"csc", "csc"):
        raise ValueError(f"{path} has the format {matrix_format!r}; expected 'csc'.")
    shape = parts["shape"].tolist()
    if len(shape) != 2 or not all(0 <= size <= _MAX_INT32 for size in shape):
        raise ValueError(
            f"{path} has the shape {shape}; expected two numbers up to {_MAX_INT32}."
        )
    offsets, indices, values = parts["indptr"], parts["indices"], parts["data"]
    if len(offsets) != shape[1] + 1 or len(indices) != len(values):
        raise ValueError(
            f"{path} has {len(offsets)} offsets, {len(indices)} indices and "
            f"{len(values)} values; expected {shape[1] + 1} offsets, one more than "
            f"columns, and as many indices as values."
        )
    steps_back = (offsets[1:] < offsets[:-1]).any()
    if offsets[0] != 0 or offsets[-1] != len(indices) or steps_back:
        raise ValueError(
            f"{path} has offsets that do not ascend from 0 to {len(indices)}, the "
            f"number of its values."
        )
    if len(indices) and not (indices.min() >= 0 and indices.max() < shape[0]):
        raise ValueError(
            f"{path} has indices from {indices.min()} to {indices.max()}; expected 0 "
            f"to {shape[0] - 1}."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{path} has values that are NaN or infinite.")
    return Compressed(
        offsets.astype(np.int64), indices.astype(np.int32), values, shape[0]
    )
