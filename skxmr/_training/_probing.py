"""Hits of a greedy search on some training rows, before weights are pruned.

The unpruned weights of a level are never in memory all at once. So training determines,
for each node that it has just trained, which child scores best for each row of a
sample. Each of these rows follows one path of the tree to one of its labels: if the
best child at every node of the path leads to one of its labels, a greedy search has a
hit.
"""

from dataclasses import dataclass, replace

import numpy as np

from skxmr._cython._training_probe import Probe
from skxmr._utils._compressed import Compressed

__all__ = ["ProbeAssembly", "ProbeTask", "ProbedRows", "RowPaths"]

# Enough to detect a difference of one point of P@1: a tenth of the rows, but at least a
# few hundred, and at most as many as have entries of some megabytes.
_MOST_ROWS = 1000
_FEWEST_ROWS = 200
_MOST_ENTRIES = 2**21


@dataclass(frozen=True)
class ProbedRows:
    """Some training rows, and the hits of a greedy search with all weights.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,), int64
        Their indices among the training rows, ascending.
    hits : ndarray of shape (n_rows,), bool
        Whether the search finds one of the row's labels.
    """

    rows: np.ndarray
    hits: np.ndarray


class RowPaths:
    """A sample of training rows, with a path of the tree for each to one of its labels.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    n_given : int
        The sample is drawn from this many rows, the first ones: label vectors may
        follow.
    tree : LabelTree
    rolled : list of csr_array of shape (n_samples, nodes of the level)
        The targets of each level.
    seed : int
    """

    def __init__(self, X, n_given, tree, rolled, seed):
        random = np.random.default_rng([seed, 0x5E1F])
        last = rolled[-1]
        sizes = np.diff(last.indptr)
        labelled = np.flatnonzero(sizes[:n_given])
        n_rows = min(_n_rows(X, len(labelled)), len(labelled))
        self._rows = np.sort(random.choice(labelled, n_rows, replace=False))
        chosen = random.random(n_rows) * sizes[self._rows]
        nodes = last.indices[last.indptr[self._rows] + chosen.astype(np.int64)]
        self._paths = [nodes.astype(np.int64)]
        for level in range(tree.depth, 0, -1):
            self._paths.insert(0, tree.parents(level)[self._paths[0]])
        self._tree, self.rolled = tree, rolled

    def mark(self, level, targets):
        """Mark the sampled rows in the targets of a level.

        Parameters
        ----------
        level : int
            From 1, the children of the root.
        targets : LevelTargets

        Returns
        -------
        LevelTargets
        """
        parents = self._paths[level - 1]
        counts = np.bincount(parents, minlength=len(targets.child_offsets) - 1)
        # Rows are ascending, and so are those of each parent.
        rows = self._rows[np.argsort(parents, kind="stable")]
        probed = Compressed(
            np.concatenate([[0], np.cumsum(counts)]),
            rows.astype(np.int32),
            np.ones(len(rows), dtype=np.float32),
            targets.rows.length,
        )
        return replace(targets, probed=probed)

    def collect(self, best):
        """Combine the results of all levels.

        Parameters
        ----------
        best : list of ndarray, or of None where a level was not trained
            As returned by `ProbeAssembly.finish` for each level.

        Returns
        -------
        ProbedRows
        """
        hits = np.ones(len(self._rows), dtype=bool)
        for level, one in enumerate(best, start=1):
            if one is not None:
                hits &= self._hits(level, one)
        return ProbedRows(self._rows, hits)

    def _hits(self, level, best):
        """Return which rows have a best child that leads to one of their labels."""
        parents = self._paths[level - 1]
        ordered = np.empty_like(best)
        ordered[np.argsort(parents, kind="stable")] = best
        nodes = self._tree.child_offsets[level - 1][parents] + np.maximum(ordered, 0)
        found = self.rolled[level - 1][self._rows, nodes]
        return np.asarray(found).ravel().astype(bool) | (ordered < 0)


def _n_rows(X, n_labelled):
    """Return the size of the sample."""
    wanted = min(_MOST_ROWS, max(_FEWEST_ROWS, n_labelled // 10))
    mean_size = X.values.size / max(1, X.n_vectors)
    return min(wanted, max(_FEWEST_ROWS, int(_MOST_ENTRIES / max(1, mean_size))))


class ProbeTask:
    """The results of the kernel for the rows of some items' parents.

    Parameters
    ----------
    probed : Compressed, a vector for each parent
    parents : ndarray of shape (n_items,), int64
    """

    def __init__(self, probed, parents):
        n_rows = int(probed.sizes[parents].sum())
        self.best = np.full(n_rows, -1, dtype=np.int32)
        self.margins = np.zeros(n_rows)
        self.kernel = Probe(
            probed.offsets, probed.indices, best=self.best, margins=self.margins
        )


class ProbeAssembly:
    """Combines the results of tasks for the rows of a level.

    Parameters
    ----------
    probed : Compressed, a vector for each parent
    """

    def __init__(self, probed):
        self._probed = probed
        self._best = np.full(len(probed.indices), -1, dtype=np.int32)
        self._margins = np.zeros(len(probed.indices))

    def append(self, parents, best, margins):
        """Add the results of the next items.

        Parameters
        ----------
        parents : ndarray of shape (n_items,), int64
            A parent may occur several times, each with the next of its children.
        best : ndarray of int32
        margins : ndarray of float64
        """
        sizes = self._probed.sizes[parents]
        stops = np.cumsum(sizes)
        for item in np.flatnonzero(sizes).tolist():
            mine = slice(stops[item] - sizes[item], stops[item])
            first = self._probed.offsets[parents[item]]
            at = slice(first, first + sizes[item])
            is_better = best[mine] >= 0
            is_better &= (self._best[at] < 0) | (margins[mine] > self._margins[at])
            self._best[at] = np.where(is_better, best[mine], self._best[at])
            self._margins[at] = np.where(is_better, margins[mine], self._margins[at])

    def finish(self):
        """Return the best child of each row, counted from its parent's first.

        Returns
        -------
        ndarray of shape (n_rows,), int32
            In the order of the rows of all parents; -1 if nothing was trained.
        """
        return self._best
