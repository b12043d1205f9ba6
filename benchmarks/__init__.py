"""Benchmarks of skxmr beside its peers: run ``python -m benchmarks --help``."""
