"""Cuts texts into n-grams and finds their columns: one pass over the characters.

A text becomes words of UTF-8, written one after the other so that every n-gram is a
run of bytes, and runs are looked up among the terms, the n-grams that are columns.
"""

from libc.stdint cimport (
    int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
)

from skxmr._cython._sorting cimport sort_row
from skxmr._cython._vocabulary cimport (
    DONE, ENDED, FULL_ROWS, GrowingArrays, Status, VocabularyArrays, find,
    find_or_add, hash_padded, prefetch
)
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef extern from "Python.h":
    bint Py_UNICODE_ISALNUM(Py_UCS4 character) noexcept nogil
    bint Py_UNICODE_ISSPACE(Py_UCS4 character) noexcept nogil
    int PyUnicode_KIND(object text)
    const void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef extern from *:
    """
    #if PY_VERSION_HEX < 0x030C0000
    #define SKXMR_READY(text) PyUnicode_READY(text)
    #else
    #define SKXMR_READY(text) 0
    #endif
    """
    int ready "SKXMR_READY"(object text) except -1

ctypedef fused character:
    uint8_t
    uint16_t
    uint32_t

cdef enum:
    BLOCK_TEXTS = 128
    GRAM_WORK = 32   # of looking an n-gram up, in bytes that could be hashed

cdef uint8_t WORD = 1
cdef uint8_t SPACE = 2
cdef uint8_t NO_SPACE = 4
cdef uint8_t[65536] CLASSES   # of the characters of the basic plane
cdef uint8_t[256] LOWER
cdef uint8_t[256] SAME


cdef void fill_tables():
    cdef int code
    for code in range(65536):
        CLASSES[code] = SPACE if Py_UNICODE_ISSPACE(code) else NO_SPACE
        if Py_UNICODE_ISALNUM(code) or code == 95:
            CLASSES[code] |= WORD
    for code in range(256):
        LOWER[code] = ord(chr(code).lower())
        SAME[code] = code


fill_tables()


# What texts are cut into: words; the characters of each word; those of all the text;
# or whatever white space separates.
UNITS = {"words": 0, "characters": 1, "text": 2, "tokens": 3}

# What an n-gram counts: 1, as an integer; else 1 / (1 + where it starts, from 0, in the
# text or in its word), as a float in the same 32 bits.
POSITIONS = {None: 0, "text": 1, "word": 2}

cdef enum:
    CHARACTERS = 1
    WHOLE_TEXT = 2
    TOKENS = 3
    FROM_WORD = 2


cdef inline Status append(Rows* rows, int64_t term, Count count) noexcept nogil:
    if rows.end == rows.capacity:
        return FULL_ROWS
    rows.indices[rows.end] = <int32_t> term
    rows.counts[rows.end] = count.bits
    rows.end += 1
    return DONE


cdef inline void add_to(int32_t* entry, Count count, int position) noexcept nogil:
    """Add a count to an entry's: numbers where position is 0, else weights."""
    cdef Count total
    total.bits = entry[0]
    if position:
        total.weight += count.weight
    else:
        total.bits += count.bits
    entry[0] = total.bits


cdef Status look_up_grams(Cut* cut) noexcept nogil:
    """Append the columns of the n-grams at hand to the row."""
    cdef int32_t i
    cdef int64_t term
    cdef uint64_t position
    cdef Gram* gram
    for i in range(cut.n_grams):
        gram = &cut.grams[i]
        term = find(
            cut.terms, cut.written + gram.start, gram.length, gram.hash, &position
        )
        if term < 0:
            cut.n_unknown += 1
        elif append(&cut.rows, term, gram.count) != DONE:
            return FULL_ROWS
    return DONE


cdef Status learn_grams(Cut* cut) noexcept nogil:
    """Count the n-grams at hand in the row, each once, and add those that are new."""
    cdef int32_t i
    cdef int64_t term, entry
    cdef Gram* gram
    cdef Growing* learned = cut.learned
    for i in range(cut.n_grams):
        gram = &cut.grams[i]
        term = find_or_add(learned, cut.written + gram.start, gram.length, gram.hash)
        if term < 0:
            return <Status> -term
        entry = learned.entries[term]
        if (
            cut.rows.begin <= entry < cut.rows.end
            and cut.rows.indices[entry] == term
        ):
            add_to(&cut.rows.counts[entry], gram.count, cut.position)
        else:
            if append(&cut.rows, term, gram.count) != DONE:
                return FULL_ROWS
            learned.entries[term] = cut.rows.end - 1
            learned.document_counts[term] += 1
        learned.total_counts[term] += 1
    return DONE


