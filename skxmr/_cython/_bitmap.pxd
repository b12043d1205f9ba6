"""Sets of features as a bitmap, above which lies a bitmap of its words that are not 0.

So what was marked is read in ascending order without a look at all that was not.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef extern from "include/bits.h" nogil:
    int lowest_bit "skxmr_lowest_bit"(uint64_t word)


cdef inline void mark(
    uint64_t[::1] words, uint64_t[::1] summary, int32_t feature
) noexcept nogil:
    words[feature >> 6] |= <uint64_t>1 << (feature & 63)
    summary[feature >> 12] |= <uint64_t>1 << ((feature >> 6) & 63)


cdef inline int64_t list_and_clear(
    uint64_t[::1] words, uint64_t[::1] summary, int32_t* marked
) noexcept nogil:
    """List the features that are marked, ascending; none is any more."""
    cdef int64_t i, word, place = 0
    for i in range(summary.shape[0]):
        while summary[i]:
            word = i * 64 + lowest_bit(summary[i])
            summary[i] &= summary[i] - 1
            while words[word]:
                marked[place] = <int32_t>(word * 64 + lowest_bit(words[word]))
                words[word] &= words[word] - 1
                place += 1
    return place
