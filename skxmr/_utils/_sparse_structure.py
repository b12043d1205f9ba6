"""Validation of the structure of sparse matrices, which compiled code relies on.

SciPy validates the arrays of a sparse matrix only when it is made: with arrays that
were changed in place, its conversions, and kernels like those of skxmr, read out of
bounds. Whether indices are sorted and unique is cached in the object, and may be
outdated too.
"""

from itertools import chain

import numpy as np
from scipy import sparse

__all__ = [
    "check_offsets",
    "check_rows",
    "check_structure",
    "refuse_sparse",
    "rows_between",
]

_MAX_INT32 = np.iinfo(np.int32).max


def check_structure(matrix, name):
    """Raise ValueError for a sparse matrix whose arrays are not consistent.

    Parameters
    ----------
    matrix : object
        The argument of the user. Anything but a sparse matrix or array is returned
        unchanged.
    name : str
        The argument's name, for the message.

    Returns
    -------
    object
        The same matrix, with the same interface (matrix or array), in CSR, CSC, BSR or
        COO if it was, otherwise in CSR. Entries are shared with the argument, index
        arrays have the same dtype, and cached properties of their order are reset. The
        argument is unchanged.

    Raises
    ------
    ValueError
        If the matrix is not 2-D, or is corrupt.
    """
    if not sparse.issparse(matrix):
        return matrix
    _check_dimensions(matrix, name)
    return _named_errors(lambda one: _CHECKS[one.format](one), matrix, name)


def check_offsets(matrix, name):
    """Raise ValueError for a CSR matrix with rows out of bounds; reads no entries.

    Parameters
    ----------
    matrix : csr_array or csr_matrix
    name : str
        The argument's name, for the message.

    Raises
    ------
    ValueError
        If `indptr` does not match the shape or the other arrays.
    """
    _check_dimensions(matrix, name)
    _named_errors(lambda one: _count_entries(one, one.shape[0]), matrix, name)


def check_rows(rows, n_columns, name):
    """Raise ValueError for CSR rows whose arrays are not consistent.

    Parameters
    ----------
    rows : tuple of ndarray
        Offsets, indices and values.
    n_columns : int
    name : str
        The argument's name, for the message.

    Returns
    -------
    tuple of ndarray
        The same.

    Raises
    ------
    ValueError
    """
    refuse_sparse(rows, name, "a tuple of the offsets, indices and values of CSR rows")
    try:
        offsets, indices, values = rows
        n_entries = _count_between(offsets, indices, values, len(offsets) - 1)
        _check_range(indices[:n_entries], n_columns, "indices")
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold the offsets, indices and values of CSR rows: {error}"
        ) from error
    return rows


def rows_between(matrix, start, stop):
    """Copy consecutive rows of a CSR matrix whose offsets were validated.

    Parameters
    ----------
    matrix : csr_array or csr_matrix
    start, stop : int

    Returns
    -------
    csr_array or csr_matrix
    """
    offsets = matrix.indptr[start : stop + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    return _put_together(
        _container(matrix, "csr")((len(offsets) - 1, matrix.shape[1])),
        matrix.data[first:last].copy(),
        matrix.indices[first:last].copy(),
        offsets - offsets[0],
    )


def refuse_sparse(given, name, expected):
    """Raise TypeError for a sparse matrix instead of another iterable.

    Parameters
    ----------
    given : object
    name : str
        The argument's name, for the message.
    expected : str
        The expected type, for the message.

    Raises
    ------
    TypeError
    """
    if sparse.issparse(given):
        raise TypeError(
            f"{name} must be {expected}; got a {type(given).__name__} of shape "
            f"{given.shape}."
        )


def _check_dimensions(matrix, name):
    if len(matrix.shape) != 2:
        raise ValueError(
            f"{name} is a sparse array of shape {matrix.shape}; expected two "
            f"dimensions."
        )


def _named_errors(check, matrix, name):
    try:
        return check(matrix)
    # Missing attributes, or those of another type, raise an error on first use.
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{name} is a corrupt {type(matrix).__name__} of shape {matrix.shape}: "
            f"{error}"
        ) from error


