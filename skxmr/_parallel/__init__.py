"""Parallel execution of tasks, on threads, by joblib and on Dask."""
