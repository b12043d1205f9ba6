"""Pools of objects that one thread uses at a time."""

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

    def lend(self):
        """Lend an object to a ``with`` block; after an error it is not used again."""
        try:
            return _Loan(self._free, self._free.pop())
        except IndexError:
            return _Loan(self._free, self._make())


class _Loan:
    """A context manager, which is faster than that of a generator."""

    __slots__ = ("_free", "_one")

    def __init__(self, free, one):
        self._free = free
        self._one = one

    def __enter__(self):
        return self._one

    def __exit__(self, error, *_):
        if error is None:
            self._free.append(self._one)
