"""Embeddings of texts by encoders of the user, and search among those of labels."""
