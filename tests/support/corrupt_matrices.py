"""Sparse matrices whose arrays were changed until they do not fit together."""

import numpy as np
from scipy import sparse

DENSE = np.array(
    [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
)
FAR = 2**30


def _put(name, where, value):
    def change(matrix):
        array = getattr(matrix, name)
        array[where] = value

    return change


def _replace(name, make):
    def change(matrix):
        setattr(matrix, name, make(getattr(matrix, name)))

    return change


def _coordinates(axis, make):
    def change(matrix):
        coords = list(matrix.coords)
        coords[axis] = make(coords[axis])
        matrix.coords = tuple(coords)

    return change


def _far_away(array):
    return np.where(np.arange(len(array)) == 1, FAR, array)


_COMPRESSED = {
    "index beyond": _put("indices", 2, FAR),
    "index one beyond": _put("indices", 2, 6),
    "negative index": _put("indices", 2, -FAR),
    "huge unsigned index": _replace("indices", lambda a: a.astype(np.uint64) - 2),
    "offset beyond": _put("indptr", 2, FAR),
    "offset falls": _put("indptr", 2, 0),
    "negative offset": _put("indptr", 1, -FAR),
    "offsets start late": _put("indptr", 0, 1),
    "offsets start before": _put("indptr", 0, -FAR),
    "offsets end beyond": _put("indptr", -1, FAR),
    "too few offsets": _replace("indptr", lambda a: a[:2]),
    "no offsets": _replace("indptr", lambda a: a[:0]),
    "too many offsets": _replace("indptr", lambda a: np.append(a, a[-1])),
    "unsigned offsets": _replace("indptr", lambda a: a[::-1].astype(np.uint64)),
    "fewer values": _replace("data", lambda a: a[:2]),
    "fewer indices": _replace("indices", lambda a: a[:2]),
    "float indices": _replace("indices", lambda a: a * 1.5),
    "float offsets": _replace("indptr", lambda a: a * 1.0),
    "list of indices": _replace("indices", lambda a: a.tolist()),
    "no indices at all": _replace("indices", lambda a: None),
    "indices in two dimensions": _replace("indices", lambda a: a[:, None]),
    "values of objects": _replace("data", lambda a: a.astype(object)),
    "values of strings": _replace("data", lambda a: a.astype(str)),
}
_ONE_DIMENSION = {"values in two dimensions": _replace("data", lambda a: a[:, None])}
_LISTS = {
    "column beyond": lambda m: m.rows[0].__setitem__(1, FAR),
    "negative column": lambda m: m.rows[0].__setitem__(0, -FAR),
    "column of 2**80": lambda m: m.rows[0].__setitem__(0, 2**80),
    "column of a string": lambda m: m.rows[0].__setitem__(0, "0"),
    "column of half": lambda m: m.rows[0].__setitem__(0, 0.5),
    "value missing": lambda m: m.data[0].pop(),
    "value too many": lambda m: m.data[0].append(1),
    "value a string": lambda m: m.data[0].__setitem__(0, "one"),
    "value a list": lambda m: m.data[0].__setitem__(0, [1, 2]),
    "row missing": _replace("rows", lambda a: a[:2]),
    "row is None": _put("rows", 1, None),
    "values missing": _replace("data", lambda a: a[:2]),
    "no values": _replace("data", lambda a: None),
}
_COORDINATES = {
    "row beyond": _coordinates(0, _far_away),
    "column beyond": _coordinates(1, _far_away),
    "negative row": _coordinates(0, lambda a: a - FAR),
    "negative column": _coordinates(1, lambda a: a - FAR),
    "huge unsigned column": _coordinates(1, lambda a: a.astype(np.uint64) - 1),
    "too few rows": _coordinates(0, lambda a: a[:2]),
    "too few columns": _coordinates(1, lambda a: a[:2]),
    "float columns": _coordinates(1, lambda a: a * 1.5),
    "fewer values": _replace("data", lambda a: a[:2]),
    "values of objects": _replace("data", lambda a: a.astype(object)),
    "values in two dimensions": _replace("data", lambda a: a[:, None]),
    "one axis": lambda m: setattr(m, "coords", m.coords[:1]),
}
_DIAGONALS = {
    "fewer offsets": _replace("offsets", lambda a: a[:2]),
    "offset twice": _replace("offsets", lambda a: a * 0),
    "float offsets": _replace("offsets", lambda a: a * 1.0),
    "one dimension": _replace("data", lambda a: a.ravel()),
    "values of objects": _replace("data", lambda a: a.astype(object)),
}
_KEYS = {
    "key beyond": lambda m: m.setdefault((FAR, 0), 1),
    "negative key": lambda m: m.setdefault((0, -FAR), 1),
    "key of three": lambda m: m.setdefault((0, 0, 0), 1),
    "value a string": lambda m: m.setdefault((0, 1), "one"),
}
CORRUPTIONS = {
    "csr": _COMPRESSED | _ONE_DIMENSION,
    "csc": _COMPRESSED | _ONE_DIMENSION,
    "bsr": _COMPRESSED
    | {
        "no block": _replace("data", lambda a: a[:, :0]),
        "blocks too large": _replace("data", lambda a: np.tile(a, (1, 5, 5))),
        "values in a row": _replace("data", lambda a: a.ravel()),
    },
    "coo": _COORDINATES,
    "lil": _LISTS,
    "dia": _DIAGONALS,
    "dok": _KEYS,
}


def corrupt_matrices(dense=DENSE):
    """Yield the name of each corruption and a matrix that has it.

    Arrays and matrices take turns.
    """
    number = 0
    for kind, changes in CORRUPTIONS.items():
        for name, change in changes.items():
            number += 1
            interface = "array" if number % 2 else "matrix"
            matrix = getattr(sparse, f"{kind}_{interface}")(dense)
            change(matrix)
            yield f"{kind}_{interface}: {name}", matrix
    yield "one dimension", sparse.coo_array(dense[:, 0])