cdef void flush(Cut* cut) noexcept nogil:
    """Send the n-grams at hand to the row, if none before them found it full."""
    cdef int64_t work
    if cut.status == DONE:
        cut.status = look_up_grams(cut) if cut.learned == NULL else learn_grams(cut)
    if cut.n_grams:
        # All of a block are about as long.
        work = GRAM_WORK + cut.grams[cut.n_grams - 1].length
        if must_end(&cut.watch, cut.n_grams * work):
            cut.status = ENDED
    cut.n_grams = 0


cdef inline void emit(
    Cut* cut, int32_t start, int32_t end, Count count
) noexcept nogil:
    """Hash an n-gram, and prefetch its slot."""
    cdef Gram* gram = &cut.grams[cut.n_grams]
    gram.start = start
    gram.length = end - start
    gram.count = count
    gram.hash = hash_padded(cut.terms.key, cut.written + start, gram.length)
    prefetch(cut.terms.slots + (gram.hash & cut.terms.mask))
    cut.n_grams += 1
    if cut.n_grams == BLOCK_GRAMS:
        flush(cut)


cdef inline void emit_units(Cut* cut, int64_t n_units) noexcept nogil:
    """Emit all n-grams of consecutive words, or of a word's characters."""
    cdef int64_t n, i
    cdef Count once
    once.bits = 1
    for n in range(cut.low, min(cut.high, n_units) + 1):
        for i in range(n_units - n + 1):
            emit(cut, cut.starts[i], cut.ends[i + n - 1], once)
            if cut.status != DONE:
                return


cdef inline void emit_weighted(Cut* cut, int64_t n_units) noexcept nogil:
    """Emit all n-grams of a text's characters with the weights of their positions."""
    cdef int64_t n, i, first
    cdef Count count
    for n in range(cut.low, min(cut.high, n_units) + 1):
        first = 0
        for i in range(n_units - n + 1):
            if cut.position == FROM_WORD and i and cut.written[cut.starts[i] - 1] == 32:
                first = i
            count.weight = <float> 1 / (i - first + 1)
            emit(cut, cut.starts[i], cut.ends[i + n - 1], count)
            if cut.status != DONE:
                return


cdef inline bint has_class(uint32_t code, uint8_t wanted) noexcept nogil:
    if code < 65536:
        return CLASSES[code] & wanted
    return wanted == NO_SPACE or (wanted == WORD and Py_UNICODE_ISALNUM(code))


cdef inline int32_t write(uint8_t* data, int32_t end, uint32_t code) noexcept nogil:
    """Write a character as UTF-8, surrogates like any other; return the new end."""
    if code < 0x80:
        data[end] = code
        return end + 1
    if code < 0x800:
        data[end] = 0xC0 | (code >> 6)
        data[end + 1] = 0x80 | (code & 0x3F)
        return end + 2
    if code < 0x10000:
        data[end] = 0xE0 | (code >> 12)
        data[end + 1] = 0x80 | ((code >> 6) & 0x3F)
        data[end + 2] = 0x80 | (code & 0x3F)
        return end + 3
    data[end] = 0xF0 | (code >> 18)
    data[end + 1] = 0x80 | ((code >> 12) & 0x3F)
    data[end + 2] = 0x80 | ((code >> 6) & 0x3F)
    data[end + 3] = 0x80 | (code & 0x3F)
    return end + 4


cdef inline bint is_stop_word(Cut* cut, int32_t start, int32_t end) noexcept nogil:
    cdef uint64_t position
    if cut.stop_words == NULL:
        return False
    return find(
        cut.stop_words, cut.written + start, end - start,
        hash_padded(cut.stop_words.key, cut.written + start, end - start), &position,
    ) >= 0


cdef void cut_words(Cut* cut, const character* text, int64_t length) noexcept nogil:
    """Emit the n-grams of a text's words: runs of characters of a class."""
    cdef int64_t i = 0, first, n_words = 0
    cdef int32_t end = 0, start
    cdef uint32_t code
    cdef uint8_t wanted = NO_SPACE if cut.units == TOKENS else WORD
    while i < length:
        if not has_class(text[i], wanted):
            i += 1
            continue
        start = end
        first = i
        while i < length and has_class(text[i], wanted):
            code = text[i]
            if character is uint8_t:
                code = cut.case[code]
            end = write(cut.written, end, code)
            i += 1
        if i - first < cut.shortest or is_stop_word(cut, start, end):
            end = start
            continue
        cut.starts[n_words] = start
        cut.ends[n_words] = end
        n_words += 1
        cut.written[end] = 32
        end += 1
    emit_units(cut, n_words)


