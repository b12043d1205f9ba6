"""Benchmarks that compare skxmr with its peers: run ``python -m benchmarks --help``."""
