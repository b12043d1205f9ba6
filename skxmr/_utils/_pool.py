"""Pools of objects that one thread uses at a time."""

from contextlib import contextmanager

__all__ = ["Pool"]


class Pool:
    """Objects with buffers, as many as are in use at a time.

    Parameters
    ----------
    make : callable
        Makes one.
    """

    def __init__(self, make):
        self._make = make
        self._free = []

    @contextmanager
    def lend(self):
        """Lend an object; after an error it is not used again."""
        try:
            one = self._free.pop()
        except IndexError:
            one = self._make()
        yield one
        self._free.append(one)
