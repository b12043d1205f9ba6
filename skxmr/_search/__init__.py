"""Searching a trained tree: its weights, their layout in memory, the beam search."""
