"""Weights of labels that have a vector, but no training rows."""

from typing import NamedTuple

import numpy as np

from skxmr._search._weights import with_precision
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = ["LabelScale", "weights_of_vectors"]

# The share of the length of trained weights that is along the label's vector; the rest
# separates the label from its siblings.
_ALONG_VECTOR = 0.8

# A new label has a lower intercept than most trained ones: its weights are less
# selective.
_QUANTILE = 0.25

# Parents whose children are measured.
_MOST_PARENTS = 256


class LabelScale(NamedTuple):
    """The usual weights of the labels of a tree.

    Parameters
    ----------
    length : float
        The median length of their weights.
    intercept : float
        The lower quartile of their intercepts, for centred features where training
        centres them.
    """

    length: float
    intercept: float

    @classmethod
    def of(cls, weights, centering, unit_weight):
        """Measure the labels of some parents.

        Parameters
        ----------
        weights : LinearWeights
            Of the last level, as in training.
        centering : Centering or None
            The centring for which the intercepts are shifted.
        unit_weight : float
            The weight that gives a margin of 1 to a row of the usual length.

        Returns
        -------
        LabelScale
        """
        step = max(1, -(-weights.n_parents // _MOST_PARENTS))
        sampled = np.arange(0, weights.n_parents, step)
        numbers = np.arange(len(weights.features))
        postings = Compressed(weights.posting_offsets, weights.features, numbers, 0)
        postings = postings.take(sampled)
        runs = Compressed(weights.run_offsets, weights.children, weights.weights, 0)
        runs = runs.take(postings.values)
        stride = 1 + int(runs.indices.max(initial=0))
        firsts = stride * np.arange(len(sampled))
        owners = np.repeat(np.repeat(firsts, postings.sizes), runs.sizes) + runs.indices
        values = runs.values.astype(np.float64)
        has_weights = np.bincount(owners) > 0
        lengths = np.sqrt(np.bincount(owners, values**2)[has_weights])
        intercepts = weights.intercepts[np.isfinite(weights.intercepts)]
        if not len(lengths) or not len(intercepts):
            # A margin of nearly 1 for a row that is the vector, and of -1 for others.
            usual = unit_weight if np.isfinite(unit_weight) else 1.0
            return cls(1.9 / _ALONG_VECTOR * usual, -1.0)
        intercept = float(np.quantile(intercepts, _QUANTILE))
        if centering is not None:
            means = centering.means_of(postings.indices).astype(np.float64)
            means *= centering.factors_of(postings.indices)
            products = values * np.repeat(means, runs.sizes)
            shifts = np.bincount(owners, products)[has_weights]
            intercept += float(np.median(shifts))
        return cls(float(np.median(lengths)), intercept)


def weights_of_vectors(vectors, scale, pruning, precision):
    """Make weights in the direction of vectors.

    Parameters
    ----------
    vectors : Compressed or DenseRows, a vector for each label
        Centred, if training centres rows.
    scale : LabelScale
    pruning : Pruning
    precision : {"float32", "float16"}

    Returns
    -------
    Compressed, a vector for each label
    """
    dense = isinstance(vectors, DenseRows)
    rows = (vectors.to_compressed() if dense else vectors).to_csr()
    lengths = np.sqrt(rows.multiply(rows).sum(axis=1))
    scales = np.divide(
        _ALONG_VECTOR * scale.length,
        lengths,
        out=np.zeros(len(lengths)),
        where=lengths > 0,
    )
    owners = np.repeat(np.arange(len(lengths)), np.diff(rows.indptr))
    values = (rows.data * scales[owners]).astype(np.float32)
    largest = np.zeros(len(lengths))
    np.maximum.at(largest, owners, np.abs(values))
    values = with_precision(values, precision).astype(np.float32)
    is_kept = (values != 0) & (np.abs(values) >= pruning.floors(largest)[owners])
    return Compressed(
        np.concatenate([[0], np.cumsum(is_kept)])[rows.indptr],
        rows.indices[is_kept].astype(np.int32),
        values[is_kept],
        vectors.length,
    )
