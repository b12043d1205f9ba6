"""Compiled kernels, one to a file; they import nothing of the Python rooms."""
