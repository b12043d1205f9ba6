"""What fit learns, as one object that never changes, for many threads at once.

An estimator keeps all that `fit` has learned in one attribute, ``_state``: an object
that is made anew by each change and never altered. So whoever takes one reference to it
has a whole model, whatever other threads do to the estimator meanwhile:

- a *reader* (`rank`, `predict`, `search` …) takes the reference once. `reads` does it
  for a whole method, which then runs on a shallow copy of the estimator; methods that
  answer in microseconds call `_fitted` instead.
- a *writer* (`fit`, `update` …) is decorated by `writes`: it holds the estimator's lock
  from its first look at the state to the assignment of the next one, so that no writer
  loses what another has written. An error or Ctrl-C before that changes nothing.
"""

import functools
import inspect
import os
import threading
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from skxmr._shortage import tell_shortage
from skxmr._validation import check_is_fitted, validate_parameter_constraints

__all__ = ["Stateful", "from_state", "reads", "snapshot", "writes"]

_Method = TypeVar("_Method", bound=Callable)

_SCALARS = (int, float, str, type(None))

# What belongs to one object and is in none of its copies.
_LOCKS = "_locks"


class Stateful:
    """An estimator whose fit learns one object, ``_state``."""

    _state: Any

    # Parameters that prediction reads, so that they act without another fit; and
    # those that are estimators, or lists of named ones, whose fitted clones predict.
    _search_parameters: ClassVar[tuple[str, ...]] = ()
    _stage_parameters: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict]

    def _fitted(self):
        """Give the state, or raise NotFittedError."""
        try:
            return self._state
        except AttributeError:
            check_is_fitted(self)
            return self._state  # another thread has just fitted it

    def _ready(self):
        """Give the state, once the parameters of prediction are known to be sound."""
        state = self._fitted()
        self._check_search_parameters()
        return state

    def _check_search_parameters(self):
        """Refuse parameters of prediction that were set to nonsense after fit.

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
            # Parameters that there were not yet when the estimator was saved.
            super().__setstate__(_defaults(type(self)) | state)  # type: ignore[misc]


@functools.lru_cache(maxsize=1024, typed=True)
def _check_parameters(kind, *values):
    """Check parameters of prediction; those that were sound are so the next time."""
    names = kind._search_parameters
    validate_parameter_constraints(
        {name: kind._parameter_constraints[name] for name in names},
        dict(zip(names, values, strict=True)),
        kind.__name__,
    )


def _defaults(kind):
    """Give the parameters of an estimator that have a default."""
    given = inspect.signature(kind).parameters.values()
    return {one.name: one.default for one in given if one.default is not one.empty}


def _is_fitted_name(name):
    return name.endswith("_") and not name.startswith("_")


def snapshot(estimator):
    """Copy an estimator as it is at one moment: parameters and state, not its locks.

    Parameters
    ----------
    estimator : estimator
        Its attributes are shared, not copied.

    Returns
    -------
    estimator
    """
    copied = object.__new__(type(estimator))
    attributes = estimator.__dict__.copy()  # one step for other threads
    attributes.pop(_LOCKS, None)
    copied.__dict__.update(attributes)
    return copied


def reads(method: _Method) -> _Method:
    """Let a method run on a snapshot of its estimator, which no other thread changes.

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
    """Let a method change the state of its estimator in one step, or not at all.

    It runs on a snapshot, so that parameters set meanwhile are those of the next fit,
    and with the estimator's lock, so that one writer comes after another.

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
    """Give the lock that whoever changes this estimator holds.

    There is one for each process: a process that was forked while another thread held
    the lock would wait for it forever.
    """
    locks = estimator.__dict__.setdefault(_LOCKS, {})
    return locks.setdefault(os.getpid(), threading.RLock())


def from_state(name: str, doc: str, *, optional: bool = False) -> Any:
    """Make a property that reads an attribute of the state.

    Parameters
    ----------
    name : str
        Of the attribute.
    doc : str
        What it is.
    optional : bool, default=False
        Whether None stands for no such attribute.

    Returns
    -------
    property
        It raises NotFittedError before fit, which is an AttributeError too.
    """

    def read(self):
        value = getattr(self._fitted(), name)
        if value is None and optional:
            raise AttributeError(f"{type(self).__name__} was fitted without {name}.")
        return value

    return property(read, doc=doc)
