"""Finds the labels of highest score in an inverted index, exactly.

The score of a label is the sum, over the terms of a query, of the term's weight times
its value for the label. Lists of postings are sorted by the most that a term can add to
a score (MaxScore, Turtle and Flood 1995): once the k-th best score so far is as high as
all that the last lists can add together, a label that is only in these cannot be among
the best k. So only the other lists, the essential ones, are read; for labels that they
have, the last lists are looked up.

Several essential lists are read window by window of labels, whose scores stay in the
cache. Labels come in ascending order, so that a later label with the same score as the
k-th best one is not among the best.

A list may have two parts: that of the large arrays of an index, and postings of labels
that were added later. The second part is read where the first one ends, as if both were
one list: scores do not depend on how a list is divided.
"""

from cython.view cimport array
from libc.math cimport INFINITY, log1p, nextafterf
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport qsort

from skxmr._cython._beam cimport Heap, push, sort
from skxmr._cython._bitmap cimport lowest_bit
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef enum:
    BYTES_OF_POSTING = 16     # read and written, for the interruption check
    FIRST_WINDOW = 512        # labels: small, so that there soon is a k-th best score
    LARGEST_WINDOW = 1 << 14
    SCANNED_AT_ONCE = 1 << 16  # postings between two checks for interruption
    GAIN_OF_SCAN = 4          # postings that may be skipped, per posting of a scan
    # Of the labels of lists that are read, about every other one would be looked up in
    # another list, which takes longer than reading a posting.
    LOOKUPS_PER_READ = 2

# Sums of single precision are rounded; bounds are raised by more than that.
cdef double SLACK = 1.0 + 1e-5


cdef class InvertedIndex:
    """The postings of all terms, as views of the arrays of an index.

    Parameters
    ----------
    offsets : ndarray of shape (n_terms * n_fields + 1,), int64
        The start of the postings of each term in each field.
    labels : ndarray of shape (n_postings,), int32
        Ascending within a list.
    peaks : ndarray of shape (n_terms * n_fields,), float32
        At least the largest value of each list.
    n_fields : int
    n_labels : int
        The number N of the inverse document frequencies.
    """

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
        self.frequencies = None
        self.delta_numbers = None
        self.removed = None

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

    def with_frequencies(self, const int32_t[::1] frequencies):
        """Use a stored document frequency of each list, not the number of postings."""
        self.frequencies = frequencies
        return self

    def with_delta(
        self,
        const int64_t[::1] numbers,       # (n_changed,): ascending
        const int64_t[::1] offsets,       # (n_changed + 1,)
        const int32_t[::1] labels,        # (n_added,)
        const float[::1] values,          # (n_added,)
        const float[::1] peaks,           # (n_changed,)
        const int32_t[::1] frequencies,   # (n_changed,)
        const uint8_t[::1] replaces,      # (n_changed,)
    ):
        """Add postings to some lists, or replace these; numbers may be new ones.

        Where a list goes on, the labels are larger than those that it has.
        """
        self.delta_numbers = numbers
        self.delta_offsets = offsets
        self.delta_labels = labels
        self.delta_values = values
        self.delta_peaks = peaks
        self.delta_frequencies = frequencies
        self.delta_replaces = replaces
        return self

    def without(self, const uint8_t[::1] removed):
        """Do not find some labels: those with a bit, of which label 0 has the lowest.

        There are bits for all labels that have postings.
        """
        self.removed = removed
        return self

    cdef void _open(self, int64_t number, float weight, Postings* found) noexcept nogil:
        """Find the postings of a list."""
        cdef int64_t first = 0
        cdef float peak = 0
        found.size = found.n_added = found.position = 0
        found.labels = NULL
        found.values = found.table = NULL
        found.codes = NULL
        found.wide_codes = NULL
        found.bound = 0
        found.idf = 1
        if number < self.peaks.shape[0]:
            first = self.offsets[number]
            found.size = self.offsets[number + 1] - first
            peak = self.peaks[number]
        if self.delta_numbers is not None:
            peak = max(peak, self._open_delta(number, found))
        if found.size:
            found.labels = &self.labels[first]
            if self.values is not None:
                found.values = &self.values[first]
            elif self.codes is not None:
                found.codes = &self.codes[first]
            else:
                found.wide_codes = &self.wide_codes[first]
        elif not go_on(found):
            return
        if self.table is not None:
            found.table = &self.table[0]
            found.idf = self._idf(number)
            weight *= found.idf
        found.weight = weight
        found.bound = max(weight * peak, <float>0)

    cdef float _open_delta(self, int64_t number, Postings* found) noexcept nogil:
        """Find the postings that were added to a list; return their largest value."""
        cdef int64_t first, i = self._find_delta(number)
        if i < 0:
            return 0
        if self.delta_replaces[i]:
            found.size = 0
        first = self.delta_offsets[i]
        found.n_added = self.delta_offsets[i + 1] - first
        if found.n_added:
            found.added_labels = &self.delta_labels[first]
            found.added_values = &self.delta_values[first]
        return self.delta_peaks[i]

    cdef int64_t _find_delta(self, int64_t number) noexcept nogil:
        """Return the index of a list among those that have changed, or -1."""
        cdef int64_t i = 0, half, length
        if self.delta_numbers is None or not self.delta_numbers.shape[0]:
            return -1
        length = self.delta_numbers.shape[0]
        while length > 1:
            half = length // 2
            # Branch-free: the outcome would be mispredicted.
            i += half * (self.delta_numbers[i + half] <= number)
            length -= half
        return i if self.delta_numbers[i] == number else -1

    cdef int64_t _frequency(self, int64_t number) noexcept nogil:
        """Return the document frequency of a list, at most N."""
        cdef int64_t frequency = 0, i = self._find_delta(number)
        if i >= 0:
            frequency = self.delta_frequencies[i]
        elif number < self.peaks.shape[0]:
            if self.frequencies is not None:
                frequency = self.frequencies[number]
            else:
                frequency = self.offsets[number + 1] - self.offsets[number]
        return min(frequency, self.n_labels)

    cdef float _idf(self, int64_t number) noexcept nogil:
        """Return ln(1 + (N - df + 0.5) / (df + 0.5)) of a list."""
        cdef int64_t df = self._frequency(number)
        return <float>log1p((self.n_labels - df + 0.5) / (df + 0.5))


