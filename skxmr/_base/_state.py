"""Fitted state as one immutable object, for use by many threads.

An estimator stores all that `fit` has learned in one attribute, ``_state``: an object
that every change replaces and none modifies. So a single reference to it is a
consistent model, whatever other threads do to the estimator:

- a *reader* (`rank`, `predict`, `search` …) reads the reference once. `reads` does this
  for a whole method, which then runs on a shallow copy of the estimator; methods that
  take microseconds call `_fitted` instead.
- a *writer* (`fit`, `update` …) is decorated with `writes`: it holds the estimator's
  lock from reading the state to assigning the next one, so that no writer overwrites
  the changes of another. An error or an interrupt before that changes nothing.
- a *merger* (`compact`) is decorated with `merges`: it makes an equivalent state, which
  takes long, without the lock. Writers go on meanwhile; what they change is recorded,
  and then changed in the new state too.
"""

import functools
import inspect
import os
import threading
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from skxmr._inputs._validation import check_is_fitted, validate_parameter_constraints
from skxmr._memory._shortage import tell_shortage

__all__ = ["Stateful", "from_state", "merges", "reads", "snapshot", "writes"]

_Method = TypeVar("_Method", bound=Callable)

_SCALARS = (int, float, str, type(None))

# Attributes of one object that are not copied.
_LOCKS = "_locks"
# What a writer has changed, for the time of the call.
_CHANGES = "_changes"
# How often a merger catches up with writers before it stops them.
_MOST_ROUNDS = 8


class Stateful:
    """An estimator whose fit assigns one object, ``_state``."""

    _state: Any

    # Parameters of prediction, which take effect without another fit; and parameters
    # that are estimators, or lists of named ones, whose fitted clones predict.
    _search_parameters: ClassVar[tuple[str, ...]] = ()
    _stage_parameters: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict]

    def _fitted(self):
        """Return the state, or raise NotFittedError."""
        try:
            return self._state
        except AttributeError:
            check_is_fitted(self)
            return self._state  # another thread has just fitted it

    def _ready(self):
        """Validate the parameters of prediction, and return the state."""
        state = self._fitted()
        self._check_search_parameters()
        return state

    def _change(self, function, *args):
        """Replace the state by a function of it.

        Parameters
        ----------
        function : callable
            Takes the state and the arguments, and returns the next state. A merger that
            runs meanwhile calls it again, with the same arguments.
        """
        self._state = function(self._fitted(), *args)
        changes = self.__dict__.setdefault(_CHANGES, [])
        changes.append(functools.partial(_changed, function, args))

    def _check_search_parameters(self):
        """Validate parameters of prediction that may have been set after fit.

        Raises
        ------
        InvalidParameterError
            It names the parameter; both a ValueError and a TypeError.
        """
        kind: Any = type(self)
        scalars: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name in kind._search_parameters:
            value = getattr(self, name)
            (scalars if isinstance(value, _SCALARS) else others)[name] = value
        _check_scalars(kind, tuple(scalars), *scalars.values())
        if others:
            _check_parameters(kind, others)

    def __sklearn_is_fitted__(self):
        return "_state" in self.__dict__

    def __copy__(self):
        return snapshot(self)

    def __getstate__(self):
        state: Any = super().__getstate__()
        state = dict(state)
        state.pop(_LOCKS, None)
        return state

    def __setstate__(self, state):
        if "_state" not in state and any(_is_fitted_name(name) for name in state):
            raise ValueError(
                f"This {type(self).__name__} was saved by a version of skxmr before "
                f"its first release, which this one does not read; fit it again."
            )
        with _writers_lock(self):
            # Parameters that did not exist when the estimator was saved.
            super().__setstate__(_defaults(type(self)) | state)  # type: ignore[misc]


def _changed(function, args, state):
    return function(state, *args)


@functools.lru_cache(maxsize=1024, typed=True)
def _check_scalars(kind, names, *values):
    """Validate parameters of prediction; the result is cached for valid ones."""
    _check_parameters(kind, dict(zip(names, values, strict=True)))


def _check_parameters(kind, parameters):
    validate_parameter_constraints(
        {name: kind._parameter_constraints[name] for name in parameters},
        parameters,
        kind.__name__,
    )


def _defaults(kind):
    """Return the parameters of an estimator that have a default."""
    given = inspect.signature(kind).parameters.values()
    return {one.name: one.default for one in given if one.default is not one.empty}


def _is_fitted_name(name):
    return name.endswith("_") and not name.startswith("_")


def snapshot(estimator):
    """Copy the parameters and the state of an estimator at one time, not its locks.

    Parameters
    ----------
    estimator : estimator
        Its attributes are shared, not copied.

    Returns
    -------
    estimator
    """
    copied = object.__new__(type(estimator))
    attributes = estimator.__dict__.copy()  # atomic with respect to other threads
    attributes.pop(_LOCKS, None)
    copied.__dict__.update(attributes)
    return copied


