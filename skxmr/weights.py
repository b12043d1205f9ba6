"""The weights of the linear models, grouped as the search reads them: by parent."""

import numpy as np

__all__ = ["LinearWeights"]


class LinearWeights:
    """Sparse linear models of the children of each of many parents.

    The weights of one parent's children form one chunk, sparse by rows: for each
    feature that any of the children uses, one run of (child, weight) pairs. A
    query's features are then matched with the chunk once per parent, not once
    per child (Etter et al., arXiv 2106.02697).

    A child's margin is its intercept plus the sum of value times weight. Two
    intercepts are models of their own: ``+inf`` for a child that is always there
    where its parent is (its score factor is 1), ``-inf`` for one that was never
    seen in training (it is never retrieved).

    Parameters
    ----------
    row_offsets : ndarray of shape (n_parents + 1,), int64
        The rows of parent p are ``row_offsets[p]`` to ``row_offsets[p + 1]``.
    features : ndarray of shape (n_rows,), int32
        The feature of each row, ascending within a parent.
    run_offsets : ndarray of shape (n_rows + 1,), int64
        The pairs of row r are ``run_offsets[r]`` to ``run_offsets[r + 1]``.
    children : ndarray of shape (n_weights,), int32
        Which child, counted from its parent's first; ascending within a run.
    weights : ndarray of shape (n_weights,), float32
    intercepts : ndarray of shape (n_children,), float32
        Of the children of all parents, in order.
    """

    def __init__(
        self, row_offsets, features, run_offsets, children, weights, intercepts
    ):
        self.row_offsets = row_offsets
        self.features = features
        self.run_offsets = run_offsets
        self.children = children
        self.weights = weights
        self.intercepts = intercepts

    def __repr__(self):
        return (
            f"{type(self).__name__}(n_parents={self.n_parents}, "
            f"n_children={len(self.intercepts)}, n_weights={self.n_weights})"
        )

    @property
    def n_parents(self):
        """Number of parents."""
        return len(self.row_offsets) - 1

    @property
    def n_weights(self):
        """Number of stored weights, intercepts not counted."""
        return len(self.weights)

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return sum(array.nbytes for array in vars(self).values())

    @classmethod
    def empty(cls):
        """Weights of no parent at all."""
        return cls(
            row_offsets=np.zeros(1, dtype=np.int64),
            features=np.empty(0, dtype=np.int32),
            run_offsets=np.zeros(1, dtype=np.int64),
            children=np.empty(0, dtype=np.int32),
            weights=np.empty(0, dtype=np.float32),
            intercepts=np.empty(0, dtype=np.float32),
        )

    @classmethod
    def concatenate(cls, parts):
        """Put the parents of several parts one after another.

        Parameters
        ----------
        parts : sequence of LinearWeights

        Returns
        -------
        LinearWeights
        """
        return cls(
            row_offsets=_join_offsets([part.row_offsets for part in parts]),
            features=np.concatenate([part.features for part in parts]),
            run_offsets=_join_offsets([part.run_offsets for part in parts]),
            children=np.concatenate([part.children for part in parts]),
            weights=np.concatenate([part.weights for part in parts]),
            intercepts=np.concatenate([part.intercepts for part in parts]),
        )

    @classmethod
    def merge_siblings(cls, parts):
        """Put the children of one parent, trained in several parts, together.

        Parameters
        ----------
        parts : sequence of LinearWeights, each of one parent
            Their ``children`` are counted from the parent's first child and
            ascend from part to part.

        Returns
        -------
        LinearWeights of one parent
        """
        if len(parts) == 1:
            return parts[0]
        features = np.concatenate(
            [np.repeat(part.features, np.diff(part.run_offsets)) for part in parts]
        )
        # Stable, so that children still ascend within each run.
        order = np.argsort(features, kind="stable")
        distinct, lengths = np.unique(features, return_counts=True)
        return cls(
            row_offsets=np.array([0, len(distinct)], dtype=np.int64),
            features=distinct,
            run_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            children=np.concatenate([part.children for part in parts])[order],
            weights=np.concatenate([part.weights for part in parts])[order],
            intercepts=np.concatenate([part.intercepts for part in parts]),
        )


def _join_offsets(parts):
    """Offsets of the concatenation, from the offsets of each part."""
    ends = np.cumsum([part[-1] for part in parts])
    shifted = [part[1:] + end for part, end in zip(parts[1:], ends, strict=False)]
    return np.concatenate([parts[0], *shifted])
