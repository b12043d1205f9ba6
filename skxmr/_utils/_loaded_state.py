"""Checks of the arrays of loaded models, so that kernels never read out of bounds.

The kernels rely on the arrays of a fitted model. When a model is loaded, these come
from a file that may be corrupt, so they are checked once. Types, shapes and consistency
are always checked; contents only of arrays in memory, since a memory-mapped model
should not be read completely. `check_arrays` checks those too.
"""

from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from scipy import sparse

from skxmr._cython import _integrity as kernel
from skxmr._cython._search_inputs import POSTINGS_OF_MARK

__all__ = [
    "CheckedWhenLoaded",
    "as_value_errors",
    "check_arrays",
    "check_ascending",
    "check_compressed",
    "check_csr",
    "check_finite",
    "check_layout",
    "check_list",
    "check_node_weights",
    "check_permutation",
    "check_tree_of_layout",
    "check_vector",
    "refuse",
    "to_be_read",
]

_BITS = 64
_LARGEST_HALF = 0x7C00  # the first bits, without sign, that are not finite
_reads_mapped = ContextVar("reads_mapped", default=False)


def check_arrays(model: object) -> None:
    """Check all arrays of a fitted model, including memory-mapped ones.

    Loading a model checks its arrays, except for the contents of memory-mapped ones.
    This function reads these, once through the file.

    Parameters
    ----------
    model : object
        Any object that contains fitted estimators of skxmr: an estimator, a `Pipeline`,
        a list.

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


def refuse(name, problem):
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
    """Convert errors of missing attributes or wrong types to ValueError."""
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
    """Return whether to check the contents of arrays: not if they are memory-mapped."""
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
    _check_shape(array, dtypes, (size,), name)


def _check_shape(array, dtypes, shape, name):
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


def _check_range(array, lowest, stop, name):
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
    """Check that a vector is a permutation of 0 to its length minus 1."""
    _check_range(array, 0, len(array), name)
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
        _check_range(rows.indices, 0, length, f"{name}.indices")
        _check_rows_ascend(rows.offsets, rows.indices, f"{name}.indices")
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
        _check_range(matrix.indices, 0, got[1], f"{name}.indices")
        check_finite(matrix.data, f"{name}.data")


def _check_rows_ascend(offsets, indices, name):
    """Check that the indices of each row are ascending."""
    falls = indices[1:] <= indices[:-1]
    # Not between rows.
    starts = offsets[1:-1]
    falls[starts[(starts > 0) & (starts < len(indices))] - 1] = False
    if falls.any():
        refuse(name, f"falls at {int(np.argmax(falls)) + 1}, in the middle of a row")


# The layout of a tree
# --------------------


def check_layout(layout):
    """Check the arrays of a `SearchLayout` and their consistency.

    Parameters
    ----------
    layout : SearchLayout
    """
    _check_layout_types(layout)
    if to_be_read(*(a for a in vars(layout).values() if isinstance(a, np.ndarray))):
        _check_nodes(layout)
    weights = layout.held_by_feature
    if (weights is None) == (layout.by_node is None):
        refuse("SearchLayout", "holds weights twice or not at all; expected once")
    if weights is None:
        _check_by_node(layout)
        return
    _check_weight_types(layout, weights)
    if to_be_read(*(a for a in vars(weights).values() if isinstance(a, np.ndarray))):
        _check_features(weights)
        _check_runs(layout, weights)


def _check_layout_types(layout):
    """Check types, shapes and sizes, which needs no reading."""

    def size_of(name, dtype):
        array = getattr(layout, name)
        check_vector(array, (dtype,), None, f"SearchLayout.{name}")
        return len(array)

    if not 0 < layout.n_features < 2**31:
        refuse("SearchLayout.n_features", f"is {layout.n_features!r:.40}")
    if layout.weight_precision not in ("float32", "float16"):
        refuse("SearchLayout.weight_precision", f"is {layout.weight_precision!r:.40}")
    n_nodes = size_of("intercepts", np.float32) + 1
    n_levels = size_of("level_starts", np.int64) - 1
    if n_nodes < 2 or n_levels < 1:
        refuse("SearchLayout", f"has {n_nodes} nodes in {n_levels} levels below a root")
    n_parents = size_of("child_offsets", np.int64) - 1
    last = int(layout.level_starts[-1])
    if n_parents != last or not 1 <= last < n_nodes:
        refuse(
            "SearchLayout.child_offsets",
            f"has {n_parents + 1} entries for {last} nodes above the last level, of "
            f"{n_nodes} in all; expected one more than those",
        )
    n_labels = size_of("labels", np.int32)
    if n_labels < n_nodes - last:
        refuse("SearchLayout.labels", f"has {n_labels} for {n_nodes - last} nodes")


def _check_weight_types(layout, weights):
    """Check types and sizes of the weights by feature."""

    def check(name, *dtypes, shape=(None,)):
        array = getattr(weights, name)
        _check_shape(array, dtypes, shape, f"FeatureWeights.{name}")
        return len(array)

    if weights.n_features != layout.n_features:
        refuse("FeatureWeights.n_features", f"is not {layout.n_features}")
    n_parents = len(layout.child_offsets) - 1
    n_used = check("kept_features", np.int32) or layout.n_features
    check("words", np.uint64, shape=(-(-n_used // _BITS), 4))
    check("row_starts", np.uint32)
    n_listed = check("parents", np.uint16, np.int32)
    check("blocks", np.uint64, shape=(None, -(-n_parents // _BITS), 2))
    n_rows = check("run_lengths", np.uint8, np.int32)
    if n_rows < n_listed:
        refuse("FeatureWeights.run_lengths", f"has {n_rows} for {n_listed} rows")
    check("run_marks", np.uint32, shape=(-(-n_listed // POSTINGS_OF_MARK),))
    if weights.weight_precision != layout.weight_precision:
        refuse(
            "FeatureWeights.weight_precision",
            f"is {weights.weight_precision!r:.40}; expected {layout.weight_precision}",
        )
    n_bytes = check("entries", np.uint8)
    if n_bytes % weights.entry_size or n_bytes < n_rows * weights.entry_size:
        refuse("FeatureWeights.entries", f"has {n_bytes} bytes for {n_rows} rows")


def _check_nodes(layout):
    """Check that the nodes form a tree, level by level."""
    starts, offsets = layout.level_starts, layout.child_offsets
    n_nodes = len(layout.intercepts) + 1
    check_ascending(offsets, 1, n_nodes, "SearchLayout.child_offsets")
    check_ascending(starts, 0, len(offsets) - 1, "SearchLayout.level_starts")
    if (offsets[starts[:-1]] != starts[1:]).any():
        refuse(
            "SearchLayout.level_starts",
            f"is {starts.tolist()!r:.80}; expected each level to start where the "
            f"children of the one above do",
        )
    # Those of a shard are columns of the whole model: not a permutation.
    _check_range(layout.labels, 0, 2**31, "SearchLayout.labels")
    if np.isnan(layout.intercepts).any():
        refuse("SearchLayout.intercepts", "has NaN; expected numbers")
    sizes = np.diff(starts, append=n_nodes)
    derived = {
        "widest_level": sizes.max(),
        "widest_parents": sizes[:-1].max(),
        "most_children": np.diff(offsets).max(),
    }
    for name, size in derived.items():
        if getattr(layout, name) != size:
            refuse(
                f"SearchLayout.{name}",
                f"is {getattr(layout, name)!r:.40}; expected {size}",
            )


def _check_features(weights):
    """Check that the bitmaps number the features that have rows."""
    kept, words = weights.kept_features, weights.words
    if len(kept):
        _check_range(kept, 0, weights.n_features, "FeatureWeights.kept_features")
        check_ascending(kept, kept[0], kept[-1], "FeatureWeights.kept_features")
    n_bits = len(kept) or weights.n_features
    for bits, n_used in ((0, len(weights.row_starts) - 1), (2, len(weights.blocks))):
        ones = np.bitwise_count(words[:, bits]).astype(np.uint64)
        before = np.concatenate([[np.uint64(0)], np.cumsum(ones, dtype=np.uint64)])
        if not np.array_equal(words[:, bits + 1], before[:-1]):
            refuse("FeatureWeights.words", "has ranks that its bits do not have")
        beyond = int(words[-1, bits]) >> (n_bits - 1) % _BITS >> 1
        if beyond or int(before[-1]) != n_used:
            refuse(
                "FeatureWeights.words",
                f"has bits of {int(before[-1])} features; expected {n_used} below "
                f"{n_bits}",
            )
    if (words[:, 0] & words[:, 2]).any():
        refuse("FeatureWeights.words", "has a feature twice")
    n_listed = len(weights.parents)
    check_ascending(weights.row_starts, 0, n_listed, "FeatureWeights.row_starts")


def _check_runs(layout, weights):
    """Check that all rows and weights belong to existing nodes."""
    wrong, row, is_finite = kernel.check_runs(
        weights.row_starts,
        weights.parents,
        weights.run_marks,
        weights.blocks,
        weights.run_lengths,
        weights.entries,
        weights.weight_precision == "float16",
        layout.child_offsets,
    )
    if not is_finite:
        refuse(
            "FeatureWeights.entries",
            f"has weights that are NaN or infinite at row {row}; expected finite ones",
        )
    if wrong:
        refuse(f"FeatureWeights.{wrong}", f"does not fit the tree at row {row}")


def check_tree_of_layout(tree, layout):
    """Check that a layout is that of a tree.

    Parameters
    ----------
    tree : LabelTree
    layout : SearchLayout
    """
    if list(tree.level_sizes) != layout.level_sizes:
        refuse(
            "SearchLayout",
            f"has levels of {layout.level_sizes!r:.80}; expected "
            f"{list(tree.level_sizes)!r:.80}, those of its tree",
        )
    if not to_be_read(layout.child_offsets, tree.labels):
        return
    starts = layout.level_starts
    for level, offsets in enumerate(tree.child_offsets):
        stop = starts[level] + len(offsets) - 1
        own = layout.child_offsets[starts[level] : stop] - starts[level + 1]
        if not np.array_equal(own, offsets[:-1]):
            refuse("SearchLayout.child_offsets", "is not that of its tree")
    if not np.array_equal(layout.labels, tree.labels):
        refuse("SearchLayout.labels", "is not that of its tree")


def check_node_weights(weights):
    """Check a `NodeWeights` by itself.

    Parameters
    ----------
    weights : NodeWeights
    """
    offsets, features = weights.node_offsets, weights.features
    check_vector(offsets, (np.int64,), None, "NodeWeights.node_offsets")
    check_vector(features, (np.uint16, np.int32), None, "NodeWeights.features")
    size = len(features)
    check_vector(weights.weights, (np.float32,), size, "NodeWeights.weights")
    if to_be_read(offsets, features, weights.weights):
        check_ascending(offsets, 0, size, "NodeWeights.node_offsets", strictly=False)
        _check_rows_ascend(offsets, features, "NodeWeights.features")
        check_finite(weights.weights, "NodeWeights.weights")


def _check_by_node(layout):
    """Check that weights by node match the nodes and features of their layout."""
    by_node = layout.by_node
    n_nodes = len(layout.intercepts) + 1
    check_vector(by_node.node_offsets, (np.int64,), n_nodes, "NodeWeights.node_offsets")
    if to_be_read(by_node.features):
        _check_range(by_node.features, 0, layout.n_features, "NodeWeights.features")
