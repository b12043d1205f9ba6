"""Reader of the Extreme Classification Repository's text format."""

from __future__ import annotations

import operator
import os
import re
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
from scipy import sparse

from skxmr._cython._xmc import (
    BAD_FEATURE,
    BAD_LABEL,
    BAD_VALUE,
    WITHIN_ROW,
    first_repeat,
    parse_rows,
)
from skxmr._inputs._validation import public_csr
from skxmr._utils._compressed import Compressed
from skxmr._utils._text_sources import damage_named, open_to_read
from skxmr._utils._typing import Matrix

__all__ = ["LARGEST_COLUMN_COUNT", "load_xmc"]

CHUNK_BYTES = 1 << 18
# The maximum length of a token (a label, or a feature with its value) and of the header
# line, in bytes.
LONGEST_WORD = 1 << 20
LARGEST_COLUMN_COUNT = 2**31 - 1
LARGEST_ROW_COUNT = 2**63 - 1
LONGEST_EXCERPT = 40
HEADER = re.compile(
    rb"[ \t]*(\d{1,19})[ \t]+(\d{1,19})(?:[ \t]+(\d{1,19}))?[ \t]*\r?\n?"
)
WORD_ENDS = (b"\n", b" ", b"\t", b",")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16_STARTS = (b"\xff\xfe", b"\xfe\xff")


Source = str | bytes | os.PathLike | BinaryIO


def load_xmc(
    path: Source, labels: Source | None = None, *, zero_based: bool = True
) -> tuple[Matrix, Matrix]:
    r"""Read a data set in the Extreme Classification Repository's text formats.

    In a single file, the first line has the numbers of rows, features and labels. Each
    of the following lines is a row: its labels, separated by commas, then its features
    with their values::

        3 5 4
        0,2 1:0.5 4:2
         0:1.25
        3

    Here the second row has no label, so its line starts with a space, and the third row
    has no feature. A row with neither is a line with one space. An empty line is also
    such a row if other rows follow; at the end of the file it is not a row, so that a
    truncated file is detected.

    With two files, of features (``trn_X_Xf.txt``) and labels (``trn_X_Y.txt``), each is
    a matrix: the first line has its numbers of rows and columns, each of the following
    lines the columns of a row with their values, or nothing::

        3 5          3 4
        1:0.5 4:2    0:1 2:1
        0:1.25
                     3:1

    Files are read in one pass, in blocks. Peak memory is that of the result, about an
    eighth more and some megabytes, whatever the header says and however long the lines
    are. Numbers of more than a million characters are invalid. A byte-order mark,
    Windows line endings, spaces after commas, and empty lines after the last row are
    ignored.

    Parameters
    ----------
    path : str, bytes, path-like or binary file object
        The file to read. Data compressed by gzip, bzip2 or xz, and zip archives of one
        file, are recognised by their first bytes. A file object is read from its
        current position and not closed.
    labels : str, bytes, path-like or binary file object, default=None
        The file of the labels, if there are two files. None if `path` has both.
    zero_based : bool, default=True
        Whether column indices in the file start at 0, as in the repository, or at 1.

    Returns
    -------
    X : sparse array or matrix of shape (n_rows, n_features), float32
        In CSR format, sorted, according to scikit-learn's ``sparse_interface``. A value
        is that of ``numpy.float32(float(text))``; explicit zeros are stored.
    Y : sparse array or matrix of shape (n_rows, n_labels), int32
        The indicator of the labels, in the same format.

    Raises
    ------
    ValueError
        If a file is not in this format: with its name, the line, what was found and
        what was expected. Also if a row has a feature twice, a number is not finite as
        float32, a column index is beyond the number in the header, the number of rows
        differs from it, the compressed data are corrupt, or `labels` has values other
        than 0 and 1. Duplicate labels of a row in a single file count once.
    OSError
        If a file cannot be opened or read.
    TypeError
        If `path` or `labels` is none of these, or a file opened in text mode.

    See Also
    --------
    dump_xmc : Writes this format, in one file.
    sklearn.datasets.load_svmlight_file : Reads a similar format without header.

    References
    ----------
    .. [1] K. Bhatia, K. Dahiya, H. Jain, P. Kar, A. Mittal, Y. Prabhu and M. Varma,
       "The extreme classification repository: multi-label datasets and code", 2016.
       http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> import io
    >>> from skxmr.datasets import load_xmc
    >>> X, Y = load_xmc(io.BytesIO(b"2 5 4\n0,2 1:0.5 4:2\n 0:1.25\n"))
    >>> X.toarray()
    array([[0.  , 0.5 , 0.  , 0.  , 2.  ],
           [1.25, 0.  , 0.  , 0.  , 0.  ]], dtype=float32)
    >>> Y.toarray()
    array([[1, 0, 1, 0],
           [0, 0, 0, 0]], dtype=int32)
    """
    base = 0 if zero_based else 1
    if labels is None:
        return _read(path, True, base).matrices()
    X, _ = _read(path, False, base).matrices()
    rows = _read(labels, False, base)
    Y, _ = rows.matrices()
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"{rows.name} has {Y.shape[0]} rows, expected {X.shape[0]} as in the file "
            "of the features"
        )
    return X, _as_labels(Y, rows.name)


