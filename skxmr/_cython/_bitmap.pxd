"""Sets of integers as a bitmap of two levels.

A second bitmap marks the words of the first that are not 0, so that members are listed
in ascending order without reading the whole bitmap.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef extern from "include/bits.h" nogil:
    int lowest_bit "skxmr_lowest_bit"(uint64_t word)


cdef inline void mark(
    uint64_t[::1] words, uint64_t[::1] summary, int32_t member
) noexcept nogil:
    words[member >> 6] |= <uint64_t>1 << (member & 63)
    summary[member >> 12] |= <uint64_t>1 << ((member >> 6) & 63)


cdef inline int64_t list_and_clear(
    uint64_t[::1] words, uint64_t[::1] summary, int32_t* marked
) noexcept nogil:
    """List the members in ascending order, and empty the set."""
    cdef int64_t i, word, n = 0
    for i in range(summary.shape[0]):
        while summary[i]:
            word = i * 64 + lowest_bit(summary[i])
            summary[i] &= summary[i] - 1
            while words[word]:
                marked[n] = <int32_t>(word * 64 + lowest_bit(words[word]))
                words[word] &= words[word] - 1
                n += 1
    return n
