"""Arrays of models that earlier versions saved, made into those of this one."""

import numpy as np

from skxmr._cython._layout import join_runs
from skxmr._cython._search import ROWS_OF_MARK
from skxmr._integrity import check_vector, refuse
from skxmr._large import empty_beside

__all__ = ["OLDEST_LAYOUT", "upgrade"]

OLDEST_LAYOUT = 3


def upgrade(state):
    """Bring the state of a `SearchLayout` to the newest layout.

    Parameters
    ----------
    state : dict
        Of version `OLDEST_LAYOUT` or later, and maybe damaged: what the upgrade reads
        is checked here, and the result is to be checked as any other.

    Returns
    -------
    dict
        The version of its weights may have changed with it.

    Raises
    ------
    ValueError
        If arrays do not fit together.
    """
    weights = state.get("held_by_feature")
    if state["version"] == OLDEST_LAYOUT and weights is not None:
        _put_runs_together(vars(weights), state["weight_precision"])
    return state | {"version": OLDEST_LAYOUT + 1}


def _put_runs_together(arrays, weight_precision):
    """Bring weights of version 3, in place, to version 4.

    Children and weights were two arrays; a block had no first weight, and there were
    marks for its rows too.
    """
    lengths, children = arrays["run_lengths"], arrays.pop("children")
    weights = arrays.pop("weights")
    check_vector(lengths, (np.uint8, np.int32), None, "FeatureWeights.run_lengths")
    check_vector(weights, (weight_precision,), None, "FeatureWeights.weights")
    size = len(weights)
    check_vector(children, (lengths.dtype,), size, "FeatureWeights.children")
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    starts += np.arange(len(starts))
    if (np.diff(starts) < 1).any() or starts[-1] != size:
        refuse("FeatureWeights.run_lengths", f"does not add up to {size} weights")
    first_rows = arrays["blocks"][:, :, 1]
    if first_rows.size and first_rows.max() > len(lengths):
        refuse("FeatureWeights.blocks", f"has rows beyond the last of {len(lengths)}")
    blocks = np.array(arrays["blocks"])
    blocks[:, :, 1] |= starts[first_rows].astype(np.uint64) << np.uint64(32)
    entries = empty_beside(
        weights, size * (children.itemsize + weights.itemsize), np.uint8
    )
    bits = weights.view(np.uint16) if weights.itemsize == 2 else weights
    join_runs(lengths, children, bits, entries)
    n_marks = -(-len(arrays["parents"]) // ROWS_OF_MARK)
    arrays.update(
        blocks=blocks,
        run_marks=np.array(arrays["run_marks"][:n_marks]),
        entries=entries,
        weight_precision=weight_precision,
    )
