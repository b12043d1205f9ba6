"""Memory: arrays that are large, that grow or are reused, and how much there may be."""
