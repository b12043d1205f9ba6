"""Training of the weights of a tree, level by level."""
