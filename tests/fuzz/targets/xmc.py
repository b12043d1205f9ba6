"""The reader of the Extreme Classification Repository's text format."""

import io
import os

import numpy as np

from skxmr.datasets import dump_xmc, load_xmc

SEEDS = [
    b"3 5 4\n0,2 1:0.5 4:2\n 0:1.25\n3\n",
    b"1 2 2\n1,0,1 1:-1.5e-3 0:+.5\r\n",
    b"2 3 3\n3 1:1e38 2:0.0000001\n 3:123456789.123456789e-10\n",
    b"0 0 0\n",
    b"1 2147483647 2147483647\n2147483646 2147483646:1\n",
    b"9999999999999999999 1 1\n0 0:1\n",
    b"\xef\xbb\xbf2 2 2\r\n0, 1 0:1\r\n \r\n\r\n",
    b"2 3\n0:1 2:0.5\n\n\x002 2\n1:1\n0:1 1:0\n",
]


def run(data):
    """Read the bytes; what can be read is written and read again.

    A byte of 0 comes between two files, of features and of labels.
    """
    zero_based = len(data) % 2 == 0
    files = [io.BytesIO(part) for part in data.split(b"\0", 1)]
    if not data.startswith(b"2 ") or data.split(b"\n", 1)[0].count(b" ") != 1:
        files = [io.BytesIO(data)]
    try:
        X, Y = load_xmc(*files, zero_based=zero_based)
    except ValueError:
        return
    X.check_format(full_check=True)
    Y.check_format(full_check=True)
    assert np.isfinite(X.data).all()
    assert (Y.data == 1).all()
    if X.shape[1] < 2**20 and len(data) % 16 < 2:
        _again(X, Y, zero_based)


def _again(X, Y, zero_based):
    path = f"/dev/shm/skxmr-fuzz-{os.getpid()}.txt"
    dump_xmc(X, Y, path, zero_based=zero_based)
    other_X, other_Y = load_xmc(path, zero_based=zero_based)
    assert (other_X != X).nnz == 0
    assert (other_Y != Y).nnz == 0
