"""Counts and weighs the terms of one text, for one or several vectorizers at once.

What is bound once for many texts is bound here and never changed, so that threads share
it. The memory to cut a text in lives for one call.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t, uint8_t

from skxmr._cython._counting cimport (
    LONGEST, Cut, Cutter, Text, cut_text, finish_row, hold_text, use_scratch
)
from skxmr._cython._tfidf cimport scale_row
from skxmr._cython._vocabulary cimport DONE, FULL_ROWS, VocabularyArrays
from skxmr._cython._watch cimport raise_ended, watch_for


cdef class RowCounter:
    """The terms of a fitted vectorizer, to count and weigh them in single texts.

    Parameters
    ----------
    cutter : Cutter
    vocabulary : Vocabulary
    normalise : callable or None
        Normalises a text in Python before it is cut.
    lowers : bool
        Whether to lower the case of texts that have characters from U+0100.
    idf : ndarray of shape (n_terms,), float32, or None
    norm : int
        1, 2, or 0 for none.
    is_binary : bool
        Whether each term that occurs counts 1.
    """

    cdef Cutter cutter
    cdef VocabularyArrays terms
    cdef object normalise
    cdef bint lowers
    cdef const float[::1] idf
    cdef int norm
    cdef bint is_binary

    def __init__(
        self,
        Cutter cutter,
        vocabulary,
        normalise,
        bint lowers,
        const float[::1] idf,
        int norm,
        bint is_binary,
    ):
        self.cutter = cutter
        self.terms = VocabularyArrays(vocabulary)
        self.normalise = normalise
        self.lowers = lowers
        self.idf = idf
        self.norm = norm
        self.is_binary = is_binary

    cdef int count(self, text, Cut* cut) except -1:
        """Count the terms of a text in a new row behind those before."""
        cdef Text held
        cdef int32_t* scratch
        if self.normalise is not None:
            text = self.normalise(text)
        if hold_text(text, &held) > LONGEST:
            raise ValueError(
                f"a text may have at most {LONGEST} characters; got {held.length}"
            )
        if self.lowers and held.kind != 1:
            # Others are lowered when they are cut.
            text = text.lower()
            hold_text(text, &held)
        scratch = <int32_t*>PyMem_Malloc((4 * held.length + 8) * sizeof(int32_t))
        if scratch == NULL:
            raise MemoryError
        with nogil:
            use_scratch(cut, scratch, held.length)
            cut_text(cut, &held)
            if cut.status == DONE:
                cut.status = finish_row(&cut.rows, cut.position, &cut.watch)
        PyMem_Free(scratch)
        return 0

    cdef bint weigh(self, Cut* cut) noexcept nogil:
        """Replace the counts of the last row by values; return whether all have one."""
        cdef int64_t i, n_weights = self.idf.shape[0] if self.idf is not None else 0
        cdef int64_t size = cut.rows.end - cut.rows.begin
        cdef const int32_t* indices = cut.rows.indices + cut.rows.begin
        cdef int32_t* counts = cut.rows.counts + cut.rows.begin
        cdef float* values = <float*>counts
        if self.is_binary:
            for i in range(size):
                values[i] = 1
        elif not cut.position:  # else counts are of float32 already
            for i in range(size):
                values[i] = <float>counts[i]
        return scale_row(
            indices, size, &self.idf[0] if n_weights else NULL, n_weights, self.norm,
            values,
        )


def fill_row(
    text,
    counters,                      # IN sequence of RowCounter
    starts,                        # IN sequence of int: the first column of each
    int32_t[::1] indices,          # OUT: ascending for each counter; then scratch
    float[::1] values,             # OUT: of the same size
    const uint8_t[::1] stop=None,  # IN (1,): not 0 if the task was cancelled
):
    """Write the terms of a text as one row of several vectorizers side by side.

    Returns
    -------
    n_entries : int
        -1 if the arrays are too small.
    n_unknown : int
        Number of n-grams that are no terms.
    """
    cdef Cut cut
    cdef RowCounter counter
    cdef int64_t end = 0, n_unknown = 0, i
    cdef int32_t start
    for counter, start in zip(counters, starts):
        cut = counter.cutter.cut
        cut.watch = watch_for(stop)
        cut.terms = &counter.terms.terms
        cut.learned = NULL
        cut.rows.capacity = min(indices.shape[0], values.shape[0])
        cut.rows.indices = &indices[0] if cut.rows.capacity else NULL
        cut.rows.counts = <int32_t*>&values[0] if cut.rows.capacity else NULL
        cut.rows.end = end
        counter.count(text, &cut)
        if cut.status == FULL_ROWS:
            return -1, 0
        raise_ended(&cut.watch)
        if not counter.weigh(&cut):
            raise ValueError("there is not one weight for each term")
        for i in range(end, cut.rows.end):
            indices[i] += start
        end = cut.rows.end
        n_unknown += cut.n_unknown
    return end, n_unknown
