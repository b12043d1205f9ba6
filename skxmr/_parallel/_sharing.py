"""Recursive work by threads, the largest piece first.

Idle threads take part in the loops of other threads.
"""

import heapq
import threading
from itertools import count

__all__ = ["Work"]

# Timeout of waits for work in seconds.
_PATIENCE = 0.1


class Work:
    """Pieces of work, calls without arguments, for `skxmr._parallel.run_tasks`.

    A piece may add others. Pass `do` as the function and the object as the tasks.

    Parameters
    ----------
    n_threads : int, default=1
        The number of threads that take pieces. With one, loops are not shared.
    """

    def __init__(self, n_threads=1):
        self.n_threads = n_threads
        self._pieces: list[tuple] = []  # (-size, number, piece), a heap
        self._numbers = count()
        self._n_running = 0
        self._changed = threading.Condition()

    def add(self, size, piece):
        """Add a piece; those of equal size are taken in the order of addition."""
        with self._changed:
            heapq.heappush(self._pieces, (-size, next(self._numbers), piece))
            self._changed.notify()

    def __iter__(self):
        """Yield pieces until there are none and none can be added."""
        while True:
            with self._changed:
                if not self._pieces and self._n_running:
                    self._changed.wait(_PATIENCE)
                if self._pieces:
                    _, _, piece = heapq.heappop(self._pieces)
                elif self._n_running:
                    # Between pieces, the caller checks whether the results are still
                    # needed.
                    piece = _do_nothing
                else:
                    return
                self._n_running += 1
            yield piece

    def do(self, piece):
        """Run a piece."""
        try:
            piece()
        finally:
            with self._changed:
                self._n_running -= 1
                self._changed.notify()

    def do_each(self, function, parts):
        """Call a function on each part, in any order, with the help of idle threads."""
        loop = _Loop(function, parts)
        self._ask_for_help(loop)
        loop.run()
        loop.wait()

    def _ask_for_help(self, loop):
        """Let an idle thread join, if there is no other work."""
        if self.n_threads > 1 and loop.is_long and not self._pieces:
            self.add(float("inf"), lambda: self._help(loop))

    def _help(self, loop):
        self._ask_for_help(loop)
        loop.run()


def _do_nothing():
    pass


class _Loop:
    """Parts that several threads take one by one."""

    def __init__(self, function, parts):
        self._function = function
        self._parts = list(parts)[::-1]
        self._n_unfinished = len(self._parts)
        self._errors: list[BaseException] = []
        self._finished = threading.Condition()

    @property
    def is_long(self):
        """Whether there is more than one part left."""
        return len(self._parts) > 1

    def run(self):
        """Run parts until none is left."""
        while True:
            try:
                part = self._parts.pop()  # atomic: no other thread gets it
            except IndexError:
                return
            self._do(part)

    def _do(self, part):
        try:
            self._function(part)
        except BaseException as error:  # noqa: BLE001 - raised by the waiting thread
            self._errors.append(error)
        with self._finished:
            self._n_unfinished -= 1
            self._finished.notify()

    def wait(self):
        """Wait for the parts that other threads have taken."""
        with self._finished:
            self._finished.wait_for(lambda: not self._n_unfinished)
        if self._errors:
            raise self._errors[0]
