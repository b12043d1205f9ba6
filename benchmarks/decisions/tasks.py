"""Texts with several labels, as matrices, whole or with a part of the labels."""

from dataclasses import replace

import numpy as np

from benchmarks.features import words_and_trigrams
from benchmarks.problem import Problem, canonical
from benchmarks.retrieval.tasks import read_task


def read_problem(name, n_labels=None, rows=None, *, tuning=False):
    """The matrices of a task, with features of scikit-learn.

    Parameters
    ----------
    name : str
        Of `benchmarks.retrieval.tasks.read_task`.
    n_labels : int or None
        So many labels, drawn at random of those with training rows, and the rows that
        have one of them. Other labels of these rows are left out.
    rows : int or None
        A random sample of so many training rows.
    tuning : bool
        Whether a tenth of the training rows takes the place of the test.

    Returns
    -------
    Problem
    """
    task = read_task(name)
    if tuning:
        task = task.split_for_tuning()
    if n_labels is not None:
        task = draw_labels(task, n_labels)
    task = task.cut(rows)
    X_train, X_test = words_and_trigrams(task.texts, task.test_texts)
    parts = X_train, task.Y, X_test, task.Y_test
    return Problem(name, *map(canonical, parts))


def draw_labels(task, n_labels):
    """Keep some labels that have training rows, and the rows that have one of them."""
    n_rows = np.bincount(task.Y.indices, minlength=task.Y.shape[1])
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(n_rows))[:n_labels]
    labels = np.sort(drawn)
    Y, Y_test = task.Y[:, labels], task.Y_test[:, labels]
    rows, judged = (np.flatnonzero(np.diff(part.indptr)) for part in (Y, Y_test))
    return replace(
        task,
        texts=[task.texts[row] for row in rows],
        Y=Y[rows],
        test_texts=[task.test_texts[row] for row in judged],
        Y_test=Y_test[judged],
        label_texts=[task.label_texts[label] for label in labels],
        kinds=None,
    )