cdef inline int64_t first_above(
    const Postings* which, const stored* values, int64_t i, int64_t stop, double cut
) noexcept nogil:
    """Return the first position from i on whose value is larger than cut, or stop."""
    # The copy tells the compiler that nothing in the loop changes it.
    cdef Postings postings = which[0]
    while i < stop and value_of(&postings, values, i) <= cut:
        i += 1
    return i


cdef inline int64_t next_above(
    const Postings* postings, int64_t i, int64_t stop, double cut
) noexcept nogil:
    if postings.codes != NULL:
        return first_above(postings, postings.codes, i, stop, cut)
    if postings.wide_codes != NULL:
        return first_above(postings, postings.wide_codes, i, stop, cut)
    return first_above(postings, postings.values, i, stop, cut)


cdef inline int64_t add_values(
    const Postings* which,
    const stored* values,
    int64_t stop,      # label
    int64_t base,      # label of the first score
    float* scores,
    uint64_t* marked,
) noexcept nogil:
    """Add the values of labels below `stop`; return the position behind them."""
    cdef Postings postings = which[0]
    cdef int64_t i = postings.position, label
    while i < postings.size:
        label = postings.labels[i]
        if label >= stop:
            break
        label -= base
        scores[label] += value_of(&postings, values, i)
        marked[label >> 6] |= <uint64_t>1 << (label & 63)
        i += 1
    return i


cdef int by_bound(const void* first, const void* second) noexcept nogil:
    """Compare lists: by descending bound, then as in the query."""
    cdef const Postings* one = <const Postings*>first
    cdef const Postings* other = <const Postings*>second
    if one.bound != other.bound:
        return 1 if one.bound < other.bound else -1
    return 1 if one.order > other.order else -1


