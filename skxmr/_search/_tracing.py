"""What a beam search does, level by level."""

from dataclasses import dataclass

import numpy as np

from skxmr._cython._search_inputs import TRANSFORMS, BeamOptions

__all__ = ["BeamLevel", "labels_below", "n_labels_below", "trace_beam"]


@dataclass(frozen=True)
class BeamLevel:
    """The nodes of one level that a search scored, best first.

    Parameters
    ----------
    nodes : ndarray of shape (n_scored,), int64
        Counted from 0 in the level; columns of labels on the last level.
    parents : ndarray of shape (n_scored,), int64
        The parent of each, as a position among the nodes of the level above.
    scores : ndarray of shape (n_scored,), float64
        The product of the scores from the root to the node.
    is_kept : ndarray of shape (n_scored,), bool
        Whether the node is in the beam, so that its children are scored; of the labels,
        whether it is among the best that were asked for.
    n_labels : ndarray of shape (n_scored,), int64
        The number of labels below each node.

    See Also
    --------
    skxmr.inspection.BeamSearchDisplay : Has one for each level.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.inspection import BeamLevel
    >>> level = BeamLevel(
    ...     nodes=np.array([1, 0]),
    ...     parents=np.array([0, 0]),
    ...     scores=np.array([0.9, 0.2]),
    ...     is_kept=np.array([True, False]),
    ...     n_labels=np.array([3, 4]),
    ... )
    >>> level.nodes[level.is_kept].tolist()
    [1]
    """

    nodes: np.ndarray
    parents: np.ndarray
    scores: np.ndarray
    is_kept: np.ndarray
    n_labels: np.ndarray


def trace_beam(row, layout, *, k, beam_width, score_transform):
    """Search for one row, and record which nodes of each level are scored and kept.

    Each level is searched by the kernel of the search, from the root, so that the
    record is what a search does.

    Parameters
    ----------
    row : Compressed, of one vector
    layout : SearchLayout
    k : int
        The number of labels that are kept.
    beam_width : int or None
        None keeps all nodes.
    score_transform : str

    Returns
    -------
    list of BeamLevel
        From the root's children to the labels. Labels that no row has are not scored.
    """
    width = layout.widest_level if beam_width is None else int(beam_width)
    width = min(width, layout.widest_level)
    levels, beam = [], np.zeros(1, dtype=np.int64)  # as the layout numbers nodes
    for level in range(1, layout.n_levels + 1):
        is_last = level == layout.n_levels
        options = BeamOptions(
            width, TRANSFORMS[score_transform], wants_labels=is_last, last_level=level
        )
        n_most = layout.most_reached(width) if is_last else layout.widest_level
        found, log_scores = _reached(row, layout, options, n_most)
        if is_last:
            parents, n_labels = layout.parents_of(found)[0], np.ones_like(found)
        else:
            nodes = found + layout.level_starts[level]
            parents = _parents_of(layout, nodes)
            n_labels = np.array([n_labels_below(layout, node) for node in nodes])
        is_kept = np.arange(len(found)) < (k if is_last else width)
        order = np.argsort(beam)
        positions = order[np.searchsorted(beam, parents, sorter=order)]
        levels.append(
            BeamLevel(found, positions, np.exp(log_scores), is_kept, n_labels)
        )
        if not is_last:
            beam = nodes[is_kept]
    return levels


def labels_below(layout, node):
    """Return the columns of the labels below a node, without those added since fit."""
    first, stop = _leaves(layout, node)
    start = int(layout.level_starts[-1])
    return np.asarray(layout.labels[first - start : stop - start], dtype=np.int64)


def n_labels_below(layout, node):
    """Count the labels below a node, without those added since fit."""
    first, stop = _leaves(layout, node)
    return stop - first


def _leaves(layout, node):
    """Return the range of the labels' nodes below a node."""
    first, stop = int(node), int(node) + 1
    while first < len(layout.child_offsets) - 1:
        first, stop = (int(layout.child_offsets[one]) for one in (first, stop))
    return first, stop


def _parents_of(layout, nodes):
    return np.searchsorted(layout.child_offsets, nodes, side="right") - 1


def _reached(row, layout, options, n_most):
    """Return all nodes of a level that are scored, best first, and their log scores."""
    columns = np.empty((1, n_most), dtype=np.int64)
    log_scores = np.empty((1, n_most))
    layout.searcher.search(
        row.offsets, row.indices, row.values, options, None, columns, log_scores
    )
    found = columns[0] >= 0
    return columns[0][found], log_scores[0][found]
