"""Displays of metrics, in the style of scikit-learn's."""
