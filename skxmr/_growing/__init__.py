"""Changes to fitted label trees: labels added and removed, weights trained further."""
