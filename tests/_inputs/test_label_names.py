"""Invalid names of labels are refused with a clear message, and valid ones work."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from custom_indexers import TwoLevels
from scipy import sparse
from sklearn.model_selection import GridSearchCV, KFold
from small_problem import (
    N_LABELS,
    N_SAMPLES,
    NAMES,
    X,
    Y,
    assert_refused,
    make_classifier,
)

from skxmr.metrics import recall_at_k_scorer

BAD_NAMES = {
    "too few": (NAMES[:5], ValueError, "label_names has 5 names; expected 6, one for"),
    "too many": ([*NAMES, "x"], ValueError, "label_names has 7 names; expected 6"),
    "as many as rows": (
        NAMES * 6 + NAMES[:4],
        ValueError,
        "has 40 names; expected 6.*There are as many names as rows of X: a search",
    ),
    "one string": ("abcdef", TypeError, "sequence of 6 names; got a str"),
    "a number": (6, TypeError, "sequence of 6 names; got a int"),
    "a generator": ((name for name in NAMES), TypeError, "names; got a generator"),
    "a set": (set(NAMES), TypeError, "sequence of 6 names; got a set"),
    "a dict": (dict.fromkeys(NAMES), TypeError, "sequence of 6 names; got a dict"),
    "two dimensions": (
        np.array([NAMES]).T,
        TypeError,
        "sequence of 6 names; got a nda",
    ),
    "no dimension": (np.array("abcdef"), TypeError, "sequence of 6 names; got a ndarr"),
}


@pytest.mark.parametrize(
    ("names", "error", "message"), BAD_NAMES.values(), ids=BAD_NAMES
)
def test_bad_label_names(names, error, message):
    assert_refused(
        lambda: make_classifier().fit(X, Y, label_names=names), error, message
    )


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pl.Series])
def test_label_names_in_any_container(container):
    seen = make_classifier(indexer=TwoLevels()).fit(X, Y, label_names=container(NAMES))
    assert seen.trees_[0].n_labels == N_LABELS


def test_names_that_a_search_has_cut():
    """As many labels as rows: scikit-learn splits whatever is as long as X."""
    square = sparse.eye_array(N_SAMPLES, format="csr")
    names = [f"label {i}" for i in range(N_SAMPLES)]
    search = GridSearchCV(
        make_classifier(),
        {"beam_width": [1, 2]},
        scoring=recall_at_k_scorer(1),
        cv=KFold(2),
        error_score="raise",
    )
    # The search has as many rows as labels, a fold half of them.
    assert_refused(
        lambda: search.fit(X, square, label_names=names),
        ValueError,
        "label_names has 20 names; expected 40.*a search that splits the rows",
    )
    more = sparse.hstack([square, sparse.csr_array((N_SAMPLES, 1))], format="csr")
    search.fit(X, more, label_names=[*names, "another"])
