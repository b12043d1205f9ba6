"""Arrays that grow, with memory behind what there is room for, which is looked at."""

from typing import ClassVar

import numpy as np

from skxmr._memory._growing import GrowingArray

__all__ = ["Guarded"]

SENTINEL = 77


class Guarded(GrowingArray):
    """Stands for `GrowingArray` where kernels write."""

    behind: ClassVar = []

    def _enlarge(self, length):
        before = self._buffer[: self._size]
        memory = np.full(64 * length + 4096, SENTINEL, dtype=self._buffer.dtype)
        self.behind.append(memory[length:])
        self._buffer = memory[:length]
        self._buffer[: self._size] = before

    @classmethod
    def check(cls):
        """Assert that nothing was written behind any array."""
        assert cls.behind
        while cls.behind:
            assert (cls.behind.pop() == SENTINEL).all()
