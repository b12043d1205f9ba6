"""Checks of the arrays of loaded models, so that a damaged file causes no wild reads.

Kernels do not check the arrays of a fitted model. A file may have been altered, so
everything is checked once when a model is loaded, by a method ``_check_arrays`` of the
class that holds the arrays. Types, shapes and the consistency of arrays are always
checked; their contents only if they are in memory, since mapping a model of gigabytes
is meant to avoid reading it. `check_arrays` reads those too.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn

import numpy as np
from scipy import sparse

__all__ = [
    "CheckedWhenLoaded",
    "as_value_errors",
    "check_arrays",
    "check_ascending",
    "check_compressed",
    "check_csr",
    "check_finite",
    "check_list",
    "check_permutation",
    "check_range",
    "check_rows_ascend",
    "check_shape",
    "check_vector",
    "refuse",
    "to_be_read",
]

_LARGEST_HALF = 0x7C00  # from these bits on, the sign apart, halves are not finite
_reads_mapped = ContextVar("reads_mapped", default=False)


def check_arrays(model: object) -> None:
    """Check all arrays of a fitted model, including memory-mapped ones.

    Loading a model checks its arrays, but does not read the contents of memory-mapped
    ones. This function reads the whole file once.

    Parameters
    ----------
    model : object
        Anything that holds fitted estimators of skxmr: one of them, a `Pipeline`, a
        list.

    Raises
    ------
    ValueError
        If an array is invalid; the message names it.

    See Also
    --------
    load : Loads a model, and can leave its arrays in the file.

    Examples
    --------
    >>> import joblib  # doctest: +SKIP
    >>> model = joblib.load("model", mmap_mode="r")  # doctest: +SKIP
    >>> check_arrays(model)  # doctest: +SKIP
    """
    token = _reads_mapped.set(True)
    try:
        for part in _parts(model):
            if type(part).__module__.partition(".")[0] == "skxmr":
                with as_value_errors(type(part).__name__):
                    part._check_arrays()
    finally:
        _reads_mapped.reset(token)


def _parts(model):
    """Yield every object in a model that can check its arrays."""
    seen, waiting = {}, [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part  # kept alive, so that its id is not reused
        if hasattr(part, "_check_arrays"):
            yield part
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part
        elif hasattr(part, "__dict__") and not isinstance(part, type):
            waiting += vars(part).values()


def refuse(name: str, problem: str) -> NoReturn:
    """Raise the ValueError of a corrupt model.

    Parameters
    ----------
    name : str
        The array, with its class.
    problem : str
        Its value, and the expected one.
    """
    raise ValueError(f"The loaded model is damaged: {name} {problem}.")


@contextmanager
def as_value_errors(name):
    """Turn the errors of missing attributes or wrong types into a ValueError."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(
            f"The loaded model is damaged: an attribute of {name} is missing or has "
            f"the wrong type ({error})."
        ) from error


class CheckedWhenLoaded:
    """An estimator whose arrays are checked when it is loaded."""

    def __setstate__(self, state):
        super().__setstate__(state)  # type: ignore[misc]  # of BaseEstimator
        with as_value_errors(type(self).__name__):
            self._check_arrays()

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        raise NotImplementedError


def to_be_read(*arrays):
    """Whether to check the contents of arrays: not if any is memory-mapped."""
    return _reads_mapped.get() or not any(isinstance(a, np.memmap) for a in arrays)


def check_list(values, kind, size, name):
    """Check that a value is a list of a given length and type of items."""
    if not isinstance(values, list) or len(values) != size:
        refuse(name, f"is {_described(values)}; expected a list of length {size}")
    for value in values:
        if not isinstance(value, kind):
            refuse(name, f"holds {value!r:.40}; expected values of {kind.__name__}")


def _described(value):
    size = f" of length {len(value)}" if hasattr(value, "__len__") else ""
    return f"a {type(value).__name__}{size}"


def check_vector(array, dtypes, size, name):
    """Check that an array is a contiguous vector of a given dtype and size.

    Parameters
    ----------
    array : object
    dtypes : tuple of type
    size : int or None
        None allows any size.
    name : str
    """
    check_shape(array, dtypes, (size,), name)


def check_shape(array, dtypes, shape, name):
    """Refuse what is not a contiguous array of a type and a shape; None is any size."""
    if not isinstance(array, np.ndarray):
        refuse(name, f"is a {type(array).__name__}; expected an array")
    if array.dtype not in [np.dtype(one) for one in dtypes]:
        expected = " or ".join(np.dtype(one).name for one in dtypes)
        refuse(name, f"has the dtype {array.dtype}; expected {expected}")
    fits = array.ndim == len(shape) and all(
        wanted is None or wanted == size
        for wanted, size in zip(shape, array.shape, strict=False)
    )
    if not fits:
        wanted = tuple("any" if size is None else size for size in shape)
        refuse(name, f"has the shape {array.shape}; expected {wanted}")
    if not array.flags.c_contiguous:
        refuse(name, "is not contiguous; expected C order")


