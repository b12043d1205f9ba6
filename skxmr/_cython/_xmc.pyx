"""Parser of the Extreme Classification Repository's text format.

A block of text consists of whole lines, or of whole tokens of a line that is longer
than a block. Scans need no bounds check: they stop at its last byte, which is a
newline, a blank or the comma after a label.
"""

from cpython.conversion cimport PyOS_string_to_double
from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum Status:
    READ
    NOT_A_LABEL
    NOT_A_FEATURE
    NOT_A_VALUE
    CUT                    # the block ended within a row

# What the parser expects next.
cdef enum State:
    ROW_START
    LABELS
    FEATURES

BAD_LABEL = NOT_A_LABEL
BAD_FEATURE = NOT_A_FEATURE
BAD_VALUE = NOT_A_VALUE
WITHIN_ROW = CUT

cdef enum:
    # Every number of so many digits fits in a uint64.
    MOST_DIGITS = 19
    # Exponents of powers of ten: the largest for `nearest_float`, and the largest whose
    # power is exact in float64.
    LARGEST_EXPONENT = 66
    LARGEST_EXACT_EXPONENT = 22

# Larger than every valid index; ten times this still fits in an int64.
cdef int64_t INDEX_LIMIT = 10 ** 12
# Numbers from here on are rounded to an infinite float32: 2**128 - 2**103.
cdef double FLOAT32_LIMIT = 3.4028235677973366e38
# All integers up to here are exact in float64.
cdef uint64_t LARGEST_EXACT_INTEGER = 2 ** 53
cdef double MARGIN = 2.0 ** -50

cdef double[23] POWERS_OF_TEN
POWERS_OF_TEN[:] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]

ctypedef const unsigned char* Text


cdef struct Rows:
    Text at                # the next byte to read
    Text end
    Text token             # start of the current token, for error messages
    State state
    int64_t previous       # column of the previous entry in the row, or -1
    int64_t n_labels       # numbers of columns in the header
    int64_t n_features
    int64_t base           # number of the first column in the file, 0 or 1
    int64_t label_count    # number of entries read so far
    int64_t feature_count
    int32_t* labels
    int32_t* features
    float* values
    bint ordered           # columns increase strictly within every row
    bint has_labels        # whether rows start with labels


def parse_rows(
    const unsigned char[::1] text,  # IN, ends with a newline, a blank or a comma
    matrices,                       # INOUT: the rows read so far
    int64_t most_rows,              # maximum number of rows to read
):
    """Parse a block of text, and append its rows to arrays.

    The arrays must have space for one label per two bytes of text, and one feature per
    four. A row may continue in the next block.

    Parameters
    ----------
    text : memoryview of uint8
    matrices : object
        With the attributes `unfinished` of shape (2,), int64: the state and the
        previous column where the last block ended within a row, else zeros;
        `n_labels`, `n_features`, `base` and `has_labels`; `n_rows`, `label_count` and
        `feature_count`: the numbers of rows and entries in the arrays; and the arrays
        `label_offsets`, `labels`, `feature_offsets`, `features` and `values`, which
        are appended to.
    most_rows : int

    Returns
    -------
    status : int
        0, or `WITHIN_ROW` if the block ended within a row; `BAD_LABEL`, `BAD_FEATURE`
        or `BAD_VALUE` if the last token is invalid.
    n_rows, n_bytes : int
        The numbers of rows and bytes parsed.
    token : int
        The position of the last token in the text.
    ordered : bool
        Whether the columns increase strictly within every row.
    label_count, feature_count : int
        The numbers of entries in the arrays, including earlier ones.
    n_written : int
        The number of rows up to the last one whose line is not empty.
    """
    cdef int64_t[::1] unfinished = matrices.unfinished
    cdef int64_t label_count = matrices.label_count
    cdef int64_t feature_count = matrices.feature_count
    cdef int64_t first = matrices.n_rows + 1, stop = first + most_rows
    cdef int64_t[::1] label_ends = matrices.label_offsets[first:stop]
    cdef int64_t[::1] feature_ends = matrices.feature_offsets[first:stop]
    cdef int32_t[::1] labels = matrices.labels, features = matrices.features
    cdef float[::1] values = matrices.values
    cdef Status status = READ
    cdef int64_t row = 0, n_written = 0
    cdef int64_t size = text.shape[0]
    cdef Rows rows
    if size == 0 or not ends_block(text[size - 1]):
        raise ValueError("text must end with a newline, a blank or a comma")
    if (
        unfinished.shape[0] != 2
        or not 0 <= unfinished[0] <= <int64_t> FEATURES
        or labels.shape[0] <= label_count + size // 2
        or features.shape[0] <= feature_count + size // 4
        or values.shape[0] != features.shape[0]
        or label_ends.shape[0] != feature_ends.shape[0]
        or min(label_count, feature_count) < 0
    ):
        raise ValueError("the arrays are too small for the text")
    rows.at = rows.token = &text[0]
    rows.end = rows.at + size
    rows.state, rows.previous = <State> unfinished[0], unfinished[1]
    rows.n_labels, rows.n_features = matrices.n_labels, matrices.n_features
    rows.base = matrices.base
    rows.label_count, rows.feature_count = label_count, feature_count
    rows.labels, rows.features = &labels[0], &features[0]
    rows.values = &values[0]
    rows.ordered = True
    rows.has_labels = matrices.has_labels
    with nogil:
        while row < label_ends.shape[0] and rows.at < rows.end:
            if rows.state != ROW_START or not ends_line(rows.at):
                n_written = row + 1
            status = READ if rows.state == FEATURES else read_labels(&rows)
            if status == READ:
                status = read_features(&rows)
            if status != READ:
                break
            label_ends[row] = rows.label_count
            feature_ends[row] = rows.feature_count
            row += 1
    unfinished[0], unfinished[1] = rows.state, rows.previous
    return (
        <int> status,
        row,
        rows.at - &text[0],
        rows.token - &text[0],
        rows.ordered,
        rows.label_count,
        rows.feature_count,
        n_written,
    )


