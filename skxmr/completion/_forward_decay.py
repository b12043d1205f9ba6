"""Counts that lose half of their weight in a given time, without touching them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from skxmr._utils._loaded_state import refuse

__all__ = ["ForwardDecay"]

# Of what is older still, this much is left: a count is never 0.
_LEAST_EXPONENT = -1000


@dataclass(frozen=True)
class ForwardDecay:
    """Weights of counts by their time, relative to those of a fixed start.

    A count of a time t is stored multiplied by 2 ** ((t - start) / half_life). All
    stored counts are then too large by the same factor, which is that of now [1]_.

    Parameters
    ----------
    half_life : float
        In the unit of times.
    start : float
    now : float
        The newest time of any count.
    n_halvings : int, default=0
        How often all stored counts were halved, so that they do not overflow.

    References
    ----------
    .. [1] G. Cormode, V. Shkapenyuk, D. Srivastava and B. Xu, "Forward Decay: A
       Practical Time Decay Model for Streaming Systems", ICDE 2009.
    """

    half_life: float
    start: float
    now: float
    n_halvings: int = 0

    def __getstate__(self):
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def check(self, owner):
        """Raise ValueError if the values of a loaded model are not consistent."""
        times = self.half_life, self.start, self.now
        if not all(type(one) is float and np.isfinite(one) for one in times):
            refuse(f"{owner}.ages", "has a time that is not a finite float")
        if self.half_life <= 0 or type(self.n_halvings) is not int:
            refuse(f"{owner}.ages", "has an invalid half-life or number of halvings")

    def until(self, times) -> Self:
        """Return the same with the newest of some times as now, if it is later."""
        return replace(self, now=float(np.max(times, initial=self.now)))

    def weights(self, times):
        """Return what counts of some times (float64) are multiplied by."""
        age = (np.asarray(times, dtype=np.float64) - self.start) / self.half_life
        # In two factors, so that halving is exact.
        whole = np.floor(age)
        exponents = np.clip(whole - self.n_halvings, _LEAST_EXPONENT, None)
        return np.ldexp(np.exp2(age - whole), exponents.astype(np.int32))

    @cached_property
    def share(self):
        """What stored counts have to be multiplied by to be those of now."""
        return float(1 / self.weights(self.now))

    @property
    def excess(self):
        """How often stored counts can be halved until a count of now is below 2."""
        return int(np.floor((self.now - self.start) / self.half_life)) - self.n_halvings

    def halved(self, times) -> Self:
        """Return the same for stored counts that were halved several times."""
        return replace(self, n_halvings=self.n_halvings + times)
