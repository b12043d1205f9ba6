"""Ends long loops early: after Ctrl-C, or when the task is cancelled.

Python's signal handlers run only with the GIL, which kernels do not hold. Long loops
therefore count their work. Every few milliseconds of it, `must_end` checks the stop
flag of the task and, in the main thread, runs the handlers. An exception that they
raise stays set: the kernel returns, and calls `raise_ended` with the GIL held.
"""

from cpython.exc cimport PyErr_Occurred
from libc.stdint cimport int64_t, uint8_t

cdef extern from "Python.h":
    int run_handlers "PyErr_CheckSignals"() noexcept

cdef enum:
    WATCH_WORK = 1 << 22  # entries or bytes between two checks


cdef struct Watch:
    const uint8_t* stop   # not 0 when the task is cancelled; or NULL
    int64_t work          # since the last check
    bint ended


cdef inline Watch watch_for(const uint8_t[::1] stop) noexcept:
    """Watch a flag of shape (1,), or signals alone if it is None."""
    cdef Watch watch
    watch.stop = NULL
    if stop is not None and stop.shape[0]:
        watch.stop = &stop[0]
    watch.work = 0
    watch.ended = False
    return watch


cdef inline bint must_end(Watch* watch, int64_t work) noexcept nogil:
    """Count some work; return whether to stop."""
    watch.work += work
    if watch.work >= WATCH_WORK:
        check(watch)
    return watch.ended


cdef inline void check(Watch* watch) noexcept nogil:
    watch.work = 0
    if watch.stop != NULL and watch.stop[0]:
        watch.ended = True
    elif not watch.ended:
        with gil:
            watch.ended = run_handlers() != 0


cdef inline int raise_ended(const Watch* watch) except -1:
    """Raise the exception that ended the work, if it was ended."""
    if not watch.ended:
        return 0
    if PyErr_Occurred() != NULL:
        return -1
    raise RuntimeError("The task was cancelled.")
