"""The problems by name: real ones from the folder ``SKXMR_DATA``, synthetic ones made.

Layout of the folder: ``<task>/train.tsv.gz``, ``test.tsv.gz`` and ``labels.tsv.gz``,
UTF-8, tab-separated, without a header.
"""

import gzip
import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from benchmarks.features import embedded, words, words_and_trigrams
from benchmarks.problem import Problem, canonical, load_problem, save_problem
from benchmarks.synthetic import make_problem

VARIABLE = "SKXMR_DATA"
# Increment it when the features of a problem change: the cached matrices are stale.
CACHE_VERSION = 1
# Columns of the text and of the labels' ids in the rows; of the name in the labels.
TEXT_PROBLEMS = {"products": (1, 2, 1), "places": (0, 1, 1), "subjects": (0, 1, 1)}


class ProblemUnavailableError(RuntimeError):
    """The problem is not available; the message says why."""


def read_table(task, part):
    """Rows of one gzipped file as lists of strings."""
    root = os.environ.get(VARIABLE)
    if not root:
        raise ProblemUnavailableError(f"{VARIABLE} does not name the folder of data")
    path = Path(root, task, f"{part}.tsv.gz")
    if not path.exists():
        raise ProblemUnavailableError(f"no file {task}/{path.name} under {VARIABLE}")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n").split("\t") for line in lines]


def indicator(label_ids, column_of):
    """One row of ones for each list of label ids."""
    columns = [sorted({column_of[name] for name in names}) for names in label_ids]
    indptr = np.concatenate(([0], np.cumsum([len(row) for row in columns])))
    indices = np.array([column for row in columns for column in row], dtype=np.int32)
    ones = np.ones(len(indices), dtype=np.float32)
    return sp.csr_array((ones, indices, indptr), shape=(len(columns), len(column_of)))


def columns_of(task):
    """Column of each label id: the order of the file of labels."""
    return {row[0]: column for column, row in enumerate(read_table(task, "labels"))}


def texts_and_labels(task, part, text, labels, limit=None):
    """The texts and their lists of label ids, from two columns of a file."""
    rows = read_table(task, part)[:limit]
    return [row[text] for row in rows], [row[labels].split() for row in rows]


def subjects():
    """Titles to subject terms: words and pairs that occur twice; 100,000 rows."""
    column_of = columns_of("subjects")
    train, Y_train = texts_and_labels("subjects", "train", 0, 1, limit=100_000)
    test, Y_test = texts_and_labels("subjects", "test", 0, 1)
    X_train, X_test = words(train, test, min_df=2)
    return X_train, indicator(Y_train, column_of), X_test, indicator(Y_test, column_of)


def products():
    """Offer titles to products: words, pairs and trigrams of characters."""
    column_of = columns_of("products")
    train, Y_train = texts_and_labels("products", "train", 1, 2)
    test, Y_test = texts_and_labels("products", "test", 1, 2)
    X_train, X_test = words_and_trigrams(train, test)
    return X_train, indicator(Y_train, column_of), X_test, indicator(Y_test, column_of)


def places():
    """Names in any spelling to places: words, pairs and trigrams of characters."""
    column_of = columns_of("places")
    train, Y_train = texts_and_labels("places", "train", 0, 1)
    test, Y_test = texts_and_labels("places", "test", 0, 1)
    X_train, X_test = words_and_trigrams(train, test)
    return X_train, indicator(Y_train, column_of), X_test, indicator(Y_test, column_of)


def products_dense():
    """The products with 384 dense features, as many as common sentence embeddings."""
    X_train, Y_train, X_test, Y_test = products()
    X_train, X_test = embedded(X_train, X_test)
    return X_train, Y_train, X_test, Y_test


REAL = {
    "subjects": subjects,
    "products": products,
    "places": places,
    "products-dense": products_dense,
}
SYNTHETIC = "synthetic:"


def parse_synthetic(name):
    """Sizes from ``synthetic:ROWSxFEATURESxLABELS``."""
    try:
        rows, features, labels = map(int, name.removeprefix(SYNTHETIC).split("x"))
    except ValueError:
        raise ProblemUnavailableError(
            f"unknown problem {name!r}: take one of {sorted(REAL)} or "
            f"{SYNTHETIC}ROWSxFEATURESxLABELS"
        ) from None
    return rows, features, labels


def build(name):
    """Make the matrices of a problem."""
    if name in REAL:
        return Problem(name, *(canonical(matrix) for matrix in REAL[name]()))
    return make_problem(*parse_synthetic(name), name=name)


def get_problem(name, cache):
    """Read a problem from the cache folder, or build it and store it there."""
    folder = Path(cache, "problems", f"{name.replace(':', '-')}-v{CACHE_VERSION}")
    done = folder / "complete"
    if not done.exists():
        save_problem(build(name), folder)
        done.touch()
    return load_problem(folder, name)
