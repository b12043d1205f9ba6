"""Finding the most frequent queries that have some words, in any order."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from skxmr._cython._beam cimport Heap, push, sort

cdef enum:
    N_OF_BLOCK = 256  # postings that share an entry in the table of the best
    FIRST = 0  # columns of the sought words
    BEYOND = 1
    SOUGHT = 2

BLOCK = N_OF_BLOCK


cdef class WordPostings:
    """Which query has which words, in both directions.

    The *position* of a query is its rank by count.

    Parameters
    ----------
    starts : ndarray of shape (n_words + 1,), int64
        Of the postings of each word.
    postings : ndarray of shape (n_postings,), int32
        The positions of the queries that have a word, ascending.
    block_best : ndarray of shape (n_blocks,), int32
        The least position of each block of postings.
    queries : ndarray of shape (n_queries,), int32
        The query at each position.
    offsets : ndarray of shape (n_queries + 1,), int64
    words : ndarray of shape (n_postings,), int32
        The words of each query, ascending.
    """

    cdef const int64_t[::1] starts
    cdef const int32_t[::1] postings
    cdef const int32_t[::1] block_best
    cdef const int32_t[::1] queries
    cdef const int32_t[::1] positions
    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] words

    def __init__(
        self, starts, postings, block_best, queries, positions, offsets, words
    ):
        self.starts, self.postings, self.block_best = starts, postings, block_best
        self.queries, self.positions = queries, positions
        self.offsets, self.words = offsets, words

    def matches(
        self,
        const int64_t[:, ::1] sought,  # IN (n, 3): first word, beyond the last, which
        const int64_t[::1] queries,    # IN (n_asked,)
        uint8_t[::1] found,            # OUT (n_asked,)
    ):
        """Tell which queries have a word of each that is sought."""
        cdef int64_t i
        self._check(sought)
        if found.shape[0] != queries.shape[0]:
            raise ValueError("found must be as long as queries.")
        for i in range(queries.shape[0]):
            if not 0 <= queries[i] < self.queries.shape[0]:
                raise ValueError("There is no query with such a number.")
        with nogil:
            for i in range(queries.shape[0]):
                found[i] = self._has_all(sought, queries[i])

    def best(
        self,
        const int64_t[:, ::1] sought,   # IN (n, 3): first word, beyond the last, which
        const int64_t[:, ::1] allowed,  # IN (n_ranges, 2): of queries, ascending
        int64_t[::1] keys,              # SCRATCH (k,)
        double[::1] scores,             # SCRATCH (k,)
        int64_t[::1] best,              # OUT (k,): queries, most frequent first
    ):
        """Find the most frequent queries with a word of each; return their number."""
        cdef Heap found
        cdef int64_t i, n, least, start = 0, driver = -1, n_sought = sought.shape[0]
        self._check(sought)
        if best.shape[0] == 0 or n_sought == 0:
            return 0
        if min(keys.shape[0], scores.shape[0]) < best.shape[0]:
            raise ValueError("The scratch is shorter than best.")
        least = 0
        for i in range(allowed.shape[0]):
            if allowed[i, 0] < 0 or allowed[i, 1] > self.queries.shape[0]:
                raise ValueError("A range goes beyond the queries.")
            least += max(allowed[i, 1] - allowed[i, 0], 0)
        found.nodes, found.keys, found.scores = &best[0], &keys[0], &scores[0]
        found.size, found.capacity = 0, best.shape[0]
        # Driven by what is rarest: a word that is sought, or what is allowed.
        while start < n_sought:
            n, i = 0, start
            while i < n_sought and sought[i, SOUGHT] == sought[start, SOUGHT]:
                n += self.starts[sought[i, BEYOND]] - self.starts[sought[i, FIRST]]
                i += 1
            if n < least:
                least, driver = n, start
            start = i
        with nogil:
            if driver < 0:
                self._best_of_allowed(sought, allowed, &found)
            else:
                i = driver
                while i < n_sought and sought[i, SOUGHT] == sought[driver, SOUGHT]:
                    self._best_of_words(sought, i, driver, allowed, &found)
                    i += 1
            sort(&found)
        return found.size

    cdef int _check(self, const int64_t[:, ::1] sought) except -1:
        cdef int64_t i
        if sought.shape[1] != 3:
            raise ValueError("sought must have three columns.")
        for i in range(sought.shape[0]):
            if not 0 <= sought[i, FIRST] <= sought[i, BEYOND] < self.starts.shape[0]:
                raise ValueError("A word that is sought does not exist.")
        return 0

    cdef void _best_of_allowed(
        self, const int64_t[:, ::1] sought, const int64_t[:, ::1] allowed, Heap* found
    ) noexcept nogil:
        cdef int64_t i, query
        for i in range(allowed.shape[0]):
            for query in range(allowed[i, 0], allowed[i, 1]):
                if self._may_enter(found, self.positions[query]):
                    if self._has_all(sought, query):
                        push(found, query, self.positions[query], 0)

    cdef void _best_of_words(
        self, const int64_t[:, ::1] sought, int64_t which, int64_t driver,
        const int64_t[:, ::1] allowed, Heap* found,
    ) noexcept nogil:
        """Push the queries of one range of words."""
        cdef int64_t i = self.starts[sought[which, FIRST]]
        cdef int64_t stop = self.starts[sought[which, BEYOND]], end, block, query
        while i < stop:
            block = i // N_OF_BLOCK
            end = min((block + 1) * N_OF_BLOCK, stop)
            if not self._may_enter(found, self.block_best[block]):
                i = end
            while i < end:
                if self._may_enter(found, self.postings[i]):
                    query = self.queries[self.postings[i]]
                    if (
                        _is_in(allowed, query)
                        and self._is_first(sought, which, driver, query, i)
                        and self._has_all(sought, query)
                    ):
                        push(found, query, self.postings[i], 0)
                elif sought[which, BEYOND] == sought[which, FIRST] + 1:
                    return  # The positions of one word ascend.
                i += 1

    cdef inline bint _may_enter(self, Heap* found, int64_t position) noexcept nogil:
        return found.size < found.capacity or position < found.keys[0]

    cdef bint _is_first(
        self, const int64_t[:, ::1] sought, int64_t which, int64_t driver,
        int64_t query, int64_t posting,
    ) noexcept nogil:
        """Tell whether a posting is the first one of a query in the ranges."""
        cdef int64_t i, row
        cdef int32_t word
        for row in range(driver, which + 1):
            for i in range(self.offsets[query], self.offsets[query + 1]):
                word = self.words[i]
                if sought[row, FIRST] <= word < sought[row, BEYOND]:
                    return (
                        row == which
                        and self.starts[word] <= posting < self.starts[word + 1]
                    )
        return False

    cdef bint _has_all(
        self, const int64_t[:, ::1] sought, int64_t query
    ) noexcept nogil:
        cdef int64_t i, row = 0, which
        cdef bint is_found
        while row < sought.shape[0]:
            which, is_found = sought[row, SOUGHT], False
            while row < sought.shape[0] and sought[row, SOUGHT] == which:
                for i in range(self.offsets[query], self.offsets[query + 1]):
                    if sought[row, FIRST] <= self.words[i] < sought[row, BEYOND]:
                        is_found = True
                        break
                row += 1
            if not is_found:
                return False
        return True


cdef bint _is_in(const int64_t[:, ::1] ranges, int64_t query) noexcept nogil:
    """Find the last range that starts at or before a query."""
    cdef int64_t low = 0, high = ranges.shape[0], middle
    while low < high:
        middle = (low + high) // 2
        if ranges[middle, 0] <= query:
            low = middle + 1
        else:
            high = middle
    return low > 0 and query < ranges[low - 1, 1]
