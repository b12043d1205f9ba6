"""Files terms in their hash table, and puts them into order."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

from skxmr._cython._vocabulary cimport (
    DONE, FULL_BYTES, FULL_ROWS, FULL_TERMS, MOST_TERMS, Growing, Key, Status,
    Vocabulary, as_key, as_slot, find, find_or_add, hash_exact, prefetch
)

# How a call of a kernel that adds terms ended.
STATUS = {
    "done": <int> DONE,
    "terms": <int> FULL_TERMS,
    "bytes": <int> FULL_BYTES,
    "rows": <int> FULL_ROWS,
}

# What to point at where there is no first byte; the length is looked at apart.
NO_BYTES = bytes(1)

cdef enum:
    FEW = 12    # terms are sorted by insertion
    BLOCK = 64  # terms whose slots are prefetched together


cdef class VocabularyArrays:
    """The arrays of a `Vocabulary`, checked, and held while a kernel reads them."""

    def __init__(self, vocabulary):
        self.text = vocabulary.text
        self.offsets = vocabulary.offsets
        self.slots = vocabulary.slots
        self.key = vocabulary.key
        point(&self.terms, self.text, self.offsets, self.slots)
        self.terms.key = as_key(self.key)


cdef class GrowingArrays:
    """The arrays of a `GrowingVocabulary`, held while a kernel adds terms to them."""

    def __init__(self, vocabulary):
        cdef Growing* growing = &self.growing
        self.sizes = vocabulary.sizes
        self.text = vocabulary.text
        self.offsets = vocabulary.offsets
        self.slots = vocabulary.slots
        self.key = vocabulary.key
        self.document_counts = vocabulary.document_counts
        self.total_counts = vocabulary.total_counts
        self.entries = vocabulary.entries
        point(&growing.terms, self.text, self.offsets, self.slots)
        growing.terms.key = as_key(self.key)
        growing.terms.n_terms = self.sizes[0]
        growing.terms.n_bytes = self.sizes[1]
        growing.max_bytes = self.text.shape[0]
        growing.max_terms = min(
            self.offsets.shape[0] - 1, self.document_counts.shape[0],
            self.total_counts.shape[0], self.entries.shape[0], <int64_t> MOST_TERMS,
        )
        if (
            growing.max_terms < 1 or growing.max_bytes < 1
            or not 0 <= self.sizes[0] <= growing.max_terms
            or not 0 <= self.sizes[1] <= growing.max_bytes
        ):
            raise ValueError("the arrays of the terms do not fit together")
        growing.text = &self.text[0]
        growing.offsets = &self.offsets[0]
        growing.slots = &self.slots[0]
        growing.document_counts = &self.document_counts[0]
        growing.total_counts = &self.total_counts[0]
        growing.entries = &self.entries[0]

    cdef void write_sizes(self) noexcept:
        """Write the number of terms, and of their bytes, back into the array."""
        self.sizes[0] = self.growing.terms.n_terms
        self.sizes[1] = self.growing.terms.n_bytes


cdef int point(
    Vocabulary* terms, const uint8_t[::1] text, const int64_t[::1] offsets,
    const uint64_t[::1] slots,
) except -1:
    """Check the sizes of the arrays of terms, and point to them."""
    cdef uint64_t n_slots = slots.shape[0]
    if n_slots == 0 or n_slots & (n_slots - 1) or offsets.shape[0] == 0:
        raise ValueError("the arrays of the terms do not fit together")
    # Without a first byte, this is never read from.
    terms.text = &text[0] if text.shape[0] else <const uint8_t*> &offsets[0]
    terms.n_bytes = text.shape[0]
    terms.offsets = &offsets[0]
    terms.n_terms = offsets.shape[0] - 1
    terms.slots = &slots[0]
    terms.mask = n_slots - 1
    return 0


cdef struct Entry:
    uint64_t key      # the next seven bytes, and how many of them there are
    const uint8_t* text
    int64_t length
    int64_t term


cdef void hash_block(
    Key key, const uint8_t* text, const int64_t* offsets, int64_t n_terms,
    const uint64_t* slots, uint64_t mask,
    uint64_t* hashes,  # OUT
) noexcept nogil:
    """Hash some terms, and prefetch their slots."""
    cdef int64_t i
    for i in range(n_terms):
        hashes[i] = hash_exact(key, text + offsets[i], offsets[i + 1] - offsets[i])
        prefetch(slots + (hashes[i] & mask))


cdef int check_offsets(const int64_t[::1] offsets, const uint8_t[::1] text) except -1:
    cdef int64_t i
    if offsets.shape[0] == 0 or offsets[0] < 0:
        raise ValueError("offsets must start at 0")
    for i in range(1, offsets.shape[0]):
        if offsets[i] < offsets[i - 1]:
            raise ValueError("offsets must not decrease")
    if offsets[offsets.shape[0] - 1] > text.shape[0]:
        raise ValueError("offsets must end within text")
    return 0


def fill_slots(
    const uint8_t[::1] text,     # IN
    const int64_t[::1] offsets,  # IN (n_terms + 1,)
    const uint64_t[::1] key,     # IN (2,): of the hash
    uint64_t[::1] slots,         # INOUT (a power of two > n_terms,), all 0
):
    """File all terms, which must differ, in a hash table."""
    cdef uint64_t mask = slots.shape[0] - 1, position
    cdef uint64_t[BLOCK] hashes
    cdef int64_t n_terms = offsets.shape[0] - 1, start = 0, i, size
    cdef Key hash_key = as_key(key)
    check_offsets(offsets, text)
    if slots.shape[0] & mask or slots.shape[0] <= n_terms:
        raise ValueError("slots must be a power of two larger than the terms")
    if text.shape[0] == 0:
        text = NO_BYTES
    with nogil:
        while start < n_terms:
            size = min(n_terms - start, <int64_t> BLOCK)
            hash_block(
                hash_key, &text[0], &offsets[start], size, &slots[0], mask, hashes
            )
            for i in range(size):
                position = hashes[i] & mask
                while slots[position]:
                    position = (position + 1) & mask
                slots[position] = as_slot(hashes[i], start + i)
            start += size


cdef void read_key(Entry* entry, int64_t depth) noexcept nogil:
    """Take the bytes from `depth` on as the key: big-endian, zeros behind the end."""
    cdef int64_t size = min(7, entry.length - depth), i
    cdef uint64_t key = 0
    for i in range(size):
        key |= (<uint64_t> entry.text[depth + i]) << (8 * (7 - i))
    entry.key = key | <uint64_t> size


cdef bint is_before(
    const Entry* left, const Entry* right, int64_t depth
) noexcept nogil:
    cdef int64_t shared
    cdef int order
    if left.key != right.key:
        return left.key < right.key
    shared = min(left.length, right.length) - depth
    order = memcmp(left.text + depth, right.text + depth, shared)
    return order < 0 or (order == 0 and left.length < right.length)


cdef void insertion_sort(Entry* entries, int64_t size, int64_t depth) noexcept nogil:
    cdef int64_t i, j
    cdef Entry entry
    for i in range(1, size):
        entry = entries[i]
        j = i
        while j > 0 and is_before(&entry, &entries[j - 1], depth):
            entries[j] = entries[j - 1]
            j -= 1
        entries[j] = entry


cdef inline uint64_t median(uint64_t a, uint64_t b, uint64_t c) noexcept nogil:
    return max(min(a, b), min(max(a, b), c))


cdef void radix_quicksort(Entry* entries, int64_t size, int64_t depth) noexcept nogil:
    """Sort by three-way quicksort on the keys; equal keys by the next bytes.

    Of the three parts the largest is sorted by the loop, so that the recursion is no
    deeper than the logarithm of the size.
    """
    cdef int64_t less, more, i
    cdef int64_t sizes[3]
    cdef uint64_t pivot
    cdef Entry swap
    cdef int part, largest
    cdef bint ended
    while size > FEW:
        pivot = median(entries[0].key, entries[size // 2].key, entries[size - 1].key)
        less = i = 0
        more = size
        while i < more:
            swap = entries[i]
            if swap.key < pivot:
                entries[i] = entries[less]
                entries[less] = swap
                less += 1
                i += 1
            elif swap.key > pivot:
                more -= 1
                entries[i] = entries[more]
                entries[more] = swap
            else:
                i += 1
        ended = (pivot & 7) < 7  # then the equal ones are one term
        if not ended:
            for i in range(less, more):
                read_key(&entries[i], depth + 7)
        sizes[0] = less
        sizes[1] = 0 if ended else more - less
        sizes[2] = size - more
        largest = 0
        for part in range(1, 3):
            if sizes[part] > sizes[largest]:
                largest = part
        if largest != 0:
            radix_quicksort(entries, less, depth)
        if largest != 1 and not ended:
            radix_quicksort(entries + less, more - less, depth + 7)
        if largest != 2:
            radix_quicksort(entries + more, size - more, depth)
        if largest == 1:
            entries += less
            depth += 7
        elif largest == 2:
            entries += more
        size = sizes[largest]
    insertion_sort(entries, size, depth)


def sort_terms(
    const uint8_t[::1] text,     # IN
    const int64_t[::1] offsets,  # IN (n_terms + 1,)
    int64_t[::1] order,          # INOUT (n_kept,): the terms to sort, by their number
    uint64_t[:, ::1] scratch,    # scratch (n_kept, 4)
):
    """Put terms into the order of their characters.

    UTF-8 has the order of the characters that it stands for.
    """
    cdef int64_t i, term, n_kept = order.shape[0]
    cdef Entry* entries
    check_offsets(offsets, text)
    if scratch.shape[0] < n_kept or scratch.shape[1] * 8 < <int64_t> sizeof(Entry):
        raise ValueError("scratch is too small")
    if n_kept < 2:
        return
    for i in range(n_kept):
        if not 0 <= order[i] < offsets.shape[0] - 1:
            raise ValueError("order must hold numbers of terms")
    if text.shape[0] == 0:
        text = NO_BYTES
    with nogil:
        entries = <Entry*> &scratch[0, 0]
        for i in range(n_kept):
            term = order[i]
            entries[i].text = &text[0] + offsets[term]
            entries[i].length = offsets[term + 1] - offsets[term]
            entries[i].term = term
            read_key(&entries[i], 0)
        radix_quicksort(entries, n_kept, 0)
        for i in range(n_kept):
            order[i] = entries[i].term


def gather_terms(
    const uint8_t[::1] text,          # IN
    const int64_t[::1] offsets,       # IN (n_terms + 1,)
    const int64_t[::1] order,         # IN (n_kept,)
    const int64_t[::1] kept_offsets,  # IN (n_kept + 1,)
    uint8_t[::1] kept_text,           # OUT (kept_offsets[-1],)
):
    """Copy some terms, in a given order."""
    cdef int64_t i, term, size
    check_offsets(offsets, text)
    check_offsets(kept_offsets, kept_text)
    if kept_offsets.shape[0] != order.shape[0] + 1:
        raise ValueError("kept_offsets and order do not fit together")
    for i in range(order.shape[0]):
        term = order[i]
        if not 0 <= term < offsets.shape[0] - 1:
            raise ValueError("order must hold numbers of terms")
        size = offsets[term + 1] - offsets[term]
        if size != kept_offsets[i + 1] - kept_offsets[i]:
            raise ValueError("kept_offsets and order do not fit together")
        if size:
            memcpy(&kept_text[kept_offsets[i]], &text[offsets[term]], size)


def add_terms(
    const uint8_t[::1] new_text,             # IN
    const int64_t[::1] new_offsets,          # IN (n_new + 1,)
    const int64_t[::1] new_document_counts,  # IN (n_new,)
    const int64_t[::1] new_total_counts,     # IN (n_new,)
    int64_t begin,                           # the new term to begin with
    vocabulary,                              # INOUT a GrowingVocabulary
    int32_t[::1] numbers,                    # OUT (n_new,): the terms' new numbers
):
    """Add terms and counts to others; terms that are in both become one.

    Returns
    -------
    status : int
        What must grow before the call can be repeated, if anything.
    next_term : int
        The new term to go on with.
    """
    cdef GrowingArrays arrays = GrowingArrays(vocabulary)
    cdef Growing* growing = &arrays.growing
    cdef int64_t term, start, size, i, n_new = new_offsets.shape[0] - 1
    cdef uint64_t[BLOCK] hashes
    cdef Status status = DONE
    if (
        not 0 <= begin <= n_new or new_document_counts.shape[0] < n_new
        or new_total_counts.shape[0] < n_new or numbers.shape[0] < n_new
    ):
        raise ValueError("the arrays of the new terms do not fit together")
    check_offsets(new_offsets, new_text)
    if new_text.shape[0] == 0:
        new_text = NO_BYTES
    with nogil:
        while begin < n_new and status == DONE:
            size = min(n_new - begin, <int64_t> BLOCK)
            hash_block(
                growing.terms.key, &new_text[0], &new_offsets[begin], size,
                growing.slots, growing.terms.mask, hashes,
            )
            for i in range(size):
                start = new_offsets[begin]
                term = find_or_add(
                    growing, &new_text[0] + start, new_offsets[begin + 1] - start,
                    hashes[i],
                )
                if term < 0:
                    status = <Status> -term
                    break
                growing.document_counts[term] += new_document_counts[begin]
                growing.total_counts[term] += new_total_counts[begin]
                numbers[begin] = <int32_t> term
                begin += 1
    arrays.write_sizes()
    return <int> status, begin


def find_terms(
    list terms,            # IN str
    vocabulary,            # IN a Vocabulary
    int32_t[::1] numbers,  # OUT (n_terms,): -1 for those that it does not have
):
    """Look up some strings in a vocabulary."""
    cdef VocabularyArrays arrays = VocabularyArrays(vocabulary)
    cdef Py_ssize_t i, length
    cdef const uint8_t* data
    cdef uint64_t position
    cdef bytes encoded
    if numbers.shape[0] != len(terms):
        raise ValueError("numbers and terms do not fit together")
    for i in range(len(terms)):
        encoded = terms[i].encode("utf-8", "surrogatepass")
        data = <const uint8_t*> PyBytes_AS_STRING(encoded)
        length = len(encoded)
        numbers[i] = <int32_t> find(
            &arrays.terms, data, length, hash_exact(arrays.terms.key, data, length),
            &position,
        )