cdef inline bint is_digit(unsigned char byte) noexcept nogil:
    return c"0" <= byte <= c"9"


cdef inline bint is_blank(unsigned char byte) noexcept nogil:
    return byte == c" " or byte == c"\t"


cdef inline bint ends_block(unsigned char byte) noexcept nogil:
    return is_blank(byte) or byte == c"\n" or byte == c","


cdef inline bint ends_token(unsigned char byte) noexcept nogil:
    return is_blank(byte) or byte == c"\n" or byte == c"\r"


cdef inline bint ends_line(Text at) noexcept nogil:
    """Return whether a line ends here."""
    return at[0] == c"\n" or (at[0] == c"\r" and at[1] == c"\n")


cdef inline Status read_labels(Rows* rows) noexcept nogil:
    """Read the labels of a row; one that starts with a blank has none."""
    cdef Text at = rows.at
    cdef int64_t label
    if rows.state == ROW_START:
        if not rows.has_labels or ends_token(at[0]):
            return start_features(rows, at)
        rows.state, rows.previous = LABELS, -1
    while True:
        while at < rows.end and is_blank(at[0]):  # after a comma
            at += 1
        if at == rows.end:
            rows.at = at
            return CUT
        rows.token = at
        at = read_index(at, rows.base, rows.n_labels, &label)
        if at == NULL:
            return NOT_A_LABEL
        rows.labels[rows.label_count] = <int32_t> label
        rows.label_count += 1
        rows.ordered &= label > rows.previous
        rows.previous = label
        if at[0] != c",":
            return start_features(rows, at) if ends_token(at[0]) else NOT_A_LABEL
        at += 1


cdef inline Status start_features(Rows* rows, Text at) noexcept nogil:
    rows.at, rows.state, rows.previous = at, FEATURES, -1
    return READ


cdef inline Status read_features(Rows* rows) noexcept nogil:
    """Read features and values to the end of the line."""
    cdef Text at = rows.at
    cdef int64_t feature, previous = rows.previous
    while True:
        while at < rows.end and is_blank(at[0]):
            at += 1
        if at == rows.end:
            rows.at, rows.previous = at, previous
            return CUT
        if at[0] == c"\r" and at[1] == c"\n":
            at += 1
        if at[0] == c"\n":
            rows.at, rows.state = at + 1, ROW_START
            return READ
        rows.token = at
        at = read_index(at, rows.base, rows.n_features, &feature)
        if at == NULL or at[0] != c":":
            return NOT_A_FEATURE
        at = read_number(at + 1, &rows.values[rows.feature_count])
        if at == NULL or not ends_token(at[0]):
            return NOT_A_VALUE
        rows.features[rows.feature_count] = <int32_t> feature
        rows.feature_count += 1
        rows.ordered &= feature > previous
        previous = feature


cdef inline Text read_index(
    Text at, int64_t base, int64_t size, int64_t* index
) noexcept nogil:
    """Read the number of a column; return its end, or NULL if it is invalid."""
    cdef int64_t number = 0
    if not is_digit(at[0]):
        return NULL
    while is_digit(at[0]):
        if number < INDEX_LIMIT:
            number = 10 * number + (at[0] - c"0")
        at += 1
    index[0] = number - base
    return at if 0 <= index[0] < size else NULL


