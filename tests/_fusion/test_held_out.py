"""Rows that are held out to learn weights."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skxmr._fusion._held_out import held_out_folds

CODES = np.random.default_rng(0).integers(0, 300, size=900)


FORMS = {
    "texts": lambda codes: [f"text {code}" for code in codes],
    "array of texts": lambda codes: np.array([f"text {code}" for code in codes]),
    "lists": lambda codes: [[f"text {code}", code] for code in codes],
    "numbers": lambda codes: np.column_stack([codes, codes]).astype(np.float32),
    "sparse": lambda codes: sparse.csr_array(
        np.column_stack([codes // 17, codes % 17, np.ones(len(codes))])
    ),
    "coordinates": lambda codes: sparse.coo_array(
        np.column_stack([codes // 17, codes % 17, np.ones(len(codes))])
    ),
    "frame": lambda codes: pd.DataFrame({"text": codes.astype(str), "code": codes}),
    "series": lambda codes: pd.Series(codes.astype(str)),
}


def folds_of(X, seed=0):
    return held_out_folds(X, np.random.RandomState(seed))


@pytest.mark.parametrize("form", FORMS)
def test_copies_of_held_out_rows_are_left_out(form):
    folds = folds_of(FORMS[form](CODES))
    n_distinct = len(np.unique(CODES))
    assert len(folds) == 5
    held_out = np.concatenate([rows for _, rows in folds])
    assert len(np.unique(CODES[held_out])) == len(held_out) == n_distinct // 5 * 5
    for train, rows in folds:
        others = np.setdiff1d(np.arange(len(CODES)), train)
        assert set(CODES[others]) == set(CODES[rows])
        assert not set(CODES[train]) & set(CODES[rows])


def test_stored_zeros_make_no_difference():
    # Rows i and i + 250 are equal; only the first half stores its zeros.
    values = np.tile(np.arange(1.0, 251.0), 2)
    stored = sparse.csr_array(np.column_stack([values, np.ones(500)]))
    stored.data[1::2] = 0
    plain = sparse.csr_array(values[:, np.newaxis])
    plain.resize(stored.shape)
    mixed = sparse.vstack([stored[:250], plain[250:]], format="csr")
    for train, rows in folds_of(mixed):
        assert len(train) == 400
        assert len(rows) == 50
    assert mixed.nnz == 750


@pytest.mark.parametrize(
    ("n_rows", "sizes"),
    [
        (199, []),
        (200, [40] * 5),
        (3000, [600, 600, 600, 200]),
        (10_000, [2000]),
        (30_000, [2000]),
    ],
)
def test_at_most_2000_rows_are_held_out(n_rows, sizes):
    folds = folds_of(np.arange(n_rows).astype(str))
    assert [len(rows) for _, rows in folds] == sizes
    assert all(len(train) + len(rows) == n_rows for train, rows in folds)


def test_few_distinct_rows_are_too_few():
    assert folds_of(["a", "b"] * 1000) == []


def test_rows_without_a_hash_are_distinct():
    rows = [[{"a": 1}] for _ in range(200)]
    assert len(folds_of(rows)) == 5


def test_seeds_draw_different_rows():
    X = FORMS["texts"](CODES)
    drawn = [folds_of(X, seed)[0][1].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