cdef void cut_characters(
    Cut* cut, const character* text, int64_t length
) noexcept nogil:
    """Emit the n-grams of the characters of each word and the mark behind it."""
    cdef Count once
    cdef int64_t i = 0, n_units
    cdef int32_t end = 0
    cdef uint32_t code
    while i < length and cut.status == DONE:
        if has_class(text[i], SPACE):
            i += 1
            continue
        n_units = 0
        while True:
            cut.starts[n_units] = end
            if i == length or has_class(text[i], SPACE):
                break
            code = text[i]
            if character is uint8_t:
                code = cut.case[code]
            end = write(cut.written, end, code)
            cut.ends[n_units] = end
            n_units += 1
            i += 1
        cut.written[end] = 35
        end += 1
        cut.ends[n_units] = end
        n_units += 1
        if n_units < cut.low:
            once.bits = 1
            emit(cut, cut.starts[0], end, once)
        else:
            emit_units(cut, n_units)


cdef void cut_whole(Cut* cut, const character* text, int64_t length) noexcept nogil:
    """Emit the n-grams of a text's characters, any white space a single blank.

    None is in front, but one behind the last word stays: it says that the word ended.
    """
    cdef int64_t i = 0, n_units = 0
    cdef int32_t end = 0
    cdef uint32_t code
    while i < length and has_class(text[i], SPACE):
        i += 1
    while i < length:
        code = text[i]
        if has_class(code, SPACE):
            code = 32
            while i + 1 < length and has_class(text[i + 1], SPACE):
                i += 1
        elif character is uint8_t:
            code = cut.case[code]
        cut.starts[n_units] = end
        end = write(cut.written, end, code)
        cut.ends[n_units] = end
        n_units += 1
        i += 1
    emit_weighted(cut, n_units)


cdef void cut_typed(Cut* cut, const character* text, int64_t length) noexcept nogil:
    if cut.units == WHOLE_TEXT:
        cut_whole(cut, text, length)
    elif cut.units == CHARACTERS:
        cut_characters(cut, text, length)
    else:
        cut_words(cut, text, length)


cdef void cut_text(Cut* cut, const Text* text) noexcept nogil:
    """Write the n-grams of a text to the row, as many as fit."""
    cut.rows.begin = cut.rows.end
    cut.n_unknown = 0
    cut.status = DONE
    cut.n_grams = 0
    if text.kind == 1:
        cut_typed(cut, <const uint8_t*> text.data, text.length)
    elif text.kind == 2:
        cut_typed(cut, <const uint16_t*> text.data, text.length)
    else:
        cut_typed(cut, <const uint32_t*> text.data, text.length)
    flush(cut)


cdef void take_back(Cut* cut) noexcept nogil:
    """Undo the counts of a row that did not fit."""
    cdef int64_t entry
    cdef int32_t term
    if cut.learned != NULL:
        for entry in range(cut.rows.begin, cut.rows.end):
            term = cut.rows.indices[entry]
            cut.learned.document_counts[term] -= 1
            if not cut.position:  # weighted n-grams have no totals
                cut.learned.total_counts[term] -= cut.rows.counts[entry]
    cut.rows.end = cut.rows.begin


cdef Status finish_row(Rows* rows, int position, Watch* watch) noexcept nogil:
    """Sort the current row and add up the entries of a column, in their order."""
    cdef Count count
    cdef int64_t size = rows.end - rows.begin, i, last = rows.begin
    if rows.capacity - rows.end < size:
        return FULL_ROWS
    sort_row(
        rows.indices + rows.begin, rows.counts + rows.begin, size,
        rows.indices + rows.end, rows.counts + rows.end, watch,
    )
    if watch.ended:
        return ENDED
    for i in range(rows.begin + 1, rows.end):
        if rows.indices[i] == rows.indices[last]:
            count.bits = rows.counts[i]
            add_to(&rows.counts[last], count, position)
        else:
            last += 1
            rows.indices[last] = rows.indices[i]
            rows.counts[last] = rows.counts[i]
    if size:
        rows.end = last + 1
    return DONE


