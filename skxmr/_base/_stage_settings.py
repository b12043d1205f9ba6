"""Parameters that an estimator passes on to its stages if they leave them open.

`random_state`, `n_jobs` and `verbose` of an estimator replace those of its stages that
are None (for `verbose`: 0), at any depth. The estimators that the user passed are
unchanged: their clones are modified.
"""

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

__all__ = ["with_settings"]

_MAX_INT32 = np.iinfo(np.int32).max

# Since scikit-learn 1.8 it ignores n_jobs, and warns about it.
_WITHOUT_JOBS = LogisticRegression


def with_settings(stage, *, seed=None, n_jobs=None, verbose=0):
    """Clone a stage, and set the open parameters of it and of its stages.

    Parameters that a stage passes on to its own stages (``_hands_on`` of its class) are
    not set there.

    Parameters
    ----------
    stage : estimator or None
    seed : int or None, default=None
        The `random_state` of the stage, from which those of its stages are drawn.
    n_jobs : int or None, default=None
    verbose : int, default=0

    Returns
    -------
    estimator or None
    """
    if stage is None:
        return None
    stage = clone(stage)
    if seed is not None:
        names = _left_open(stage, "random_state")
        drawn = np.random.SeedSequence(seed).generate_state(max(1, len(names)))
        seeds = dict(zip(names, (drawn % _MAX_INT32).tolist(), strict=False))
        if "random_state" in seeds:
            seeds["random_state"] = seed
        stage.set_params(**seeds)
    if n_jobs is not None:
        stage.set_params(**dict.fromkeys(_left_open(stage, "n_jobs"), n_jobs))
    if verbose:
        values = stage.get_params()
        names = _left_open(stage, "verbose")
        # Pipelines and unions, whose is True or False, print the names of their steps.
        names = [name for name in names if not isinstance(values[name], bool)]
        stage.set_params(**dict.fromkeys(names, verbose))
    return stage


def _left_open(stage, setting):
    """List the nested parameters of a given name that are None, or 0."""
    values = stage.get_params()
    names = []
    for name in sorted(values):
        *owners, last = name.split("__")
        is_open = values[name] is None or (setting == "verbose" and not values[name])
        if last != setting or not is_open:
            continue
        prefixes = ["__".join(owners[:i]) for i in range(1, len(owners) + 1)]
        path = [stage, *map(values.get, prefixes)]
        is_handed_on = any(setting in _handed_on(one) for one in path[:-1])
        has_no_use = setting == "n_jobs" and isinstance(path[-1], _WITHOUT_JOBS)
        if not is_handed_on and not has_no_use:
            names.append(name)
    return names


def _handed_on(estimator):
    return getattr(type(estimator), "_hands_on", ())
