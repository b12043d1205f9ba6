"""Returns freed memory to the system."""

cdef extern from "include/memory.h" nogil:
    void skxmr_give_back()


def give_back_memory():
    """Return freed memory that the allocator keeps to the system.

    The GNU C library keeps up to 64 MB of freed memory for each thread, to which the
    work of the next thread would be added.
    """
    with nogil:
        skxmr_give_back()
