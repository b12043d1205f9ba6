"""Insertion of items into sorted arrays."""

import numpy as np

__all__ = ["Insertion"]


class Insertion:
    """Inserts items into several arrays at the same positions.

    Parameters
    ----------
    n_items : int
        The length of the arrays.
    at : ndarray of shape (n_new,), int64
        Ascending: each is inserted before the item at this position.
    """

    def __init__(self, n_items, at):
        self.at = at + np.arange(len(at))
        self.is_old = np.ones(n_items + len(at), dtype=bool)
        self.is_old[self.at] = False

    def __call__(self, array, items):
        """Return a copy of an array with new items.

        Parameters
        ----------
        array : ndarray of shape (n_items,)
        items : ndarray of shape (n_new,)

        Returns
        -------
        ndarray of shape (n_items + n_new,)
        """
        merged = np.empty(len(self.is_old), dtype=array.dtype)
        merged[self.is_old] = array
        merged[self.at] = items
        return merged
