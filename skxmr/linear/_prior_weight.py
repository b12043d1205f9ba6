"""The choice of `prior_weight` by the ranking of held-out rows."""

import numpy as np

from skxmr.linear._choice import GivenTree, best_scores

__all__ = ["choose_prior_weight"]

_CANDIDATES = (1.0, 2.0, 4.0, 8.0)


def choose_prior_weight(ranking, block_weights):
    """Choose the prior weight with which held-out rows are ranked best.

    A classifier is fitted with each weight, 1, 2, 4 and 8, in the same tree.

    Parameters
    ----------
    ranking : HeldOutRanking or None
    block_weights : float

    Returns
    -------
    float
        The weight with the largest mean reciprocal rank of the first positive label
        among ten, if it is larger than that of 1 by more than two standard errors
        of the difference. 1 without held-out rows.
    """
    if ranking is None:
        return _CANDIDATES[0]
    fixed, scores = {"block_weights": block_weights}, []
    for weight in _CANDIDATES:
        found, model = ranking.scores(prior_weight=weight, **fixed)
        fixed["indexer"] = GivenTree(model.trees_[0])
        scores.append(found)
    return _CANDIDATES[best_scores(np.array(scores))]
