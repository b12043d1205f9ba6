"""Finds the nearest of many known samples, by postings from features to samples.

The similarities of one query at a time are in an array over all known samples. A bitmap
(`_bitmap.pxd`) marks those that share a feature with the query, so that only these are
visited, in ascending order.
"""

from cython.view cimport array
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from skxmr._cython._beam cimport Heap, push, sort
from skxmr._cython._bitmap cimport list_and_clear, mark
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef enum:
    BYTES_OF_POSTING = 16  # read and written, for the interruption check


cdef struct Query:
    const int32_t* features
    const float* values
    int64_t n_features


cdef class NeighborSearcher:
    """Known samples, by feature, and the buffers of one search at a time.

    Parameters
    ----------
    n_samples : int
        Number of known samples.
    offsets : ndarray of shape (n_features + 1,), int64
    samples : ndarray of int32
        The known samples that have each feature.
    values : ndarray of float32
        The values of the feature in these.
    """

    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] samples
    cdef const float[::1] values
    cdef uint64_t[::1] words       # (n_samples / 64,): a bit for each sample in common
    cdef uint64_t[::1] summary     # (n_words / 64,): a bit for each word that is not 0
    cdef int32_t[::1] common       # (n_samples,): samples with a feature in common
    cdef float[::1] similarities   # (n_samples,): zeros between queries
    cdef Watch watch

    def __init__(
        self,
        int64_t n_samples,
        const int64_t[::1] offsets,
        const int32_t[::1] samples,
        const float[::1] values,
    ):
        cdef int64_t n_words = (n_samples + 63) // 64
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples}; expected 1 or more.")
        self.offsets = offsets
        self.samples = samples
        self.values = values
        self.words = array(shape=(n_words,), itemsize=sizeof(uint64_t), format="Q")
        self.words[:] = 0
        self.summary = array(
            shape=((n_words + 63) // 64,), itemsize=sizeof(uint64_t), format="Q"
        )
        self.summary[:] = 0
        self.common = array(shape=(n_samples,), itemsize=sizeof(int32_t), format="i")
        self.similarities = array(
            shape=(n_samples,), itemsize=sizeof(float), format="f"
        )
        self.similarities[:] = 0

    def find(
        self,
        const int64_t[::1] offsets,        # IN (n_queries + 1,)
        const int32_t[::1] features,       # IN: of the queries, known ones only
        const float[::1] values,           # IN
        int64_t[:, ::1] nearest,           # OUT (n_queries, n_neighbors); -1 for none
        double[:, ::1] similarities,       # OUT of the same shape; -inf for none
        const uint8_t[::1] stop=None,      # IN (1,): not 0 once the result is unwanted
    ):
        """List the known samples of the largest positive similarity, largest first.

        Ties are broken by the index of the sample. Products are added in the order of
        a query's features. After an interruption, the object is not to be used again.
        """
        cdef int64_t query, n_queries = offsets.shape[0] - 1
        cdef Query one
        cdef Heap found
        if nearest.shape[1] == 0:
            raise ValueError("nearest has no column; expected one or more.")
        found.capacity = nearest.shape[1]
        self.watch = watch_for(stop)
        with nogil:
            for query in range(n_queries):
                one.n_features = offsets[query + 1] - offsets[query]
                if one.n_features:
                    one.features = &features[offsets[query]]
                    one.values = &values[offsets[query]]
                # Only keys of the result are kept: they share the memory of the nodes.
                found.nodes = found.keys = &nearest[query, 0]
                found.scores = &similarities[query, 0]
                self._find_nearest(&one, &found)
                if self.watch.ended:
                    break
        raise_ended(&self.watch)

    cdef void _find_nearest(self, const Query* query, Heap* found) noexcept nogil:
        cdef int64_t i, n_common
        cdef int32_t sample
        for i in range(query.n_features):
            self._add_products(query.features[i], query.values[i])
            if self.watch.ended:
                return
        n_common = list_and_clear(self.words, self.summary, &self.common[0])
        found.size = 0
        for i in range(n_common):
            sample = self.common[i]
            if self.similarities[sample] > 0:
                push(found, sample, sample, self.similarities[sample])
            self.similarities[sample] = 0
        sort(found)
        for i in range(found.size, found.capacity):
            found.keys[i] = -1
            found.scores[i] = -INFINITY

    cdef inline void _add_products(self, int32_t feature, float value) noexcept nogil:
        """Add the products of one feature of a query to the similarities."""
        cdef int64_t posting, first = self.offsets[feature]
        cdef int64_t last = self.offsets[feature + 1]
        cdef int32_t sample
        cdef float* similarities = &self.similarities[0]
        if must_end(&self.watch, (last - first) * BYTES_OF_POSTING):
            return
        for posting in range(first, last):
            sample = self.samples[posting]
            mark(self.words, self.summary, sample)
            similarities[sample] += value * self.values[posting]
