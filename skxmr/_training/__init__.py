"""Training the weights of a tree, level by level."""
