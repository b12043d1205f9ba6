"""Decodes texts from their concatenated UTF-8."""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t

# What to point at where there is no first byte; the length is looked at apart.
cdef uint8_t NO_BYTE = 0


def decode_text(
    const uint8_t[::1] text,      # IN
    const int64_t[::1] offsets,   # IN
    int64_t number,
):
    """Decode one of the texts, as `decode_texts` does."""
    return _decode(text, offsets, number)


def decode_texts(
    const uint8_t[::1] text,      # IN
    const int64_t[::1] offsets,   # IN
    const int64_t[::1] numbers,   # IN
):
    """Decode some of the texts.

    Every number and offset is checked, since those of a memory-mapped file are not
    checked before.

    Parameters
    ----------
    text : memoryview of shape (n_bytes,), uint8
        UTF-8, in which surrogates are allowed.
    offsets : memoryview of shape (n_texts + 1,), int64
        The start of each text, and the end of the last one.
    numbers : memoryview of shape (n_taken,), int64
        Negative ones count from the end.

    Returns
    -------
    list of str

    Raises
    ------
    IndexError
        If there is no text of a number.
    ValueError
        If the offsets of a text are outside of `text`. A UnicodeDecodeError if its
        bytes are no UTF-8.
    """
    cdef:
        Py_ssize_t i
        list found = []
    for i in range(numbers.shape[0]):
        found.append(_decode(text, offsets, numbers[i]))
    return found


cdef object _decode(
    const uint8_t[::1] text, const int64_t[::1] offsets, int64_t number
):
    cdef:
        int64_t n_texts = offsets.shape[0] - 1, n_bytes = text.shape[0]
        int64_t i = number if number >= 0 else number + n_texts
        int64_t start, stop
        const uint8_t* first = &text[0] if n_bytes > 0 else &NO_BYTE
    if not 0 <= i < n_texts:
        raise IndexError(f"index {number} is out of range for {n_texts} texts")
    start, stop = offsets[i], offsets[i + 1]
    if not 0 <= start <= stop <= n_bytes:
        raise ValueError(f"text {i} goes from {start} to {stop} of {n_bytes} bytes")
    return PyUnicode_DecodeUTF8(
        <const char*> first + start, stop - start, "surrogatepass"
    )
