"""The parser of rows alone: many more cases a second than whole files."""

import numpy as np

from skxmr.datasets._xmc import WORD_ENDS, _Rows

SEEDS = [
    b"\x000,2 1:0.5 4:2\n 0:1.25\n3\n",
    b"\x011,0,1 1:-1.5e-3 2:+.5\r\n",
    b"\x023 1:1e38 2:0.0000001\n 3:123456789.123456789e-10\n",
    b"\x03 0:0.30000000000000004441 1:1e-45 2:3402823466385288598117e17\n",
    b"\x050:1 2:0.5\n\n1:1\n\n",
    b"\x030, 2,\t1 1:1\n\n\r\n \r\n\n",
    b"\x04\t\t 1:1E+5\t2:00001.e0 \n\n\n",
]
SIZES = [(9, 9), (1, 1), (2**31 - 1, 2**31 - 1), (0, 5), (1000, 70)]


def run(data):
    """Parse rows, in two parts, among more or fewer labels and features."""
    if not data:
        return
    kind, text = data[0], data[1:]
    n_labels, n_features = SIZES[kind % len(SIZES)]
    rows = _Rows(
        "fuzz", kind, n_features, n_labels, base=kind % 2, has_labels=kind % 8 < 5
    )
    ends = [text.find(end, len(text) // 2) for end in WORD_ENDS[: 1 + kind % 4]]
    cut = max(ends) + 1
    try:
        rows.append(text[:cut])
        rows.append(text[cut:] + b"\n")
    except ValueError:
        return
    labels, features = rows.label_count, rows.feature_count
    assert np.isfinite(rows.values[:features]).all()
    if labels:
        assert rows.labels[:labels].min() >= 0
        assert rows.labels[:labels].max() < n_labels
