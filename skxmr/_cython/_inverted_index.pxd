"""The postings of an inverted index, and how other kernels look them up."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t


cdef struct Postings:
    # One term of a query in one field: the labels that have it, in ascending order.
    const int32_t* labels
    const uint16_t* codes     # of values in the table; or
    const uint32_t* wide_codes
    const float* table
    const float* values       # or the values themselves
    int64_t size
    int64_t position          # of the next posting to be read
    # The list goes on with labels that were added later, which are all larger.
    const int32_t* added_labels
    const float* added_values
    int64_t n_added
    int64_t order             # in the query
    int64_t n_before          # postings of the lists before this one
    float idf                 # 1 for stored values
    float weight              # factor of the values
    float bound               # on what the term adds to the score of any label
    double rest               # on what this term and those after it add together


cdef fused stored:
    uint16_t
    uint32_t
    float


cdef inline float value_of(
    const Postings* postings, const stored* values, int64_t i
) noexcept nogil:
    """Return the weighted value of one posting; `values` are those of its kind."""
    if stored is float:
        return postings.weight * values[i]
    else:
        return postings.weight * postings.table[values[i]]


cdef inline float value_at(const Postings* postings, int64_t i) noexcept nogil:
    """Return the weighted value of one posting."""
    if postings.codes != NULL:
        return value_of(postings, postings.codes, i)
    if postings.wide_codes != NULL:
        return value_of(postings, postings.wide_codes, i)
    return value_of(postings, postings.values, i)


cdef inline int64_t advance(
    const Postings* postings, int64_t i, int32_t label
) noexcept nogil:
    """Return the first position from i on whose label is not smaller, or the end."""
    cdef const int32_t* labels = postings.labels
    cdef int64_t step = 1, half, length
    if i >= postings.size or labels[i] >= label:
        return i
    while i + step < postings.size and labels[i + step] < label:
        i += step
        step *= 2
    length = min(step, postings.size - i)
    while length > 1:  # the label at i is smaller, that at i + length is not
        half = length // 2
        # Branch-free: the outcome would be mispredicted.
        i += half * (labels[i + half] < label)
        length -= half
    return i + 1


cdef inline bint go_on(Postings* postings) noexcept nogil:
    """Move from the end of a list to the labels that were added later, if any."""
    if not postings.n_added:
        return False
    postings.labels = postings.added_labels
    postings.values = postings.added_values
    postings.codes = NULL
    postings.wide_codes = NULL
    postings.size = postings.n_added
    postings.position = 0
    postings.n_added = 0
    return True


cdef inline bint seek(Postings* postings, int32_t label) noexcept nogil:
    """Move to the first label that is not smaller; return whether it is equal."""
    postings.position = advance(postings, postings.position, label)
    if postings.position >= postings.size and go_on(postings):
        postings.position = advance(postings, 0, label)
    return (
        postings.position < postings.size
        and postings.labels[postings.position] == label
    )


cdef class InvertedIndex:
    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] labels
    cdef const float[::1] peaks
    cdef const float[::1] values
    cdef const uint16_t[::1] codes
    cdef const uint32_t[::1] wide_codes
    cdef const float[::1] table
    cdef int64_t n_fields
    cdef int64_t n_labels
    cdef bint is_signed
    cdef const int32_t[::1] frequencies
    cdef const int64_t[::1] delta_numbers
    cdef const int64_t[::1] delta_offsets
    cdef const int32_t[::1] delta_labels
    cdef const float[::1] delta_values
    cdef const float[::1] delta_peaks
    cdef const int32_t[::1] delta_frequencies
    cdef const uint8_t[::1] delta_replaces
    cdef const uint8_t[::1] removed

    cdef void _open(self, int64_t number, float weight, Postings* found) noexcept nogil
    cdef float _open_delta(self, int64_t number, Postings* found) noexcept nogil
    cdef int64_t _find_delta(self, int64_t number) noexcept nogil
    cdef int64_t _frequency(self, int64_t number) noexcept nogil
    cdef float _idf(self, int64_t number) noexcept nogil
