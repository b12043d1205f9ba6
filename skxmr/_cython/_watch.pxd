"""Ends long work on one item early: after Ctrl-C, or once nobody wants its result.

Kernels hold no GIL, so that Python's handlers of signals wait for them. Whoever works
long on one item counts its work; after some milliseconds of it, `must_end` looks at the
task's stop flag and lets the main thread run the handlers. What they raise stays set:
the kernel returns as it would from an error, and calls `raise_ended` with the GIL held.
"""

from cpython.exc cimport PyErr_Occurred
from libc.stdint cimport int64_t, uint8_t

cdef extern from "Python.h":
    int run_handlers "PyErr_CheckSignals"() noexcept

cdef enum:
    WATCH_WORK = 1 << 22  # bytes read or entries written, about


cdef struct Watch:
    const uint8_t* stop   # not 0 once nobody wants the result; or NULL
    int64_t work          # since the last look
    bint ended


cdef inline Watch watch_for(const uint8_t[::1] stop) noexcept:
    """Begin to watch a flag of shape (1,), or signals alone where it is None."""
    cdef Watch watch
    watch.stop = NULL
    if stop is not None and stop.shape[0]:
        watch.stop = &stop[0]
    watch.work = 0
    watch.ended = False
    return watch


cdef inline bint must_end(Watch* watch, int64_t work) noexcept nogil:
    """Count some work; tell whether to return without doing more."""
    watch.work += work
    if watch.work >= WATCH_WORK:
        look(watch)
    return watch.ended


cdef inline void look(Watch* watch) noexcept nogil:
    watch.work = 0
    if watch.stop != NULL and watch.stop[0]:
        watch.ended = True
    elif not watch.ended:
        with gil:
            watch.ended = run_handlers() != 0


cdef inline int raise_ended(const Watch* watch) except -1:
    """Raise what ended the work, if anything did."""
    if not watch.ended:
        return 0
    if PyErr_Occurred() != NULL:
        return -1
    raise RuntimeError("Nobody wants the result of this task any more.")
