"""Search of a trained tree: its weights, their memory layout, the beam search."""
