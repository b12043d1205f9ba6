"""Work that makes more work, done by threads: the largest piece first.

Whoever has nothing to do joins the loops of the others.
"""

import heapq
import threading
from itertools import count

__all__ = ["Work"]

# Seconds after which whoever waits for work looks up.
_PATIENCE = 0.1


class Work:
    """Pieces of work, calls without arguments, for `run_tasks`.

    A piece may add others. Give `do` as the function and the object as the tasks.

    Parameters
    ----------
    n_threads : int, default=1
        How many threads take pieces. One does its loops alone.
    """

    def __init__(self, n_threads=1):
        self.n_threads = n_threads
        self._pieces: list[tuple] = []  # (-size, number, piece), a heap
        self._numbers = count()
        self._n_running = 0
        self._changed = threading.Condition()

    def add(self, size, piece):
        """Add a piece; of the same size, those that came first go first."""
        with self._changed:
            heapq.heappush(self._pieces, (-size, next(self._numbers), piece))
            self._changed.notify()

    def __iter__(self):
        """Hand out pieces until there are none and none can come."""
        while True:
            with self._changed:
                if not self._pieces and self._n_running:
                    self._changed.wait(_PATIENCE)
                if self._pieces:
                    _, _, piece = heapq.heappop(self._pieces)
                elif self._n_running:
                    # Nobody may want the results any more: that shows between pieces.
                    piece = _do_nothing
                else:
                    return
                self._n_running += 1
            yield piece

    def do(self, piece):
        """Do a piece that was handed out."""
        try:
            piece()
        finally:
            with self._changed:
                self._n_running -= 1
                self._changed.notify()

    def do_each(self, function, parts):
        """Call a function on each part, in any order, with the help of who is free."""
        loop = _Loop(function, parts)
        self._ask_for_help(loop)
        loop.run()
        loop.wait()

    def _ask_for_help(self, loop):
        """Let somebody join; not while there is other work, which needs no help."""
        if self.n_threads > 1 and loop.is_long and not self._pieces:
            self.add(float("inf"), lambda: self._help(loop))

    def _help(self, loop):
        self._ask_for_help(loop)
        loop.run()


def _do_nothing():
    pass


class _Loop:
    """Parts of which each is taken by one of several threads."""

    def __init__(self, function, parts):
        self._function = function
        self._parts = list(parts)[::-1]
        self._n_unfinished = len(self._parts)
        self._errors: list[BaseException] = []
        self._finished = threading.Condition()

    @property
    def is_long(self):
        """Whether there is more left than one takes."""
        return len(self._parts) > 1

    def run(self):
        """Do parts until none is left to take."""
        while True:
            try:
                part = self._parts.pop()  # which no other thread gets
            except IndexError:
                return
            self._do(part)

    def _do(self, part):
        try:
            self._function(part)
        except BaseException as error:  # noqa: BLE001 - raised by who waits
            self._errors.append(error)
        with self._finished:
            self._n_unfinished -= 1
            self._finished.notify()

    def wait(self):
        """Wait for the parts that others have taken."""
        with self._finished:
            self._finished.wait_for(lambda: not self._n_unfinished)
        if self._errors:
            raise self._errors[0]
