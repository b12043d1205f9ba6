"""Finds the terms of a sorted vocabulary that are one edit away from a word.

An edit inserts, deletes or replaces a character, or swaps two adjacent ones. It leaves
the first or the second half of the word intact, unless it swaps the two characters
where the halves meet. So the terms to compare with the word are those that begin with
its first half, a range of the sorted terms, and those that end with its second half, a
range of the terms sorted by their reversed bytes; the swap in the middle is looked up.

A long range is not read term by term: its terms are grouped by the next character. The
group of the word's own character is narrowed further; in any other group, the edit is
at this character, and the few terms that it can give are looked up.

All strings are UTF-8, whose order is that of the characters. A part of a word that is
cut between characters is found between characters only.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcmp, memcpy

from skxmr._cython._beam cimport Heap, push, sort

ctypedef fused count_t:
    int32_t
    int64_t

# What to point at where there is no first byte; the length is looked at apart.
cdef uint8_t NO_BYTE = 0

cdef enum:
    MOST_BYTES = 4   # of a character
    PER_GROUP = 16   # a group is short if it is this many times shorter than a range is

# Bytes by which an edit makes a word longer, at most.
MOST_ADDED = <int> MOST_BYTES


cdef struct String:
    const uint8_t* bytes
    int64_t length


cdef struct Terms:
    const uint8_t* text
    int64_t n_bytes
    const int64_t* offsets
    int64_t n_terms
    const int32_t* reversed_order


# Ranks are positions in one of the two orders of the terms: sorted, or sorted by their
# reversed bytes. In the second, what is said of the start of terms holds of their end.
cdef struct Ranks:
    int64_t start
    int64_t stop


cdef struct Search:
    Terms terms
    String word
    int64_t middle         # bytes of the first half of the word
    bint backwards         # whether ranks are those of the reversed terms
    uint8_t* scratch       # for a string that is looked up
    const void* counts
    bint are_wide          # whether the counts are int64
    int64_t short_range    # terms, up to which all of a range are compared
    Heap found


cdef inline String term_at(const Terms* terms, int64_t term) noexcept nogil:
    """Return a term, empty if the arrays are invalid: nothing outside them is read."""
    cdef String found
    cdef int64_t end
    found.bytes = terms.text
    found.length = 0
    if 0 <= term < terms.n_terms:
        end = terms.offsets[term + 1]
        if 0 <= terms.offsets[term] <= end <= terms.n_bytes:
            found.bytes = terms.text + terms.offsets[term]
            found.length = end - terms.offsets[term]
    return found


cdef inline bint is_equal(String one, String other) noexcept nogil:
    return (
        one.length == other.length and memcmp(one.bytes, other.bytes, one.length) == 0
    )


cdef inline int compare_start(String term, String start) noexcept nogil:
    """Compare the first bytes of a term with others: below, at or above 0."""
    cdef int order = memcmp(term.bytes, start.bytes, min(term.length, start.length))
    return -1 if order == 0 and term.length < start.length else order


cdef inline int compare_end(String term, String end) noexcept nogil:
    """Compare the last bytes of a term with others, the last ones first."""
    cdef int64_t i
    cdef int order
    for i in range(1, min(term.length, end.length) + 1):
        order = <int> term.bytes[term.length - i] - <int> end.bytes[end.length - i]
        if order != 0:
            return order
    return -1 if term.length < end.length else 0


cdef inline int64_t term_of(const Search* search, int64_t rank) noexcept nogil:
    """Return the number of the term of a rank; out of range if the order is invalid."""
    return search.terms.reversed_order[rank] if search.backwards else rank


cdef inline int compare(
    const Search* search, int64_t rank, String part
) noexcept nogil:
    """Compare the start of a term with a part, which it is as long as, or its end."""
    cdef String term = term_at(&search.terms, term_of(search, rank))
    return compare_end(term, part) if search.backwards else compare_start(term, part)


cdef int64_t first_rank(
    const Search* search, int64_t start, int64_t stop, String part, int least
) noexcept nogil:
    """Find the first rank that compares with a part as `least` (0 or 1) or more."""
    cdef int64_t middle
    while start < stop:
        middle = (start + stop) // 2
        if compare(search, middle, part) < least:
            start = middle + 1
        else:
            stop = middle
    return start


cdef int64_t end_of_group(
    const Search* search, int64_t start, int64_t stop, String part
) noexcept nogil:
    """Find the first rank after `start`, which has a part, that does not have it.

    Most groups are small: the steps grow from the start.
    """
    cdef int64_t step = 1
    while start + step < stop and compare(search, start + step, part) <= 0:
        start += step
        step *= 2
    return first_rank(search, start + 1, min(start + step, stop), part, 1)


cdef bint is_ascending(const Search* search, int64_t rank) noexcept nogil:
    """Whether the term of a rank is valid, and sorted behind the one before it."""
    cdef int64_t term = term_of(search, rank)
    cdef String before
    if not 0 <= term < search.terms.n_terms:
        return False
    if rank == 0:
        return True
    before = term_at(&search.terms, term_of(search, rank - 1))
    return compare(search, rank, before) >= 0 and not is_equal(
        term_at(&search.terms, term), before
    )


cdef inline Ranks ranks_with(const Search* search, String part) noexcept nogil:
    cdef Ranks found
    cdef int64_t n_terms = search.terms.n_terms
    found.start = found.stop = first_rank(search, 0, n_terms, part, 0)
    if found.start < n_terms and compare(search, found.start, part) == 0:
        found.stop = end_of_group(search, found.start, n_terms, part)
    return found


# Characters
# ----------

cdef inline bint continues(uint8_t byte) noexcept nogil:
    """Whether a byte of UTF-8 belongs to the character of the one before it."""
    return (byte & 0xC0) == 0x80


cdef inline int64_t count_characters(
    const uint8_t* bytes, int64_t length
) noexcept nogil:
    cdef int64_t i, n = 0
    for i in range(length):
        n += not continues(bytes[i])
    return n


cdef inline bint is_swapped(
    const uint8_t* one, const uint8_t* other, int64_t length
) noexcept nogil:
    """Whether both are the same two characters, in either order."""
    cdef int64_t size = 1
    while size < length and continues(one[size]):
        size += 1
    return (
        memcmp(one, other + length - size, size) == 0
        and memcmp(one + size, other, length - size) == 0
    )


cdef bint is_one_edit(String term, String word) noexcept nogil:
    """Whether two different strings are one edit apart."""
    cdef int64_t start = 0, end = 0, shorter = min(term.length, word.length)
    cdef int64_t in_term, in_word, n_of_term, n_of_word
    while start < shorter and term.bytes[start] == word.bytes[start]:
        start += 1
    while start > 0 and start < word.length and continues(word.bytes[start]):
        start -= 1
    while (
        end < shorter - start
        and term.bytes[term.length - 1 - end] == word.bytes[word.length - 1 - end]
    ):
        end += 1
    while end > 0 and continues(word.bytes[word.length - end]):
        end -= 1
    in_term = term.length - start - end
    in_word = word.length - start - end
    if max(in_term, in_word) > 2 * MOST_BYTES:
        return False
    n_of_term = count_characters(term.bytes + start, in_term)
    n_of_word = count_characters(word.bytes + start, in_word)
    if n_of_term <= 1 and n_of_word <= 1:
        return in_term + in_word > 0
    return (
        n_of_term == n_of_word == 2 and in_term == in_word
        and is_swapped(term.bytes + start, word.bytes + start, in_term)
    )


# Ranges
# ------

cdef inline String slice_of(String whole, int64_t start, int64_t stop) noexcept nogil:
    cdef String part
    part.bytes = whole.bytes + start
    part.length = stop - start
    return part


cdef inline String next_character(
    String string, int64_t n_read, bint backwards
) noexcept nogil:
    """Return the character after so many bytes from the start, or from the end.

    It is empty where the string ends, and has at most `MOST_BYTES` bytes.
    """
    cdef int64_t start = n_read, stop = n_read
    if n_read >= string.length:
        return slice_of(string, 0, 0)
    if not backwards:
        stop += 1
        while (
            stop < min(string.length, start + MOST_BYTES)
            and continues(string.bytes[stop])
        ):
            stop += 1
        return slice_of(string, start, stop)
    stop = string.length - n_read
    start = stop - 1
    while start > max(0, stop - MOST_BYTES) and continues(string.bytes[start]):
        start -= 1
    return slice_of(string, start, stop)


cdef inline void note(Search* search, int64_t term) noexcept nogil:
    """Note a term that is one edit away, but once: not from both of its ranges."""
    cdef double count
    if search.backwards and compare_start(
        term_at(&search.terms, term), slice_of(search.word, 0, search.middle)
    ) == 0:
        return
    if search.are_wide:
        count = <double> (<const int64_t*> search.counts)[term]
    else:
        count = (<const int32_t*> search.counts)[term]
    push(&search.found, term, term, count)


cdef void compare_all(Search* search, Ranks ranks) noexcept nogil:
    """Note which terms of a range are one edit away."""
    cdef int64_t rank, term
    cdef String string
    for rank in range(ranks.start, ranks.stop):
        term = term_of(search, rank)
        string = term_at(&search.terms, term)
        if (
            -MOST_BYTES <= string.length - search.word.length <= MOST_BYTES
            and 0 <= term < search.terms.n_terms
            and is_one_edit(string, search.word)
        ):
            note(search, term)


cdef void look_up(
    Search* search, Ranks ranks, int64_t start, int64_t stop, String first,
    String second,
) noexcept nogil:
    """Note the term that is the word with two strings in place of a slice of it."""
    cdef uint8_t* end = search.scratch
    cdef String sought
    cdef int64_t rank
    memcpy(end, search.word.bytes, start)
    end += start
    memcpy(end, first.bytes, first.length)
    end += first.length
    memcpy(end, second.bytes, second.length)
    end += second.length
    memcpy(end, search.word.bytes + stop, search.word.length - stop)
    end += search.word.length - stop
    sought.bytes = search.scratch
    sought.length = end - search.scratch
    rank = first_rank(search, ranks.start, ranks.stop, sought, 0)
    if rank < ranks.stop:
        stop = term_of(search, rank)
        if (
            0 <= stop < search.terms.n_terms
            and is_equal(term_at(&search.terms, stop), sought)
        ):
            note(search, stop)


cdef void look_up_edits(
    Search* search, Ranks ranks, int64_t n_read, String other
) noexcept nogil:
    """Note the terms of a group whose next character is not that of the word."""
    cdef bint backwards = search.backwards
    cdef String word = search.word, none = slice_of(word, 0, 0)
    cdef String own = next_character(word, n_read, backwards)
    cdef String beyond = next_character(word, n_read + own.length, backwards)
    cdef int64_t start = word.length - n_read if backwards else n_read
    cdef int64_t stop = start
    look_up(search, ranks, start, stop, other, none)
    if own.length == 0:
        return
    if backwards:
        start -= own.length
    else:
        stop += own.length
    look_up(search, ranks, start, stop, other, none)
    if not is_equal(other, beyond):
        return
    look_up(search, ranks, start, stop, none, none)
    if backwards:
        look_up(search, ranks, start - beyond.length, stop, own, beyond)
    else:
        look_up(search, ranks, start, stop + beyond.length, beyond, own)


cdef Ranks compare_groups(Search* search, Ranks ranks, int64_t n_read) noexcept nogil:
    """Note the terms of a range with an edit at the next character.

    Returns the ranks of the terms that share this character with the word.
    """
    cdef bint backwards = search.backwards
    cdef String string, other, own = next_character(search.word, n_read, backwards)
    cdef Ranks group, same
    cdef int64_t n_shared
    same.start = same.stop = ranks.stop
    group.stop = ranks.start
    while group.stop < ranks.stop:
        group.start = group.stop
        string = term_at(&search.terms, term_of(search, group.start))
        other = next_character(string, n_read, backwards)
        if other.length == 0:
            group.stop = group.start + 1
            compare_all(search, group)
            continue
        n_shared = n_read + other.length
        if backwards:
            string = slice_of(string, string.length - n_shared, string.length)
        else:
            string = slice_of(string, 0, n_shared)
        group.stop = end_of_group(search, group.start, ranks.stop, string)
        if is_equal(other, own):
            same = group
        elif group.stop - group.start <= search.short_range // PER_GROUP:
            compare_all(search, group)
        else:
            look_up_edits(search, group, n_read, other)
    return same


cdef void search_half(Search* search, int64_t start, int64_t stop) noexcept nogil:
    """Note the terms that have one half of the word, and one edit in the other."""
    cdef String half = slice_of(search.word, start, stop)
    cdef Ranks ranks = ranks_with(search, half)
    cdef int64_t n_read = half.length
    while ranks.stop - ranks.start > search.short_range:
        ranks = compare_groups(search, ranks, n_read)
        n_read += next_character(search.word, n_read, search.backwards).length
    compare_all(search, ranks)


cdef void look_up_swap(Search* search) noexcept nogil:
    """Note the term whose two characters where the halves meet are swapped."""
    cdef int64_t middle = search.middle
    cdef Ranks ranks
    cdef String left = next_character(slice_of(search.word, 0, middle), 0, True)
    cdef String right = next_character(search.word, middle, False)
    if left.length and right.length and not is_equal(left, right):
        ranks.start = 0
        ranks.stop = search.terms.n_terms
        look_up(
            search, ranks, middle - left.length, middle + right.length, right, left
        )


cdef inline String as_string(const uint8_t[::1] data) noexcept:
    cdef String string
    string.bytes = &data[0] if data.shape[0] else &NO_BYTE
    string.length = data.shape[0]
    return string


cdef class TermSearcher:
    """Searches a vocabulary for the terms that are like a word.

    Parameters
    ----------
    text : ndarray of shape (n_bytes,), uint8
        The concatenated terms in UTF-8: distinct, and sorted.
    offsets : ndarray of shape (n_terms + 1,), int64
    reversed_order : ndarray of shape (n_terms,), int32
        The terms sorted by their reversed bytes.
    short_range : int
        The number of terms up to which those that share half of a word are compared
        with it one by one.
    """

    cdef const uint8_t[::1] text
    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] reversed_order
    cdef Terms terms
    cdef int64_t short_range

    def __init__(
        self,
        const uint8_t[::1] text,
        const int64_t[::1] offsets,
        const int32_t[::1] reversed_order,
        int64_t short_range=256,
    ):
        cdef int64_t n_terms = offsets.shape[0] - 1
        if n_terms < 0 or reversed_order.shape[0] != n_terms:
            raise ValueError("the arrays of the terms do not fit together")
        self.text = text
        self.offsets = offsets
        self.reversed_order = reversed_order
        self.terms.text = as_string(text).bytes
        self.terms.n_bytes = text.shape[0]
        self.terms.offsets = &offsets[0]
        self.terms.n_terms = n_terms
        self.terms.reversed_order = &reversed_order[0] if n_terms else NULL
        self.short_range = short_range

    def are_sorted(self):
        """Whether both orders ascend strictly, and hold all terms."""
        cdef Search search
        cdef int64_t rank
        cdef int _side
        search.terms = self.terms
        search.backwards = False
        for _side in range(2):
            for rank in range(self.terms.n_terms):
                if not is_ascending(&search, rank):
                    return False
            search.backwards = True
        return True

    def find_ranks(
        self,
        const uint8_t[::1] text,      # IN: other strings, one after the other
        const int64_t[::1] offsets,   # IN (n_strings + 1,)
        bint backwards,               # in the order of the reversed terms
        int64_t[::1] ranks,           # OUT (n_strings,)
    ):
        """Find the rank of the first term that is not before each of other strings."""
        cdef Search search
        cdef String string, whole = as_string(text)
        cdef int64_t i
        search.terms = self.terms
        search.backwards = backwards
        for i in range(offsets.shape[0] - 1):
            if not 0 <= offsets[i] <= offsets[i + 1] <= whole.length:
                raise ValueError("the offsets do not fit the text")
            string = slice_of(whole, offsets[i], offsets[i + 1])
            ranks[i] = first_rank(&search, 0, self.terms.n_terms, string, 0)

    def with_prefix(self, const uint8_t[::1] prefix):
        """Return the first term that begins with a prefix, and the last plus one."""
        cdef Search search
        cdef Ranks found
        search.terms = self.terms
        search.backwards = False
        found = ranks_with(&search, as_string(prefix))
        return found.start, found.stop

    def near(
        self,
        const uint8_t[::1] word,    # IN
        int64_t middle,             # the bytes of its first half, whole characters
        const count_t[::1] counts,  # IN (n_terms,)
        uint8_t[::1] scratch,       # SCRATCH (n_bytes of the word + 4,)
        double[::1] scores,         # SCRATCH (most,)
        int64_t[::1] best,          # OUT (most,)
    ):
        """Write the most frequent of the terms that are one edit away.

        Of equal counts, the smaller number is first. Returns how many were written.
        """
        cdef Search search
        if (
            not 0 <= middle <= word.shape[0] or counts.shape[0] != self.terms.n_terms
            or scratch.shape[0] < word.shape[0] + MOST_BYTES
            or scores.shape[0] < best.shape[0]
        ):
            raise ValueError("the arrays of the word do not fit together")
        if best.shape[0] == 0 or self.terms.n_terms == 0:
            return 0
        search.terms = self.terms
        search.short_range = self.short_range
        search.word = as_string(word)
        search.middle = middle
        search.scratch = &scratch[0]
        search.counts = &counts[0]
        search.are_wide = sizeof(count_t) == sizeof(int64_t)
        search.found.nodes = search.found.keys = &best[0]
        search.found.scores = &scores[0]
        search.found.size = 0
        search.found.capacity = best.shape[0]
        with nogil:
            search.backwards = False
            look_up_swap(&search)
            search_half(&search, 0, middle)
            search.backwards = True
            search_half(&search, middle, word.shape[0])
            sort(&search.found)
        return search.found.size
