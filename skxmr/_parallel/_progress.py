"""Progress of a fit: a bar in a terminal, lines elsewhere, and records of a logger.

A fit says for how long its steps are shown (`showing`), and whatever it calls in the
same thread, at any depth, reports its steps (`step`) and results (`note`). Code that
reports need not know whether anything is shown.
"""

import logging
import sys
import threading
import time
from contextlib import contextmanager

__all__ = ["note", "showing", "step"]

_LOGGER = logging.getLogger("skxmr")

# Seconds between two lines, or two records, of one step.
_SECONDS_BETWEEN_LINES = 10.0
# Steps that take less time get no bar.
_SECONDS_UNTIL_BAR = 0.5

_current = threading.local()


@contextmanager
def showing(verbose):
    """Show the steps of this block, and of what it calls in the same thread.

    Steps are logged even if they are not printed. A block within another one changes
    nothing, unless only it is to be printed.

    Parameters
    ----------
    verbose : int
        Whether to print.
    """
    before = getattr(_current, "shown", None)
    is_needed = verbose or _LOGGER.isEnabledFor(logging.INFO)
    if not is_needed or (before is not None and (before.prints or not verbose)):
        yield
        return
    _current.shown = _Shown(bool(verbose))
    try:
        yield
    finally:
        _current.shown = before


@contextmanager
def step(what, total=None, unit=""):
    """Report a step, if a caller shows its progress.

    A step within another one is not reported, and neither is one of a single piece.

    Parameters
    ----------
    what : str
        Such as "training".
    total : int, default=None
        The amount of work; None if it is not known.
    unit : str, default=""
        What is counted, in the plural, such as "texts"; "" if it tells nobody anything.

    Yields
    ------
    callable
        Called with the amount of work that has been done since the last call.
    """
    shown = getattr(_current, "shown", None)
    is_single = unit and total is not None and total <= 1
    if shown is None or shown.is_in_step or is_single:
        yield _ignore
        return
    shown.is_in_step = True
    running = _Step(shown, what, total, unit)
    try:
        yield running.advance
        running.end()
    finally:
        running.close()
        shown.is_in_step = False


def note(text):
    """Report a result, if a caller shows its progress.

    Parameters
    ----------
    text : str
    """
    shown = getattr(_current, "shown", None)
    if shown is not None:
        shown.say(text)


def _ignore(n=1):
    """Report nothing."""


class _Shown:
    """Where progress is shown.

    Parameters
    ----------
    prints : bool
        Whether it is printed, and not only logged.
    """

    def __init__(self, prints):
        self.prints = prints
        self.is_in_step = False

    def say(self, text, level=logging.INFO, **fields):
        """Print a line, and log it with the given attributes of the record."""
        if self.prints:
            print(f"[skxmr] {text}", flush=True)  # noqa: T201
        _LOGGER.log(level, text, extra=fields)

    def bar(self, what, total, unit):
        """Make a progress bar; None without a terminal or without tqdm."""
        if not (self.prints and sys.stderr is not None and sys.stderr.isatty()):
            return None
        try:
            from tqdm import tqdm  # noqa: PLC0415 - optional
        except ImportError:
            return None
        return tqdm(
            desc=f"[skxmr] {what}",
            total=total,
            unit=f" {unit}" if unit else "",
            unit_scale=True,
            leave=False,  # a line with the time remains
            delay=_SECONDS_UNTIL_BAR,
            bar_format=None if unit else "{l_bar}{bar}| {elapsed}<{remaining}",
        )


class _Step:
    """A step that is running; see `step`."""

    def __init__(self, shown, what, total, unit):
        self._shown, self._what, self._total, self._unit = shown, what, total, unit
        self._start = self._last = time.perf_counter()
        self._done = 0
        self._lock = threading.Lock()  # threads that share work report it themselves
        self._bar = shown.bar(what, total, unit)

    def advance(self, n=1):
        """Count work that has been done."""
        with self._lock:
            self._done += n
            if self._bar is not None:
                self._bar.update(n)
                return
            now = time.perf_counter()
            if now - self._last >= _SECONDS_BETWEEN_LINES:
                self._last = now
                seconds = now - self._start
                left = _remaining(seconds, self._share())
                self._say(f"{self._amount()}{left}", seconds)

    def end(self):
        """Report that all is done."""
        self.close()
        seconds = time.perf_counter() - self._start
        n = self._total if self._total is not None else self._done
        amount = f": {n:,} {self._unit}" if self._unit else ""
        self._say(f"{amount} ({seconds:.1f} s)", seconds)

    def close(self):
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def _say(self, text, seconds):
        self._shown.say(
            f"{self._what}{text}",
            step=self._what,
            done=self._done,
            total=self._total,
            seconds=seconds,
        )

    def _share(self):
        return self._done / self._total if self._total else 0.0

    def _amount(self):
        of = "" if self._total is None else f" of {self._total:,}"
        amount = f" {self._done:,}{of} {self._unit}," if self._unit else ""
        share = f" {self._share():.0%}," if self._total else ""
        return f":{amount}{share}"


def _remaining(seconds, share):
    """Say how long a step has taken, and how long the rest of it probably takes."""
    left = f", about {seconds / share - seconds:.0f} s left" if share else ""
    return f" {seconds:.0f} s{left}"
