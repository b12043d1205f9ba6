"""The weights of the linear models, grouped as the search reads them: by parent."""

import numpy as np

from skxmr._cython._layout import LevelRuns
from skxmr._memory._growing import GrowingArray

__all__ = ["LinearWeights", "WeightsBuilder", "with_precision"]


class LinearWeights:
    """Sparse linear models of the children of each of many parents.

    The weights of one parent's children form one chunk: for each feature that any of
    the children uses, a *posting* with one run of (child, weight) pairs. A
    query's features are then matched with the chunk once per parent, not once
    per child (Etter et al., arXiv 2106.02697).

    A child's margin is its intercept plus the sum of value times weight. Two
    intercepts stand for whole models: ``+inf`` for a child that is positive whenever
    its parent is (its score factor is 1), ``-inf`` for one without positive rows in
    training (it is never found).

    Parameters
    ----------
    posting_offsets : ndarray of shape (n_parents + 1,), int64
        The postings of parent p are ``posting_offsets[p]`` to
        ``posting_offsets[p + 1]``.
    features : ndarray of shape (n_postings,), int32
        The feature of each posting, ascending within a parent.
    run_offsets : ndarray of shape (n_postings + 1,), int64
        The pairs of posting r are ``run_offsets[r]`` to ``run_offsets[r + 1]``.
    children : ndarray of shape (n_weights,), int32
        Which child, counted from its parent's first; ascending within a run.
    weights : ndarray of shape (n_weights,), float32
    intercepts : ndarray of shape (n_children,), float32
        Of the children of all parents, in order.
    """

    def __init__(
        self, posting_offsets, features, run_offsets, children, weights, intercepts
    ):
        self.posting_offsets = posting_offsets
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
        return len(self.posting_offsets) - 1

    @property
    def n_weights(self):
        """Number of stored weights, intercepts not counted."""
        return len(self.weights)

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return sum(array.nbytes for array in vars(self).values())

    def runs(self):
        """Return the postings and children for the kernels."""
        return LevelRuns(self.posting_offsets, self.run_offsets, self.children)

    def between(self, start, stop):
        """Return the weights of parents `start` to `stop`, without a copy.

        Parameters
        ----------
        start, stop : int

        Returns
        -------
        LinearWeights
            Without intercepts, whose positions are not known from the parents.
        """
        first, last = self.posting_offsets[start], self.posting_offsets[stop]
        run_offsets = self.run_offsets[first : last + 1]
        some = slice(run_offsets[0], run_offsets[-1])
        return LinearWeights(
            self.posting_offsets[start : stop + 1] - first,
            self.features[first:last],
            run_offsets - run_offsets[0],
            self.children[some],
            self.weights[some],
            self.intercepts[:0],
        )

    @classmethod
    def merge_siblings(cls, parts):
        """Merge the weights of children of one parent that were trained in parts.

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
            posting_offsets=np.array([0, len(distinct)], dtype=np.int64),
            features=distinct,
            run_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            children=np.concatenate([part.children for part in parts])[order],
            weights=np.concatenate([part.weights for part in parts])[order],
            intercepts=np.concatenate([part.intercepts for part in parts]),
        )


class WeightsBuilder:
    """Concatenates the weights of parents, which are appended in order."""

    def __init__(self):
        self._features = GrowingArray(np.int32)
        self._run_offsets = GrowingArray(np.int64)
        self._children = GrowingArray(np.int32)
        self._weights = GrowingArray(np.float32)

    def append(self, part):
        """Copy the weights of the next parents.

        Parameters
        ----------
        part : LinearWeights
        """
        self._run_offsets.append(part.run_offsets[:-1] + len(self._weights))
        self._features.append(part.features)
        self._children.append(part.children)
        self._weights.append(part.weights)

    def finish(self, n_rows, intercepts):
        """Return the weights of the whole level.

        Parameters
        ----------
        n_rows : ndarray of shape (n_parents,), int64
            How many rows each parent has; 0 for those that were not appended.
        intercepts : ndarray of shape (n_children,), float32

        Returns
        -------
        LinearWeights
        """
        self._run_offsets.append([len(self._weights)])
        return LinearWeights(
            posting_offsets=np.concatenate([[0], np.cumsum(n_rows)]),
            features=self._features.finish(),
            run_offsets=self._run_offsets.finish(),
            children=self._children.finish(),
            weights=self._weights.finish(),
            intercepts=intercepts,
        )


def with_precision(weights, precision):
    """Round weights to a type, if they are not of it.

    Parameters
    ----------
    weights : ndarray of float32
    precision : {"float32", "float16"}
        What is beyond the largest number of the type becomes that.

    Returns
    -------
    ndarray
    """
    if precision == "float32":
        return weights
    largest = np.finfo(precision).max
    return np.clip(weights, -largest, largest).astype(precision)
