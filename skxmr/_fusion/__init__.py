"""Weights that combine evidence for the candidates of each row into one score."""
