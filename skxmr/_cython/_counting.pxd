"""How texts are cut into n-grams, for kernels that count these."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from skxmr._cython._vocabulary cimport (
    Growing, Status, Vocabulary, VocabularyArrays
)
from skxmr._cython._watch cimport Watch

cdef enum:
    BLOCK_GRAMS = 64
    LONGEST = 400000000  # characters of a text: bytes are counted in int32


cdef struct Rows:
    int32_t* indices
    int32_t* counts
    int64_t begin          # of the current row
    int64_t end
    int64_t capacity


cdef union Count:
    int32_t bits
    float weight


cdef struct Gram:
    uint64_t hash
    int32_t start
    int32_t length
    Count count


cdef struct Cut:
    # How to cut texts, and the n-grams of the current one.
    int units
    int position
    const uint8_t* case    # of the characters below U+0100
    int32_t shortest       # word, in characters
    int64_t low
    int64_t high
    uint8_t* written       # the words in UTF-8
    int32_t* starts        # of words, or of the characters of one word
    int32_t* ends
    const Vocabulary* stop_words
    Gram[BLOCK_GRAMS] grams
    int32_t n_grams
    const Vocabulary* terms     # where n-grams are looked up
    Growing* learned       # the same terms, where they are learned; or NULL
    Rows rows
    int64_t n_unknown      # n-grams that were looked up and are no terms
    Status status
    Watch watch


cdef struct Text:
    const void* data
    int64_t length
    int kind


cdef class Cutter:
    cdef Cut cut
    cdef VocabularyArrays stop_words
    cdef int64_t longest
    cdef int32_t[::1] scratch
    cdef const uint8_t[::1] stop


cdef void use_scratch(Cut* cut, int32_t* scratch, int64_t longest) noexcept nogil
cdef int64_t hold_text(object text, Text* held) except -1
cdef void cut_text(Cut* cut, const Text* text) noexcept nogil
cdef Status finish_row(Rows* rows, int position, Watch* watch) noexcept nogil