def _read(source, has_labels, base):
    """Read the rows of a file, with or without labels."""
    with ExitStack() as stack:
        file, name = open_to_read(source, stack)
        stack.enter_context(damage_named(name))
        header = _parse_header(file.readline(LONGEST_WORD), name, has_labels)
        rows = _Rows(name, *header, base=base, has_labels=has_labels)
        for text in _blocks(file):
            rows.append(text)
        rows.check_complete()
        return rows


def _as_labels(Y, name):
    """Convert a matrix of zeros and ones to an indicator."""
    others = np.flatnonzero((Y.data != 0) & (Y.data != 1))
    if len(others):
        row = np.searchsorted(Y.indptr, others[0], side="right") - 1
        raise ValueError(
            f"{name}, line {row + 2}: got the value {Y.data[others[0]]} of a label, "
            "expected 0 or 1"
        )
    Y = Y.astype(np.int32)
    Y.eliminate_zeros()
    return Y


class _Rows:
    """Rows read so far, in arrays that grow.

    Parameters
    ----------
    name : str
        The name of the file, for error messages.
    n_rows, n_features, n_labels : int
        The sizes in the header. Nothing is allocated according to them.
    base : {0, 1}
        The number of the first column in the file.
    has_labels : bool
        Whether rows start with labels.
    """

    def __init__(self, name, n_rows, n_features, n_labels, *, base, has_labels=True):
        self.name = name
        self.n_expected = n_rows
        self.n_features = n_features
        self.n_labels = n_labels
        self.base = base
        self.has_labels = has_labels
        # The number of rows up to the last one whose line is not empty.
        self.n_written = 0
        self.n_rows = self.label_count = self.feature_count = 0
        self.label_offsets = np.zeros(1, dtype=np.int64)
        self.feature_offsets = np.zeros(1, dtype=np.int64)
        self.labels = np.empty(0, dtype=np.int32)
        self.features = np.empty(0, dtype=np.int32)
        self.values = np.empty(0, dtype=np.float32)
        self.ordered = True
        self.unfinished = np.zeros(2, dtype=np.int64)

    def append(self, text):
        """Parse a block of text from `_blocks`."""
        if not text:
            return
        if text[-1:] not in WORD_ENDS:
            raise ValueError(
                f"{self.name}, line {self._line_of(self.n_rows)}: got "
                f"{_excerpt(text)}, expected a number of at most {LONGEST_WORD} bytes"
            )
        most_rows = min(len(text), self.n_expected - self.n_rows)
        self._reserve(text, most_rows)
        progress = parse_rows(text, self, most_rows)
        status, n_rows, n_bytes, token, ordered = progress[:5]
        self.label_count, self.feature_count, n_written = progress[5:]
        if n_written:
            self.n_written = self.n_rows + n_written
        self.n_rows += n_rows
        self.ordered &= ordered
        if status not in (0, WITHIN_ROW):
            raise ValueError(self._what_is_wrong(status, text, token))
        if text[n_bytes:].strip(b" \t\r\n"):
            raise ValueError(
                f"{self.name}, line {self._line_of(self.n_rows)}: got one more row, "
                f"expected the end of the file after {self.n_expected} rows, as in the "
                "header"
            )

    def check_complete(self):
        """Raise an error if there are fewer rows than the header says."""
        n_rows = self.n_written if self.has_labels else self.n_rows
        if n_rows == self.n_expected:
            return
        hint = ""
        if n_rows < self.n_rows:
            hint = (
                " (empty lines at the end are not rows; a row without labels and "
                "features is a line with one space)"
            )
        raise ValueError(
            f"{self.name}, line {self._line_of(n_rows)}: got the end of the file after "
            f"{n_rows} rows, expected {self.n_expected} rows, as in the header"
            f"{hint}"
        )

    def matrices(self):
        """Return X and Y."""
        for array, size in self._arrays(self.n_rows + 1, 0, 0):
            array.resize(size, refcheck=False)
        ones = np.ones(self.label_count, dtype=np.int32)
        X = sparse.csr_array(
            (self.values, self.features, self.feature_offsets),
            shape=(self.n_rows, self.n_features),
        )
        Y = sparse.csr_array(
            (ones, self.labels, self.label_offsets), shape=(self.n_rows, self.n_labels)
        )
        if not self.ordered:
            self._sort(X, Y)
        return public_csr(X), public_csr(Y)

    def _sort(self, X, Y):
        """Sort each row; merge repeated labels, and raise an error for features."""
        X.sort_indices()
        rows = Compressed.from_sparse(X)
        row, feature = first_repeat(rows.offsets, rows.indices)
        if row >= 0:
            raise ValueError(
                f"{self.name}, line {self._line_of(row)}: got the feature "
                f"{feature + self.base} twice, expected each at most once in a row"
            )
        Y.sum_duplicates()
        Y.data[:] = 1

    def _reserve(self, text, most_rows):
        """Grow the arrays for the most entries that the text can have."""
        needed = self._arrays(
            self.n_rows + 1 + most_rows, len(text) // 2 + 1, len(text) // 4 + 1
        )
        for array, size in needed:
            if len(array) < size:
                # In place, without a second copy if the system can move pages. The
                # kernel holds no view of the arrays any more.
                array.resize(max(size, len(array) + len(array) // 8), refcheck=False)

    def _arrays(self, n_offsets, more_labels, more_features):
        """Pair each array with the size that it should have."""
        n_labels = self.label_count + more_labels
        n_features = self.feature_count + more_features
        return [
            (self.label_offsets, n_offsets),
            (self.feature_offsets, n_offsets),
            (self.labels, n_labels),
            (self.features, n_features),
            (self.values, n_features),
        ]

    def _what_is_wrong(self, status, text, token):
        """Write the error message: the line, the token and what was expected."""
        found = re.split(rb"[ \t\r\n]", text[token:], maxsplit=1)[0]
        first = self.base
        expected = {
            BAD_LABEL: (
                f"a label, an integer from {first} to {self.n_labels + first - 1}, as "
                f"the header says {self.n_labels} labels (a row without labels starts "
                "with a space)"
            ),
            BAD_FEATURE: (
                "a feature and its value such as 3:0.25, the feature an integer from "
                f"{first} to {self.n_features + first - 1}, as the header says "
                f"{self.n_features} features"
            ),
            BAD_VALUE: (
                "a feature and its value such as 3:0.25, the value a finite decimal "
                "number in the range of float32"
            ),
        }[status]
        line = self._line_of(self.n_rows)
        return f"{self.name}, line {line}: got {_excerpt(found)}, expected {expected}"

    @staticmethod
    def _line_of(row):
        """Return the line number of a row; the header is line 1."""
        return row + 2


def _blocks(file):
    """Yield blocks of bytes that end with a newline or, in long lines, after a token.

    A newline is added to the last line if it has none. A token of more than
    `LONGEST_WORD` bytes is yielded as it is, for an error.
    """
    pieces: list[bytes] = []
    n_waiting, ended = 0, b"\n"
    while chunk := file.read(CHUNK_BYTES):
        end = chunk.rfind(b"\n") + 1 or max(map(chunk.rfind, WORD_ENDS)) + 1
        if end or n_waiting > LONGEST_WORD:
            block = b"".join([*pieces, chunk[:end]])
            yield block
            pieces, n_waiting, ended = [], 0, block[-1:]
        pieces.append(chunk[end:])
        n_waiting += len(chunk) - end
    rest = b"".join(pieces)
    if rest or ended != b"\n":
        yield rest + b"\n"


def _parse_header(line, name, has_labels):
    """Parse the header: the numbers of rows, features and labels."""
    if line.startswith(UTF_16_STARTS):
        raise ValueError(f"{name} is in UTF-16; expected ASCII or UTF-8. Convert it.")
    line = line.removeprefix(BYTE_ORDER_MARK)
    header = HEADER.fullmatch(line) if len(line) < LONGEST_WORD else None
    sizes = [int(size) for size in header.groups() if size] if header else []
    largest = (LARGEST_ROW_COUNT, LARGEST_COLUMN_COUNT, LARGEST_COLUMN_COUNT)
    if len(sizes) == 2 + has_labels and not any(map(operator.gt, sizes, largest)):
        return sizes if has_labels else [*sizes, 0]
    found = line.removesuffix(b"\n") if line else b"an empty file"
    expected = (
        "rows, features and labels such as '3 5 4', the latter two"
        if has_labels
        else "rows and columns such as '3 5', the latter"
    )
    raise ValueError(
        f"{name}, line 1: got {_excerpt(found)}, expected the numbers of {expected} "
        f"at most {LARGEST_COLUMN_COUNT}{_remedy(line, sizes, has_labels)}"
    )


def _remedy(line, sizes, has_labels):
    """Return advice for files in similar formats."""
    if has_labels and len(sizes) == 2:
        return (
            ". Files of one matrix have two numbers: pass that of the features as path "
            "and that of the labels as labels: load_xmc('trn_X_Xf.txt', 'trn_X_Y.txt')"
        )
    if not has_labels and len(sizes) == 3:
        return ". Files of both matrices have three numbers: do not pass labels"
    if b":" in line:
        return (
            ". If this is a file in svmlight format, read it with "
            "sklearn.datasets.load_svmlight_file(path, multilabel=True), or add the "
            "header"
        )
    return ""


def _excerpt(found):
    """Quote the first bytes of a text for an error message."""
    start = found[:LONGEST_EXCERPT].decode("utf-8", errors="backslashreplace")
    return repr(start) + ("..." if len(found) > LONGEST_EXCERPT else "")
