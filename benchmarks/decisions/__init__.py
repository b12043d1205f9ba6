"""How many labels each row gets: thresholds of several kinds, compared by F1."""
