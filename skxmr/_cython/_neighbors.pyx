"""Finds the nearest of many known rows, by an index from features to rows.

The similarities of one query at a time lie in an array of all known rows. Which were
touched is kept in a bitmap (`_bitmap.pxd`), so that they come in ascending order and
only those are visited.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint64_t

from skxmr._cython._beam cimport Heap, push, sort
from skxmr._cython._bitmap cimport list_and_clear, mark


def find_nearest(
    const int64_t[::1] offsets,        # IN (n_queries + 1,)
    const int32_t[::1] features,       # IN: of the queries, known ones only
    const float[::1] values,           # IN
    const int64_t[::1] known_offsets,  # IN (n_features + 1,)
    const int32_t[::1] known_rows,     # IN: the known rows that have each feature
    const float[::1] known_values,     # IN
    uint64_t[::1] words,               # SCRATCH (n_known / 64,), zeros
    uint64_t[::1] summary,             # SCRATCH (n_words / 64,), zeros
    int32_t[::1] touched,              # SCRATCH (n_known,)
    float[::1] similarities,           # SCRATCH (n_known,), zeros
    int64_t[:, ::1] nearest,           # OUT (n_queries, n_neighbors); -1 for none
    double[:, ::1] nearest_similarities,  # OUT of the same shape; -inf for none
):
    """List the known rows of the largest positive similarity, the largest first.

    Of equal ones those come first that have the smaller number. Products are added in
    the order of a query's features.
    """
    cdef int64_t query, i, entry, posting, n_touched
    cdef int32_t row
    cdef float value
    cdef Heap found
    if nearest.shape[1] == 0 or similarities.shape[0] == 0:
        raise ValueError("nearest and similarities must not be empty")
    found.capacity = nearest.shape[1]
    with nogil:
        for query in range(offsets.shape[0] - 1):
            for entry in range(offsets[query], offsets[query + 1]):
                value = values[entry]
                for posting in range(
                    known_offsets[features[entry]], known_offsets[features[entry] + 1]
                ):
                    row = known_rows[posting]
                    mark(words, summary, row)
                    similarities[row] += value * known_values[posting]
            n_touched = list_and_clear(words, summary, &touched[0])
            # What is found is kept by key only: both may share their memory.
            found.nodes = found.keys = &nearest[query, 0]
            found.scores = &nearest_similarities[query, 0]
            found.size = 0
            for i in range(n_touched):
                row = touched[i]
                if similarities[row] > 0:
                    push(&found, row, row, similarities[row])
                similarities[row] = 0
            sort(&found)
            for i in range(found.size, found.capacity):
                found.keys[i] = -1
                found.scores[i] = -INFINITY
