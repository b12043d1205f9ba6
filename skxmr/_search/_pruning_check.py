"""Detection of pruning or half precision that lowers ranking quality.

Pruning affects training rows more than others, since small weights mostly fit single
rows: P@1 of a greedy search on training rows may fall by nine points, and that of a
beam search by three, while that on test rows does not fall. So a beam search with the
pruned weights (or a greedy search, if that is better) is compared with a greedy search
with all weights, which training records since all weights are never in memory at a
time.
"""

import math
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._search._beam_search import beam_search
from skxmr._search._layout import SearchLayout
from skxmr._search._pruning import prune
from skxmr._search._weights import with_precision
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = [
    "PruningEffect",
    "PruningWarning",
    "Reduction",
    "TrainingSample",
    "measure",
    "warn_of_loss",
]

# The tolerated loss of P@1: training rows lose up to three points where others lose
# none.
_TOLERATED = 0.05

_BEAM_WIDTH = 10


class PruningWarning(UserWarning):
    """Warning of pruning, or half precision, that lowers the quality of a ranking.

    `XRLinearClassifier.fit` and `XRLinearClassifier.prune` warn if P@1 on a sample of
    training rows falls by more than five points, or if a level of the tree loses all
    its weights. (Training rows lose up to three points where others lose none.) The
    message has the numbers and advice.

    See Also
    --------
    XRLinearClassifier : Raises the warning.

    Examples
    --------
    To turn it into an error:

    >>> import warnings
    >>> from skxmr import PruningWarning
    >>> warnings.simplefilter("error", PruningWarning)  # doctest: +SKIP
    """


class Reduction(NamedTuple):
    """The parameters by which a trained model is made smaller.

    Parameters
    ----------
    threshold : float
    unit : {"relative", "absolute"}
    precision : {"float32", "float16"}
    unit_weight : float
        As for `prune`.
    """

    threshold: float
    unit: str
    precision: str
    unit_weight: float

    def prune(self, weights):
        """Prune the weights of one level."""
        return prune(weights, self.threshold, self.unit, self.unit_weight)


@dataclass(frozen=True)
class TrainingSample:
    """Some training rows of a tree, and the hits of a search with all its weights.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : csr_array of shape (n_rows, n_labels)
    hits : ndarray of shape (n_rows,), bool
        For which rows a greedy search with all weights finds one of their labels.
    n_found : tuple of int
        The number of weights of each level before pruning.
    """

    X: Compressed | DenseRows
    Y: sparse.csr_array
    hits: np.ndarray
    n_found: tuple

    @classmethod
    def of(cls, trained, X, Y):
        """Take the rows that training has sampled.

        Parameters
        ----------
        trained : TrainedTree
        X : Compressed or DenseRows, a vector for each training row
        Y : csr_array of shape (n_samples, n_labels)

        Returns
        -------
        TrainingSample or None
            None with custom stages, and after a warm start.
        """
        if trained.stages or trained.probed is None:
            return None
        rows = trained.probed.rows
        return cls(X.take(rows), Y[rows], trained.probed.hits, trained.n_found)

    def hits_by(self, layout):
        """Return for which rows a search finds one of their labels first.

        Parameters
        ----------
        layout : SearchLayout

        Returns
        -------
        ndarray of shape (n_rows,), bool
        """
        # A beam search is mostly better than a greedy search, but not always.
        greedy, beam = (self._hits_of(layout, width) for width in (1, _BEAM_WIDTH))
        return greedy if greedy.sum() > beam.sum() else beam

    def _hits_of(self, layout, beam_width):
        # Unlike those of hinges, these scores are strictly increasing with the margin.
        columns, _ = beam_search(
            self.X, layout, k=1, beam_width=beam_width, score_transform="sigmoid"
        )
        columns = columns[:, 0]
        found = self.Y[np.arange(len(columns)), np.maximum(columns, 0)]
        return (np.asarray(found).ravel() != 0) & (columns >= 0)