def _container(matrix, kind):
    """Return the class of a format with the interface of a matrix."""
    interface = "array" if isinstance(matrix, sparse.sparray) else "matrix"
    return getattr(sparse, f"{kind}_{interface}")


# Formats
# -------


def _check_compressed(matrix):
    n_vectors, n_indices = matrix.shape
    if matrix.format == "csc":
        n_vectors, n_indices = n_indices, n_vectors
    n_entries = _count_entries(matrix, n_vectors)
    if matrix.data.ndim != 1:
        raise ValueError(f"data has the shape {matrix.data.shape}")
    indices = matrix.indices[:n_entries]
    _check_range(indices, n_indices, "indices")
    return _put_together(
        _shallow_copy(matrix), matrix.data[:n_entries], indices, matrix.indptr
    )


def _check_blocks(matrix):
    shape = matrix.data.shape
    fits = len(shape) == 3 and all(
        size > 0 and length % size == 0
        for size, length in zip(shape[1:], matrix.shape, strict=True)
    )
    _expect(fits, f"data has the shape {shape}, no blocks that divide the matrix")
    n_entries = _count_entries(matrix, matrix.shape[0] // shape[1])
    indices = matrix.indices[:n_entries]
    _check_range(indices, matrix.shape[1] // shape[2], "indices")
    return _put_together(
        _shallow_copy(matrix), matrix.data[:n_entries], indices, matrix.indptr
    )


def _check_coordinates(matrix):
    data = _numbers(matrix.data)
    _expect(data.ndim == 1, f"data has the shape {data.shape}")
    rows, columns = matrix.coords
    for coordinates, size, name in zip(
        (rows, columns), matrix.shape, ("row", "col"), strict=True
    ):
        _integers(coordinates, name)
        _expect(
            len(coordinates) == len(data),
            f"{name} has {len(coordinates)} entries and data {len(data)}",
        )
        _check_range(coordinates, size, name)
    indices = _of_one_type(rows, columns, max(matrix.shape))
    return _container(matrix, "coo")((_native(data), indices), shape=matrix.shape)


def _check_lists(matrix):
    n_rows = matrix.shape[0]
    for name in ("rows", "data"):
        shape = np.shape(getattr(matrix, name))
        _expect(shape == (n_rows,), f"{name} has the shape {shape}")
    sizes = [len(row) for row in matrix.rows]
    differing = [row for row, size in enumerate(sizes) if size != len(matrix.data[row])]
    if differing:
        raise ValueError(
            f"row {differing[0]} has {sizes[differing[0]]} columns and "
            f"{len(matrix.data[differing[0]])} values"
        )
    columns = np.array([*chain.from_iterable(matrix.rows)])
    if len(columns) == 0:
        columns = columns.astype(np.int32)
    _integers(columns, "rows")
    _check_range(columns, matrix.shape[1], "rows")
    data = np.array([*chain.from_iterable(matrix.data)], dtype=matrix.dtype)
    _expect(data.ndim == 1, f"data has values of the shape {data.shape[1:]}")
    fresh = _container(matrix, "csr")(matrix.shape)
    return _put_together(fresh, data, columns, np.cumsum([0, *sizes]))


def _check_diagonals(matrix):
    data, offsets = _numbers(matrix.data), _integers(matrix.offsets, "offsets")
    _expect(data.ndim == 2, f"data has the shape {data.shape}")
    _expect(
        len(offsets) == len(data),
        f"offsets has {len(offsets)} entries and data {len(data)} diagonals",
    )
    _expect(len(np.unique(offsets)) == len(offsets), "offsets has one more than once")
    n_rows, n_columns = matrix.shape
    # Diagonals out of bounds are valid and empty.
    inside = (offsets > -n_rows) & (offsets < n_columns)
    offsets = offsets[inside].astype(np.int64)
    fresh = sparse.dia_array((data[inside], offsets), shape=matrix.shape)
    return _container(matrix, "csr")(fresh.tocoo())


def _check_keys(matrix):
    keys = matrix.keys()
    _expect(all(len(key) == 2 for key in keys), "not all keys are pairs")
    # A dictionary, which SciPy converts to coordinates in Python, with checks.
    return _container(matrix, "csr")(_check_coordinates(matrix.tocoo()))


_CHECKS = {
    "csr": _check_compressed,
    "csc": _check_compressed,
    "bsr": _check_blocks,
    "coo": _check_coordinates,
    "lil": _check_lists,
    "dia": _check_diagonals,
    "dok": _check_keys,
}


# Arrays
# ------


def _count_entries(matrix, n_vectors):
    return _count_between(matrix.indptr, matrix.indices, matrix.data, n_vectors)


def _count_between(indptr, indices, data, n_vectors):
    """Check offsets against the other arrays, and count the entries that they span."""
    _integers(indptr, "indptr")
    _integers(indices, "indices")
    _numbers(data)
    # Checks must be cheap, since prediction of a single row makes them: messages are
    # only formatted when they are needed.
    if len(indptr) != n_vectors + 1:
        raise ValueError(f"indptr has {len(indptr)} entries; expected {n_vectors + 1}")
    if data.ndim == 0 or len(indices) != len(data):
        raise ValueError(f"indices has {len(indices)} entries and data {data.shape}")
    n_entries = int(indptr[-1])
    if indptr[0] != 0:
        raise ValueError(f"indptr starts at {indptr[0]}; expected 0")
    if (indptr[1:] < indptr[:-1]).any():
        raise ValueError("indptr falls; it must not")
    if n_entries > len(indices):
        raise ValueError(
            f"indptr ends at {n_entries}, and indices has {len(indices)} entries"
        )
    return n_entries


def _check_range(indices, size, name):
    if len(indices) == 0:
        return
    lowest, highest = int(indices.min()), int(indices.max())
    if lowest < 0 or highest >= size:
        raise ValueError(
            f"{name} holds {lowest} to {highest}; expected 0 to {size - 1}"
        )


def _integers(array, name):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}")
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(
            f"{name} is an array of {array.dtype} and of shape {array.shape}; expected "
            f"a vector of integers"
        )
    return array


def _numbers(data):
    if not isinstance(data, np.ndarray):
        raise TypeError(f"data is a {type(data).__name__}")
    if data.dtype.kind not in "biufc":
        raise ValueError(f"data is of {data.dtype}; expected numbers")
    return data


def _expect(condition, otherwise):
    if not condition:
        raise ValueError(otherwise)


def _of_one_type(one, other, largest):
    """Convert two index arrays to a common dtype that SciPy's functions support."""
    dtype = one.dtype
    if dtype != other.dtype or dtype not in (np.int32, np.int64):
        dtype = np.dtype(np.int32 if largest <= _MAX_INT32 else np.int64)
    return one.astype(dtype, copy=False), other.astype(dtype, copy=False)


def _native(data):
    """Convert numbers to a dtype that SciPy's functions support."""
    # They support neither other byte orders nor half precision.
    dtype = np.dtype(np.float32) if data.dtype == np.float16 else data.dtype
    return data.astype(dtype.newbyteorder("="), copy=False)


def _shallow_copy(matrix):
    """Copy a matrix without its arrays and without cached properties of their order."""
    # SciPy's constructors take longer than the checks.
    copied = object.__new__(_container(matrix, matrix.format))
    kept = vars(matrix).items()
    vars(copied).update({name: one for name, one in kept if name[:5] != "_has_"})
    return copied


def _put_together(fresh, data, indices, indptr):
    """Set the arrays of a matrix, converted to supported dtypes."""
    fresh.data = _native(data)
    largest = max(*fresh.shape, int(indptr[-1]))
    fresh.indices, fresh.indptr = _of_one_type(indices, indptr, largest)
    return fresh
