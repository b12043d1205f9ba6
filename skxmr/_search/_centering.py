"""Weights that were trained on centred features, for features that are not centred.

A margin ``w.(x - m) + b`` is ``w.x + (b - w.m)``: means are subtracted from the rows in
training only, and the intercepts are shifted once. A block of features that is
multiplied by a number in training leaves later rows unchanged too: its weights are
multiplied by that number once.
"""

from typing import NamedTuple

import numpy as np

from skxmr._search._weights import LinearWeights, with_precision
from skxmr._utils._compressed import Compressed
from skxmr._utils._loaded_state import (
    check_finite,
    check_range,
    check_vector,
    refuse,
)

__all__ = ["Centering", "for_given_rows", "for_training", "shift_intercepts"]

# Weights per block, whose products with means are in memory at a time.
_BLOCK = 2**20


class Centering(NamedTuple):
    """The features that were centred in training, and their means.

    Parameters
    ----------
    features : ndarray of shape (n_centered,), int32
        Ascending.
    means : ndarray of shape (n_centered,), float32
    block_weight : float, default=1.0
        The factor of these features in training, once their means are subtracted.
    """

    features: np.ndarray
    means: np.ndarray
    block_weight: float = 1.0

    def check(self, n_features, name):
        """Raise ValueError if the arrays of a loaded model are not consistent.

        Parameters
        ----------
        n_features : int
        name : str
            Of this object, for messages.
        """
        check_vector(self.features, (np.int32,), None, f"{name}.features")
        check_vector(self.means, (np.float32,), len(self.features), f"{name}.means")
        check_range(self.features, 0, n_features, f"{name}.features")
        check_finite(self.means, f"{name}.means")
        if (np.diff(self.features) <= 0).any():
            refuse(f"{name}.features", "does not ascend")
        weight = self.block_weight
        if type(weight) is not float or not 0 < weight < np.inf:
            refuse(f"{name}.block_weight", f"is {weight!r:.40}")

    def means_of(self, features):
        """Return the mean of each of some features; 0 where it was not subtracted."""
        positions, is_centered = self._find(features)
        return np.where(is_centered, self.means[positions], np.float32(0))

    def factors_of(self, features):
        """Return the factor of each of some features in training, float32."""
        is_centered = self._find(features)[1]
        return np.where(is_centered, self.block_weight, 1).astype(np.float32)

    def _find(self, features):
        positions = np.searchsorted(self.features, features)
        positions = np.minimum(positions, len(self.features) - 1)
        return positions, self.features[positions] == features


def shift_intercepts(tree, levels, centering, *, precision="float32", before=None):
    """Shift intercepts so that features need no centring in prediction.

    Parameters
    ----------
    tree : LabelTree
    levels : sequence of LinearWeights
        Unchanged.
    centering : Centering or None
    precision : {"float32", "float16"}, default="float32"
        Of the weights in prediction.
    before : sequence of LinearWeights, default=None
        The weights by which the intercepts are shifted already, if they are.

    Returns
    -------
    list of LinearWeights
    """
    if centering is None:
        return list(levels)
    shifted = []
    for level, weights in enumerate(levels):
        offsets = tree.child_offsets[level]
        shifts = -_products_with_means(weights, offsets, centering, precision)
        if before is not None:
            shifts += _products_with_means(before[level], offsets, centering, precision)
        arrays = vars(weights) | {
            "intercepts": (weights.intercepts + shifts).astype(np.float32)
        }
        shifted.append(LinearWeights(**arrays))
    return shifted


def for_given_rows(levels, centering):
    """Multiply weights by the factors that features had in training.

    Parameters
    ----------
    levels : sequence of LinearWeights
        Of training. Unchanged.
    centering : Centering or None

    Returns
    -------
    list of LinearWeights
    """
    return _multiplied(levels, centering, is_inverse=False)


def for_training(levels, centering):
    """Undo `for_given_rows`, up to rounding.

    Factors that are powers of two, as those that a fit chooses, are not rounded.
    """
    return _multiplied(levels, centering, is_inverse=True)


def _multiplied(levels, centering, *, is_inverse):
    if centering is None or centering.block_weight == 1:
        return list(levels)
    multiplied = []
    for weights in levels:
        factors = centering.factors_of(weights.features)
        if is_inverse:
            factors = 1 / factors
        values = weights.weights * np.repeat(factors, np.diff(weights.run_offsets))
        multiplied.append(LinearWeights(**vars(weights) | {"weights": values}))
    return multiplied


def _products_with_means(weights, child_offsets, centering, precision):
    """Compute the product of each child's weights and the means."""
    products = np.zeros(len(weights.intercepts))
    means = centering.means_of(weights.features)
    parents = np.repeat(np.arange(weights.n_parents), np.diff(weights.posting_offsets))
    postings = np.flatnonzero(means)
    runs = Compressed(weights.run_offsets, weights.children, weights.weights, 0)
    n_blocks = 1 + int(runs.sizes[postings].sum()) // _BLOCK
    for block in np.array_split(postings, n_blocks):
        taken = runs.take(block)
        children = np.repeat(child_offsets[parents[block]], taken.sizes) + taken.indices
        terms = with_precision(taken.values, precision).astype(np.float64)
        terms *= np.repeat(means[block], taken.sizes)
        products += np.bincount(children, terms, len(products))
    return products
