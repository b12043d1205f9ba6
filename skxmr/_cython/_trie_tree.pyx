"""Compares names character by character."""

from libc.stdint cimport int32_t, int64_t


def common_prefixes(
    list names,               # IN of str
    const int64_t[::1] order,  # IN (n_names,)
    int32_t most,
    int32_t[::1] lengths,     # OUT (n_names,)
):
    """Count the first characters that each name shares with the one before it.

    Where all are shared, `most` is written; it is never exceeded. The first name
    shares none.
    """
    cdef Py_ssize_t i
    cdef int32_t n, shorter
    cdef str name, before
    if lengths.shape[0] != order.shape[0]:
        raise ValueError("lengths does not fit order")
    for i in range(order.shape[0]):
        if not 0 <= order[i] < len(names):
            raise ValueError("order does not fit names")
        name = names[order[i]]
        if name is None:
            raise TypeError("names must be strings")
        n = 0
        if i > 0:
            shorter = <int32_t> min(len(name), len(before), most)
            while n < shorter and name[n] == before[n]:
                n += 1
            if n == len(name) == len(before):
                n = most
        lengths[i] = n
        before = name
