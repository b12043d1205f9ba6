"""The common part of all workers.

It runs in the environment of each system, so it imports only NumPy and SciPy.

A worker is a script with one class that offers

``version``
    str, the system's version.
``__init__(settings, threads, seed)``
    settings: dict with branching_factor, max_leaf_size, C, tol, max_iter, threshold,
    beam_width.
``prepare(X, Y)``
    bring the training matrices into the system's own form; not timed.
``fit()``
    train; returns (seconds of indexing or None where it cannot be told apart,
    seconds of the rest).
``save(folder)`` and ``load(folder, layout)``
    write the model to a new folder; read it for prediction.
``queries(X)``
    bring the test matrix into the system's own form; not timed.
``predict(queries, k, threads)``
    the k best labels of all queries, in the system's own form; timed.
``columns(predicted, k)``
    the same as an int array (n, k), best first, -1 where there is none; not timed.
``one_by_one(X, k)``
    a function of a row's number that makes the call a Python program would make for
    that single row, all conversions done before; timed call by call.

and ends with ``run(System)``.
"""

from benchworker.job import run

__all__ = ["run"]