def measure(
    list texts,             # IN
    int64_t[::1] lengths,   # OUT (n_texts,), in characters; or None
):
    """Give the longest and the total length of texts, in characters."""
    cdef Py_ssize_t i, length
    cdef int64_t longest = 0, total = 0
    if lengths is not None and lengths.shape[0] < len(texts):
        raise ValueError("lengths is too small")
    for i in range(len(texts)):
        if not isinstance(texts[i], str):
            raise TypeError(f"expected str; got {type(texts[i]).__name__}")
        length = PyUnicode_GET_LENGTH(texts[i])
        longest = max(longest, length)
        total += length
        if lengths is not None:
            lengths[i] = length
    if longest > LONGEST:
        raise ValueError(
            f"a text may have at most {LONGEST} characters; got {longest}"
        )
    return longest, total


def lower_wide(list texts):
    """Lower the case of texts with characters from U+0100; list all.

    The others are lowered when they are cut, without a string of their own.
    """
    cdef list lowered = []
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"expected str; got {type(text).__name__}")
        ready(text)
        lowered.append(text if PyUnicode_KIND(text) == 1 else text.lower())
    return lowered


cdef int64_t hold_text(object text, Text* held) except -1:
    """Note where the characters of a text are; return how many there are."""
    if not isinstance(text, str):
        raise TypeError(f"expected str; got {type(text).__name__}")
    ready(text)
    held.data = PyUnicode_DATA(text)
    held.length = PyUnicode_GET_LENGTH(text)
    held.kind = PyUnicode_KIND(text)
    return held.length


cdef Py_ssize_t hold(
    list texts, Py_ssize_t begin, int64_t longest, Text* held
) except -1:
    """Note where the characters of some texts are; return how many texts."""
    cdef Py_ssize_t i, n_texts = min(len(texts) - begin, <Py_ssize_t> BLOCK_TEXTS)
    for i in range(n_texts):
        if hold_text(texts[begin + i], &held[i]) > longest:
            raise ValueError("the scratch is too small for the texts")
    return n_texts


cdef void use_scratch(
    Cut* cut, int32_t* scratch, int64_t longest
) noexcept nogil:
    """Cut texts of at most `longest` characters in 4 * longest + 8 integers."""
    # Words take at most four bytes a character and one behind each word; up to
    # seven more are read. The first two of four parts hold all that.
    cut.written = <uint8_t*> scratch
    cut.starts = scratch + 2 * (longest + 2)
    cut.ends = scratch + 3 * (longest + 2)


cdef class Cutter:
    """How texts are cut, and the scratch to cut them in; lives for one call."""

    def __init__(
        self,
        int units,
        int position,
        tuple ngram_range,             # IN smallest and largest n
        int32_t shortest,
        bint lower,
        stop_words,                    # IN None or a Vocabulary
        int32_t[::1] scratch,          # scratch (4 * longest + 8,)
        const uint8_t[::1] stop=None,  # IN (1,): not 0 if the task was cancelled
    ):
        cdef int64_t low, high
        low, high = ngram_range
        self.scratch, self.stop = scratch, stop
        self.cut.watch = watch_for(stop)
        self.longest = scratch.shape[0] // 4 - 2
        if low < 1:
            raise ValueError(f"n-grams have a length of 1 or more; got {low}")
        if self.longest < 0:
            raise ValueError("the scratch is too small")
        self.cut.units = units
        self.cut.position = position
        self.cut.low = low
        self.cut.high = high
        self.cut.shortest = shortest
        self.cut.case = &LOWER[0] if lower else &SAME[0]
        use_scratch(&self.cut, &scratch[0], self.longest)
        self.cut.stop_words = NULL
        if stop_words is not None:
            self.stop_words = VocabularyArrays(stop_words)
            self.cut.stop_words = &self.stop_words.terms


cdef int check_rows(
    list texts, int64_t begin, const int64_t[::1] row_ends, int64_t n_entries
) except -1:
    """Check where to continue, and the arrays of the rows."""
    if not 0 <= begin <= len(texts) or row_ends.shape[0] < len(texts):
        raise ValueError("begin or row_ends does not fit the texts")
    if begin > 0 and not 0 <= row_ends[begin - 1] <= n_entries:
        raise ValueError("row_ends does not fit the entries")
    return 0


cdef void open_rows(
    Rows* rows, int64_t begin, const int64_t[::1] row_ends,
    int32_t[::1] indices, int32_t[::1] counts,
):
    rows.capacity = min(indices.shape[0], counts.shape[0])
    rows.indices = &indices[0] if rows.capacity else NULL
    rows.counts = &counts[0] if rows.capacity else NULL
    rows.end = row_ends[begin - 1] if begin > 0 else 0