cdef class IndexSearcher:
    """The buffers of one search at a time.

    Parameters
    ----------
    index : InvertedIndex
    """

    cdef InvertedIndex index
    cdef float[::1] scores       # (LARGEST_WINDOW,): zeros between windows
    cdef uint64_t[::1] marked    # (LARGEST_WINDOW / 64,): a bit for each label found
    cdef uint8_t[::1] memory     # of the postings of a query
    cdef Postings* postings
    cdef int64_t n_postings
    cdef int64_t n_essential     # the first of the postings
    cdef float total             # bound on any score
    # A label is among the best k only if its score is larger.
    cdef double threshold
    cdef double partial_threshold  # lower, for sums of several bounds
    cdef bint is_signed
    cdef const float* label_weights
    cdef const uint8_t* removed
    cdef Watch watch
    cdef readonly int64_t n_read  # postings that were read, for tests

    def __init__(self, InvertedIndex index):
        self.index = index
        self.scores = array(shape=(LARGEST_WINDOW,), itemsize=sizeof(float), format="f")
        self.scores[:] = 0
        self.marked = array(
            shape=(LARGEST_WINDOW // 64,), itemsize=sizeof(uint64_t), format="Q"
        )
        self.marked[:] = 0
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
        best.capacity = labels.shape[1]
        self.label_weights = NULL
        if label_weights is not None and label_weights.shape[0]:
            self.label_weights = &label_weights[0]
        self.removed = NULL
        if self.index.removed is not None and self.index.removed.shape[0]:
            self.removed = &self.index.removed[0]
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
        cdef int64_t i, field, most = (stop - first) * n_fields
        cdef float weight
        cdef Postings* one
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
                one = &self.postings[self.n_postings]
                self.index._open(terms[i] * n_fields + field, weight, one)
                if one.size and weight != 0:
                    self.is_signed |= weight < 0
                    one.order = self.n_postings
                    self.n_postings += 1
        qsort(self.postings, self.n_postings, sizeof(Postings), by_bound)
        self._set_bounds()
        return 0

    cdef void _set_bounds(self) noexcept nogil:
        """Bound the sums of lists.

        Rounding is monotonic: the bounds, added in the order of the values, are at
        least as large as any sum of values. Other sums of several bounds are raised.
        """
        cdef int64_t i, n_before = 0
        cdef double rest = 0
        self.total = 0
        for i in range(self.n_postings):
            self.total += self.postings[i].bound
            self.postings[i].n_before = n_before
            n_before += self.postings[i].size
        for i in range(self.n_postings - 1, -1, -1):
            rest += self.postings[i].bound
            self.postings[i].rest = rest * (SLACK if i + 1 < self.n_postings else 1.0)

    cdef void _search(self, Heap* best) noexcept nogil:
        cdef int64_t i, width = FIRST_WINDOW
        self.n_essential = self.n_postings
        self.threshold = self.partial_threshold = 0
        best.size = 0
        if not self.is_signed:
            self._start_threshold(best)
        while self.n_essential and not self.watch.ended:
            if self.n_essential == 1:
                self._read_one(best)
            else:
                self._read_window(width, best)
                width = min(2 * width, <int64_t>LARGEST_WINDOW)
        sort(best)
        for i in range(best.size, best.capacity):
            best.keys[i] = -1
            best.scores[i] = -INFINITY

    cdef void _start_threshold(self, Heap* best) noexcept nogil:
        """Scan short lists: the k-th best value of one is below the k-th best score."""
        cdef int64_t i, size, n_after = 0
        for i in range(self.n_postings):
            n_after += self.postings[i].size + self.postings[i].n_added
        for i in range(self.n_postings):
            size = self.postings[i].size + self.postings[i].n_added
            n_after -= size
            if self.postings[i].bound <= self.threshold:
                break
            if size < best.capacity or GAIN_OF_SCAN * size > n_after:
                continue
            self._scan(&self.postings[i], best)
            if best.size == best.capacity:
                # Labels with the same score may be among the best.
                self._raise_threshold(nextafterf(<float>best.scores[0], -INFINITY))
            best.size = 0

    cdef void _scan(self, const Postings* which, Heap* best) noexcept nogil:
        """Push the values of a list that are above the threshold."""
        cdef Postings postings = which[0]
        self._scan_part(&postings, best)
        if go_on(&postings):
            self._scan_part(&postings, best)

    cdef void _scan_part(self, const Postings* postings, Heap* best) noexcept nogil:
        cdef int64_t i = 0
        cdef int32_t label
        cdef float value
        if must_end(&self.watch, postings.size * BYTES_OF_POSTING):
            return
        self.n_read += postings.size
        while True:
            i = next_above(
                postings,
                i,
                postings.size,
                best.scores[0] if best.size == best.capacity else self.threshold,
            )
            if i >= postings.size:
                return
            label = postings.labels[i]
            value = value_at(postings, i)
            i += 1
            if self._is_removed(label):
                continue
            if self.label_weights != NULL:
                value = value * self.label_weights[label]
            push(best, label, label, value)

    cdef inline bint _is_removed(self, int32_t label) noexcept nogil:
        return self.removed != NULL and self.removed[label >> 3] >> (label & 7) & 1

    cdef void _raise_threshold(self, double threshold) noexcept nogil:
        """Raise the threshold, which makes lists inessential.

        Where terms can reduce scores, all lists are essential. A list that is short
        beside those before it remains essential: reading it takes less time than
        looking up their labels.
        """
        cdef const Postings* last
        self.threshold = max(self.threshold, threshold)
        self.partial_threshold = self.threshold / SLACK
        if self.is_signed:
            return
        if self.total <= self.threshold:
            self.n_essential = 0
        while self.n_essential:
            last = &self.postings[self.n_essential - 1]
            if last.rest > self.threshold:
                return
            if LOOKUPS_PER_READ * last.size < last.n_before:
                return
            self.n_essential -= 1

    cdef inline double _cut(self, int64_t i) noexcept nogil:
        """Return what a sum of the lists before the i-th must be larger than."""
        if i == self.n_postings:
            return self.threshold
        if self.is_signed:
            return -INFINITY
        return self.partial_threshold - self.postings[i].rest

    cdef void _read_one(self, Heap* best) noexcept nogil:
        """Read the only essential list."""
        cdef Postings* postings = &self.postings[0]
        self._read_part(postings, best)
        while self.n_essential and not self.watch.ended and go_on(postings):
            self._read_part(postings, best)
        self.n_essential = 0

    cdef void _read_part(self, const Postings* postings, Heap* best) noexcept nogil:
        cdef int64_t i = postings.position, stop
        while self.n_essential and i < postings.size:
            stop = min(i + SCANNED_AT_ONCE, postings.size)
            if must_end(&self.watch, (stop - i) * BYTES_OF_POSTING):
                return
            self.n_read += stop - i
            while self.n_essential:
                i = next_above(postings, i, stop, self._cut(1))
                if i >= stop:
                    break
                self._complete(postings.labels[i], value_at(postings, i), 1, best)
                i += 1

    cdef void _read_window(self, int64_t width, Heap* best) noexcept nogil:
        """Read the essential lists for the next labels."""
        cdef int64_t j, stop, n_read, n_essential = self.n_essential
        cdef int64_t first = INT32_MAX
        cdef Postings* postings
        for j in range(n_essential):
            postings = &self.postings[j]
            if postings.position < postings.size:
                first = min(first, <int64_t>postings.labels[postings.position])
        if first == INT32_MAX:
            self.n_essential = 0
            return
        stop = first + width
        n_read = 0
        for j in range(n_essential):
            n_read += self._add(&self.postings[j], first, stop)
        self.n_read += n_read
        if not must_end(&self.watch, n_read * BYTES_OF_POSTING):
            self._take_marked(first, width, n_essential, best)

    cdef inline int64_t _add(
        self, Postings* postings, int64_t first, int64_t stop
    ) noexcept nogil:
        """Read a list up to a label; return the number of postings."""
        cdef int64_t n_read = self._add_part(postings, first, stop)
        if postings.position >= postings.size and go_on(postings):
            n_read += self._add_part(postings, first, stop)
        return n_read

    cdef inline int64_t _add_part(
        self, Postings* postings, int64_t first, int64_t stop
    ) noexcept nogil:
        cdef int64_t i = postings.position
        cdef float* scores = &self.scores[0]
        cdef uint64_t* marked = &self.marked[0]
        if postings.codes != NULL:
            postings.position = add_values(
                postings, postings.codes, stop, first, scores, marked
            )
        elif postings.wide_codes != NULL:
            postings.position = add_values(
                postings, postings.wide_codes, stop, first, scores, marked
            )
        else:
            postings.position = add_values(
                postings, postings.values, stop, first, scores, marked
            )
        return postings.position - i

    cdef void _take_marked(
        self, int64_t first, int64_t width, int64_t n_essential, Heap* best
    ) noexcept nogil:
        """Complete the scores of a window that may be among the best; reset all."""
        cdef int64_t i, j
        cdef uint64_t bits
        cdef float score
        cdef float* scores = &self.scores[0]
        cdef double cut = self._cut(n_essential)
        for i in range((width + 63) // 64):
            bits = self.marked[i]
            self.marked[i] = 0
            while bits:
                j = 64 * i + lowest_bit(bits)
                bits &= bits - 1
                score = scores[j]
                scores[j] = 0
                if score > cut:
                    self._complete(<int32_t>(first + j), score, n_essential, best)
                    cut = self._cut(n_essential)

    cdef void _complete(
        self, int32_t label, float score, int64_t first, Heap* best
    ) noexcept nogil:
        """Look up a label in the lists from `first` on; push its score."""
        cdef int64_t j
        cdef Postings* postings
        if self._is_removed(label):
            return
        if self.label_weights != NULL and self.label_weights[label] == 0:
            return
        for j in range(first, self.n_postings):
            if score <= self._cut(j):
                return
            postings = &self.postings[j]
            self.n_read += 1
            if seek(postings, label):
                score += value_at(postings, postings.position)
        if self.label_weights != NULL:
            score = score * self.label_weights[label]
        if score > self.threshold:
            push(best, label, label, score)
            if best.size == best.capacity:
                self._raise_threshold(best.scores[0])
