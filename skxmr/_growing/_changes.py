"""Changes to the delta of a layout: labels added and removed, weights replaced."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skxmr._growing._delta import ChangedWeights, LayoutDelta, ParentDelta

__all__ = [
    "Entries",
    "add_children",
    "change_parents",
    "current_parent",
    "drop_labels",
    "intercepts_of",
    "lead_to_children",
    "set_children",
]


class Entries(NamedTuple):
    """Weights of the children of several parents, in any order.

    Parameters
    ----------
    parents : ndarray of shape (n_weights,), int64
        Indices of parents in a list.
    keys, items : ndarray of shape (n_weights,), int32
        As in `ChangedWeights`.
    weights : ndarray of shape (n_weights,), float32
    """

    parents: NDArray
    keys: NDArray
    items: NDArray
    weights: NDArray


def current_parent(layout, parent):
    """Return the changes to a parent; all its children, unchanged, if there are none.

    Parameters
    ----------
    layout : SearchLayout
    parent : int

    Returns
    -------
    ParentDelta
    """
    if layout.delta is not None and parent in layout.delta.parents:
        return layout.delta.parents[parent]
    first, stop = layout.child_offsets[parent : parent + 2].tolist()
    labels = layout.labels[:0]
    start = first - int(layout.level_starts[-1])
    if start >= 0:
        labels = layout.labels[start : start + stop - first]
    return ParentDelta(
        np.asarray(layout.intercepts[first - 1 : stop - 1]),
        np.asarray(labels),
        ChangedWeights.empty(),
    )


def intercepts_of(layout, columns):
    """Return the present intercepts of labels.

    Parameters
    ----------
    layout : SearchLayout
    columns : ndarray of int64

    Returns
    -------
    ndarray of float32
    """
    parents, children = layout.parents_of(columns)
    found = np.empty(len(columns), dtype=np.float32)
    for parent in np.unique(parents).tolist():
        is_its = parents == parent
        found[is_its] = current_parent(layout, parent).intercepts[children[is_its]]
    return found


def add_children(layout, parents, rows, intercepts):
    """Add labels as children of nodes of the last level but one.

    Parameters
    ----------
    layout : SearchLayout
        Unchanged.
    parents : ndarray of shape (n_added,), int64
        The parent of each label, as the layout numbers nodes.
    rows : Compressed, a vector for each label
        Their weights.
    intercepts : ndarray of shape (n_added,), float32

    Returns
    -------
    LayoutDelta
    """
    order = np.argsort(parents, kind="stable")
    touched, starts, counts = np.unique(
        parents[order], return_index=True, return_counts=True
    )
    before = [current_parent(layout, parent) for parent in touched.tolist()]
    # Which child of its parent each label becomes.
    n_before = np.array([one.n_children for one in before], dtype=np.int64)
    children = np.empty(len(parents), dtype=np.int32)
    children[order] = np.arange(len(parents)) - np.repeat(starts - n_before, counts)
    owners = np.repeat(np.arange(len(parents)), rows.sizes)
    keys, items = rows.indices, children[owners]
    if layout.by_node is not None:
        keys, items = items, keys
    entries = Entries(
        np.searchsorted(touched, parents)[owners], keys, items, rows.values
    )
    weights = _combine([one.weights for one in before], entries)
    numbers = np.arange(layout.n_labels, layout.n_labels + len(parents))
    columns = np.split(numbers[order].astype(np.int32), starts[1:])
    added = np.split(intercepts[order].astype(np.float32), starts[1:])
    changed = {
        parent: ParentDelta(
            np.concatenate([old.intercepts, its_intercepts]),
            np.concatenate([old.labels, its_columns]),
            its_weights,
        )
        for parent, old, its_intercepts, its_columns, its_weights in zip(
            touched.tolist(), before, added, columns, weights, strict=True
        )
    }
    return _delta_of(layout).changed(changed, (parents, children))


def lead_to_children(layout, parents, rows, first):
    """Give new features weights at the nodes above labels that have some.

    Without these, a search for a new feature alone would not reach the label. No node
    has had weights of such features, so that searches without them remain the same.

    Parameters
    ----------
    layout : SearchLayout
        Unchanged.
    parents : ndarray of shape (n_labels,), int64
        The parent of each label, as the layout numbers nodes.
    rows : Compressed, a vector for each label
        Their weights. A node gets the largest one below it.
    first : int
        The first of the new features.

    Returns
    -------
    LayoutDelta or None
        None if nothing has changed.
    """
    is_new = rows.indices >= first
    nodes = np.repeat(parents, rows.sizes)[is_new]
    features, values = rows.indices[is_new], rows.values[is_new]
    changed = {}
    while nodes.any():
        above = np.searchsorted(layout.child_offsets, nodes, side="right") - 1
        children = (nodes - layout.child_offsets[above]).astype(np.int32)
        order = np.lexsort((-values, children, features, above))
        ordered = [array[order] for array in (above, features, children)]
        is_first = np.ones(len(order), dtype=bool)
        is_first[1:] = np.any([np.diff(array) != 0 for array in ordered], axis=0)
        order = order[is_first]
        nodes, features, values = nodes[order], features[order], values[order]
        keys, items = features, children[order]
        if layout.by_node is not None:
            keys, items = items, keys
        touched, positions = np.unique(above[order], return_inverse=True)
        before = [current_parent(layout, parent) for parent in touched.tolist()]
        entries = Entries(positions, keys, items, values)
        weights = _combine([one.weights for one in before], entries)
        for parent, old, now in zip(touched.tolist(), before, weights, strict=True):
            changed[parent] = old.replace(weights=now)
        nodes = above[order]
    return _delta_of(layout).changed(changed) if changed else layout.delta


def set_children(layout, columns, rows, intercepts):
    """Give weights to labels that have none.

    Parameters
    ----------
    layout : SearchLayout
        Unchanged.
    columns : ndarray of shape (n,), int64
    rows : Compressed, a vector for each label
        Their weights.
    intercepts : ndarray of shape (n,), float32

    Returns
    -------
    LayoutDelta
    """
    parents, children = layout.parents_of(columns)
    touched, positions = np.unique(parents, return_inverse=True)
    before = [current_parent(layout, parent) for parent in touched.tolist()]
    owners = np.repeat(np.arange(len(columns)), rows.sizes)
    keys, items = rows.indices, children[owners].astype(np.int32)
    if layout.by_node is not None:
        keys, items = items, keys
    entries = Entries(positions[owners], keys, items, rows.values)
    weights = _combine([one.weights for one in before], entries)
    changed = {}
    for i, (parent, old) in enumerate(zip(touched.tolist(), before, strict=True)):
        now = old.intercepts.copy()
        now[children[positions == i]] = intercepts[positions == i]
        changed[parent] = ParentDelta(now, old.labels, weights[i])
    return _delta_of(layout).changed(changed)


def drop_labels(layout, columns):
    """Let some labels never be found again.

    Parameters
    ----------
    layout : SearchLayout
        Unchanged.
    columns : ndarray of int64

    Returns
    -------
    LayoutDelta
    """
    parents, children = layout.parents_of(columns)
    order = np.argsort(parents, kind="stable")
    touched, starts = np.unique(parents[order], return_index=True)
    changed = {}
    for parent, dropped in zip(
        touched.tolist(), np.split(children[order], starts[1:]), strict=True
    ):
        one = current_parent(layout, parent)
        intercepts = one.intercepts.copy()
        intercepts[dropped] = -np.inf
        changed[parent] = one.replace(intercepts=intercepts)
    return _delta_of(layout).changed(changed)


def change_parents(layout, parents, intercepts, entries, replaced):
    """Replace weights and intercepts of the children of some parents.

    Parameters
    ----------
    layout : SearchLayout
        Unchanged.
    parents : ndarray of shape (n_parents,), int64
        Ascending.
    intercepts : sequence of ndarray of float32
        Those of all children of each.
    entries : Entries
        All weights of the replaced keys.
    replaced : (parents, keys)
        The keys whose weights are replaced, each with the index of its parent.

    Returns
    -------
    LayoutDelta
    """
    before = [current_parent(layout, parent) for parent in parents.tolist()]
    weights = _combine([one.weights for one in before], entries, replaced)
    changed = {
        parent: ParentDelta(its_intercepts, old.labels, its_weights)
        for parent, old, its_intercepts, its_weights in zip(
            parents.tolist(), before, intercepts, weights, strict=True
        )
    }
    return _delta_of(layout).changed(changed)


def _delta_of(layout):
    return LayoutDelta.empty() if layout.delta is None else layout.delta


def _combine(before, entries, replaced=None):
    """Add weights to those of each of several parents, or replace those of some keys.

    Parameters
    ----------
    before : list of ChangedWeights
    entries : Entries
    replaced : (parents, keys), default=None
        Keys whose earlier weights are dropped.

    Returns
    -------
    list of ChangedWeights
    """
    n_keys = np.array([len(one.keys) for one in before], dtype=np.int64)
    sizes = _joined([np.diff(one.offsets) for one in before], np.int64)
    owners = np.repeat(np.arange(len(before)), n_keys)
    keys = _joined([one.keys for one in before], np.int64)
    stride = 1 + max(keys.max(initial=0), entries.keys.max(initial=0))
    old = owners * stride + keys
    new = entries.parents * stride + entries.keys
    flags = _joined([one.replaces for one in before], np.uint8)
    marked = new[:0] if replaced is None else replaced[0] * stride + replaced[1]
    is_kept = ~np.isin(old, marked)
    codes = np.concatenate([old[is_kept], new, marked])
    codes, positions = np.unique(codes, return_inverse=True)
    replaces = np.zeros(len(codes), dtype=np.uint8)
    replaces[positions[: is_kept.sum()]] = flags[is_kept]
    replaces[positions[len(positions) - len(marked) :]] = 1
    kept = np.repeat(is_kept, sizes)
    of_entries = np.concatenate([np.repeat(old, sizes)[kept], new])
    items = np.concatenate(
        [_joined([one.items for one in before], np.int32)[kept], entries.items]
    )
    values = np.concatenate(
        [_joined([one.weights for one in before], np.float32)[kept], entries.weights]
    )
    order = _order_of(of_entries, items)
    offsets = np.searchsorted(of_entries[order], np.append(codes, np.iinfo("i8").max))
    firsts = np.searchsorted(codes, np.arange(len(before) + 1) * stride)
    everything = ChangedWeights(
        (codes % stride).astype(np.int32),
        offsets.astype(np.int64),
        replaces,
        items[order].astype(np.int32),
        values[order].astype(np.float32),
    )
    return [_between(everything, *cut) for cut in pairwise(firsts.tolist())]


def _order_of(codes, items):
    """Sort pairs, of which none occurs twice, by code and then by item."""
    stride = 1 + int(items.max(initial=0))
    if int(codes.max(initial=0)) >= np.iinfo(np.int64).max // stride:
        return np.lexsort((items, codes))
    return np.argsort(codes * stride + items)


def _joined(arrays, dtype):
    return np.concatenate([*arrays, np.empty(0, dtype=dtype)], dtype=dtype)


def _between(weights, start, stop):
    """Return some of the keys."""
    offsets = weights.offsets[start : stop + 1]
    items = slice(offsets[0], offsets[-1])
    return ChangedWeights(
        weights.keys[start:stop],
        offsets - offsets[0],
        weights.replaces[start:stop],
        weights.items[items],
        weights.weights[items],
    )