def count(
    Cutter cutter,
    list texts,                  # IN
    int64_t begin,               # the text to begin with
    vocabulary,                  # IN a Vocabulary
    rows,                        # INOUT Rows: the terms of each text, sorted
):
    """Count the terms of texts.

    Returns
    -------
    status : int
        What must grow before the call can be repeated, if anything.
    next_text : int
        The text to go on with.
    """
    cdef Text[BLOCK_TEXTS] held
    cdef Py_ssize_t i, n_held
    cdef int64_t[::1] row_ends
    cdef int32_t[::1] indices, counts
    cdef VocabularyArrays arrays = VocabularyArrays(vocabulary)
    cdef Cut* cut = &cutter.cut
    row_ends, indices, counts = rows.arrays()
    check_rows(texts, begin, row_ends, indices.shape[0])
    open_rows(&cut.rows, begin, row_ends, indices, counts)
    cut.terms = &arrays.terms
    cut.learned = NULL
    while begin < len(texts):
        n_held = hold(texts, begin, cutter.longest, held)
        with nogil:
            for i in range(n_held):
                cut_text(cut, &held[i])
                if cut.status == DONE:
                    cut.status = finish_row(&cut.rows, cut.position, &cut.watch)
                if cut.status != DONE:
                    break
                row_ends[begin] = cut.rows.end
                begin += 1
        if cut.status != DONE:
            raise_ended(&cut.watch)
            return cut.status, begin
    return <int> DONE, begin


def learn(
    Cutter cutter,
    list texts,                   # IN
    int64_t begin,                # the text to begin with
    bint keep_rows,               # or forget the terms of each text
    vocabulary,                   # INOUT a GrowingVocabulary
    rows,                         # INOUT Rows: the terms of each text, as they come
):
    """Count all n-grams of texts, and make terms of those that are new.

    Returns
    -------
    status : int
        What must grow before the call can be repeated, if anything.
    next_text : int
        The text to go on with.
    """
    cdef Text[BLOCK_TEXTS] held
    cdef Py_ssize_t i, n_held
    cdef int64_t[::1] row_ends
    cdef int32_t[::1] indices, counts
    cdef GrowingArrays arrays = GrowingArrays(vocabulary)
    cdef Cut* cut = &cutter.cut
    row_ends, indices, counts = rows.arrays()
    check_rows(texts, begin, row_ends, indices.shape[0])
    open_rows(&cut.rows, begin if keep_rows else 0, row_ends, indices, counts)
    cut.terms = &arrays.growing.terms
    cut.learned = &arrays.growing
    cut.status = DONE
    while begin < len(texts) and cut.status == DONE:
        n_held = hold(texts, begin, cutter.longest, held)
        with nogil:
            for i in range(n_held):
                cut_text(cut, &held[i])
                if cut.status != DONE:
                    take_back(cut)
                    break
                if not keep_rows:
                    cut.rows.end = 0
                row_ends[begin] = cut.rows.end
                begin += 1
    arrays.write_sizes()
    raise_ended(&cut.watch)
    return <int> cut.status, begin


def renumber(
    int64_t[::1] row_ends,         # INOUT (n_rows,)
    int32_t[::1] indices,          # INOUT
    int32_t[::1] counts,           # INOUT
    const int32_t[::1] numbers,    # IN (n_terms,): new numbers; -1 to leave out
    int32_t[:, ::1] spare,         # scratch (2, longest row)
    const uint8_t[::1] stop=None,  # IN (1,): not 0 if the task was cancelled
):
    """Give terms their new numbers in all rows, and sort each row."""
    cdef Watch watch = watch_for(stop)
    cdef int64_t row, entry, start, end = 0, begin = 0, row_end
    cdef int32_t number
    cdef bint fits = spare.shape[0] == 2
    with nogil:
        for row in range(row_ends.shape[0]):
            start = end
            row_end = row_ends[row]
            fits = (
                fits and begin <= row_end <= min(indices.shape[0], counts.shape[0])
                and row_end - begin <= spare.shape[1]
            )
            if not fits:
                break
            for entry in range(begin, row_end):
                if not 0 <= indices[entry] < numbers.shape[0]:
                    fits = False
                    break
                number = numbers[indices[entry]]
                if number >= 0:
                    indices[end] = number
                    counts[end] = counts[entry]
                    end += 1
            if end > start:
                sort_row(
                    &indices[start], &counts[start], end - start,
                    &spare[0, 0], &spare[1, 0], &watch,
                )
                if watch.ended:
                    break
            row_ends[row] = end
            begin = row_end
    raise_ended(&watch)
    if not fits:
        raise ValueError("the arrays of the rows do not fit together")
