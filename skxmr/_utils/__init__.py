"""Utilities of all packages: sparse and dense rows, files, checks of arrays."""
