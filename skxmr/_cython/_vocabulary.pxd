"""Terms in UTF-8 one after the other, and a hash table over them.

A slot of the table is 0 if it is free; otherwise it holds the upper half of the hash of
a term and the number of the term plus 1. Collisions are resolved by linear probing from
the slot that the lower bits of the hash select.

The hash is keyed, so that terms cannot be chosen to collide (hash flooding). It
multiplies 64-bit words with a secret factor, and folds both halves of the product.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define SKXMR_PREFETCH(address) __builtin_prefetch(address)
    #else
    #define SKXMR_PREFETCH(address) ((void) (address))
    #endif

    /* Little-endian everywhere, so that a table means the same on every machine;
       compilers make one load of it. */
    static inline uint64_t skxmr_load(const uint8_t *bytes) {
        return (uint64_t) bytes[0] | (uint64_t) bytes[1] << 8
            | (uint64_t) bytes[2] << 16 | (uint64_t) bytes[3] << 24
            | (uint64_t) bytes[4] << 32 | (uint64_t) bytes[5] << 40
            | (uint64_t) bytes[6] << 48 | (uint64_t) bytes[7] << 56;
    }

    /* The upper half of a product beside the lower one. */
    #if defined(__SIZEOF_INT128__)
    static inline uint64_t skxmr_fold(uint64_t a, uint64_t b) {
        const unsigned __int128 product = (unsigned __int128) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    #else
    static inline uint64_t skxmr_fold(uint64_t a, uint64_t b) {
        const uint64_t a0 = (uint32_t) a, a1 = a >> 32, b0 = (uint32_t) b, b1 = b >> 32;
        const uint64_t low = a0 * b0, left = a1 * b0, right = a0 * b1;
        const uint64_t carry = ((low >> 32) + (uint32_t) left + (uint32_t) right) >> 32;
        return (a * b) ^ (a1 * b1 + (left >> 32) + (right >> 32) + carry);
    }
    #endif
    """
    uint64_t fold "skxmr_fold"(uint64_t a, uint64_t b) noexcept nogil
    uint64_t load "skxmr_load"(const uint8_t* data) noexcept nogil
    void prefetch "SKXMR_PREFETCH"(const void* address) noexcept nogil


# How a call of a kernel ended.
cdef enum Status:
    DONE = 0
    FULL_TERMS = 1   # offsets, counts or slots must grow
    FULL_BYTES = 2   # the bytes of the terms must grow
    FULL_ROWS = 3    # the entries of the rows must grow
    ENDED = 4        # early: an error is raised

cdef enum:
    MOST_TERMS = 2147483646  # they are numbered in int32


cdef struct Key:
    uint64_t seed
    uint64_t factor          # odd


cdef struct Vocabulary:
    const uint8_t* text
    int64_t n_bytes
    const int64_t* offsets
    int64_t n_terms
    const uint64_t* slots
    uint64_t mask
    Key key


cdef inline Key as_key(const uint64_t[::1] key) except *:
    """Take a key from its two numbers."""
    cdef Key made
    if key.shape[0] != 2:
        raise ValueError("the key of a hash table has two numbers")
    made.seed = key[0]
    made.factor = key[1] | 1
    return made


cdef inline uint64_t hash_padded(
    Key key, const uint8_t* data, int64_t length
) noexcept nogil:
    """Hash bytes behind which seven more may be read."""
    cdef uint64_t state = key.seed
    cdef int64_t left = length
    while left >= 8:
        state = fold(state ^ load(data), key.factor)
        data += 8
        left -= 8
    if left > 0:
        state ^= load(data) & (((<uint64_t> 1) << (8 * left)) - 1)
        state = fold(state, key.factor)
    return fold(state ^ <uint64_t> length, key.factor)


cdef inline uint64_t hash_exact(
    Key key, const uint8_t* data, int64_t length
) noexcept nogil:
    """Hash bytes as `hash_padded` does, reading none behind them."""
    cdef uint64_t state = key.seed
    cdef int64_t i, left = length
    while left >= 8:
        state = fold(state ^ load(data), key.factor)
        data += 8
        left -= 8
    if left > 0:
        for i in range(left):
            state ^= (<uint64_t> data[i]) << (8 * i)
        state = fold(state, key.factor)
    return fold(state ^ <uint64_t> length, key.factor)


cdef inline int64_t find(
    const Vocabulary* terms, const uint8_t* data, int64_t length, uint64_t hashed,
    uint64_t* position,  # OUT the term's slot, or the free slot where it would be
) noexcept nogil:
    """Return the number of the term with these bytes; -1 if there is none.

    Whatever the arrays hold, nothing outside them is read.
    """
    cdef uint64_t _probe, slot
    cdef int64_t term, start, end
    position[0] = hashed & terms.mask
    for _probe in range(terms.mask + 1):
        slot = terms.slots[position[0]]
        if slot == 0:
            return -1
        if slot >> 32 == hashed >> 32:
            term = <int64_t> (slot & <uint64_t> 0xFFFFFFFF) - 1
            if 0 <= term < terms.n_terms:
                start = terms.offsets[term]
                end = terms.offsets[term + 1]
                if (
                    0 <= start <= end <= terms.n_bytes and end - start == length
                    and memcmp(terms.text + start, data, length) == 0
                ):
                    return term
        position[0] = (position[0] + 1) & terms.mask
    return -1


cdef inline uint64_t as_slot(uint64_t hashed, int64_t term) noexcept nogil:
    return (hashed >> 32) << 32 | <uint64_t> (term + 1)


cdef struct Growing:
    # A vocabulary that grows, and what is counted about its terms.
    Vocabulary terms
    uint8_t* text
    int64_t max_bytes
    int64_t* offsets
    int64_t max_terms
    uint64_t* slots
    int64_t* document_counts
    int64_t* total_counts
    int64_t* entries       # where the current text's row holds the term


cdef class VocabularyArrays:
    cdef const uint8_t[::1] text
    cdef const int64_t[::1] offsets
    cdef const uint64_t[::1] slots
    cdef const uint64_t[::1] key
    cdef Vocabulary terms


cdef class GrowingArrays:
    cdef int64_t[::1] sizes
    cdef uint8_t[::1] text
    cdef int64_t[::1] offsets
    cdef uint64_t[::1] slots
    cdef const uint64_t[::1] key
    cdef int64_t[::1] document_counts
    cdef int64_t[::1] total_counts
    cdef int64_t[::1] entries
    cdef Growing growing

    cdef void write_sizes(self) noexcept


cdef inline int64_t find_or_add(
    Growing* growing, const uint8_t* data, int64_t length, uint64_t hashed
) noexcept nogil:
    """Return the number of the term with these bytes, which is added if it is new.

    If it does not fit, the negative status of the array that must grow.
    """
    cdef uint64_t position
    cdef Vocabulary* terms = &growing.terms
    cdef int64_t term = find(terms, data, length, hashed, &position)
    if term >= 0:
        return term
    term = terms.n_terms
    if term == growing.max_terms or 2 * <uint64_t> term > terms.mask:
        return -FULL_TERMS
    if length > growing.max_bytes - terms.n_bytes:
        return -FULL_BYTES
    memcpy(growing.text + terms.n_bytes, data, length)
    terms.n_bytes += length
    terms.n_terms += 1
    growing.offsets[term + 1] = terms.n_bytes
    growing.slots[position] = as_slot(hashed, term)
    growing.document_counts[term] = 0
    growing.total_counts[term] = 0
    growing.entries[term] = -1
    return term
