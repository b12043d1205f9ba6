"""Running tasks: on threads, by joblib and on Dask."""