cdef inline Text read_number(Text token, float* value) noexcept nogil:
    """Read a decimal number; return its end, or NULL if it is invalid or not finite.

    The value is that of ``numpy.float32(float(token))``: rounded to float64, then to
    float32.
    """
    cdef Text at = token
    cdef uint64_t digits = 0
    cdef int64_t exponent = 0
    cdef int n_digits = 0
    cdef bint is_number
    if at[0] == c"-" or at[0] == c"+":
        at += 1
    is_number = is_digit(at[0])
    while is_digit(at[0]):
        if n_digits < MOST_DIGITS:
            digits = 10 * digits + (at[0] - c"0")
            n_digits += digits != 0
        else:
            exponent += 1
        at += 1
    if at[0] == c".":
        at += 1
        is_number |= is_digit(at[0])
        while is_digit(at[0]):
            if n_digits < MOST_DIGITS:
                digits = 10 * digits + (at[0] - c"0")
                n_digits += digits != 0
                exponent -= 1
            at += 1
    if is_number and (at[0] == c"e" or at[0] == c"E"):
        at = read_exponent(at + 1, &exponent)
    if not is_number or at == NULL:
        return NULL
    if nearest_float(digits, exponent, value):
        if token[0] == c"-":
            value[0] = -value[0]
        return at
    return at if nearest_float_of_any(<const char*> token, value) else NULL


cdef inline Text read_exponent(Text at, int64_t* exponent) noexcept nogil:
    """Read an exponent and add it; return its end, or NULL if it is invalid."""
    cdef int64_t number = 0
    cdef bint is_negative = at[0] == c"-"
    if at[0] == c"-" or at[0] == c"+":
        at += 1
    if not is_digit(at[0]):
        return NULL
    while is_digit(at[0]):
        if number < INDEX_LIMIT:
            number = 10 * number + (at[0] - c"0")
        at += 1
    exponent[0] += -number if is_negative else number
    return at


cdef inline double scaled(double number, int64_t exponent) noexcept nogil:
    """Multiply by a power of ten, rounding once per 22 of the exponent."""
    while exponent > LARGEST_EXACT_EXPONENT:
        number *= POWERS_OF_TEN[LARGEST_EXACT_EXPONENT]
        exponent -= LARGEST_EXACT_EXPONENT
    while exponent < -LARGEST_EXACT_EXPONENT:
        number /= POWERS_OF_TEN[LARGEST_EXACT_EXPONENT]
        exponent += LARGEST_EXACT_EXPONENT
    if exponent >= 0:
        return number * POWERS_OF_TEN[exponent]
    return number / POWERS_OF_TEN[-exponent]


cdef inline bint nearest_float(
    uint64_t digits, int64_t exponent, float* value
) noexcept nogil:
    """Round digits * 10**exponent to float64, then to float32.

    Returns whether the result is certain. With few digits, the float64 is the rounded
    result of one operation on exact numbers. Otherwise, `middle` differs from the exact
    number by at most four roundings of 2**-53 each, two more for the bounds, and the
    digits cut off, so that the bounds enclose the float64. Rounding to float32 is
    monotone: if both bounds are rounded to the same float32, so is all between them.
    """
    cdef double middle, high
    if not -LARGEST_EXPONENT <= exponent <= LARGEST_EXPONENT:
        return False
    middle = scaled(<double> digits, exponent)
    high = middle * (1 + MARGIN)
    if high >= FLOAT32_LIMIT:
        return False
    value[0] = <float> middle
    if (
        digits <= LARGEST_EXACT_INTEGER
        and -LARGEST_EXACT_EXPONENT <= exponent <= LARGEST_EXACT_EXPONENT
    ):
        return True
    return <float> (middle * (1 - MARGIN)) == <float> high


cdef bint nearest_float_of_any(const char* token, float* value) noexcept with gil:
    """Convert a number as Python does; return False if it is not finite as float32."""
    cdef char* end
    cdef double number
    try:
        number = PyOS_string_to_double(token, &end, NULL)
    except (MemoryError, ValueError):
        return False
    value[0] = <float> number if fabs(number) < FLOAT32_LIMIT else 0
    return fabs(number) < FLOAT32_LIMIT


def first_repeat(
    const int64_t[::1] offsets,  # IN (n_rows + 1,)
    const int32_t[::1] columns,  # IN, sorted in every row
):
    """Return the first row with a repeated column, and this column; or -1, -1."""
    cdef int64_t row, entry
    for row in range(offsets.shape[0] - 1):
        for entry in range(offsets[row] + 1, offsets[row + 1]):
            if columns[entry] == columns[entry - 1]:
                return row, columns[entry]
    return -1, -1
