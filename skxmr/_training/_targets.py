"""The training rows of each node, and which of them are positive."""

from dataclasses import dataclass

import numpy as np

from skxmr._utils._compressed import Compressed

__all__ = ["LevelTargets"]


@dataclass(frozen=True)
class LevelTargets:
    """The training rows of each parent, and the positive rows of each of its children.

    Parameters
    ----------
    child_offsets : ndarray of shape (n_parents + 1,), int64
        The range of each parent's children among the nodes of the level.
    rows : Compressed, a vector for each parent
        The parent's training rows, ascending. The value is 1 where children without
        the row have it as a negative, 0 where they leave it out.
    positives : Compressed, a vector for each child
        The positive rows of the child, ascending, all among its parent's; the value is
        their relevance (1 where all are equal).
    given_priors : Compressed, a vector for each child, or None
        The rows, among its parent's, whose weighted sum is the direction of the prior
        mean of the child's weights. None: the positive rows.
    probed : Compressed, a vector for each parent, or None
        Some of its rows, for which the child with the largest margin is recorded.
    duals : Compressed, a vector for each child, or None
        The dual variables at which the solver starts, with the signs of their rows,
        which ascend; rows that are not the parent's are ignored. None: all are 0.
    new_rows : Compressed, a vector for each parent, or None
        With duals, the rows that no earlier training had.
    """

    child_offsets: np.ndarray
    rows: Compressed
    positives: Compressed
    given_priors: Compressed | None = None
    probed: Compressed | None = None
    duals: Compressed | None = None
    new_rows: Compressed | None = None

    @property
    def priors(self):
        """The rows whose weighted sum is the prior mean of each child's weights."""
        return self.positives if self.given_priors is None else self.given_priors

    def between(self, start, stop):
        """Return the targets of parents `start` to `stop`."""
        offsets = self.child_offsets[start : stop + 1]
        children = int(offsets[0]), int(offsets[-1])
        return LevelTargets(
            offsets - offsets[0],
            self.rows.between(start, stop),
            self.positives.between(*children),
            _between(self.given_priors, *children),
            _between(self.probed, start, stop),
            _between(self.duals, *children),
            _between(self.new_rows, start, stop),
        )

    def keep_rows(self, kept):
        """Renumber the rows by their position in `kept`, which contains all of them."""
        given_priors, probed, new_rows = (
            None if one is None else one.keep_indices(kept)
            for one in (self.given_priors, self.probed, self.new_rows)
        )
        return LevelTargets(
            self.child_offsets,
            self.rows.keep_indices(kept),
            self.positives.keep_indices(kept),
            given_priors,
            probed,
            None if self.duals is None else _drop_others(self.duals, kept),
            new_rows,
        )


def _between(vectors, start, stop):
    return None if vectors is None else vectors.between(start, stop)


def _drop_others(vectors, kept):
    """Drop entries that are not in `kept`, and renumber the others."""
    positions = np.minimum(np.searchsorted(kept, vectors.indices), len(kept) - 1)
    is_kept = kept[positions] == vectors.indices
    n_before = np.concatenate([[0], np.cumsum(is_kept)])
    return Compressed(
        n_before[vectors.offsets],
        positions[is_kept].astype(np.int32),
        vectors.values[is_kept],
        len(kept),
    )
