"""The fitted state of a `RankFusion`."""

from dataclasses import dataclass

import numpy as np

from skxmr._targets import ClassTarget, IndicatorTarget
from skxmr._utils._loaded_state import refuse
from skxmr.rankers._fusion_weights import LearnedWeights

__all__ = ["FusionState"]


@dataclass(frozen=True)
class FusionState:
    """The fitted state of a `RankFusion`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    classes : ndarray of shape (n_labels,)
    members : dict of str to FittedClone
        The estimators by name, in their order.
    is_learned : bool
        Whether the weights were to be learned.
    learned : LearnedWeights or None
        None if there were too few rows.
    """

    target: IndicatorTarget | ClassTarget
    classes: np.ndarray
    members: dict
    is_learned: bool = False
    learned: LearnedWeights | None = None

    @property
    def named_estimators(self):
        """The fitted estimators by name."""
        return {name: member.estimator for name, member in self.members.items()}

    @property
    def estimators(self):
        """The fitted estimators."""
        return list(self.named_estimators.values())

    def check(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        n_labels = len(self.classes)
        members = [one.classes_ for one in self.estimators if hasattr(one, "classes_")]
        if self.target.n_labels != n_labels or any(
            len(classes) != n_labels for classes in members
        ):
            refuse("RankFusion.classes_", "has other labels than its estimators")
        if self.learned is not None:
            self.learned.check(len(self.members))
