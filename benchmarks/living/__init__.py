"""A catalogue that changes from day to day."""
