"""The parameters of the solver."""

from dataclasses import dataclass

import numpy as np

__all__ = ["SolverParameters"]


@dataclass(frozen=True)
class SolverParameters:
    """What the solver minimises for each child, and when it stops.

    The objective is ``|w - m|^2 / 2 + sum_i cost_i * loss(y_i * (w.x_i + b))``. As in
    liblinear, the intercept b is the weight of a constant feature, and regularized.

    Parameters
    ----------
    loss : {"squared_hinge", "hinge", "log_loss"}
    positive_cost, negative_cost : float
        C times the weight of positive or of negative rows.
    bias : float
        Value of the constant feature of the intercept; 0 for no intercept.
    tol : float
        Sweeps end when the largest and the smallest violation in a sweep differ by at
        most this, or when a sweep contributes at most (tol / 2)^2 of the decrease of
        the objective so far.
    max_iter : int
        The maximum number of sweeps over the rows.
    weight_floor : float
        Weights of a smaller magnitude are not returned.
    seed : int
        Of the random orders of rows. The seed of each parent is derived from it.
    prior_length : float, default=0.0
        Length of the prior mean m, which has the direction of the weighted sum of the
        rows in `LevelTargets.priors`.
    floor_unit : {"absolute", "relative"}, default="absolute"
        "relative": `weight_floor` is a share of the largest magnitude among the weights
        of the same child.
    unit_weight : float, default=inf
        Upper limit of that magnitude.
    n_training_rows : int, default=None
        Only rows with a smaller index are trained on; others are in prior means only,
        which have the length of the weighted sum then, and no node is constant. None
        trains on all rows.
    keeps_duals : bool, default=False
        Whether the dual variables are returned, from which a later fit can start.
    """

    loss: str
    positive_cost: float
    negative_cost: float
    bias: float
    tol: float
    max_iter: int
    weight_floor: float
    seed: int
    prior_length: float = 0.0
    floor_unit: str = "absolute"
    unit_weight: float = np.inf
    n_training_rows: int | None = None
    keeps_duals: bool = False
