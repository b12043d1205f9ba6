"""The weight of dense features beside sparse ones, chosen by held-out rows."""

import numpy as np

from skxmr._utils._dense import DenseRows
from skxmr.linear._choice import best_scores

__all__ = ["choose_block_weight", "resolve_block_weight"]

# Powers of two: multiplying by them does not round.
_EXPONENTS = range(-5, 4)


def resolve_block_weight(classifier, X, centering, make_ranking):
    """Return the factor of dense features in training.

    Parameters
    ----------
    classifier : XRLinearClassifier
    X : Compressed or DenseRows, a vector for each row
    centering : Centering or None
    make_ranking : callable
        Returns a `HeldOutRanking`, or None.

    Returns
    -------
    float
        1 if all features are of one kind.
    """
    if not _has_blocks(X, centering):
        return 1.0
    if classifier.block_weights == "fit":
        return choose_block_weight(make_ranking(), classifier.prior_weight)
    return float(classifier.block_weights)


def _has_blocks(X, centering):
    """Return whether some of the features that occur are dense, and others are not."""
    if centering is None:
        return False
    if isinstance(X, DenseRows):
        return len(centering.features) < X.length
    return bool((~np.isin(X.indices, centering.features)).any())


def choose_block_weight(ranking, prior_weight):
    """Choose the weight with which held-out rows are ranked best.

    The weight is halved or doubled, from 1 on and down to 1/32 or up to 8, as long as
    that is better; each time, another tree is built.

    Parameters
    ----------
    ranking : HeldOutRanking or None
    prior_weight : float or "fit"
        1 stands for "fit".

    Returns
    -------
    float
        The weight with the largest mean reciprocal rank of the first positive label
        among ten, if it is larger than that of 1 by more than two standard errors
        of the difference. 1 without held-out rows.
    """
    if ranking is None:
        return 1.0
    prior_weight = 1.0 if prior_weight == "fit" else prior_weight
    tried = {}

    def score(exponent):
        if exponent not in _EXPONENTS:
            return -np.inf
        if exponent not in tried:
            weights = {"block_weights": 2.0**exponent, "prior_weight": prior_weight}
            tried[exponent] = ranking.scores(**weights)[0]
        return tried[exponent].mean()

    best = 0
    step = -1 if score(-1) > score(1) else 1
    while score(best + step) > score(best):
        best += step
    scores = np.array([tried[0], tried[best]])
    return 2.0**best if best_scores(scores) else 1.0
