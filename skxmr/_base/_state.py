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
"""

import functools
import inspect
import os
import threading
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from skxmr._inputs._validation import check_is_fitted, validate_parameter_constraints
from skxmr._memory._shortage import tell_shortage

__all__ = ["Stateful", "from_state", "reads", "snapshot", "writes"]

_Method = TypeVar("_Method", bound=Callable)

_SCALARS = (int, float, str, type(None))

# Attributes of one object that are not copied.
_LOCKS = "_locks"


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

    def _check_search_parameters(self):
        """Validate parameters of prediction that may have been set after fit.

        Raises
        ------
        InvalidParameterError
            It names the parameter; both a ValueError and a TypeError.
        """
        kind: Any = type(self)
        values = [getattr(self, name) for name in kind._search_parameters]
        if all(isinstance(value, _SCALARS) for value in values):
            _check_parameters(kind, *values)
        else:
            _check_parameters.__wrapped__(kind, *values)

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


@functools.lru_cache(maxsize=1024, typed=True)
def _check_parameters(kind, *values):
    """Validate parameters of prediction; the result is cached for valid ones."""
    names = kind._search_parameters
    validate_parameter_constraints(
        {name: kind._parameter_constraints[name] for name in names},
        dict(zip(names, values, strict=True)),
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
            self._state = changed._state
        return self if result is changed else result

    writing.__writes__ = True  # type: ignore[attr-defined]
    return writing  # type: ignore[return-value]


def _writers_lock(estimator):
    """Return the lock that writers of this estimator hold.

    There is one per process: a process that was forked while another thread held the
    lock would wait for it forever.
    """
    locks = estimator.__dict__.setdefault(_LOCKS, {})
    return locks.setdefault(os.getpid(), threading.RLock())


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
