"""Finds the labels of highest score in an inverted index, exactly.

The score of a label is the sum, over the terms of a query, of the term's weight times
its value for the label. Postings are read term by term, in descending order of the
most that a term can add to a score (MaxScore, Turtle and Flood 1995): once the k-th
best score so far exceeds what the remaining terms can add together, no other label can
be among the best k. From then on the remaining terms are only looked up for labels
that were found already, and those that cannot be among the best any more are dropped.
"""

from cython.view cimport array
from libc.float cimport FLT_MIN
from libc.math cimport INFINITY, log1p
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from skxmr._cython._beam cimport Heap, push, sort
from skxmr._cython._selection cimport kth_largest, sortable
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef enum:
    BYTES_OF_POSTING = 16  # read and written, for the interruption check
    MOST_KEYS = 1 << 15    # scores of which a k-th best is selected
    READ_PER_LOOKUP = 8    # postings that are read in the time of one lookup
    READ_PER_KEY = 4       # and in the time that a selection takes per score

# Sums of single precision are rounded; bounds are raised by more than that.
cdef double SLACK = 1.0 + 1e-5


cdef struct Postings:
    # One term of a query in one field: the labels that have it, in ascending order.
    const int32_t* labels
    const uint16_t* codes     # of values in the table; or
    const uint32_t* wide_codes
    const float* table
    const float* values       # or the values themselves
    int64_t size
    float weight              # factor of the values
    double bound              # on what the term adds to the score of any label


cdef class InvertedIndex:
    """The postings of all terms, as views of the arrays of an index.

    Parameters
    ----------
    offsets : ndarray of shape (n_terms * n_fields + 1,), int64
        The start of the postings of each term in each field.
    labels : ndarray of shape (n_postings,), int32
        Ascending within a list.
    peaks : ndarray of shape (n_terms * n_fields,), float32
        The largest value of each list.
    n_fields, n_labels : int
    """

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

    def __init__(
        self,
        const int64_t[::1] offsets,
        const int32_t[::1] labels,
        const float[::1] peaks,
        int64_t n_fields,
        int64_t n_labels,
    ):
        self.offsets = offsets
        self.labels = labels
        self.peaks = peaks
        self.n_fields = n_fields
        self.n_labels = n_labels
        # A memoryview that was never assigned does not compare as None.
        self.values = self.table = None
        self.codes = None
        self.wide_codes = None

    def with_values(self, const float[::1] values, bint is_signed):
        """Use a stored value of each posting; some may be negative."""
        self.values = values
        self.is_signed = is_signed
        return self

    def with_codes(self, codes, const float[::1] table):
        """Use table[code] of each posting, times the term's inverse document frequency.

        The codes are of uint16 or uint32.
        """
        if codes.dtype.itemsize == sizeof(uint16_t):
            self.codes = codes
        else:
            self.wide_codes = codes
        self.table = table
        return self

    cdef void _open(self, int64_t number, float weight, Postings* found) noexcept nogil:
        """Find the postings of a list."""
        cdef int64_t first = self.offsets[number]
        found.size = self.offsets[number + 1] - first
        found.labels = NULL
        found.values = found.table = NULL
        found.codes = NULL
        found.wide_codes = NULL
        found.bound = 0
        if not found.size:
            return
        found.labels = &self.labels[first]
        if self.values is not None:
            found.values = &self.values[first]
        elif self.codes is not None:
            found.codes = &self.codes[first]
        else:
            found.wide_codes = &self.wide_codes[first]
        if self.table is not None:
            found.table = &self.table[0]
            weight *= self._idf(found.size)
        found.weight = weight
        found.bound = max(<double>weight * self.peaks[number], 0.0)

    cdef float _idf(self, int64_t n_labels_of_term) noexcept nogil:
        """Return ln(1 + (N - df + 0.5) / (df + 0.5))."""
        return <float>log1p(
            (self.n_labels - n_labels_of_term + 0.5) / (n_labels_of_term + 0.5)
        )


cdef inline float value_at(const Postings* postings, int64_t i) noexcept nogil:
    """Return the weighted value of one posting."""
    if postings.codes != NULL:
        return postings.weight * postings.table[postings.codes[i]]
    if postings.wide_codes != NULL:
        return postings.weight * postings.table[postings.wide_codes[i]]
    return postings.weight * postings.values[i]


cdef inline int64_t advance(
    const Postings* postings, int64_t i, int32_t label
) noexcept nogil:
    """Return the first position from i on whose label is not smaller, or the end."""
    cdef int64_t step = 1, low = i, high, middle
    if i >= postings.size or postings.labels[i] >= label:
        return i
    while low + step < postings.size and postings.labels[low + step] < label:
        low += step
        step *= 2
    high = min(low + step, postings.size)
    while low + 1 < high:  # the label at low is smaller
        middle = (low + high) // 2
        if postings.labels[middle] < label:
            low = middle
        else:
            high = middle
    return high


