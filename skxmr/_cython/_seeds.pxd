"""`numpy.random.SeedSequence` of three words, without Python."""

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    WORDS = 4


cdef inline void draw_two(
    uint32_t seed, uint32_t first, uint32_t second, uint64_t* drawn
) noexcept nogil:
    """Fill with ``SeedSequence([seed, first, second]).generate_state(2, uint64)``.

    NumPy guarantees that these sequences do not change.
    """
    cdef uint32_t[WORDS] pool
    cdef uint32_t factor = 0x43B0D7E5U, word
    cdef int source, target
    pool[0] = hashed(seed, &factor, 0x931E8875U)
    pool[1] = hashed(first, &factor, 0x931E8875U)
    pool[2] = hashed(second, &factor, 0x931E8875U)
    pool[3] = hashed(0, &factor, 0x931E8875U)
    for source in range(WORDS):
        for target in range(WORDS):
            if source != target:
                word = hashed(pool[source], &factor, 0x931E8875U)
                word = 0xCA01F9DDU * pool[target] - 0x4973F715U * word
                pool[target] = word ^ word >> 16
    factor = 0x8B51F9DDU
    for target in range(WORDS):
        pool[target] = hashed(pool[target], &factor, 0x58F38DEDU)
    drawn[0] = pool[0] | <uint64_t> pool[1] << 32
    drawn[1] = pool[2] | <uint64_t> pool[3] << 32


cdef inline uint32_t hashed(
    uint32_t word, uint32_t* factor, uint32_t following
) noexcept nogil:
    word ^= factor[0]
    factor[0] *= following
    word *= factor[0]
    return word ^ word >> 16
