"""Parameters for which None stands for a default estimator.

Such a parameter stays None: in ``repr``, in clones and in ``get_params(deep=False)``.
Yet the default's own parameters can be listed and set, as if it had been passed:
``TextRetriever().set_params(classifier__C=2)`` puts a fresh default in the place of
None, and sets its `C`. So grids reach the stages of an estimator that is all defaults.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Self

from sklearn.base import clone

__all__ = ["DefaultStages", "is_shared_default", "shared_default"]

# Those that `shared_default` has made, and their stages. They live for ever.
_SHARED: set[int] = set()


class DefaultStages:
    """An estimator some of whose parameters are estimators or None, a default one.

    Subclasses say in ``_default_stages`` what makes the default of each, and in
    ``_hands_on`` which of `random_state`, `n_jobs` and `verbose` their fit gives to
    stages that leave them open.
    """

    _default_stages: ClassVar[dict[str, Callable[[], Any]]] = {}
    _hands_on: ClassVar[tuple[str, ...]] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of this estimator and of its stages.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of stages are wanted, ``stage__parameter``; where a stage is
            None, those of the default estimator that None stands for.

        Returns
        -------
        dict
        """
        parameters: dict = super().get_params(deep=False)  # type: ignore[misc]
        if not deep:
            return parameters
        # In the order of scikit-learn.
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
            By their names, ``stage__parameter`` for those of a stage. A stage that is
            None gives way to a new default estimator with that parameter.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter.
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

        `deep` comes as True where no stage is given. What else there is depends on the
        version of scikit-learn.
        """
        del deep
        show: Any = super()._get_params_html  # type: ignore[misc]
        return show(False, *others, **named)

    def _clone_stage(self, name: str) -> Any:
        """Clone a stage, or make its default."""
        stage = getattr(self, name)
        return self._default_stages[name]() if stage is None else clone(stage)

    def _stage_or_default(self, name: str) -> Any:
        """Give a stage, or a default that is only to be read."""
        stage = getattr(self, name)
        return _make_once(self._default_stages[name]) if stage is None else stage


def shared_default(kind: type, name: str) -> Any:
    """Give the default of a parameter, one and the same each time: not to be changed.

    Parameters
    ----------
    kind : type
        Of an estimator.
    name : str
        Of its parameter.

    Returns
    -------
    estimator or None
        None if the parameter has none.
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
    """Tell whether an estimator stands in for None, or is a stage of what does.

    Parameters
    ----------
    estimator : estimator
    """
    return id(estimator) in _SHARED
