"""What all beam searches share: the scores of nodes, and a heap of the best."""

from libc.float cimport FLT_EPSILON, FLT_MIN
from libc.math cimport INFINITY, exp, log1p
from libc.stdint cimport int64_t

cdef extern from "include/hinge.h":
    const double _LARGEST_VIOLATION "SKXMR_LARGEST_VIOLATION"


cdef enum:
    SIGMOID = 0      # hinges are given by their power
    MAX_SORTED = 32  # capacity up to which a heap is kept as a sorted list


cdef struct Heap:
    # The best `size` of all candidates pushed, the worst of them on top. A larger score
    # is better; of equal ones, the smaller key. A small heap is a list sorted from the
    # worst to the best, which causes fewer branch mispredictions than sifting.
    int64_t* nodes
    int64_t* keys
    double* scores
    int64_t size
    int64_t capacity


cdef inline void turn_into_scores(
    double* margins, int64_t n_children, double parent_score, int transform
) noexcept nogil:
    """Replace margins by log scores: the parent's plus the transformed margin's."""
    cdef int64_t child
    cdef double violation
    if transform == SIGMOID:
        for child in range(n_children):
            margins[child] = parent_score + _log_sigmoid(margins[child])
        return
    for child in range(n_children):
        violation = max(1 - margins[child], 0.0)
        if violation < INFINITY:
            violation = min(violation, _LARGEST_VIOLATION)
        margins[child] = parent_score - _power(violation, transform)


cdef inline double _power(double violation, int power) noexcept nogil:
    if power == 3:
        return violation * violation * violation
    if power == 1:
        return violation
    if power == 2:
        return violation * violation
    return (violation * violation) * (violation * violation)


cdef inline double _log_sigmoid(double margin) noexcept nogil:
    if margin == -INFINITY:
        return -INFINITY
    if margin >= 0:
        return -log1p(exp(-margin))
    return margin - log1p(exp(margin))


# A heap of candidates
# --------------------

cdef inline bint _worse(
    double score, int64_t key, double other_score, int64_t other_key
) noexcept nogil:
    return score < other_score or (score == other_score and key > other_key)


cdef inline int _worse_as_int(
    double score, int64_t key, double other_score, int64_t other_key
) noexcept nogil:
    """Return 1 or 0. Branch-free: which child is worse would be mispredicted."""
    return (score < other_score) | (
        (score == other_score) & (key > other_key)
    )


cdef inline void _set(
    Heap* heap, int64_t i, int64_t node, int64_t key, double score
) noexcept nogil:
    heap.nodes[i] = node
    heap.keys[i] = key  # after nodes, whose memory the keys may share
    heap.scores[i] = score


cdef inline void push(
    Heap* heap, int64_t node, int64_t key, double score
) noexcept nogil:
    """Keep a candidate if it is among the best so far."""
    if heap.size == heap.capacity:
        if not _worse(heap.scores[0], heap.keys[0], score, key):
            return
        if heap.capacity <= MAX_SORTED:
            _shift_down(heap, node, key, score)
        else:
            _sift_down(heap, node, key, score)
        return
    heap.size += 1
    if heap.capacity <= MAX_SORTED:
        _shift_up(heap, node, key, score)
    else:
        _sift_up(heap, node, key, score)


cdef inline void _move(Heap* heap, int64_t i, int64_t source) noexcept nogil:
    _set(heap, i, heap.nodes[source], heap.keys[source], heap.scores[source])


cdef inline void _shift_down(
    Heap* heap, int64_t node, int64_t key, double score
) noexcept nogil:
    """Insert a candidate into the list, dropping the worst."""
    cdef int64_t i = 0
    while i + 1 < heap.size and _worse(
        heap.scores[i + 1], heap.keys[i + 1], score, key
    ):
        _move(heap, i, i + 1)
        i += 1
    _set(heap, i, node, key, score)


cdef inline void _shift_up(
    Heap* heap, int64_t node, int64_t key, double score
) noexcept nogil:
    """Insert a candidate into the list, whose last position is free."""
    cdef int64_t i = heap.size - 1
    while i > 0 and _worse(score, key, heap.scores[i - 1], heap.keys[i - 1]):
        _move(heap, i, i - 1)
        i -= 1
    _set(heap, i, node, key, score)


cdef inline void _sift_up(
    Heap* heap, int64_t node, int64_t key, double score
) noexcept nogil:
    """Insert a candidate into the heap, whose last position is free."""
    cdef int64_t up, i = heap.size - 1
    while i > 0:
        up = (i - 1) // 2
        if not _worse(score, key, heap.scores[up], heap.keys[up]):
            break
        _move(heap, i, up)
        i = up
    _set(heap, i, node, key, score)


cdef inline void _sift_down(
    Heap* heap, int64_t node, int64_t key, double score
) noexcept nogil:
    """Replace the worst by a candidate."""
    cdef int64_t i = 0, down
    while True:
        down = 2 * i + 1
        if down >= heap.size:
            break
        if down + 1 < heap.size:
            down += _worse_as_int(
                heap.scores[down + 1], heap.keys[down + 1],
                heap.scores[down], heap.keys[down],
            )
        if not _worse(heap.scores[down], heap.keys[down], score, key):
            break
        _move(heap, i, down)
        i = down
    _set(heap, i, node, key, score)


cdef inline void sort(Heap* heap) noexcept nogil:
    """Sort from the best to the worst."""
    cdef int64_t i
    if heap.capacity <= MAX_SORTED:
        for i in range(heap.size // 2):
            _swap(heap, i, heap.size - 1 - i)
    else:
        _heap_sort(heap)


cdef inline void _swap(Heap* heap, int64_t i, int64_t other) noexcept nogil:
    cdef int64_t node = heap.nodes[i], key = heap.keys[i]
    cdef double score = heap.scores[i]
    _move(heap, i, other)
    _set(heap, other, node, key, score)


cdef inline void _heap_sort(Heap* heap) noexcept nogil:
    """Move the worst to the end, again and again."""
    cdef int64_t size = heap.size
    cdef int64_t last_node, last_key
    cdef double last_score
    while heap.size > 1:
        heap.size -= 1
        last_node, last_key = heap.nodes[heap.size], heap.keys[heap.size]
        last_score = heap.scores[heap.size]
        _move(heap, heap.size, 0)
        _sift_down(heap, last_node, last_key, last_score)
    heap.size = size


# Scores themselves
# -----------------

cdef inline float as_score(int64_t column, double log_score) noexcept nogil:
    """Return a score above 0 and below 1, or 0 for a column of -1."""
    cdef float score = <float>exp(log_score)
    if column < 0:
        return 0
    return min(max(score, FLT_MIN), <float>(1 - FLT_EPSILON / 2))
