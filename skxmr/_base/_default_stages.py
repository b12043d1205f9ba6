"""Parameters for which None stands for a default estimator.

Such a parameter stays None in ``repr``, in clones and in ``get_params(deep=False)``.
The parameters of the default can still be listed and set:
``TextRetriever().set_params(classifier__C=2)`` replaces None by a new default and sets
its `C`. So grids can tune the stages of an estimator with defaults.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Self

from sklearn.base import clone

__all__ = ["DefaultStages", "is_shared_default", "shared_default"]

# The results of `shared_default`, and their stages, which are never released.
_SHARED: set[int] = set()


class DefaultStages:
    """An estimator with parameters that are estimators, or None for a default one.

    Subclasses define in ``_default_stages`` how to make the default of each, and in
    ``_hands_on`` which of `random_state`, `n_jobs` and `verbose` their fit passes on to
    stages that leave them open.
    """

    _default_stages: ClassVar[dict[str, Callable[[], Any]]] = {}
    _hands_on: ClassVar[tuple[str, ...]] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of this estimator and of its stages.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of stages, ``stage__parameter``; for a
            stage that is None, those of its default estimator.

        Returns
        -------
        dict
        """
        parameters: dict = super().get_params(deep=False)  # type: ignore[misc]
        if not deep:
            return parameters
        # In scikit-learn's order.
        all_parameters: dict = {}
        for name, value in parameters.items():
            stage = value
            if value is None and name in self._default_stages:
                stage = self._default_stages[name]()
            if hasattr(stage, "get_params") and not isinstance(stage, type):
                nested = stage.get_params().items()
                all_parameters.update((f"{name}__{key}", one) for key, one in nested)
            all_parameters[name] = value
        return all_parameters

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters of this estimator and of its stages.

        Parameters
        ----------
        **parameters : dict
            Parameters by name, ``stage__parameter`` for those of a stage. A stage that
            is None is replaced by a new default estimator with the parameter.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter does not exist.
        """
        for name, make in self._default_stages.items():
            nested = [key for key in parameters if key.startswith(f"{name}__")]
            if nested and parameters.get(name, getattr(self, name)) is None:
                stage = make()
                stage.set_params(
                    **{key.removeprefix(f"{name}__"): parameters[key] for key in nested}
                )
                for key in nested:
                    del parameters[key]
                parameters[name] = stage
        return super().set_params(**parameters)  # type: ignore[misc]

    def _get_params_html(self, deep: bool = True, *others: Any, **named: Any) -> Any:
        """Get the parameters that an HTML display shows; not those of defaults.

        `deep` is True if no stage is given. Other arguments depend on the version of
        scikit-learn.
        """
        del deep
        show: Any = super()._get_params_html  # type: ignore[misc]
        return show(False, *others, **named)

    def _clone_stage(self, name: str) -> Any:
        """Clone a stage or its default."""
        stage = getattr(self, name)
        return self._default_stages[name]() if stage is None else clone(stage)

    def _stage_or_default(self, name: str) -> Any:
        """Return a stage, or a default that must not be modified."""
        stage = getattr(self, name)
        return _make_once(self._default_stages[name]) if stage is None else stage


def shared_default(kind: type, name: str) -> Any:
    """Return the default of a parameter, shared by all: it must not be modified.

    Parameters
    ----------
    kind : type
        The class of the estimator.
    name : str
        The name of the parameter.

    Returns
    -------
    estimator or None
        None if the parameter has no default.
    """
    make = getattr(kind, "_default_stages", {}).get(name)
    return None if make is None else _make_once(make)


@functools.cache
def _make_once(make):
    default = make()
    parts = [one for one in default.get_params().values() if hasattr(one, "get_params")]
    _SHARED.update(map(id, [default, *parts]))
    return default


def is_shared_default(estimator: Any) -> bool:
    """Return whether an estimator is a shared default, or a stage of one.

    Parameters
    ----------
    estimator : estimator
    """
    return id(estimator) in _SHARED
