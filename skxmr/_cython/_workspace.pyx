"""Memory that training tasks use one after another, laid out where it is used.

Memory fresh from the system is cleared by it page by page, and many small arrays lie on
more pages than one large one: so a task takes two buffers and keeps them for the next.

Every layout is one function that takes array after array from an `Arena`. Without
memory the arena counts how much is needed; with it, the same function gets its arrays.
So no size is computed apart from its use.
"""

from libc.stdint cimport uintptr_t


cdef class Arena:
    """Hands out arrays one after another, each at the start of a cache line.

    Parameters
    ----------
    memory : ndarray of shape (n_bytes,), uint8, or None
        From the start of a cache line on. None to count bytes only.

    Attributes
    ----------
    n_bytes : int
        Handed out so far.
    """

    def __init__(self, memory=None):
        self.memory = memory
        self.n_bytes = 0

    cpdef object take(self, int64_t n_items, str dtype):
        """Give an uninitialised array, or None where bytes are counted only.

        Parameters
        ----------
        n_items : int
        dtype : str
            A character for the kind, a digit for the bytes of an item: "f4".
        """
        cdef int64_t start = self.n_bytes
        cdef int64_t stop = start + n_items * int(dtype[1])
        self.n_bytes = (stop + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE
        if self.memory is None:
            return None
        if stop > len(self.memory):
            raise RuntimeError(f"{stop} bytes of {len(self.memory)} are taken.")
        return self.memory[start:stop].view(dtype)


cdef class Buffer:
    """Memory that is allocated anew only when more is needed.

    Parameters
    ----------
    allocate : callable
        Of a number of items and a dtype: makes an uninitialised array.

    Attributes
    ----------
    memory : ndarray of shape (n_bytes,), uint8
        From the start of a cache line on.
    """

    def __init__(self, allocate):
        self.allocate = allocate
        self.release()

    cpdef int reserve(self, int64_t n_bytes) except -1:
        """Have at least so many bytes; if there were fewer, all contents are lost."""
        cdef int64_t shift
        if self.n_bytes >= n_bytes:
            return 0
        self.release()
        memory = self.allocate(n_bytes + CACHE_LINE, "u1")
        self.bytes = memory
        shift = -<int64_t><uintptr_t>&self.bytes[0] % CACHE_LINE
        # The sign of a remainder is that of its dividend.
        shift = (shift + CACHE_LINE) % CACHE_LINE
        self.memory = memory[shift:shift + n_bytes]
        self.bytes = self.memory
        self.n_bytes = n_bytes
        return 0

    cpdef int release(self) except -1:
        """Let the memory go once no array of it is left."""
        self.bytes = None
        self.memory = None
        self.n_bytes = 0
        return 0


cdef class Workspace:
    """The memory of one training task at a time.

    Parameters
    ----------
    allocate : callable
        Of a number of items and a dtype: makes an uninitialised array.

    Attributes
    ----------
    rows : Buffer
        For the training rows of a parent.
    shared : Buffer
        For what is needed to prepare the rows, and after that to solve blocks.
    """

    def __init__(self, allocate):
        self.allocate = allocate
        self.rows, self.shared = Buffer(allocate), Buffer(allocate)
        self.tables = {}

    cdef object empty(self, int64_t n_items, str dtype):
        return self.allocate(n_items, dtype)

    def release(self):
        """Let the buffers go: later tasks need less."""
        self.rows.release()
        self.shared.release()
