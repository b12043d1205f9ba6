"""Validation of input, and its conversion for the estimators."""
