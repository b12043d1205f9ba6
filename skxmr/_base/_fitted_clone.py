"""Fitted clones that follow later changes of the parameters they were cloned from.

An estimator with nested estimators fits clones of them.
``set_params(classifier__beam_width=50)``, or ``retriever.classifier.beam_width = 50``,
then changes the parameter and not its clone. Parameters of prediction must still take
effect: each class declares them as ``_search_parameters``, and prediction calls
`FittedClone.following`. All other parameters take effect at the next fit.

If the `n_jobs` of a parameter is None, that of the outer estimator is used, also if the
parameter itself is None and stands for a default estimator. Apart from that, a default
has no changed parameters: a saved model keeps its predictions if the defaults change.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from skxmr._base._default_stages import is_shared_default, shared_default
from skxmr._base._state import Stateful, snapshot

__all__ = ["FittedClone", "children", "detached"]

# scikit-learn's estimators that are fitted in place, with their nested ones.
_LISTS = {Pipeline: ("steps",), FeatureUnion: ("transformer_list",)}
# Their parameters of prediction.
_SEARCHED = {FeatureUnion: ("n_jobs",)}

# Parameters that a default estimator leaves open.
_OPEN = {"n_jobs": None}


class FittedClone:
    """A fitted clone of a parameter, and the values of its parameters of prediction.

    Parameters
    ----------
    estimator : estimator
        The fitted clone.
    given : dict of str to object
        The values of the parameters of prediction in fit, including nested ones. A
        different value means that the parameter was set later.
    is_flat : bool
        Whether none of them is nested.
    """

    def __init__(self, estimator, given, is_flat):
        self.estimator = estimator
        self.given = given
        self.is_flat = is_flat

    @classmethod
    def of(cls, estimator: Any):
        """Record the parameters with which a clone was fitted."""
        is_flat = not any(True for _ in children(estimator))
        return cls(estimator, dict(_settings(estimator)), is_flat)

    def like(self, estimator: Any):
        """Return the same for another clone of the same parameter."""
        return type(self)(estimator, self.given, self.is_flat)

    def following(self, parameter: Any, n_jobs: int | None = None) -> Any:
        """Return the clone with the current parameters of prediction.

        Parameters
        ----------
        parameter : estimator or None
            The estimator that was cloned, with its current parameters.
        n_jobs : int or None, default=None
            Replaces each `n_jobs` of the parameter that is None.

        Returns
        -------
        estimator
            The clone itself if nothing was set, or if the parameter now has another
            class; otherwise a copy that shares the fitted state.
        """
        estimator, given = self.estimator, self.given
        if type(parameter) is not type(estimator) or parameter is estimator:
            return estimator
        if not given:
            return estimator
        if not self.is_flat:
            now = _Now(given, n_jobs)
            if _are_set(estimator, parameter, now):
                return _with_settings(estimator, parameter, now)
            return estimator
        # Part of each search, which takes microseconds.
        values = _values(parameter)
        for name, before in given.items():
            value = values.get(name, before)
            if value is None and name == "n_jobs":
                value = n_jobs
            if value is not before and not _are_same(value, before):
                return _with_own_settings(estimator, values, _Now(given, n_jobs))
        return estimator


def detached(estimator: Any) -> Any:
    """Copy a fitted estimator of the user, so that later fits do not affect the copy.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, or a pipeline or union that contains some.

    Returns
    -------
    estimator
        It shares the fitted state. Any other estimator is returned itself.
    """
    if isinstance(estimator, Stateful):
        return snapshot(estimator)
    if type(estimator) not in _LISTS:
        return estimator
    copied = snapshot(estimator)
    for name in _LISTS[type(estimator)]:
        steps = [(of, detached(step)) for of, step in _stage(estimator, name)]
        copied.__dict__[name] = steps
    return copied


def _settings(estimator, prefix=""):
    """Yield the names and values of all parameters of prediction."""
    for name in _names_of_settings(type(estimator)):
        yield prefix + name, vars(estimator)[name]
    for name, child in children(estimator):
        yield from _settings(child, f"{prefix}{name}__")


class _Now(NamedTuple):
    """The values with which parameters of nested estimators are compared.

    Parameters
    ----------
    given : dict of str to object
        Of the outermost estimator.
    n_jobs : int or None
        Replaces `n_jobs` that are None.
    prefix : str
        The prefix of the nested estimator's parameters in `given`.
    """

    given: dict
    n_jobs: int | None = None
    prefix: str = ""

    def of_stage(self, kind, name):
        """Return the same for a stage of an estimator of a given class."""
        is_handed_on = "n_jobs" in getattr(kind, "_hands_on", ())
        n_jobs = None if is_handed_on else self.n_jobs
        return _Now(self.given, n_jobs, f"{self.prefix}{name}__")

    def changed(self, kind, values):
        """List the parameters whose value differs from the one in fit."""
        changed = []
        for name in _names_of_settings(kind):
            if name not in values or self.prefix + name not in self.given:
                continue
            value, before = values[name], self.given[self.prefix + name]
            if value is None and name == "n_jobs":
                value = self.n_jobs
            if value is not before and not _are_same(value, before):
                changed.append((name, value))
        return changed


def _are_set(estimator, parameter, now):
    """Return whether a parameter of prediction differs from its value in fit."""
    kind = type(estimator)
    if now.changed(kind, _values(parameter)):
        return True
    if not _names_of_stages(kind):
        return False
    return any(
        _are_set(child, its_parameter, now.of_stage(kind, name))
        for name, child, its_parameter in _pairs(estimator, parameter)
    )


def _values(parameter):
    """Return the parameters that may have been set.

    For a default estimator, this is only `n_jobs`.
    """
    return _OPEN if is_shared_default(parameter) else parameter.__dict__


def _with_settings(estimator, parameter, now):
    """Copy an estimator with the parameters of prediction that were set."""
    kind = type(estimator)
    copied = _with_own_settings(estimator, _values(parameter), now)
    changed = {
        name: _with_settings(child, its_parameter, now.of_stage(kind, name))
        for name, child, its_parameter in _pairs(estimator, parameter)
    }
    for name in _names_of_stages(kind):
        stage = _stage(copied, name)
        if isinstance(stage, list):
            stage = [(of, changed.get(of, one)) for of, one in stage]
        else:
            stage = changed.get(name, stage)
        copied.__dict__[name] = stage
    return copied


def _with_own_settings(estimator, values, now):
    """Copy an estimator with those that are not nested."""
    copied = snapshot(estimator)
    copied.__dict__.update(now.changed(type(estimator), values))
    return copied


def _stage(estimator, name):
    """Return a parameter that is an estimator, or a list of named ones."""
    return estimator.__dict__.get(name)


def _pairs(estimator, parameter):
    """Yield the named children that both have, of the same class."""
    now = dict(children(parameter))
    for name, child in children(estimator):
        if name in now and type(now[name]) is type(child):
            yield name, child, now[name]


def children(estimator):
    """Yield the nested estimators of an estimator with their names.

    For None, the default that it stands for, which must not be modified. Invalid values
    raise an error in the next fit.

    Parameters
    ----------
    estimator : estimator

    Yields
    ------
    (str, estimator)
    """
    for name in _names_of_stages(type(estimator)):
        stage = _stage(estimator, name)
        if stage is None:
            stage = shared_default(type(estimator), name)
        pairs = stage if isinstance(stage, list) else [(name, stage)]
        for pair in pairs:
            is_pair = isinstance(pair, tuple) and len(pair) == 2
            if is_pair and hasattr(pair[1], "get_params"):
                yield pair


def _names_of_settings(kind):
    return getattr(kind, "_search_parameters", None) or _SEARCHED.get(kind, ())


def _names_of_stages(kind):
    return getattr(kind, "_stage_parameters", None) or _LISTS.get(kind, ())


def _are_same(one, other):
    """Compare parameters; values that cannot be compared are different."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, (int, float, str)):
        return one == other
    if isinstance(one, (list, tuple, np.ndarray)):
        return np.array_equal(one, other)
    return False
