"""Normalises ASCII texts for search: words, their parts and their joined parts.

`skxmr.text._word_forms` describes the forms, and does the same for other texts.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcmp, memcpy, strlen

cdef extern from "Python.h":
    const void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    LETTER = 1
    DIGIT = 2
    ALNUM = 3     # either
    WORD = 4      # of "\w": letters, digits and the underscore
    SPACE = 8
    JOINING = 16
    LONGEST = 300000000   # characters: the buffers of forms are several times as long
    BYTES_OF_FORMS = 7    # of output for each character, at most: see `Forms`

MOST_WORDS = 64
"""Compounds of more words have no other forms: these are compared with all words."""
cdef int64_t most_words = MOST_WORDS

# Joining all letters at a hyphen adds 40% to an index of names such as "aws-cdk-core".
MOST_LETTERS = 1
"""Letters that punctuation separates are joined if a part has at most so many."""
MOST_LETTERS_AT_HYPHEN = 3
"""The same of letters that a hyphen separates."""
cdef int64_t most_letters = MOST_LETTERS
cdef int64_t most_letters_at_hyphen = MOST_LETTERS_AT_HYPHEN

UNITS = (
    "m", "cm", "mm", "km", "g", "mg", "kg", "l", "ml", "cl", "dl", "kb", "mb", "gb",
    "tb", "hz", "khz", "mhz", "ghz", "w", "kw", "kwh", "ah", "mah", "v", "kv", "mp",
    "px", "inch", "ft", "oz", "lb", "lbs",
)
"""Units of measurement that are joined to a number; without the words "in" and "a"."""

JOINING_CHARACTERS = "-_/.'&+"
"""Punctuation that joins words."""

ctypedef const char* Unit

cdef uint8_t[128] CLASSES
cdef uint8_t[128] NORMAL
cdef list ENCODED_UNITS = [unit.encode() for unit in UNITS]
cdef Unit[33] UNIT_TEXTS
cdef int N_UNITS = len(UNITS)


cdef void fill_tables():
    cdef int code, i
    for code in range(128):
        character = chr(code)
        CLASSES[code] = 0
        if character.isalpha():
            CLASSES[code] = LETTER | WORD
        elif character.isdigit():
            CLASSES[code] = DIGIT | WORD
        elif character.isspace():
            CLASSES[code] = SPACE
        elif character in JOINING_CHARACTERS:
            CLASSES[code] = JOINING | (WORD if character == "_" else 0)
        NORMAL[code] = ord("'" if character == "`" else character.lower())
    for i in range(N_UNITS):
        UNIT_TEXTS[i] = ENCODED_UNITS[i]


fill_tables()


cdef struct Span:
    int32_t start
    int32_t size


cdef struct Forms:
    # The forms of a compound have each of its characters at most four times: in a part,
    # in two joined parts, and in a word. With spaces, seven bytes are enough.
    const uint8_t* text   # normalised
    Span* parts
    Span* words
    int64_t n_parts
    int64_t n_words
    bint joins_letters
    uint8_t* written
    int64_t n_written


cdef inline bint has(uint8_t character, int kind) noexcept nogil:
    return (CLASSES[character] & kind) != 0


cdef bint starts_unit(const uint8_t* text, int64_t size) noexcept nogil:
    """Return whether a text starts with a unit of measurement, as a whole word."""
    cdef uint8_t[8] word
    cdef int64_t n = 0
    cdef int i
    while n < size and has(text[n], WORD):
        if n == sizeof(word):
            return False
        word[n] = NORMAL[text[n]]
        n += 1
    for i in range(N_UNITS):
        if <int64_t>strlen(UNIT_TEXTS[i]) == n and not memcmp(UNIT_TEXTS[i], word, n):
            return True
    return False


cdef int64_t normalize(
    const uint8_t* text, int64_t size, uint8_t* normal, bint* is_plain
) noexcept nogil:
    """Fold case and white space, and join numbers and units; return the new size."""
    cdef int64_t i, n = 0
    cdef bint is_apart = False
    is_plain[0] = True  # letters and spaces only
    for i in range(size):
        if has(text[i], SPACE):
            is_apart = n > 0
            continue
        if is_apart:
            is_apart = False
            if not (
                has(normal[n - 1], DIGIT) and starts_unit(&text[i], size - i)
            ):
                normal[n] = c' '
                n += 1
        normal[n] = NORMAL[text[i]]
        is_plain[0] &= has(normal[n], LETTER)
        n += 1
    return n


cdef int64_t end_of_compound(
    const uint8_t* text, int64_t i, int64_t size
) noexcept nogil:
    """Return where the words end that start at i and are joined by punctuation."""
    while True:
        while i < size and has(text[i], ALNUM):
            i += 1
        if not (i + 1 < size and has(text[i], JOINING) and has(text[i + 1], ALNUM)):
            return i
        i += 1


cdef void split(Forms* forms, int64_t start, int64_t stop) noexcept nogil:
    """List the words of a compound, and the runs of letters or of digits in each."""
    cdef int64_t i = start
    cdef uint8_t kind, kind_before = JOINING
    forms.n_parts = forms.n_words = 0
    for i in range(start, stop):
        kind = CLASSES[forms.text[i]] & (ALNUM | JOINING)
        if kind != JOINING:
            if kind_before == JOINING:
                forms.words[forms.n_words] = Span(<int32_t>i, 0)
                forms.n_words += 1
            if kind_before != kind:
                forms.parts[forms.n_parts] = Span(<int32_t>i, 0)
                forms.n_parts += 1
            forms.words[forms.n_words - 1].size += 1
            forms.parts[forms.n_parts - 1].size += 1
        kind_before = kind


cdef void write(Forms* forms, Span one, Span other) noexcept nogil:
    """Write a form, of one part or of two, with a space before it."""
    cdef uint8_t* target = &forms.written[forms.n_written]
    if forms.n_written:
        target[0] = c' '
        target += 1
        forms.n_written += 1
    memcpy(target, &forms.text[one.start], one.size)
    memcpy(target + one.size, &forms.text[other.start], other.size)
    forms.n_written += one.size + other.size


cdef bint is_word(const Forms* forms, Span one, Span other) noexcept nogil:
    """Return whether one of the words is the same as a form."""
    cdef int64_t i
    cdef const uint8_t* word
    for i in range(forms.n_words):
        if forms.words[i].size != one.size + other.size:
            continue
        word = &forms.text[forms.words[i].start]
        if not memcmp(word, &forms.text[one.start], one.size) and not memcmp(
            word + one.size, &forms.text[other.start], other.size
        ):
            return True
    return False


cdef bint are_joined(const Forms* forms, Span part, Span after) noexcept nogil:
    """Return whether two adjacent parts have a joined form."""
    cdef bint is_number = has(forms.text[part.start], DIGIT)
    cdef bint is_number_after = has(forms.text[after.start], DIGIT)
    if is_number or is_number_after:
        return is_number != is_number_after
    if not forms.joins_letters:
        return False
    cdef int64_t end = part.start + part.size
    cdef bint is_hyphen = end + 1 == after.start and forms.text[end] == c'-'
    cdef int64_t most = most_letters_at_hyphen if is_hyphen else most_letters
    return min(part.size, after.size) <= most


cdef void write_forms(Forms* forms) noexcept nogil:
    """Write the parts of a compound, its joined parts, and the words as written."""
    cdef int64_t i
    cdef Span part, nothing = Span(0, 0)
    if 1 < forms.n_parts and forms.n_words <= most_words:
        for i in range(forms.n_parts):
            if not is_word(forms, forms.parts[i], nothing):
                write(forms, forms.parts[i], nothing)
        for i in range(1, forms.n_parts):
            part = forms.parts[i - 1]
            if are_joined(forms, part, forms.parts[i]):
                if not is_word(forms, part, forms.parts[i]):
                    write(forms, part, forms.parts[i])
    for i in range(forms.n_words):
        write(forms, forms.words[i], nothing)


cdef void write_all(Forms* forms, int64_t size) noexcept nogil:
    cdef int64_t stop, i = 0
    while i < size:
        if not has(forms.text[i], ALNUM):
            i += 1
            continue
        stop = end_of_compound(forms.text, i, size)
        split(forms, i, stop)
        write_forms(forms)
        i = stop


cdef Py_ssize_t check_ascii(text) except -1:
    """Return the length of an ASCII text; raise an error if it is something else."""
    # A subclass, such as that of NumPy, will do.
    if not isinstance(text, str):
        raise TypeError(f"expected str; got {type(text).__name__}")
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
    if size > LONGEST or not str.isascii(text):
        raise ValueError(f"expected at most {LONGEST} ASCII characters; got {size}")
    return size


def normalize_ascii(text, bint joins_letters):
    """Normalise an ASCII text for n-grams of words.

    Parameters
    ----------
    text : str
    joins_letters : bool
        Whether short letters that punctuation separates have a joined form.

    Returns
    -------
    str
        Words, separated by spaces.

    Raises
    ------
    TypeError
        If the text is not a string.
    ValueError
        If it is too long, or not ASCII.
    MemoryError
        If there is no memory for the forms.
    """
    cdef Forms forms
    cdef Py_ssize_t size
    cdef bint is_plain
    cdef uint8_t* memory
    cdef uint8_t* normal
    size = check_ascii(text)
    memory = <uint8_t*>PyMem_Malloc(
        2 * (size + 1) * sizeof(Span) + (1 + BYTES_OF_FORMS) * size
    )
    if memory == NULL:
        raise MemoryError
    try:
        forms.parts = <Span*>memory
        forms.words = forms.parts + size + 1
        normal = <uint8_t*>(forms.words + size + 1)
        size = normalize(<const uint8_t*>PyUnicode_DATA(text), size, normal, &is_plain)
        if is_plain:
            return PyUnicode_DecodeASCII(<const char*>normal, size, NULL)
        forms.text = normal
        forms.joins_letters = joins_letters
        forms.written = normal + size
        forms.n_written = 0
        write_all(&forms, size)
        return PyUnicode_DecodeASCII(
            <const char*>forms.written, forms.n_written, NULL
        )
    finally:
        PyMem_Free(memory)


def space_ascii(text):
    """Return the words of an ASCII text as written, in lower case.

    Parameters
    ----------
    text : str

    Returns
    -------
    bytes
        With one space before and after each word; empty if there is none.

    Raises
    ------
    TypeError
        If the text is not a string.
    ValueError
        If it is too long, or not ASCII.
    """
    cdef Py_ssize_t i, n = 0, size = check_ascii(text)
    cdef const uint8_t* data = <const uint8_t*>PyUnicode_DATA(text)
    cdef bytes spaced = PyBytes_FromStringAndSize(NULL, size + 2)
    cdef uint8_t* written = <uint8_t*>PyBytes_AS_STRING(spaced)
    for i in range(size):
        if has(data[i], ALNUM):
            if not n:
                written[0] = c' '
                n = 1
            written[n] = NORMAL[data[i]]
            n += 1
        elif n and written[n - 1] != c' ':
            written[n] = c' '
            n += 1
    if n and written[n - 1] != c' ':
        written[n] = c' '
        n += 1
    return spaced[:n]
