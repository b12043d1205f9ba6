"""Half-precision numbers."""

import numpy as np

__all__ = ["without_subnormals"]

_LEAST = 2.0**-14


def without_subnormals(values):
    """Replace what is not a normal number in half precision by 0.

    Some processes flush subnormal numbers to 0, and results must not depend on it.

    Parameters
    ----------
    values : ndarray of float

    Returns
    -------
    ndarray
    """
    return np.where(np.abs(values) < _LEAST, 0, values)