@dataclass(frozen=True)
class PruningEffect:
    """The loss of a tree.

    Parameters
    ----------
    n_before, n_after : ndarray of shape (depth,), int64
        Number of weights of each level.
    hits_before, hits_after : ndarray of shape (n_rows,), bool
        For which rows the search finds one of their labels. Empty without a sample.
    by_rounding : bool
        Whether the loss is due to half precision alone.
    """

    n_before: np.ndarray
    n_after: np.ndarray
    hits_before: np.ndarray
    hits_after: np.ndarray
    by_rounding: bool

    def lost_levels(self):
        """List the levels, from 1, that have lost all their weights."""
        is_lost = (self.n_before > 0) & (self.n_after == 0)
        return (np.flatnonzero(is_lost) + 1).tolist()


def measure(sample, tree, levels, layout, n_before):
    """Compare the pruned weights of a tree with all of them.

    Parameters
    ----------
    sample : TrainingSample or None
        None if there is none, as in models that were loaded.
    tree : LabelTree
    levels : sequence of LinearWeights
        Pruned, before they are rounded.
    layout : SearchLayout
        Of the pruned weights.
    n_before : sequence of int
        Number of weights of each level before pruning.

    Returns
    -------
    PruningEffect
    """
    before = after = np.empty(0, dtype=bool)
    by_rounding = False
    precision = layout.weight_precision
    if sample is not None:
        before, after = sample.hits, sample.hits_by(layout)
        if precision != "float32" and _is_lost(before, after):
            whole = SearchLayout.from_levels(
                tree, levels, layout.n_features, by_node=layout.by_node is not None
            )
            by_rounding = not _is_lost(before, sample.hits_by(whole))
    n_after = [
        np.count_nonzero(with_precision(weights.weights, precision))
        for weights in levels
    ]
    return PruningEffect(
        np.array(n_before), np.array(n_after), before, after, by_rounding
    )


def _is_lost(before, after):
    """Return whether P@1 falls by more than tolerated, and significantly."""
    n_lost, n_gained = int((before & ~after).sum()), int((after & ~before).sum())
    loss = n_lost - n_gained
    return loss > _TOLERATED * len(before) and loss > 2 * math.sqrt(n_lost + n_gained)


def warn_of_loss(effects, reduction, stacklevel):
    """Warn if trees rank worse than with all their weights.

    Parameters
    ----------
    effects : sequence of PruningEffect
        Of each tree.
    reduction : Reduction
    stacklevel : int
        As seen from the calling function.
    """
    lost = sorted({level for effect in effects for level in effect.lost_levels()})
    before = np.concatenate([effect.hits_before for effect in effects])
    after = np.concatenate([effect.hits_after for effect in effects])
    if not lost and not _is_lost(before, after):
        return
    by_rounding = any(effect.by_rounding for effect in effects)
    what = "Half precision" if by_rounding else "Pruning"
    sentences = [
        f"{what} leaves no weight in level {level} of the tree." for level in lost
    ]
    if len(before):
        sentences.append(
            f"{what} changes P@1 on a sample of {len(before):,} training rows from "
            f"{before.mean():.3f} to {after.mean():.3f}."
        )
    n_before = sum(int(effect.n_before.sum()) for effect in effects)
    n_after = sum(int(effect.n_after.sum()) for effect in effects)
    sentences.append(
        f"{n_after:,} of {n_before:,} weights ({n_after / max(1, n_before):.2%}) are "
        f"left by threshold={reduction.threshold}, "
        f"threshold_unit={reduction.unit!r} and "
        f"weight_precision={reduction.precision!r}."
    )
    sentences.append(_remedy(reduction, by_rounding=by_rounding))
    warnings.warn(" ".join(sentences), PruningWarning, stacklevel=stacklevel + 1)


def _remedy(reduction, *, by_rounding):
    if by_rounding:
        return "Set weight_precision='float32', or scale X to rows of unit length."
    if reduction.unit == "absolute":
        return "Lower threshold, or set threshold_unit='relative'."
    return "Lower threshold."