def check_ascending(array, first, last, name, *, strictly=True):
    """Check that a vector is ascending from one number to another."""
    if len(array) == 0 or array[0] != first or array[-1] != last:
        got = "is empty" if len(array) == 0 else f"goes from {array[0]} to {array[-1]}"
        refuse(name, f"{got}; expected {first} to {last}")
    falls = array[1:] <= array[:-1] if strictly else array[1:] < array[:-1]
    if falls.any():
        i = int(np.argmax(falls))
        refuse(
            name,
            f"goes from {array[i]} to {array[i + 1]} at {i}; expected it to ascend",
        )


def check_range(array, lowest, stop, name):
    """Refuse numbers below the lowest, or not below the stop."""
    if len(array) and not (array.min() >= lowest and array.max() < stop):
        refuse(
            name,
            f"holds {array.min()} to {array.max()}; expected {lowest} to {stop - 1}",
        )


def check_finite(array, name):
    """Check that all numbers are finite, without a copy of a float16 array."""
    if array.dtype == np.float16:
        finite = ((array.view(np.uint16) & 0x7FFF) < _LARGEST_HALF).all()
    else:
        finite = np.isfinite(array).all()
    if not finite:
        refuse(name, "has numbers that are NaN or infinite; expected finite ones")


def check_permutation(array, name):
    """Refuse a vector that does not hold each of 0 to its length less one, once."""
    check_range(array, 0, len(array), name)
    if len(array) and (np.bincount(array, minlength=len(array)) != 1).any():
        refuse(name, f"repeats a number; expected each of 0 to {len(array) - 1} once")


# Sparse rows
# -----------


def check_compressed(rows, n_vectors, length, name):
    """Check `Compressed` rows: ascending indices below `length`, finite values.

    Parameters
    ----------
    rows : Compressed
    n_vectors : int
    length : int
    name : str
    """
    check_vector(rows.offsets, (np.int64,), n_vectors + 1, f"{name}.offsets")
    check_vector(rows.indices, (np.int32,), None, f"{name}.indices")
    size = len(rows.indices)
    check_vector(rows.values, (np.float32,), size, f"{name}.values")
    if rows.length != length:
        refuse(f"{name}.length", f"is {rows.length!r:.40}; expected {length}")
    if to_be_read(rows.offsets, rows.indices, rows.values):
        check_ascending(rows.offsets, 0, size, f"{name}.offsets", strictly=False)
        check_range(rows.indices, 0, length, f"{name}.indices")
        check_rows_ascend(rows.offsets, rows.indices, f"{name}.indices")
        check_finite(rows.values, f"{name}.values")


def check_csr(matrix, shape, name):
    """Check a SciPy CSR array, whose products use its indices without checks.

    Parameters
    ----------
    matrix : csr_array
    shape : tuple (n_rows or None, n_columns or None)
    name : str
    """
    if not sparse.issparse(matrix) or matrix.format != "csr":
        refuse(name, f"is a {type(matrix).__name__}; expected a CSR array")
    got = tuple(matrix.shape)
    if len(got) != 2 or any(
        one is not None and one != other for one, other in zip(shape, got, strict=True)
    ):
        refuse(name, f"has the shape {got}; expected {shape}")
    types = (np.int32, np.int64)
    check_vector(matrix.indptr, types, got[0] + 1, f"{name}.indptr")
    check_vector(matrix.indices, (matrix.indptr.dtype,), None, f"{name}.indices")
    size = len(matrix.indices)
    check_vector(matrix.data, (np.float32, np.float64), size, f"{name}.data")
    if to_be_read(matrix.indptr, matrix.indices, matrix.data):
        check_ascending(matrix.indptr, 0, size, f"{name}.indptr", strictly=False)
        check_range(matrix.indices, 0, got[1], f"{name}.indices")
        check_finite(matrix.data, f"{name}.data")


def check_rows_ascend(offsets, indices, name):
    """Refuse rows whose indices do not ascend."""
    falls = indices[1:] <= indices[:-1]
    # Not between rows.
    starts = offsets[1:-1]
    falls[starts[(starts > 0) & (starts < len(indices))] - 1] = False
    if falls.any():
        refuse(name, f"falls at {int(np.argmax(falls)) + 1}, in the middle of a row")