cdef class IndexSearcher:
    """The buffers of one search at a time.

    Parameters
    ----------
    index : InvertedIndex
    """

    cdef InvertedIndex index
    cdef float[::1] scores       # (n_labels,): zeros between queries
    cdef int32_t[::1] found      # (n_labels + 1,): labels whose score is not 0
    cdef uint64_t[::1] keys      # (MOST_KEYS,)
    cdef uint8_t[::1] memory     # of the postings of a query
    cdef Postings* postings
    cdef int64_t n_postings
    cdef int64_t n_found
    cdef int64_t k
    cdef double threshold        # no larger than the k-th best score in the end
    cdef bint is_signed
    cdef const float* label_weights
    cdef Watch watch
    cdef readonly int64_t n_read  # postings that were read, for tests

    def __init__(self, InvertedIndex index):
        cdef int64_t n_labels = max(index.n_labels, <int64_t>1)
        self.index = index
        self.scores = array(shape=(n_labels,), itemsize=sizeof(float), format="f")
        self.scores[:] = 0
        # One more, since `_add` writes each label before it knows whether it is new.
        self.found = array(shape=(n_labels + 1,), itemsize=sizeof(int32_t), format="i")
        self.keys = array(shape=(MOST_KEYS,), itemsize=sizeof(uint64_t), format="Q")
        self.memory = array(shape=(1,), itemsize=1, format="B")

    def find(
        self,
        const int64_t[::1] offsets,           # IN (n_queries + 1,)
        const int32_t[::1] terms,             # IN: of each query
        const float[::1] counts,              # IN: their values in the query
        const float[::1] field_weights,       # IN (n_fields,)
        const float[::1] label_weights,       # IN (n_labels,), from 0 to 1; or None
        int64_t[:, ::1] labels,               # OUT (n_queries, k); -1 for none
        double[:, ::1] scores,                # OUT (n_queries, k); -inf for none
        const uint8_t[::1] stop=None,         # IN (1,): not 0 once cancelled
    ):
        """List the labels of the highest positive scores, best first.

        Ties are broken by the index of the label. The score of a label is multiplied by
        its weight; labels with a weight of 0 are not found. After an interruption, the
        object is not to be used again.
        """
        cdef int64_t query
        cdef Heap best
        if labels.shape[1] == 0:
            raise ValueError("labels has no column; expected one or more.")
        self.k = best.capacity = labels.shape[1]
        self.label_weights = NULL
        if label_weights is not None and label_weights.shape[0]:
            self.label_weights = &label_weights[0]
        self.watch = watch_for(stop)
        for query in range(offsets.shape[0] - 1):
            self._open(offsets[query], offsets[query + 1], terms, counts, field_weights)
            # Only keys of the result are kept: they share the memory of the nodes.
            best.nodes = best.keys = &labels[query, 0]
            best.scores = &scores[query, 0]
            with nogil:
                self._search(&best)
            if self.watch.ended:
                break
        raise_ended(&self.watch)

    cdef int _open(
        self,
        int64_t first,
        int64_t stop,
        const int32_t[::1] terms,
        const float[::1] counts,
        const float[::1] field_weights,
    ) except -1:
        """Find the postings of a query's terms; sort by descending bound."""
        cdef int64_t n_fields = self.index.n_fields
        cdef int64_t i, j, field, most = (stop - first) * n_fields
        cdef float weight
        cdef Postings one
        if self.memory.shape[0] < most * <int64_t>sizeof(Postings):
            self.memory = array(
                shape=(2 * most * sizeof(Postings),), itemsize=1, format="B"
            )
        self.postings = <Postings*>&self.memory[0]
        self.n_postings = 0
        self.is_signed = self.index.is_signed
        for i in range(first, stop):
            for field in range(n_fields):
                weight = counts[i] * field_weights[field]
                self.index._open(terms[i] * n_fields + field, weight, &one)
                if not one.size or weight == 0:
                    continue
                self.is_signed |= weight < 0
                j = self.n_postings
                while j > 0 and self.postings[j - 1].bound < one.bound:
                    self.postings[j] = self.postings[j - 1]
                    j -= 1
                self.postings[j] = one
                self.n_postings += 1
        return 0

    cdef void _search(self, Heap* best) noexcept nogil:
        cdef int64_t i, n = self.n_postings
        cdef double rest = 0
        self.n_found = 0
        self.threshold = -INFINITY
        for i in range(n):
            rest += self.postings[i].bound
        i = 0
        while i < n and not self.threshold > rest * SLACK:
            self._add(&self.postings[i])
            rest -= self.postings[i].bound
            i += 1
            if self.watch.ended:
                return
            if i < n and READ_PER_KEY * min(self.n_found, <int64_t>MOST_KEYS) <= (
                self.postings[i].size
            ):
                self._raise_threshold()
        while i < n:
            self._raise_threshold()
            self._drop(rest)
            self._look_up(&self.postings[i])
            rest -= self.postings[i].bound
            i += 1
            if self.watch.ended:
                return
        self._collect(best)

    cdef void _add(self, const Postings* which) noexcept nogil:
        """Add the values of a term to the scores of all labels that have it."""
        # The copies tell the compiler that nothing in the loop changes them.
        cdef Postings postings = which[0]
        cdef float* scores = &self.scores[0]
        cdef int32_t* found = &self.found[0]
        cdef const float* label_weights = self.label_weights
        cdef int64_t i, n_found = self.n_found
        cdef int32_t label
        cdef float value, before, after
        if must_end(&self.watch, postings.size * BYTES_OF_POSTING):
            return
        self.n_read += postings.size
        for i in range(postings.size):
            label = postings.labels[i]
            value = value_at(&postings, i)
            if label_weights != NULL:
                if label_weights[label] == 0:
                    continue
                value = value * label_weights[label]
            before = scores[label]
            after = before + value
            # Not 0, which stands for a label that is not among the found ones.
            scores[label] = after if after != 0 else FLT_MIN
            found[n_found] = label
            n_found += before == 0
        self.n_found = n_found

    cdef void _look_up(self, const Postings* which) noexcept nogil:
        """Add the values of a term to the scores of the labels found so far."""
        cdef Postings postings = which[0]
        cdef float* scores = &self.scores[0]
        cdef int64_t i = 0, j
        cdef int32_t label, previous = 0
        if READ_PER_LOOKUP * self.n_found > postings.size:
            self._filter(which)
            return
        if must_end(&self.watch, self.n_found * BYTES_OF_POSTING * READ_PER_LOOKUP):
            return
        self.n_read += self.n_found
        for j in range(self.n_found):
            label = self.found[j]
            if label < previous:  # found by another term
                i = 0
            previous = label
            i = advance(&postings, i, label)
            if i < postings.size and postings.labels[i] == label:
                scores[label] += self._weighted(&postings, i, label)

    cdef void _filter(self, const Postings* which) noexcept nogil:
        """Read all postings; add the values of labels found so far."""
        cdef Postings postings = which[0]
        cdef float* scores = &self.scores[0]
        cdef int64_t i
        cdef int32_t label
        if must_end(&self.watch, postings.size * BYTES_OF_POSTING):
            return
        self.n_read += postings.size
        for i in range(postings.size):
            label = postings.labels[i]
            if scores[label] != 0:
                scores[label] += self._weighted(&postings, i, label)

    cdef inline float _weighted(
        self, const Postings* postings, int64_t i, int32_t label
    ) noexcept nogil:
        cdef float value = value_at(postings, i)
        if self.label_weights != NULL:
            value = value * self.label_weights[label]
        return value

    cdef void _raise_threshold(self) noexcept nogil:
        """Set the threshold to the k-th best score of some of the labels found.

        Where terms can reduce scores, there is none.
        """
        cdef int64_t j, n_keys = min(self.n_found, <int64_t>MOST_KEYS)
        cdef uint64_t key
        cdef double score = 0
        if self.is_signed or n_keys < self.k:
            return
        for j in range(n_keys):
            self.keys[j] = sortable(self.scores[self.found[j]])
        key = kth_largest(&self.keys[0], n_keys, self.k) & ~(<uint64_t>1 << 63)
        memcpy(&score, &key, sizeof(score))  # the inverse, for scores above 0
        self.threshold = max(self.threshold, score)

    cdef void _drop(self, double rest) noexcept nogil:
        """Forget the labels that cannot be among the best any more."""
        cdef int64_t j, n_kept = 0
        cdef int32_t label
        for j in range(self.n_found):
            label = self.found[j]
            if (self.scores[label] + rest) * SLACK < self.threshold:
                self.scores[label] = 0
            else:
                self.found[n_kept] = label
                n_kept += 1
        self.n_found = n_kept

    cdef void _collect(self, Heap* best) noexcept nogil:
        """Put the best labels in order, and reset all scores."""
        cdef int64_t j
        cdef int32_t label
        best.size = 0
        for j in range(self.n_found):
            label = self.found[j]
            if self.scores[label] > FLT_MIN:
                push(best, label, label, self.scores[label])
            self.scores[label] = 0
        sort(best)
        for j in range(best.size, best.capacity):
            best.keys[j] = -1
            best.scores[j] = -INFINITY
