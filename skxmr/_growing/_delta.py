"""Changes to a laid-out tree that are stored beside its arrays.

A *delta* holds, for some parents, the intercepts of all their children, the labels that
were added to them, and the weights that differ from those of the layout (the *base*).
It is small and immutable: each change makes a new one, which shares with the one before
what has not changed. The arrays of the base are never written to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skxmr._utils._loaded_state import (
    check_ascending,
    check_finite,
    check_range,
    check_vector,
    refuse,
)

__all__ = ["ChangedWeights", "LayoutDelta", "ParentDelta"]


class ChangedWeights(NamedTuple):
    """Weights of the children of one parent, sorted as the base sorts its weights.

    Where the base holds weights by feature, the keys are features and the items are
    children; where it holds them by node, the keys are children and the items are
    features. Children are counted from their parent's first.

    Parameters
    ----------
    keys : ndarray of shape (n_keys,), int32
        Ascending.
    offsets : ndarray of shape (n_keys + 1,), int64
        The items of the i-th key are ``offsets[i]`` to ``offsets[i + 1]``.
    replaces : ndarray of shape (n_keys,), uint8
        Whether the weights of the base for this key do not count. Otherwise, the base
        has none for these items.
    items : ndarray of shape (n_weights,), int32
        Ascending within a key.
    weights : ndarray of shape (n_weights,), float32
        Rounded to the precision of the base.
    """

    keys: NDArray
    offsets: NDArray
    replaces: NDArray
    items: NDArray
    weights: NDArray

    @classmethod
    def empty(cls):
        """Return no weights."""
        return _NONE


def _none():
    arrays = [np.empty(0, dtype=dtype) for dtype in ("i4", "i8", "u1", "i4", "f4")]
    arrays[1] = np.zeros(1, dtype=np.int64)
    return ChangedWeights(*arrays)


_NONE = _none()


class ParentDelta:
    """The changes to the children of one parent.

    Parameters
    ----------
    intercepts : ndarray of shape (n_children,), float32
        Of all children: those of the base, then added ones. ``-inf`` for a child that
        is never found, such as a removed label.
    labels : ndarray of shape (n_children,), int32
        Their columns, if they are labels; otherwise empty.
    weights : ChangedWeights
    """

    __slots__ = ("intercepts", "kernel", "labels", "weights")

    def __init__(self, intercepts, labels, weights):
        self.intercepts = intercepts
        self.labels = labels
        self.weights = weights
        # The object by which kernels read these arrays, made by the first search.
        self.kernel = None

    def __reduce__(self):
        return ParentDelta, (self.intercepts, self.labels, self.weights)

    @property
    def n_children(self):
        """Number of children, with added ones."""
        return len(self.intercepts)

    def replace(self, **arrays):
        """Return the same with some attributes replaced."""
        now = {
            "intercepts": self.intercepts,
            "labels": self.labels,
            "weights": self.weights,
        }
        return ParentDelta(**now | arrays)


class LayoutDelta:
    """The changes to a `SearchLayout`.

    Parameters
    ----------
    parents : dict of int to ParentDelta
        By parent, as the layout numbers nodes.
    added_parents, added_children : ndarray of shape (n_added,), int32
        Of each added label, in the order of columns: its parent, and which child of it.
    """

    def __init__(self, parents, added_parents, added_children):
        self.parents = parents
        self.added_parents = added_parents
        self.added_children = added_children

    @classmethod
    def empty(cls):
        """Return a delta without changes."""
        nothing = np.empty(0, dtype=np.int32)
        return cls({}, nothing, nothing)

    @property
    def n_added(self):
        """Number of added labels."""
        return len(self.added_parents)

    @property
    def n_weights(self):
        """Number of stored weights."""
        return sum(len(one.weights.weights) for one in self.parents.values())

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return self.added_parents.nbytes * 2 + sum(
            array.nbytes
            for one in self.parents.values()
            for array in (one.intercepts, one.labels, *one.weights)
        )

    @property
    def most_children(self):
        """The largest number of children of a parent with changes."""
        return max((one.n_children for one in self.parents.values()), default=0)

    def changed(self, parents, added=None):
        """Return a delta with further changes.

        Parameters
        ----------
        parents : dict of int to ParentDelta
            They replace earlier ones.
        added : (parents, children), default=None
            Of further labels, as in the class.

        Returns
        -------
        LayoutDelta
        """
        added_parents, added_children = self.added_parents, self.added_children
        if added is not None:
            added_parents = np.concatenate([added_parents, added[0]], dtype=np.int32)
            added_children = np.concatenate([added_children, added[1]], dtype=np.int32)
        return LayoutDelta(self.parents | parents, added_parents, added_children)

    # Saved as a few arrays, whatever the number of parents.

    def __getstate__(self):
        parents = sorted(self.parents)
        changes = [self.parents[parent] for parent in parents]
        parts = {
            name: [getattr(one.weights, name) for one in changes] for name in _PARTS
        }
        parts["sizes"] = [np.diff(offsets) for offsets in parts.pop("offsets")]
        parts["intercepts"] = [one.intercepts for one in changes]
        parts["labels"] = [one.labels for one in changes]
        return {
            "nodes": np.array(parents, dtype=np.int32),
            "n_children": _lengths(parts["intercepts"]),
            "n_labels": _lengths(parts["labels"]),
            "n_keys": _lengths(parts["keys"]),
            "n_items": _lengths(parts["items"]),
            "added_parents": self.added_parents,
            "added_children": self.added_children,
        } | {
            name: np.concatenate(arrays) if arrays else np.empty(0, dtype=np.float32)
            for name, arrays in parts.items()
        }

    def __setstate__(self, state):
        self.parents = {}
        self.added_parents = state["added_parents"]
        self.added_children = state["added_children"]
        nodes = state["nodes"]
        check_vector(nodes, (np.int32,), None, "LayoutDelta.nodes")
        if len(nodes) == 0:
            return
        intercepts = _split(state, "intercepts", "n_children", (np.float32,))
        labels = _split(state, "labels", "n_labels", (np.int32,))
        keys = _split(state, "keys", "n_keys", (np.int32,))
        replaces = _split(state, "replaces", "n_keys", (np.uint8,))
        sizes = _split(state, "sizes", "n_keys", (np.int64,))
        items = _split(state, "items", "n_items", (np.int32,))
        weights = _split(state, "weights", "n_items", (np.float32,))
        for i, node in enumerate(nodes.tolist()):
            offsets = np.zeros(len(sizes[i]) + 1, dtype=sizes[i].dtype)
            np.cumsum(sizes[i], out=offsets[1:])
            self.parents[node] = ParentDelta(
                intercepts[i],
                labels[i],
                ChangedWeights(keys[i], offsets, replaces[i], items[i], weights[i]),
            )

    def check_fits(self, layout):
        """Check the arrays of a loaded delta, and how they fit those of a layout.

        Parameters
        ----------
        layout : SearchLayout
            The base.
        """
        n_base, is_added = len(layout.labels), []
        for parent, one in self.parents.items():
            if not 0 <= parent < len(layout.child_offsets) - 1:
                refuse("LayoutDelta.nodes", f"holds {parent}, which is no parent")
            first, stop = layout.child_offsets[parent : parent + 2].tolist()
            is_last = parent >= layout.level_starts[-2]
            n_children = one.n_children if is_last else stop - first
            _check_parent(one, layout, stop - first, n_children)
            if len(one.labels) != is_last * n_children:
                refuse("LayoutDelta.labels", f"has {len(one.labels)} for {n_children}")
            start = first - int(layout.level_starts[-1])
            known = layout.labels[start : start + stop - first]
            if is_last and not np.array_equal(one.labels[: stop - first], known):
                refuse("LayoutDelta.labels", "differs from the labels of the layout")
            is_added.append(one.labels[stop - first :])
        columns = np.concatenate([*is_added, np.empty(0, dtype=np.int32)])
        expected = np.arange(n_base, n_base + self.n_added)
        if not np.array_equal(np.sort(columns), expected):
            refuse("LayoutDelta.labels", "does not hold each added label once")
        self._check_added(n_base)

    def _check_added(self, n_base):
        size = self.n_added
        check_vector(self.added_parents, (np.int32,), None, "LayoutDelta.added_parents")
        check_vector(
            self.added_children, (np.int32,), size, "LayoutDelta.added_children"
        )
        pairs = zip(
            self.added_parents.tolist(), self.added_children.tolist(), strict=True
        )
        for column, (parent, child) in enumerate(pairs, n_base):
            one = self.parents.get(parent)
            is_there = one is not None and 0 <= child < len(one.labels)
            if not is_there or one.labels[child] != column:
                refuse("LayoutDelta.added_children", f"does not lead to {column}")


_PARTS = ("keys", "offsets", "replaces", "items", "weights")


def _lengths(arrays):
    return np.array([len(array) for array in arrays], dtype=np.int64)


def _split(state, name, sizes, dtypes):
    """Cut a saved array into those of the parents."""
    counts = state[sizes]
    check_vector(counts, (np.int64,), len(state["nodes"]), f"LayoutDelta.{sizes}")
    check_range(counts, 0, 2**31, f"LayoutDelta.{sizes}")
    ends = np.cumsum(counts)
    check_vector(state[name], dtypes, int(ends[-1]), f"LayoutDelta.{name}")
    return np.split(state[name], ends[:-1])


def _check_parent(one, layout, n_base, n_children):
    """Check the arrays of one parent of a loaded delta."""
    check_vector(one.intercepts, (np.float32,), n_children, "LayoutDelta.intercepts")
    if n_children < n_base or np.isnan(one.intercepts).any():
        refuse("LayoutDelta.intercepts", "has NaN, or too few children")
    keys, offsets, replaces, items, weights = one.weights
    n_keys, n_items = n_children, layout.n_features
    if layout.by_node is None:
        n_keys, n_items = n_items, n_keys
    check_range(keys, 0, n_keys, "LayoutDelta.keys")
    check_range(items, 0, n_items, "LayoutDelta.items")
    check_range(replaces, 0, 2, "LayoutDelta.replaces")
    if (np.diff(keys) <= 0).any():
        refuse("LayoutDelta.keys", "does not ascend")
    check_ascending(offsets, 0, len(items), "LayoutDelta.sizes", strictly=False)
    starts = np.zeros(len(items) + 1, dtype=bool)
    starts[offsets] = True
    if ((np.diff(items.astype(np.int64)) <= 0) & ~starts[1:-1]).any():
        refuse("LayoutDelta.items", "does not ascend")
    check_finite(weights, "LayoutDelta.weights")
