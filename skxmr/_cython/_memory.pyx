"""Gives freed memory back to the system."""

cdef extern from "include/memory.h" nogil:
    void skxmr_give_back()


def give_back_memory():
    """Let the system have what was freed, where the allocator would keep it.

    The GNU C library keeps up to 64 MB of freed memory for each thread that has
    allocated some: the next thread's work would come on top.
    """
    with nogil:
        skxmr_give_back()
