"""Selection of the k-th largest score in linear time, whatever the input order."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy


cdef inline uint64_t sortable(double score) noexcept nogil:
    """Return an integer that sorts like the score; NaN sorts consistently too."""
    cdef uint64_t bits = 0
    memcpy(&bits, &score, sizeof(bits))
    return ~bits if bits >> 63 else bits | (<uint64_t> 1 << 63)


cdef inline uint64_t kth_largest(
    uint64_t* keys, int64_t n_keys, int64_t k
) noexcept nogil:
    """Return the k-th largest of the keys, counted from 1. Reorders the keys."""
    cdef int64_t start = 0, stop = n_keys, larger, equal, position
    cdef uint64_t pivot, key, state = n_keys
    k -= 1
    while True:
        # Random pivots: no input order takes quadratic time.
        pivot = median(
            keys[start + draw(&state, stop - start)],
            keys[start + draw(&state, stop - start)],
            keys[start + draw(&state, stop - start)],
        )
        # Larger keys go to [start, larger), equal ones to [larger, equal).
        larger = equal = start
        for position in range(start, stop):
            key = keys[position]
            if key >= pivot:
                keys[position] = keys[equal]
                keys[equal] = key
                if key > pivot:
                    keys[equal] = keys[larger]
                    keys[larger] = key
                    larger += 1
                equal += 1
        if k < larger:
            stop = larger
        elif k < equal:
            return pivot
        else:
            start = equal


cdef inline int64_t draw(uint64_t* state, int64_t below) noexcept nogil:
    """Return a random integer below a bound; Knuth's linear congruential generator."""
    state[0] = state[0] * 6364136223846793005ULL + 1442695040888963407ULL
    return <int64_t> ((state[0] >> 33) % <uint64_t> below)


cdef inline uint64_t median(uint64_t a, uint64_t b, uint64_t c) noexcept nogil:
    return max(min(a, b), min(max(a, b), c))
