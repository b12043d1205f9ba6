"""Resident memory of this process, in bytes, and its peak."""

import ctypes
import gc
import resource
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def _status(field):
    for line in STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def resident():
    """Return the resident bytes, or their peak on systems without /proc."""
    if STATUS.exists():
        return _status("VmRSS:")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def settle():
    """Return freed memory to the system, and return `resident`.

    Otherwise a model may be loaded into free memory of the heap, and not be counted.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl has no malloc_trim
            ctypes.CDLL(None).malloc_trim(0)
    return resident()


class Peak:
    """Context manager that measures the peak of `resident` within it.

    It resets and reads the peak of the kernel if possible; otherwise a thread samples
    every few milliseconds.
    """

    def __enter__(self):
        self.before = settle()
        self.bytes = self.before
        try:
            CLEAR.write_text("5")
            self._sampler = None
        except OSError:
            self._done = threading.Event()
            self._sampler = threading.Thread(target=self._sample, daemon=True)
            self._sampler.start()
        return self

    def _sample(self):
        while not self._done.is_set():
            self.bytes = max(self.bytes, resident())
            time.sleep(0.002)

    def __exit__(self, *exception):
        if self._sampler is None:
            self.bytes = _status("VmHWM:")
        else:
            self._done.set()
            self._sampler.join()

    @property
    def added(self):
        """Return the peak minus what was resident before."""
        return max(0, self.bytes - self.before)