def reads(method: _Method) -> _Method:
    """Run a method on a snapshot of its estimator, which no other thread changes.

    Parameters
    ----------
    method : function
        It must not change the estimator.

    Returns
    -------
    function
    """

    @functools.wraps(method)
    def reading(self, *args, **kwargs):
        try:
            return method(snapshot(self), *args, **kwargs)
        except (MemoryError, OSError, RuntimeError) as error:
            tell_shortage(error, f"{type(self).__name__}.{method.__name__}")
            raise

    reading.__reads__ = True  # type: ignore[attr-defined]
    return reading  # type: ignore[return-value]


def writes(method: _Method) -> _Method:
    """Make the changes of a method to the state of its estimator atomic.

    It runs on a snapshot, so that parameters that are set meanwhile apply to the next
    fit, and with the estimator's lock, so that writers run one after another.

    Parameters
    ----------
    method : function
        It assigns to ``_state``, and changes nothing else.

    Returns
    -------
    function
    """

    @functools.wraps(method)
    def writing(self, *args, **kwargs):
        with _writers_lock(self):
            changed = snapshot(self)
            try:
                result = method(changed, *args, **kwargs)
            except (MemoryError, OSError, RuntimeError) as error:
                tell_shortage(error, f"{type(self).__name__}.{method.__name__}")
                raise
            changes = changed.__dict__.pop(_CHANGES, [None])
            _record(self, changes, changed._state)
            self._state = changed._state  # the last, as an interrupt changes nothing
        return self if result is changed else result

    writing.__writes__ = True  # type: ignore[attr-defined]
    return writing  # type: ignore[return-value]


def merges(method: _Method) -> _Method:
    """Replace the state by an equivalent one, without stopping writers for long.

    The method runs on a snapshot, without the estimator's lock. What others change
    meanwhile is changed in its state too, before that becomes the state; the last
    changes with the lock. After a fit meanwhile, its state is dropped.

    Parameters
    ----------
    method : function
        It takes no arguments, and assigns to ``_state`` an object that gives the same
        results, also after further changes.

    Returns
    -------
    function
    """

    @functools.wraps(method)
    def merging(self):
        with _lock_of(self, "merging"):
            with _writers_lock(self):
                merged = snapshot(self)
                log: list = []
                _locks_of(self)[_log_name()] = log
            try:
                method(merged)
                _catch_up(self, merged._state, log)
            except (MemoryError, OSError, RuntimeError) as error:
                tell_shortage(error, f"{type(self).__name__}.{method.__name__}")
                raise
            finally:
                _locks_of(self).pop(_log_name(), None)
        return self

    merging.__writes__ = True  # type: ignore[attr-defined]
    return merging  # type: ignore[return-value]


def _catch_up(estimator, state, log):
    """Change a merged state as its estimator was changed, and let it replace that's."""
    done = 0
    for _ in range(_MOST_ROUNDS):
        n_changes = len(log)
        if n_changes == done:
            break
        state = _repeated(log[done:n_changes], state)
        done = n_changes
    with _writers_lock(estimator):
        state = _repeated(log[done:], state)
        is_last = not log or log[-1][1] is estimator._state
        if state is not None and is_last:
            estimator._state = state


def _repeated(entries, state):
    """Change a state as writers have changed another one; None if that is not possible.

    A fit makes a state that does not depend on the one before.
    """
    for changes, _ in entries:
        for change in changes:
            if state is None or change is None:
                return None
            state = change(state)
    return state


def _record(estimator, changes, state):
    """Record changes, and the state that they make, for a merger, if one runs."""
    log = _locks_of(estimator).get(_log_name())
    if log is None:
        return
    if log and log[-1][1] is not estimator._state:
        changes = [None]  # the writer before was interrupted
    if state is not estimator.__dict__.get("_state"):
        log.append((changes, state))


def _log_name():
    # As for locks: a merger runs in one process.
    return "changes", os.getpid()


def _locks_of(estimator):
    return estimator.__dict__.setdefault(_LOCKS, {})


def _lock_of(estimator, name):
    return _locks_of(estimator).setdefault((name, os.getpid()), threading.RLock())


def _writers_lock(estimator):
    """Return the lock that writers of this estimator hold.

    There is one per process: a process that was forked while another thread held the
    lock would wait for it forever.
    """
    return _lock_of(estimator, "writing")


def from_state(name: str, doc: str, *, optional: bool = False) -> Any:
    """Make a property that reads an attribute of the state.

    Parameters
    ----------
    name : str
        Name of the attribute.
    doc : str
        Its docstring.
    optional : bool, default=False
        Whether the attribute does not exist if it is None.

    Returns
    -------
    property
        It raises NotFittedError, which is also an AttributeError, before fit.
    """

    def read(self):
        value = getattr(self._fitted(), name)
        if value is None and optional:
            raise AttributeError(f"{type(self).__name__} was fitted without {name}.")
        return value

    return property(read, doc=doc)
